"""The sandbox as a process: real sockets, real signals, real files."""

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from decimal import Decimal

import httpx
import pytest

from adapters.sandbox import process
from adapters.sandbox.options import SandboxOptions
from hedger.cli import root
from hedger.cli.exit_codes import ExitCode
from hedger.clock import SystemClock
from hedger.errors import StateError

CLOCK = SystemClock()
OPTIONS = SandboxOptions(hour_s=5, balance_usd=Decimal(500))


@pytest.fixture
async def home(tmp_path):
    home = tmp_path / "state"
    yield home
    await process.stop(home, CLOCK)


async def health(line):
    async with httpx.AsyncClient(trust_env=False) as client:
        return (await client.get(f"{line['control_url']}/health")).json()


async def test_a_second_command_uses_the_sandbox_that_the_first_one_started(home):
    first = await process.ensure_running(home, OPTIONS, CLOCK)
    again = await process.ensure_running(home, OPTIONS, CLOCK)
    assert first == again
    assert set(first) == {"x10", "lighter", "control_url"}
    running = process.status(home)
    assert running is not None
    assert (await health(first))["pid"] == running["pid"] != os.getpid()


async def test_two_commands_at_once_start_one_sandbox(home):
    lines = await asyncio.gather(*(process.ensure_running(home, OPTIONS, CLOCK) for _ in range(3)))
    assert lines[0] == lines[1] == lines[2]


async def test_what_holds_keys_is_readable_by_its_owner_alone(home):
    await process.ensure_running(home, OPTIONS, CLOCK)
    for path in home.iterdir():
        assert path.stat().st_mode & 0o077 == 0, path
    assert "private_key" not in process.log_path(home).read_text()


async def test_a_stopped_sandbox_is_gone_and_leaves_no_record(home):
    line = await process.ensure_running(home, OPTIONS, CLOCK)
    assert await process.stop(home, CLOCK)
    assert process.status(home) is None
    assert not process.record_path(home).exists()
    with pytest.raises(httpx.ConnectError):
        await health(line)
    assert not await process.stop(home, CLOCK)


async def test_a_sandbox_that_was_killed_is_started_again(home):
    first = await process.ensure_running(home, OPTIONS, CLOCK)
    running = process.status(home)
    assert running is not None
    os.kill(running["pid"], signal.SIGKILL)
    while process.status(home) is not None:
        await CLOCK.sleep(0.02)
    assert process.record_path(home).exists()  # what it left must not be believed
    second = await process.ensure_running(home, OPTIONS, CLOCK)
    assert second["x10"]["private_key"] != first["x10"]["private_key"]


async def test_a_sandbox_whose_state_directory_is_deleted_ends_by_itself(home):
    await process.ensure_running(home, OPTIONS, CLOCK)
    running = process.status(home)
    assert running is not None
    shutil.rmtree(home)
    async with asyncio.timeout(10):
        while is_alive(running["pid"]):
            await CLOCK.sleep(0.05)


def is_alive(pid):
    """Whether the process runs; a child that ended is reaped by asking for it."""
    with suppress(ChildProcessError):
        return os.waitpid(pid, os.WNOHANG) == (0, 0)
    return False


async def test_a_sandbox_that_cannot_start_is_one_sentence_with_its_log(home):
    command = (sys.executable, "-c", "import sys; print('no disk', file=sys.stderr); exit(3)")
    with pytest.raises(StateError, match="ended at once with status 3") as caught:
        await process.ensure_running(home, OPTIONS, CLOCK, command=command)
    assert "no disk" in str(caught.value)


async def test_a_sandbox_that_never_announces_itself_is_given_up(home):
    command = (sys.executable, "-c", "import time; time.sleep(60)")
    with pytest.raises(StateError, match=r"did not come up within 0\.5 s"):
        await process.ensure_running(home, OPTIONS, CLOCK, command=command, timeout_s=0.5)


def test_the_command_prints_one_json_line_and_ends_on_sigterm_with_status_0(home):
    started = subprocess.Popen(
        [*process.COMMAND, *OPTIONS.command_line()],
        env={**os.environ, "HEDGER_HOME": str(home)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    guard = threading.Timer(30, started.kill)
    guard.start()
    try:
        assert started.stdout is not None
        line = json.loads(started.stdout.readline())
        answer = httpx.get(f"{line['control_url']}/state", trust_env=False)
        assert answer.json()["x10"]["balance"]["equity"] == "500"
        started.send_signal(signal.SIGTERM)
        rest, log = started.communicate()
    finally:
        guard.cancel()
        started.kill()
        started.wait()
    assert rest == ""
    assert started.returncode == 0
    assert "the sandbox is ready" in log
    assert line["x10"]["private_key"] not in log


def test_the_control_command_asks_and_shows_the_answer(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("HEDGER_HOME", str(tmp_path))
    body = tmp_path / "body.json"
    body.write_text('{"venue": "x10", "symbol": "ETH", "min_size": "7"}')
    halt = '{"venue": "lighter", "symbol": "ETH", "status": "inactive"}'
    try:
        assert root.run(["sandbox", "control", "POST", "/market", halt]) == ExitCode.USAGE
        assert "no sandbox is running" in capsys.readouterr().err
        asyncio.run(process.ensure_running(tmp_path, OPTIONS, CLOCK))
        for line, shown in (
            (("POST", "/market", halt), ("active", False)),
            (("post", "/market", f"@{body}"), ("min_size", "7")),
        ):
            assert root.run(["sandbox", "control", *line]) == ExitCode.DONE
            name, value = shown
            assert json.loads(capsys.readouterr().out)[name] == value
        for line, words in (
            (("POST", "/market", "{}"), "the sandbox refuses: the key venue is missing"),
            (("POST", "/market", "{"), "the body is not JSON"),
            (("POST", "market", "{}"), "must begin with /"),
            (("POST", "/market", "@/nowhere"), "cannot be read"),
        ):
            assert root.run(["sandbox", "control", *line]) == ExitCode.USAGE
            assert words in capsys.readouterr().err
    finally:
        root.run(["sandbox", "stop"])
