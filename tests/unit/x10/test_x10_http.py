"""Which failures prove that no byte of an order left this machine (reliability.md §2.2)."""

import aiohttp
import pytest

from adapters.x10.http import CONNECT_ERRORS


@pytest.mark.parametrize(
    "error",
    [
        aiohttp.ClientConnectorError,
        aiohttp.ClientConnectorDNSError,
        aiohttp.ClientSSLError,
        aiohttp.ClientConnectorSSLError,
        aiohttp.ClientConnectorCertificateError,
        aiohttp.ConnectionTimeoutError,
    ],
)
def test_what_fails_while_connecting_was_never_sent(error: type[Exception]) -> None:
    assert issubclass(error, CONNECT_ERRORS)


@pytest.mark.parametrize(
    "error",
    [
        TimeoutError,
        aiohttp.SocketTimeoutError,
        aiohttp.ServerDisconnectedError,
        aiohttp.ClientOSError,
        aiohttp.ClientConnectionResetError,
        aiohttp.ClientPayloadError,
        aiohttp.ClientResponseError,
        ConnectionResetError,
    ],
)
def test_what_fails_later_may_have_been_sent(error: type[Exception]) -> None:
    assert not issubclass(error, CONNECT_ERRORS)
