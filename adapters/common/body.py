"""
The body of an answer, read no further than a bound, packed or not.

The libraries unpack what a server sends before anybody can look at its size: a megabyte of
gzip becomes a gigabyte of blanks, and the loop stands still meanwhile. So they hand the bytes
over as they came, and both what came and what it unpacks to is counted here.
"""

import zlib
from collections.abc import AsyncIterator, Mapping
from typing import Final

import aiohttp
import httpx

BYTES_MAX: Final = 4_000_000
UNPACKED_AT_ONCE: Final = 65_536
PACKED: Final[Mapping[str, int]] = {
    "gzip": zlib.MAX_WBITS | 16,
    "x-gzip": zlib.MAX_WBITS | 16,
    "deflate": zlib.MAX_WBITS,
}
AS_IT_IS: Final = frozenset({"", "identity"})


class UnreadableBodyError(ValueError):
    """It is too large, or packed in a way that nobody asked for; the text says which."""


class _Bounded:
    """Takes the bytes of one answer; never holds more than the bound."""

    def __init__(self, encoding: str, length: str | None) -> None:
        self._parts: list[bytes] = []
        self._size = self._came = 0
        self._unpacker = None
        if length is not None and length.isdecimal() and not _fits(length):
            raise _too_large()
        if encoding in PACKED:
            self._unpacker = zlib.decompressobj(PACKED[encoding])
        elif encoding not in AS_IT_IS:
            raise UnreadableBodyError(f"packed as {encoding[:20]!r}, which was not asked for")

    def take(self, data: bytes) -> None:
        self._came += len(data)
        if self._came > BYTES_MAX:
            raise _too_large()
        if self._unpacker is None:
            self._keep(data)
            return
        full = True
        while data or full:
            try:
                part = self._unpacker.decompress(data, UNPACKED_AT_ONCE)
            except zlib.error:
                raise UnreadableBodyError("its packing is broken") from None
            self._keep(part)
            data = self._unpacker.unconsumed_tail
            full = len(part) == UNPACKED_AT_ONCE  # there may be more without more input

    def _keep(self, part: bytes) -> None:
        self._size += len(part)
        if self._size > BYTES_MAX:
            raise _too_large()
        self._parts.append(part)

    def text(self) -> str:
        if self._unpacker is not None and self._came and not self._unpacker.eof:
            raise UnreadableBodyError("its packing breaks off")
        return b"".join(self._parts).decode("utf-8", errors="replace")


def _fits(length: str) -> bool:
    return len(length) <= len(str(BYTES_MAX)) and int(length) <= BYTES_MAX


def _too_large() -> UnreadableBodyError:
    return UnreadableBodyError(f"larger than {BYTES_MAX // 1_000_000} MB")


async def text_of(response: aiohttp.ClientResponse) -> str:
    """
    The text of an answer to a session that does not unpack (``auto_decompress=False``).

    Whatever goes wrong, the connection is not used again.

    Raises:
        UnreadableBodyError: it is too large or cannot be unpacked.
        aiohttp.ClientError, OSError, TimeoutError: it broke off.
    """
    return await _text(response, response.content.iter_any())


async def text_of_stream(response: httpx.Response) -> str:
    """
    The same of httpx, within its ``stream``.

    Raises:
        UnreadableBodyError: it is too large or cannot be unpacked.
        httpx.HTTPError: it broke off.
    """
    return await _read(response.headers, response.aiter_raw(UNPACKED_AT_ONCE))


async def _text(response: aiohttp.ClientResponse, chunks: AsyncIterator[bytes]) -> str:
    try:
        return await _read(response.headers, chunks)
    except BaseException:
        response.close()
        raise


async def _read(headers: Mapping[str, str], chunks: AsyncIterator[bytes]) -> str:
    encoding = headers.get("Content-Encoding", "").strip().lower()
    bounded = _Bounded(encoding, headers.get("Content-Length"))
    async for data in chunks:
        bounded.take(data)
    return bounded.text()
