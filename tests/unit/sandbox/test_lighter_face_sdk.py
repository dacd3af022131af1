"""The parts of the official SDK that go around the event loop: over real sockets."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import lighter
import pytest

from hedger.clock import SystemClock
from tests.unit.sandbox.lighter_face_venue import ACCOUNT, ETH, KEY, LighterVenue, lighter_venue

QUICK: dict[str, Any] = {"taker_latency_ms": (2, 5), "sequencer_ms": 1, "nonce_lag_s": 0.02}


@pytest.fixture
async def venue() -> AsyncIterator[LighterVenue]:
    async with lighter_venue(SystemClock(), **QUICK) as venue:
        yield venue


async def test_check_client_finds_its_key(venue: LighterVenue) -> None:
    assert await asyncio.to_thread(venue.client.check_client) is None


async def test_the_ws_client_of_the_sdk_gets_books_and_accounts(venue: LighterVenue) -> None:
    books: asyncio.Queue[Any] = asyncio.Queue()
    accounts: asyncio.Queue[Any] = asyncio.Queue()
    client = lighter.WsClient(
        ws_url=venue.url.replace("http", "ws") + "/stream",
        order_book_ids=[ETH],
        account_ids=[ACCOUNT],
        on_order_book_update=lambda *update: books.put_nowait(update),
        on_account_update=lambda *update: accounts.put_nowait(update),
    )
    async with asyncio.timeout(20), asyncio.TaskGroup() as group:
        running = group.create_task(client.run_async())
        assert (await books.get())[0] == str(ETH)
        assert (await accounts.get())[1]["positions"] == {}
        await venue.send(await venue.signed_market("0.5"))
        assert (await accounts.get())[1]["positions"][str(ETH)]["position"] == "0.5000"
        await books.get()
        running.cancel()


async def test_a_signer_without_a_nonce_asks_the_venue_itself(venue: LighterVenue) -> None:
    """The binary does its own blocking HTTP then, which works from a thread only."""
    *_, error = await asyncio.to_thread(
        venue.client.sign_cancel_order, ETH, 1, nonce=-1, api_key_index=KEY
    )
    assert error is None
