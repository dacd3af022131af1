"""Open hedges and no daemon: whoever asks is told that nobody watches, by a code of its own."""

import asyncio
import io
import json
import os
import sqlite3
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml

from hedger import app, log, resources
from hedger.cli import root
from hedger.cli.exit_codes import ExitCode
from hedger.home import Home

UNWATCHED = "nobody watches "


class Done(NamedTuple):
    """What a command left behind."""

    code: int
    out: str
    err: str


class Desk:
    """Commands on one state directory and its sandbox, without a daemon."""

    def __init__(self, folder: Path) -> None:
        self.home = Home(folder / "home")
        self.config = folder / "sandbox.yaml"
        data = yaml.safe_load((resources.config() / "sandbox.yaml").read_text(encoding="utf-8"))
        data["sandbox"]["tier"] = "none"
        self.config.write_text(yaml.safe_dump(data), encoding="utf-8")

    def run(self, *words: str) -> Done:
        out, err = io.StringIO(), io.StringIO()
        with redirect_stdout(out), redirect_stderr(err):
            code = root.run([*words, "--config", str(self.config)])
        return Done(code, out.getvalue(), err.getvalue())


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path)
    umask = os.umask(0o022)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HEDGER_HOME", str(desk.home.root))
        try:
            yield desk
        finally:
            asyncio.run(app.stop_sandbox(desk.home))
            os.umask(umask)
            log.configure()


def test_open_close_and_status_without_a_daemon_say_that_nobody_watches(desk: Desk) -> None:
    assert desk.run("status").code == ExitCode.DONE

    first = desk.run("open", "SOL", "--usd", "100", "--format", "json")
    second = desk.run("open", "ETH", "--usd", "100", "--format", "json")

    assert (first.code, second.code) == (8, 8)
    one, two = json.loads(first.out), json.loads(second.out)
    assert one["state"] == two["state"] == "open"  # the row is as ever
    assert f"{UNWATCHED}the open hedge ({one['hedge']}): no daemon is running" in first.err
    assert f"{UNWATCHED}2 open hedges (" in second.err
    assert "start one with `hedger run`" in second.err

    for output in ("table", "json", "csv"):
        seen = desk.run("status", "--format", output)
        assert seen.code == ExitCode.UNWATCHED
        assert seen.err.count(UNWATCHED) == 1
        assert UNWATCHED not in seen.out

    with desk.home.locked():  # as a daemon does
        watched = desk.run("status")
    assert watched.code == ExitCode.DONE
    assert UNWATCHED not in watched.err

    refused = desk.run("open", "SOL", "--usd", "100")
    assert refused.code == ExitCode.USAGE

    closed = desk.run("close", "eth")
    assert closed.code == ExitCode.UNWATCHED  # SOL still stands
    assert f"{UNWATCHED}the open hedge ({one['hedge']})" in closed.err
    last = desk.run("close", "sol")
    assert last.code == ExitCode.DONE
    assert UNWATCHED not in last.err
    assert desk.run("status").code == ExitCode.DONE


def test_a_hedge_that_did_not_open_beside_one_that_stands_is_unwatched_all_the_same(
    desk: Desk,
) -> None:
    assert desk.run("open", "SOL", "--usd", "100").code == ExitCode.UNWATCHED
    fault = {"venue": "lighter", "kind": "refuse", "code": 21739, "reduce_only": False}
    app.ask_sandbox(desk.home, "POST", "/faults", fault)

    rolled_back = desk.run("open", "ETH", "--usd", "100", "--format", "json")

    assert json.loads(rolled_back.out)["state"] == "closed"
    assert rolled_back.code == ExitCode.UNWATCHED
    assert UNWATCHED in rolled_back.err

    # one live hedge and several that are over: only the live one can be meant
    assert desk.run("close", "sol").code == ExitCode.DONE
    assert desk.run("open", "SOL", "--usd", "100").code == ExitCode.UNWATCHED
    assert desk.run("close", "sol").code == ExitCode.DONE


def test_a_leg_that_may_stand_alone_outranks_that_nobody_watches(desk: Desk) -> None:
    assert desk.run("open", "SOL", "--usd", "100").code == ExitCode.UNWATCHED
    for state in ("converging", "escalated"):
        with sqlite3.connect(desk.home.ledger) as ledger:
            ledger.execute("UPDATE hedges SET state = ?", (state,))

        seen = desk.run("status")

        assert seen.code == ExitCode.EXPOSED
        assert UNWATCHED in seen.err
