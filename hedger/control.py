"""
How a command talks to the running daemon: newline-delimited JSON over an owner-only Unix socket.

    → {"command": "open", "environment": "sandbox", "args": {"symbol": "ETH", "usd": "100"}}
    ← {"progress": "leg 1 filled 0.04 ETH at 2500.1"}          any number of times
    ← {"result": {...}}   or   {"error": {"text": "...", "exit_code": 4}}          then the end

One request per connection. A command that is cut off does not stop what it asked for: the
daemon finishes it. A request made for another environment than the daemon's is refused.
"""

import asyncio
import json
import os
import tempfile
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from loguru import logger

from hedger.common.bounds import loads
from hedger.common.masking import redacted
from hedger.errors import HedgerError, StateError, UsageError
from hedger.plainjson import dumps

Progress = Callable[[str], None]
Handler = Callable[[Mapping[str, Any], Progress], Awaitable[Mapping[str, Any]]]

PATH_MAX_BYTES = 100  # the system's limit is 104 to 108, with the closing zero
LINE_MAX_BYTES = 4 * 1024 * 1024
REQUEST_MAX_BYTES = 64 * 1024
REQUEST_TIMEOUT_S = 5.0
REPLY_TIMEOUT_S = 5.0
BACKLOG_MAX_BYTES = 256 * 1024  # progress that a stalled reader has not taken is dropped beyond it
CALLS_MAX = 16
SILENCE_MAX_S = 600.0  # longer than any bounded command may stay silent
BUG = 70


class NoDaemonError(HedgerError):
    """Nobody listens: the caller may take the lock and act itself."""

    exit_code = 3


class RemoteError(HedgerError):
    """The daemon refused or failed; text and exit code are its own."""

    def __init__(self, text: str, exit_code: int) -> None:
        super().__init__(text)
        self.exit_code = exit_code


def _address_file(path: Path) -> Path:
    """Holds the real address where ``path`` is too long for a socket."""
    return path.with_suffix(".path")


def _too_long(path: Path) -> bool:
    return len(os.fsencode(path)) > PATH_MAX_BYTES


class ControlServer:
    """
    Answers commands for as long as it is entered.

    ``path`` is ``Home.control_socket``; only the holder of the state directory's lock may make
    one, which is why a socket left by a dead daemon is simply replaced. On the way out no new
    command is taken, and the running ones get ``grace_s`` to finish.
    """

    def __init__(
        self,
        path: Path,
        handlers: Mapping[str, Handler],
        *,
        environment: str,
        grace_s: float = 30.0,
    ) -> None:
        self._path = path
        self._handlers = handlers
        self._environment = environment
        self._grace_s = grace_s
        self._calls: dict[asyncio.Task[None], None] = {}  # as they came
        self._bound: Path | None = None
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        self._bound = self._choose()
        umask = os.umask(0o177)  # the socket is owner-only from its first instant
        try:
            self._server = await asyncio.start_unix_server(
                self._serve, self._bound, limit=REQUEST_MAX_BYTES
            )
        except OSError as error:
            reason = error.strerror or str(error)
            raise StateError(
                f"{self._bound}: cannot listen for commands there ({reason}); "
                "name another state directory with HEDGER_HOME"
            ) from error
        finally:
            os.umask(umask)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._server is not None
        assert self._bound is not None
        self._server.close()
        self._bound.unlink(missing_ok=True)
        if self._bound != self._path:
            _address_file(self._path).unlink(missing_ok=True)
            with suppress(OSError):
                self._bound.parent.rmdir()
        running = list(self._calls)
        if running:
            patience_s = self._grace_s if kind is None else 0  # else our own time is up
            await asyncio.wait(running, timeout=patience_s)
            late = [task for task in running if not task.done()]
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    def _choose(self) -> Path:
        self._path.unlink(missing_ok=True)
        address = _address_file(self._path)
        address.unlink(missing_ok=True)
        if not _too_long(self._path):
            return self._path
        short = Path(tempfile.mkdtemp(prefix="hedger-")) / "control.sock"
        address.write_text(str(short), encoding="utf-8")
        return short

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._calls[task] = None
        try:
            reply = await self._answer(reader, writer)
            # the command may have gone away, or not read: the work is done all the same
            with suppress(ConnectionError, TimeoutError):
                async with asyncio.timeout(REPLY_TIMEOUT_S):
                    writer.write(_line(reply))
                    await writer.drain()
                    writer.close()
                    await writer.wait_closed()
        finally:
            self._calls.pop(task, None)
            writer.transport.abort()  # what is taken until now has been read, or never will be

    async def _answer(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> dict[str, Any]:
        """The last line of a conversation."""

        def progress(sentence: str) -> None:
            if writer.is_closing():
                return
            if writer.transport.get_write_buffer_size() < BACKLOG_MAX_BYTES:
                writer.write(_line({"progress": sentence}))

        command = "request"
        try:
            self._refuse_crowds()
            request = await _read_request(reader)
            command = request["command"]
            handler = self._handler(request)
            return {"result": await handler(request["args"], progress)}
        except HedgerError as error:
            return _error(str(error), error.exit_code)
        except Exception:  # noqa: BLE001 - a broken command must not take the daemon with it
            logger.exception("the command {} failed", command)
            return _error(f"{command}: failed inside the daemon; its log says where", BUG)

    def _refuse_crowds(self) -> None:
        if len(self._calls) > CALLS_MAX:
            raise StateError("the daemon is busy with other commands; try again")

    def _handler(self, request: Mapping[str, Any]) -> Handler:
        wanted = request["environment"]
        if wanted != self._environment:
            raise UsageError(
                f"the daemon here works in environment {self._environment}, and this command is "
                f"configured for {wanted}; name the right file with --config"
            )
        handler = self._handlers.get(request["command"])
        if handler is None:
            raise UsageError(
                f"the running daemon does not know the command {request['command']}; "
                "restart it with this version"
            )
        return handler


def _line(reply: Mapping[str, Any]) -> bytes:
    """What goes to a command, which has no list of what is secret: masked here."""
    return dumps(redacted(reply)).encode("utf-8", errors="backslashreplace") + b"\n"


def _error(text: str, exit_code: int) -> dict[str, Any]:
    return {"error": {"text": text, "exit_code": exit_code}}


async def _read_request(reader: asyncio.StreamReader) -> dict[str, Any]:
    unusable = UsageError("the request is not understood; use the hedger command")
    try:
        async with asyncio.timeout(REQUEST_TIMEOUT_S):
            request = loads((await reader.readline()).decode())
    except (TimeoutError, ValueError):  # ValueError: not JSON, or beyond a limit
        raise unusable from None
    match request:
        case {"command": str(), "environment": str(), "args": dict()}:
            return dict(request)
        case _:
            raise unusable


async def call(
    path: Path,
    command: str,
    args: Mapping[str, Any],
    on_progress: Progress,
    *,
    environment: str,
) -> dict[str, Any]:
    """
    Have the daemon do ``command``, and wait for its result.

    Raises:
        NoDaemonError: nobody listens; nothing was asked.
        RemoteError: the daemon said no.
        StateError: the conversation broke off; the command may still be carried out.
    """
    try:
        reader, writer = await asyncio.open_unix_connection(_address(path), limit=LINE_MAX_BYTES)
    except (FileNotFoundError, ConnectionRefusedError):
        raise NoDaemonError("no daemon is running on this state directory") from None
    try:
        request = {"command": command, "environment": environment, "args": args}
        writer.write(dumps(request).encode() + b"\n")
        await writer.drain()
        return await _listen(reader, on_progress)
    except (ConnectionError, TimeoutError, ValueError):
        raise StateError(
            f"{command}: the daemon broke off; it may still be at it, look with hedger status"
        ) from None
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


def _address(path: Path) -> Path:
    if not _too_long(path):
        return path
    return Path(_address_file(path).read_text(encoding="utf-8"))


async def _listen(reader: asyncio.StreamReader, on_progress: Progress) -> dict[str, Any]:
    while True:
        async with asyncio.timeout(SILENCE_MAX_S):
            line = await reader.readline()
        match json.loads(line):  # the end of the stream is no JSON; the sender is our own
            case {"progress": str(sentence)}:
                on_progress(sentence)
            case {"result": dict(result)}:
                return result
            case {"error": {"text": str(text), "exit_code": int(code)}}:
                raise RemoteError(text, code)
            case _:
                raise ValueError(line)
