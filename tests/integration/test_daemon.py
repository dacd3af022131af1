"""
The daemon as a process: ``hedger run`` beside ``hedger sandbox``, over real sockets.

Few, because each starts real processes; what can be tested in virtual time is elsewhere.
"""

import asyncio
import io
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest
import yaml

from hedger import app, audit, log, resources
from hedger.cli import root
from hedger.cli.exit_codes import ExitCode
from hedger.home import Home

LONGEST_S = 90.0
READY_S = 40.0
STOP_S = 25.0  # what the daemon promises (hedger/daemon.py, GRACE_S)


class Done(NamedTuple):
    """What a command left behind."""

    code: int
    out: str
    err: str


class Desk:
    """
    One state directory with its sandbox and the commands that are run on it.

    Daemon and sandbox are processes; the other commands run here, which saves each of them the
    seconds that loading takes.
    """

    def __init__(self, folder: Path) -> None:
        self.home = Home(folder / "home")
        self.config = folder / "sandbox.yaml"
        data = yaml.safe_load((resources.config() / "sandbox.yaml").read_text(encoding="utf-8"))
        data["entry"]["enabled"] = False  # hedges are opened by the tests alone
        data["sandbox"]["tier"] = "none"
        self._started: list[tuple[subprocess.Popen[str], threading.Timer]] = []
        self.config.write_text(yaml.safe_dump(data), encoding="utf-8")

    def start(self, *words: str) -> "subprocess.Popen[str]":
        """A command as a process of its own."""
        process = subprocess.Popen(
            [sys.executable, "-m", "hedger", *words, "--config", str(self.config)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        guard = threading.Timer(LONGEST_S, process.kill)  # whatever goes wrong, it ends
        guard.daemon = True
        guard.start()
        self._started.append((process, guard))
        return process

    def end(self) -> None:
        """Nothing that was started here lives on."""
        for process, guard in self._started:
            guard.cancel()
            process.kill()
            process.communicate()
        asyncio.run(app.stop_sandbox(self.home))

    def run(self, *words: str) -> Done:
        """A command in this process."""
        out, err = io.StringIO(), io.StringIO()
        with redirect_stdout(out), redirect_stderr(err):
            code = root.run([*words, "--config", str(self.config)])
        return Done(code, out.getvalue(), err.getvalue())

    def json(self, *words: str) -> Any:
        done = self.run(*words, "--format", "json")
        assert done.code in {ExitCode.DONE, ExitCode.UNWATCHED}, done.err
        return json.loads(done.out)

    def assert_ledger_is_true(self, *options: str) -> None:
        """By ``hedger sandbox verify``, to the last decimal."""
        words = ("sandbox", "--config", str(self.config), "verify", *options)
        assert root.run(words) == ExitCode.DONE

    @contextmanager
    def daemon(self) -> Iterator["subprocess.Popen[str]"]:
        """``hedger run``, ready to trade; ended at the end in any case."""
        process = self.start("run")
        try:
            assert process.stderr is not None
            for line in process.stderr:
                if "ready: trading" in line:
                    break
            else:
                raise AssertionError(process.wait())
            yield process
        finally:
            process.kill()
            process.communicate()

    def control(self, method: str, path: str, body: Any = None) -> Any:
        line = app.sandbox_status(self.home)
        assert line is not None
        with httpx.Client(base_url=line["control_url"], trust_env=False) as client:
            return client.request(method, path, json=body).raise_for_status().json()

    def fault(self, venue: str, kind: str, **parameters: Any) -> None:
        self.control("POST", "/faults", {"venue": venue, "kind": kind, **parameters})

    def positions(self) -> dict[str, Any]:
        """By the venues' own word."""
        state = self.control("GET", "/state")
        return {v: state[v]["positions"] for v in ("x10", "lighter") if state[v]["positions"]}

    def rows(self, kind: str) -> list[dict[str, Any]]:
        """The ledger's rows; none before there is a ledger."""
        if not self.home.ledger.exists():
            return []
        return list(audit.rows(self.home.ledger, kind, audit.Filters(limit=0)))


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """Shared, because a sandbox takes seconds to start; every test leaves it flat."""
    desk = Desk(tmp_path_factory.mktemp("daemon"))
    umask = os.umask(0o022)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HEDGER_HOME", str(desk.home.root))
        try:
            yield desk
        finally:
            desk.end()
            os.umask(umask)
            log.configure()


def test_a_daemon_serves_commands_and_is_alone_and_is_looked_at_while_it_runs(desk: Desk) -> None:
    with desk.daemon() as daemon:
        with desk.start("run") as late:
            _, err = late.communicate(timeout=60)
        assert late.returncode == ExitCode.LOCKED
        assert f"process {daemon.pid} is working" in err

        opened = desk.run("open", "ETH", "--usd", "300", "--format", "json")
        assert opened.code == ExitCode.DONE, opened.err
        assert "opening" in opened.err  # its progress, apart from its result
        hedge = json.loads(opened.out)
        assert hedge["state"] == "open"
        assert f"hedge {hedge['hedge']} is open" in opened.err
        held = {v: Decimal(p["ETH"]["size"]) for v, p in desk.positions().items()}
        assert sum(held.values()) == 0
        assert abs(held["x10"]) == Decimal(hedge["size_a"]) > 0

        status = desk.json("status")
        assert status["pid"] == daemon.pid
        assert [row["id"] for row in status["hedges"]] == [hedge["hedge"]]
        assert {row["purpose"] for row in desk.json("audit", "orders")} == {"open"}

        preview = desk.json("rollback", hedge["hedge"], "--dry-run")
        assert {row["venue"] for row in preview} == {"x10", "lighter"}
        refused = desk.run("rollback", hedge["hedge"])
        assert refused.code == ExitCode.USAGE
        assert "--yes" in refused.err
        assert len(desk.rows("orders")) == 2  # neither of the two sent anything

        rolled = desk.run("rollback", hedge["hedge"], "--yes")
        assert rolled.code == ExitCode.DONE, rolled.err
        assert "rolling back hedge" in rolled.err
        assert desk.positions() == {}
        assert daemon.poll() is None

        daemon.send_signal(signal.SIGTERM)
        assert daemon.wait(STOP_S) == ExitCode.DONE
    desk.assert_ledger_is_true("--flat")
    assert desk.json("status")["pid"] is None


def test_sigterm_in_the_midst_of_a_hedge_ends_in_time_with_nothing_half_known(desk: Desk) -> None:
    before = len(desk.rows("orders"))
    with desk.daemon() as daemon:
        desk.fault("lighter", "slow_match", seconds=2, reduce_only=False)
        command = desk.start("open", "SOL", "--usd", "300", "--format", "json")
        wait_until(lambda: len(desk.rows("orders")) > before + 1)  # leg 2 is out
        began = time.monotonic()
        daemon.send_signal(signal.SIGTERM)
        assert daemon.wait(STOP_S) == ExitCode.DONE
        assert time.monotonic() - began < STOP_S
        out, err = command.communicate(timeout=10)

    assert command.returncode in {ExitCode.DONE, ExitCode.NOT_DONE}, err
    (hedge,) = [row for row in desk.rows("hedges") if row["symbol"] == "SOL"]
    assert json.loads(out)["hedge"] == hedge["id"]  # the command was answered to its end
    assert hedge["state"] in {"open", "closed"}
    assert {row["state"] for row in desk.rows("orders")}.isdisjoint({"prepared", "unresolved"})
    desk.assert_ledger_is_true()

    assert desk.run("rollback", "--all", "--yes").code == ExitCode.DONE  # by itself now
    assert desk.positions() == {}


def test_a_daemon_that_was_killed_is_taken_up_by_the_next_command(desk: Desk) -> None:
    """A public bot forgot the leg that it had sent; the next start knew nothing (S1, S2)."""
    before = len(desk.rows("orders"))
    with desk.daemon() as daemon:
        desk.fault("lighter", "hang", seconds=4, reduce_only=False)
        command = desk.start("open", "AVAX", "--usd", "300")
        wait_until(lambda: len(desk.rows("orders")) > before + 1)
        daemon.kill()
        daemon.wait()
        _, err = command.communicate(timeout=10)
    assert command.returncode == ExitCode.STATE
    assert "hedger status" in err

    done = desk.run("rollback", "--all", "--yes")

    assert done.code == ExitCode.DONE, done.err
    assert "taking it up" in done.err
    assert desk.positions() == {}
    desk.assert_ledger_is_true("--flat")


def wait_until(reached: Any) -> None:
    """Look again until it is so: another process brings it about."""
    until = time.monotonic() + READY_S
    while not reached():
        assert time.monotonic() < until
        time.sleep(0.02)
