"""A command and the daemon, over a real socket."""

import asyncio
import json
import stat
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from hedger import control
from hedger.control import ControlServer, NoDaemonError, Progress, RemoteError
from hedger.errors import StateError, UnavailableError

Row = Mapping[str, Any]


async def quick(args: Row, progress: Progress) -> Row:
    progress("leg 1 filled")
    progress("leg 2 filled")
    return {"state": "open", "size": Decimal("0.0410"), "asked": args["usd"]}


async def refusing(_args: Row, _progress: Progress) -> Row:
    raise UnavailableError("lighter", "no answer within 5 s")


async def broken(_args: Row, _progress: Progress) -> Row:
    raise KeyError("a bug")


def a_server(path: Path, grace_s: float = 5.0, **handlers: control.Handler) -> ControlServer:
    every = {"open": quick, "refuse": refusing, "break": broken} | handlers
    return ControlServer(path, every, environment="sandbox", grace_s=grace_s)


async def ask(
    path: Path, command: str = "open", **options: str
) -> tuple[dict[str, Any], list[str]]:
    told: list[str] = []
    environment = options.get("environment", "sandbox")
    result = await control.call(path, command, {"usd": "100"}, told.append, environment=environment)
    return result, told


async def test_a_command_gets_its_progress_and_then_its_result(tmp_path: Path) -> None:
    path = tmp_path / "control.sock"

    async with a_server(path):
        result, told = await ask(path)

    assert told == ["leg 1 filled", "leg 2 filled"]
    assert result == {"state": "open", "size": "0.041", "asked": "100"}


async def test_the_socket_is_owner_only_and_gone_afterwards(tmp_path: Path) -> None:
    path = tmp_path / "control.sock"

    async with a_server(path):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600

    assert not path.exists()


async def test_without_a_daemon_the_command_is_told_so(tmp_path: Path) -> None:
    with pytest.raises(NoDaemonError):
        await ask(tmp_path / "control.sock")


async def test_the_socket_of_a_dead_daemon_is_no_daemon_and_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "control.sock"
    server = await asyncio.start_unix_server(lambda _reader, writer: writer.close(), path)
    server.close()
    await server.wait_closed()
    path.touch()

    with pytest.raises(NoDaemonError):
        await ask(path)
    async with a_server(path):
        assert (await ask(path))[0]["state"] == "open"


async def test_a_path_too_long_for_a_socket_is_replaced_by_a_short_one(tmp_path: Path) -> None:
    folder = tmp_path / ("long" * 30)
    folder.mkdir()
    path = folder / "control.sock"

    async with a_server(path):
        result, _ = await ask(path)
        short = Path((folder / "control.path").read_text(encoding="utf-8"))
        assert stat.S_IMODE(short.parent.stat().st_mode) == 0o700

    assert result["state"] == "open"
    assert not short.parent.exists()
    with pytest.raises(NoDaemonError):
        await ask(path)


async def test_a_refusal_arrives_with_its_sentence_and_exit_code(tmp_path: Path) -> None:
    path = tmp_path / "control.sock"

    async with a_server(path):
        with pytest.raises(RemoteError, match="lighter: no answer within 5 s") as caught:
            await ask(path, "refuse")

    assert caught.value.exit_code == UnavailableError.exit_code


async def test_a_bug_in_one_command_leaves_the_daemon_alive(tmp_path: Path) -> None:
    path = tmp_path / "control.sock"

    async with a_server(path):
        with pytest.raises(RemoteError, match="failed inside the daemon") as caught:
            await ask(path, "break")
        assert (await ask(path))[0]["state"] == "open"

    assert caught.value.exit_code == 70


async def test_s17_a_command_for_another_environment_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "control.sock"

    async with a_server(path):
        with pytest.raises(RemoteError, match=r"works in environment sandbox.*mainnet"):
            await ask(path, environment="mainnet")


async def test_a_command_that_the_daemon_does_not_know_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "control.sock"

    async with a_server(path):
        with pytest.raises(RemoteError, match="does not know the command dance"):
            await ask(path, "dance")


@pytest.mark.parametrize(
    "line", [b"\n", b"not json\n", b"[]\n", b'{"command": 1}\n', b"x" * 100_000 + b"\n"]
)
async def test_what_is_not_a_request_is_answered_with_an_error(tmp_path: Path, line: bytes) -> None:
    path = tmp_path / "control.sock"

    async with a_server(path):
        reader, writer = await asyncio.open_unix_connection(path)
        writer.write(line)
        answer = json.loads(await reader.readline())
        writer.close()

    assert answer["error"]["exit_code"] == 2


async def test_what_was_begun_is_finished_though_the_command_went_away(tmp_path: Path) -> None:
    path = tmp_path / "control.sock"
    begun, go_on, finished = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def slow(_args: Row, progress: Progress) -> Row:
        begun.set()
        await go_on.wait()
        progress("nobody hears this")
        finished.set()
        return {}

    async with a_server(path, slow=slow):
        _, writer = await asyncio.open_unix_connection(path)
        writer.write(b'{"command": "slow", "environment": "sandbox", "args": {}}\n')
        await begun.wait()
        writer.close()
        go_on.set()
        await finished.wait()

    assert finished.is_set()


async def test_a_daemon_that_ends_lets_running_commands_finish(tmp_path: Path) -> None:
    path = tmp_path / "control.sock"
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def slow(_args: Row, _progress: Progress) -> Row:
        begun.set()
        await go_on.wait()
        return {"state": "open"}

    async with asyncio.TaskGroup() as group, a_server(path, slow=slow):
        asked = group.create_task(ask(path, "slow"))
        await begun.wait()
        go_on.set()

    assert asked.result()[0] == {"state": "open"}


async def test_a_command_that_outlasts_the_end_of_the_daemon_is_told(tmp_path: Path) -> None:
    path = tmp_path / "control.sock"
    begun = asyncio.Event()

    async def endless(_args: Row, _progress: Progress) -> Row:
        begun.set()
        await asyncio.Event().wait()
        return {}

    async def told() -> str:
        with pytest.raises(StateError) as caught:
            await ask(path, "endless")
        return str(caught.value)

    async with asyncio.TaskGroup() as group, a_server(path, grace_s=0.05, endless=endless):
        text = group.create_task(told())
        await begun.wait()

    assert "the daemon broke off" in text.result()
