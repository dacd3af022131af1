"""
Whoever reads what a process writes may stop reading; trading, exits and SIGTERM go on.

Real processes and pipes: a full pipe is a matter of the operating system.
"""

import asyncio
import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from hedger import control
from hedger.cli.exit_codes import ExitCode
from hedger.common.console import Console
from tests.integration.test_daemon import READY_S, STOP_S, Desk, desk, wait_until

__all__ = ["desk"]

HEDGER = (sys.executable, "-m", "hedger")
PIPE_BYTES = 4_096
F_SETPIPE_SZ = 1031
FILLED_BYTES = 2_300


@contextmanager
def stalled_pipe(filled: int = FILLED_BYTES) -> Iterator[tuple[int, int]]:
    """Its two ends: as small as the system allows, with a part taken, and nobody reads."""
    reading, writing = os.pipe()
    try:
        if sys.platform.startswith("linux"):
            fcntl.fcntl(writing, F_SETPIPE_SZ, PIPE_BYTES)
        os.write(writing, b"x" * filled)
        yield reading, writing
    finally:
        os.close(reading)
        os.close(writing)


@contextmanager
def unread_daemon(desk: Desk, stderr: int) -> "Iterator[subprocess.Popen[bytes]]":
    process = subprocess.Popen(
        [sys.executable, "-m", "hedger", "run", "--config", str(desk.config)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=stderr,
    )
    try:
        log = desk.home.log
        wait_until(lambda: log.exists() and "ready: trading" in log.read_text(encoding="utf-8"))
        yield process
    finally:
        process.kill()
        process.wait()


def test_bugs_b12_a_standard_error_that_nobody_reads_holds_up_neither_orders_nor_sigterm(
    desk: Desk,
) -> None:
    with stalled_pipe() as (_, writing), unread_daemon(desk, writing) as daemon:
        for symbol in ("ETH", "BTC", "SOL"):
            opened = desk.run("open", symbol, "--usd", "300")
            assert opened.code == ExitCode.DONE, opened.err
        assert desk.run("rollback", "--all", "--yes").code == ExitCode.DONE
        assert desk.positions() == {}

        daemon.send_signal(signal.SIGTERM)
        assert daemon.wait(STOP_S) == ExitCode.DONE

    assert "SIGTERM: stopping" in desk.home.log.read_text(encoding="utf-8")
    desk.assert_ledger_is_true("--flat")


def test_bugs_b12_a_command_that_reads_nothing_holds_up_neither_the_daemon_nor_its_end(
    desk: Desk,
) -> None:
    with desk.daemon() as daemon:
        deaf = [_ask(desk.home.control_socket) for _ in range(control.CALLS_MAX)]
        time.sleep(control.REPLY_TIMEOUT_S + 1)  # each is given up after that
        opened = desk.run("open", "ETH", "--usd", "300")
        assert opened.code == ExitCode.DONE, opened.err
        assert desk.run("rollback", "--all", "--yes").code == ExitCode.DONE
        deaf += [_ask(desk.home.control_socket) for _ in range(3)]

        daemon.send_signal(signal.SIGTERM)
        assert daemon.wait(STOP_S) == ExitCode.DONE
        for connection in deaf:
            connection.close()


def _ask(path: Path) -> socket.socket:
    """A command that asks, and takes none of what it is told."""
    connection = socket.socket(socket.AF_UNIX)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
    connection.connect(str(path))
    request = {"command": "reconcile", "environment": "sandbox", "args": {}}
    connection.sendall(json.dumps(request).encode() + b"\n")
    return connection


def test_bugs_b12_a_command_by_itself_trades_on_while_its_words_are_not_read(desk: Desk) -> None:
    """Its progress is told from the loop that holds the legs."""
    with stalled_pipe(PIPE_BYTES) as (_, writing):
        process = subprocess.Popen(
            [*HEDGER, "open", "ETH", "--usd", "300", "--verbose", "--config", str(desk.config)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=writing,
        )
        out, _ = process.communicate(timeout=READY_S)
    assert process.returncode == ExitCode.UNWATCHED, out
    assert b"open" in out
    assert desk.run("rollback", "--all", "--yes").code == ExitCode.DONE
    assert desk.positions() == {}


def test_what_was_dropped_is_counted_and_told_when_it_flows_again() -> None:
    with stalled_pipe(PIPE_BYTES) as (reading, writing):
        console = Console(writing, most_bytes=10_000)
        began = time.perf_counter()
        for number in range(1_000):
            console.write(f"line {number:>91}\n")
        assert not console.drain(0.05)
        assert not console.drain(60)  # nobody waits in vain twice
        assert time.perf_counter() - began < 1

        got = bytearray()
        taker = threading.Thread(target=_take, args=(reading, got), daemon=True)
        taker.start()
        wait_until(lambda: b"dropped" in got)

    text = got.decode()
    assert "line " in text
    assert "hedger: 897 lines were dropped here, nobody read them\n" in text or "898" in text


def _take(reading: int, got: bytearray) -> None:
    while b"dropped" not in got:
        got += os.read(reading, 65_536)


async def test_bugs_b12_an_alert_command_that_reads_nothing_ends_in_time(tmp_path: Path) -> None:
    from hedger.alerts import Command, UndeliveredError

    script = tmp_path / "deaf"
    script.write_text("#!/bin/sh\nsleep 60 &\nexec sleep 60\n", encoding="utf-8")
    script.chmod(0o700)
    began = asyncio.get_running_loop().time()
    with pytest.raises(UndeliveredError):
        await Command([str(script)], 0.5).send({"text": "x" * 1_000_000})
    assert asyncio.get_running_loop().time() - began < 10
