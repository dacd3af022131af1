"""The ledger's file is taken away from a running daemon, or damaged: what the commands say."""

import os
import random
import re
import shutil
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from hedger import log
from hedger.cli.exit_codes import ExitCode
from hedger.ledger.damage import copies
from tests.integration.test_daemon import STOP_S, Desk, wait_until


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path)
    umask = os.umask(0o022)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HEDGER_HOME", str(desk.home.root))
        try:
            yield desk
        finally:
            desk.end()
            os.umask(umask)
            log.configure()


def remove(path: Path) -> None:
    for end in ("", "-wal", "-shm"):
        path.with_name(path.name + end).unlink(missing_ok=True)


def damage(path: Path) -> None:
    """Random bytes in the first page of every table; the schema stays readable."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        size = connection.execute("PRAGMA page_size").fetchone()[0]
        pages = [
            page
            for (page,) in connection.execute(
                "SELECT rootpage FROM sqlite_master WHERE type = 'table' AND name != ?",
                ["alembic_version"],
            )
        ]
    noise = random.Random(6)
    with path.open("r+b") as file:
        for page in pages:
            file.seek((page - 1) * size)
            file.write(noise.randbytes(200))


def test_f5_a_ledger_removed_under_the_daemon_is_told_by_every_command(desk: Desk) -> None:
    with desk.daemon() as daemon:
        hedge = desk.json("open", "ETH", "--usd", "300")["hedge"]
        remove(desk.home.ledger)

        shown = desk.run("status")
        assert shown.code == ExitCode.EXPOSED
        assert "is gone while it is in use" in shown.err
        assert "no hedge is open" not in shown.out + shown.err
        assert hedge in shown.out
        asked = desk.run("audit", "orders")
        assert asked.code == ExitCode.EXPOSED
        assert "is gone while it is in use" in asked.err
        refused = desk.run("open", "SOL", "--usd", "300")
        assert refused.code == ExitCode.USAGE
        assert "is gone while it is in use" in refused.err
        wait_until(lambda: "is gone while it is in use" in desk.home.log.read_text("utf-8"))

        closed = desk.run("rollback", "--all", "--yes")
        assert closed.code == ExitCode.DONE, closed.err
        assert desk.positions() == {}
        daemon.send_signal(signal.SIGTERM)
        assert daemon.wait(STOP_S) == ExitCode.DONE

    for words in (["status"], ["audit", "hedges"]):
        shown = desk.run(*words)
        assert shown.code == ExitCode.EXPOSED
        assert "is gone, though one worked here before" in shown.err
    assert desk.run("reconcile").code == ExitCode.DONE
    (alert,) = [a["text"] for a in desk.json("status")["alerts"] if "starts of" in a["text"]]
    assert "another" not in alert


def test_f6_every_command_says_the_same_sentence_about_a_damaged_ledger(desk: Desk) -> None:
    opened = desk.json("open", "ETH", "--usd", "300")
    path = desk.home.ledger
    for copy in copies(path):
        copy.unlink()
    whole = path.with_name("whole.db")
    shutil.copy(path, whole)
    damage(path)
    commands = [
        ["status"],
        *(["audit", kind] for kind in ("hedges", "orders", "events", "pnl", "reconcile", "stats")),
        ["run"],
        ["open", "SOL", "--usd", "100"],
        ["close", opened["hedge"]],
        ["rollback", "--all", "--yes"],
        ["pause", "--reason", "damage"],
        ["acknowledge", "1"],
        ["db", "upgrade"],
    ]

    said = {" ".join(words): desk.run(*words) for words in commands}

    assert {name: done.code for name, done in said.items()} == dict.fromkeys(said, ExitCode.STATE)
    sentences = {name: done.err.splitlines()[-1] for name, done in said.items()}
    assert len(set(sentences.values())) == 1, sentences
    (sentence,) = set(sentences.values())
    assert "is damaged or is not a ledger: there is no good copy beside it; move it" in sentence
    assert "on shared ones close the positions of hedger by hand" in sentence
    assert not any("Traceback" in done.err for done in said.values())

    broken = path.with_name(f"{path.name}.20300101T000000000000Z.bak")
    good = path.with_name(f"{path.name}.20290101T000000000000Z.bak")
    shutil.copy(path, broken)
    shutil.copy(whole, good)
    shown = desk.run("status")
    assert shown.code == ExitCode.STATE
    named = re.search(rf"copy (\S+) to {re.escape(str(path))} and start again", shown.err)
    assert named is not None
    assert named[1] == str(good)  # the newest one is as damaged

    remove(path)
    shutil.copy(good, path)
    assert desk.run("close", opened["hedge"]).code == ExitCode.DONE
    assert desk.positions() == {}
    desk.assert_ledger_is_true("--flat")


def test_an_emptied_environment_file_is_refused(desk: Desk) -> None:
    desk.home.prepare("sandbox")
    marker = desk.home.root / "environment"
    assert marker.read_text("utf-8") == "sandbox\n"
    marker.write_text("")
    for words in (["status"], ["audit", "hedges"], ["db", "upgrade"], ["pause", "--reason", "x"]):
        done = desk.run(*words)
        assert done.code == ExitCode.STATE
        assert f"{marker}: is empty" in done.err
    marker.write_text("mainnet\n")
    done = desk.run("status")
    assert done.code == ExitCode.STATE
    assert "belongs to environment mainnet" in done.err


def test_a_lock_that_is_a_link_is_refused_and_its_target_is_not_made(
    desk: Desk, tmp_path: Path
) -> None:
    desk.home.prepare("sandbox")
    desk.home.lock_file.symlink_to(tmp_path / "elsewhere")
    done = desk.run("db", "upgrade")
    assert done.code == ExitCode.STATE
    assert "cannot be used as a lock" in done.err
    assert not (tmp_path / "elsewhere").exists()
