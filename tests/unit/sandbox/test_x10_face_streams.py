"""The v1 streams, read by the official SDK's client or raw."""

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import aiohttp
import pytest
import websockets

from adapters.sandbox.tape import BUCKET_MS
from hedger.clock import Clock, SystemClock
from tests.unit.sandbox.x10_face_venue import AGENT, KEYS, MARKET, X10Venue, x10_venue


@pytest.fixture
async def venue(virtual_time: Clock) -> AsyncIterator[X10Venue]:
    async with x10_venue(virtual_time) as opened:
        yield opened


async def frames(socket: aiohttp.ClientWebSocketResponse, count: int) -> list[Any]:
    return [await socket.receive_json(timeout=30) for _ in range(count)]


async def frames_until(
    socket: aiohttp.ClientWebSocketResponse, kind: str, limit: int = 20
) -> list[Any]:
    seen: list[Any] = []
    while not seen or seen[-1].get("type") != kind:
        seen.append(await socket.receive_json(timeout=30))
        assert len(seen) < limit
    return seen


async def test_the_sdk_gets_three_snapshots_and_then_every_change(venue: X10Venue) -> None:
    async with venue.streams().subscribe_to_account_updates(KEYS.api_key) as stream:
        opening = [await stream.recv() for _ in range(3)]
        assert [frame.type for frame in opening] == ["ORDER", "BALANCE", "POSITION"]
        await venue.place("BUY", "0.5")
        seen: list[Any] = []
        while not {"TRADE", "POSITION", "BALANCE"} <= {frame.type for frame in seen}:
            seen.append(await asyncio.wait_for(stream.recv(), 5))
        assert [frame.seq for frame in opening + seen] == list(range(1, len(seen) + 4))
        statuses = [frame.data.orders[0].status for frame in seen if frame.type == "ORDER"]
        assert statuses[0] == "NEW"
        traded = [t.qty for f in seen if f.type == "TRADE" for t in f.data.trades]
        assert traded


async def test_a_closed_position_still_shows_its_former_size(venue: X10Venue) -> None:
    await venue.filled("BUY", "0.5", order_external_id="open")
    async with venue.http.ws_connect(f"{venue.stream_url}/account") as socket:
        snapshot = (await frames(socket, 3))[2]
        assert snapshot["data"]["isSnapshot"] is True
        assert snapshot["data"]["positions"][0]["size"] == "0.5"
        await venue.place("SELL", "0.5", reduce_only=True, order_external_id="close")
        rows = [
            row
            for frame in await frames_until(socket, "BALANCE")
            if frame["type"] == "POSITION"
            for row in frame["data"]["positions"]
        ]
        assert (rows[-1]["status"], Decimal(rows[-1]["size"])) == ("CLOSED", Decimal("0.5"))


async def test_an_account_stream_needs_the_key_in_header_or_query(venue: X10Venue) -> None:
    with pytest.raises(websockets.exceptions.InvalidStatusCode, match="401"):
        await venue.streams().subscribe_to_account_updates("wrong")
    async with (
        aiohttp.ClientSession(headers=AGENT) as stranger,
        stranger.ws_connect(
            f"{venue.stream_url}/account", params={"X-API-KEY": KEYS.api_key}
        ) as socket,
    ):
        assert (await frames(socket, 1))[0]["type"] == "ORDER"


async def test_a_book_follows_from_snapshot_and_changes(venue: X10Venue) -> None:
    async with venue.http.ws_connect(f"{venue.stream_url}/orderbooks/{MARKET}") as socket:
        (snapshot,) = await frames(socket, 1)
        assert (snapshot["type"], snapshot["seq"]) == ("SNAPSHOT", 1)
        asks = {row["p"]: Decimal(row["q"]) for row in snapshot["data"]["a"]}
        await venue.place("BUY", "0.5")
        (delta,) = await frames(socket, 1)
        assert (delta["type"], delta["seq"]) == ("DELTA", 2)
        for row in delta["data"]["a"]:
            asks[row["p"]] = asks.get(row["p"], Decimal(0)) + Decimal(row["q"])
            assert asks[row["p"]] == Decimal(row["c"])
        assert sum(Decimal(row["q"]) for row in delta["data"]["a"]) == Decimal("-0.5")


async def test_the_sdk_reads_the_top_of_the_book_as_snapshots(venue: X10Venue) -> None:
    async with venue.streams().subscribe_to_orderbooks(MARKET, depth=1) as stream:
        frame = await stream.recv()
        assert frame.type == "SNAPSHOT"
        assert len(frame.data.bid) == len(frame.data.ask) == 1


async def test_public_trades_show_what_we_took(venue: X10Venue) -> None:
    async with venue.streams().subscribe_to_public_trades(MARKET) as stream:
        await venue.place("SELL", "0.5")
        frame = await asyncio.wait_for(stream.recv(), 5)
        assert {trade.side for trade in frame.data} == {"SELL"}
        assert sum(trade.qty for trade in frame.data) == Decimal("0.5")


async def test_the_funding_stream_tells_each_applied_rate(venue: X10Venue) -> None:
    async with venue.streams().subscribe_to_funding_rates(MARKET) as stream:
        venue.settle_hours(1)
        frame = await asyncio.wait_for(stream.recv(), 5)
        (row,) = venue.exchange.funding_rows("ETH")
        assert frame.data.funding_rate == row.rate
        assert frame.data.timestamp == row.settlement_ms + 1000


@pytest.mark.parametrize(("kind", "name"), [("mark", "MP"), ("index", "IP")])
async def test_prices_are_sent_on_connect_and_with_every_move(
    venue: X10Venue, kind: str, name: str
) -> None:
    async with venue.http.ws_connect(f"{venue.stream_url}/prices/{kind}/{MARKET}") as socket:
        (first,) = await frames(socket, 1)
        venue.market.advance(10 * BUCKET_MS)
        (second,) = await frames(socket, 1)
        assert [first["type"], second["type"]] == [name, name]
        assert [first["seq"], second["seq"]] == [1, 2]
        read = venue.exchange.mark if kind == "mark" else venue.exchange.index
        assert Decimal(second["data"]["p"]) == read("ETH")


async def test_a_candle_stream_sends_the_present_candle(venue: X10Venue) -> None:
    stream = await venue.streams().subscribe_to_candles(MARKET, "mark-prices", "PT1H")
    frame = await stream.recv()
    assert frame.data[0].low <= frame.data[0].close <= frame.data[0].high
    await stream.close()


async def test_a_stream_without_a_market_is_about_all_of_them(venue: X10Venue) -> None:
    async with venue.http.ws_connect(f"{venue.stream_url}/prices/mark") as socket:
        names = {frame["data"]["m"] for frame in await frames(socket, 64)}
        assert len(names) == 64


async def test_streams_are_pinged_every_fifteen_seconds(venue: X10Venue) -> None:
    async with venue.http.ws_connect(f"{venue.stream_url}/funding/{MARKET}", autoping=False) as ws:
        began_s = venue.clock.monotonic_s()
        message = await ws.receive(timeout=30)
        assert message.type is aiohttp.WSMsgType.PING
        assert venue.clock.monotonic_s() - began_s == pytest.approx(15, abs=1.5)


async def test_a_stream_can_be_closed_with_a_fill_meanwhile(venue: X10Venue) -> None:
    async with venue.streams().subscribe_to_account_updates(KEYS.api_key) as stream:
        for _ in range(3):
            await stream.recv()
        venue.fault("close_stream")
        await venue.place("BUY", "0.5")
        with pytest.raises(websockets.ConnectionClosed):
            await asyncio.wait_for(stream.recv(), 5)
    await venue.clock.sleep(1)
    (order,) = (await venue.client.account.get_order_by_external_id("test-1")).data
    assert order.status == "FILLED"


async def test_a_gap_skips_one_number(venue: X10Venue) -> None:
    async with venue.http.ws_connect(f"{venue.stream_url}/account") as socket:
        await frames(socket, 3)
        venue.fault("seq_gap")
        await venue.place("BUY", "0.5")
        assert (await frames(socket, 1))[0]["seq"] == 5


async def test_a_silent_stream_loses_what_was_said_meanwhile(venue: X10Venue) -> None:
    async with venue.http.ws_connect(f"{venue.stream_url}/account") as socket:
        await frames(socket, 3)
        venue.fault("silence_stream", seconds=20)
        await venue.filled("BUY", "0.5", order_external_id="unheard")
        await venue.clock.sleep(20)
        await venue.place("SELL", "0.5", order_external_id="heard")
        (frame,) = await frames(socket, 1)
        assert frame["data"]["orders"][0]["externalId"] == "heard"
        assert frame["seq"] > 4


async def test_an_outage_cuts_open_streams(venue: X10Venue) -> None:
    async with venue.http.ws_connect(f"{venue.stream_url}/account") as socket:
        await frames(socket, 3)
        venue.fault("outage", seconds=5)
        message = await socket.receive(timeout=5)
        assert message.type in {aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.CLOSE}


async def test_the_same_works_over_real_sockets() -> None:
    async with (
        x10_venue(SystemClock(), match_delay_s=0.01) as venue,
        venue.streams().subscribe_to_account_updates(KEYS.api_key) as stream,
    ):
        placed = await venue.place("BUY", "0.5")
        filled = None
        while filled is None:
            frame = await asyncio.wait_for(stream.recv(), 10)
            orders = frame.data.orders or []
            filled = next((order for order in orders if order.status == "FILLED"), None)
        assert (filled.id, filled.filled_qty) == (placed, Decimal("0.5"))
