"""
TCP inside one event loop of virtual time.

``async_solipsism`` gives a loop whose clock jumps to the next timer, and sockets that are
queues in memory. Three libraries look below asyncio's surface; ``installed`` teaches them:

* aiohttp opens its sockets with aiohappyeyeballs: its connector asks the loop instead;
* httpcore looks at a socket's file descriptor to see whether an idle connection was closed;
* asyncio warns of options that a socket in memory does not have.

Nothing else is touched: the SDKs, httpx, websockets and the adapters are the real ones.
``asyncio.to_thread`` runs in a real thread while the loop waits, so it takes no virtual time.
"""

import asyncio
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import async_solipsism
from httpcore._backends import anyio as httpcore_anyio

from hedger.clock import LoopClock

EventLoop = async_solipsism.EventLoop


async def _connect(
    connector: Any,
    protocol_factory: Any,
    *,
    addr_infos: Any,
    req: Any,
    client_error: type[aiohttp.ClientConnectorError] = aiohttp.ClientConnectorError,
    **_: Any,
) -> Any:
    host, port = addr_infos[0][4][:2]
    try:
        return await connector._loop.create_connection(protocol_factory, host, port)
    except OSError as error:
        raise client_error(req.connection_key, error) from error


def _is_readable(sock: Any) -> bool:
    """Whether a read would not block: the other side has written, or has closed."""
    return bool(getattr(sock, "_sock", sock).read_ready())


def virtual_clock() -> LoopClock:
    """Time of the running loop, reading as the real present now (Lighter's signer uses that)."""
    passed_s = asyncio.get_running_loop().time()
    return LoopClock(datetime.now(UTC) - timedelta(seconds=passed_s))


@contextmanager
def installed() -> Iterator[None]:
    """Let aiohttp and httpx connect through the loop while this is held."""
    connector, readable = aiohttp.TCPConnector._wrap_create_connection, "is_socket_readable"
    before = getattr(httpcore_anyio, readable)
    aiohttp.TCPConnector._wrap_create_connection = _connect  # type: ignore[assignment]
    setattr(httpcore_anyio, readable, _is_readable)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", async_solipsism.SolipsismWarning)
            yield
    finally:
        aiohttp.TCPConnector._wrap_create_connection = connector  # type: ignore[method-assign]
        setattr(httpcore_anyio, readable, before)
