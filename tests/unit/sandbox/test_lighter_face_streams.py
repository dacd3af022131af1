"""The stream of the Lighter face: snapshots, updates, continuity, transactions, liveness."""

import json
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import aiohttp
import pytest

from hedger.clock import Clock
from tests.unit.sandbox.lighter_face_venue import ACCOUNT, ETH, LighterVenue, lighter_venue


@pytest.fixture
async def venue(virtual_time: Clock) -> AsyncIterator[LighterVenue]:
    async with lighter_venue(virtual_time) as venue:
        yield venue


async def test_an_order_book_is_a_snapshot_and_then_a_chain_of_changes(
    venue: LighterVenue,
) -> None:
    async with venue.stream() as stream:
        first = await stream.subscribe(f"order_book/{ETH}")
        assert (first["type"], first["channel"]) == ("subscribed/order_book", "order_book:0")
        assert first["order_book"]["begin_nonce"] == 0
        await venue.send(await venue.signed_market("0.5"))
        update = await stream.until("update/order_book")

    assert update["order_book"]["begin_nonce"] == first["order_book"]["nonce"]
    asks = {level["price"]: level["size"] for level in first["order_book"]["asks"]}
    asks |= {level["price"]: level["size"] for level in update["order_book"]["asks"]}
    left = sum(Decimal(size) for size in asks.values())
    before = sum(Decimal(level["size"]) for level in first["order_book"]["asks"])
    assert before - left == Decimal("0.5")


async def test_a_sequence_gap_shows_in_the_nonces(venue: LighterVenue) -> None:
    async with venue.stream() as stream:
        first = await stream.subscribe(f"order_book/{ETH}")
        venue.fault("seq_gap")
        await venue.executed(await venue.signed_market("0.5"))
        await venue.send(await venue.signed_market("0.5"))
        update = await stream.until("update/order_book")
    assert update["order_book"]["begin_nonce"] > first["order_book"]["nonce"]


async def test_market_stats_have_signed_percent_and_the_last_settlement(
    venue: LighterVenue,
) -> None:
    async with venue.stream() as stream:
        first = (await stream.subscribe("market_stats/all"))["market_stats"]
        assert len(first) == len(venue.exchange.rules)
        rate = venue.exchange.predicted_rate("ETH")
        assert Decimal(first[str(ETH)]["current_funding_rate"]) == rate * 100
        venue.settle_hours(1)
        update = (await stream.until("update/market_stats"))["market_stats"][str(ETH)]
    settled = venue.exchange.funding_rows("ETH")[-1]
    assert update["funding_timestamp"] == settled.settlement_ms
    assert Decimal(update["funding_rate"]) == settled.rate * 100


async def test_ticker_and_trades_follow_the_market(venue: LighterVenue) -> None:
    async with venue.stream() as stream:
        ticker = await stream.subscribe(f"ticker/{ETH}")
        assert Decimal(ticker["ticker"]["b"]["price"]) < Decimal(ticker["ticker"]["a"]["price"])
        await stream.subscribe(f"trade/{ETH}")
        await venue.send(await venue.signed_market("0.5"))
        trades = (await stream.until("update/trade"))["trades"]
        assert sum(Decimal(trade["size"]) for trade in trades) >= Decimal("0.5")


async def test_orders_of_an_account_need_a_token(venue: LighterVenue) -> None:
    async with venue.stream() as stream:
        for channel in (
            f"account_all_orders/{ACCOUNT}",
            f"account_orders/{ETH}/{ACCOUNT}",
            f"account_tx/{ACCOUNT}",
        ):
            answer = await stream.subscribe(channel)
            assert "auth field is required" in answer["error"]["message"]
            answer = await stream.subscribe(channel, auth="1:2:3:44")
            assert answer["error"]["code"] == 20013


async def test_the_account_channels_tell_of_a_fill(venue: LighterVenue) -> None:
    token = await venue.token()
    channels = {
        "account_all_orders": f"account_all_orders/{ACCOUNT}",
        "account_orders": f"account_orders/{ETH}/{ACCOUNT}",
        "account_all_trades": f"account_all_trades/{ACCOUNT}",
        "account_all_positions": f"account_all_positions/{ACCOUNT}",
        "account_all": f"account_all/{ACCOUNT}",
        "account_tx": f"account_tx/{ACCOUNT}",
        "user_stats": f"user_stats/{ACCOUNT}",
    }
    heard: dict[str, Any] = {}
    signed = await venue.signed_market("0.5", sell=True, client_index=77)
    async with venue.stream() as stream:
        for kind, channel in channels.items():
            assert (await stream.subscribe(channel, auth=token))["type"] == f"subscribed/{kind}"
        await venue.send(signed)
        while len(heard) < len(channels):
            frame = await stream.hear()
            heard[frame["type"].removeprefix("update/")] = frame

    (order,) = heard["account_all_orders"]["orders"][str(ETH)]
    assert (order["client_order_index"], order["status"]) == (77, "filled")
    assert heard["account_orders"]["channel"] == f"account_orders:{ETH}"
    trades = heard["account_all_trades"]["trades"][str(ETH)]
    assert sum(Decimal(trade["size"]) for trade in trades) == Decimal("0.5")
    row = heard["account_all_positions"]["positions"][str(ETH)]
    assert (row["sign"], row["position"]) == (-1, "0.5000")
    assert heard["account_all"]["positions"][str(ETH)]["position"] == "0.5000"
    assert [tx["hash"] for tx in heard["account_tx"]["txs"]] == [signed[2]]
    available = Decimal(heard["user_stats"]["stats"]["available_balance"])
    assert available == venue.exchange.balance(ACCOUNT).available.quantize(Decimal("0.000001"))


async def test_funding_reaches_the_stream(venue: LighterVenue) -> None:
    await venue.executed(await venue.signed_market("0.5"))
    async with venue.stream() as stream:
        await stream.subscribe(f"account_all/{ACCOUNT}")
        venue.settle_hours(1)
        frame = await stream.until("update/account_all")
    (payment,) = frame["funding_histories"][str(ETH)]
    assert Decimal(payment["change"]) == venue.exchange.payments(ACCOUNT)[-1].amount


async def test_a_wrong_reduction_shows_only_as_a_transaction(venue: LighterVenue) -> None:
    token = await venue.token()
    async with venue.stream() as stream:
        await stream.subscribe(f"account_all_orders/{ACCOUNT}", auth=token)
        await stream.subscribe(f"account_tx/{ACCOUNT}", auth=token)
        await venue.send(await venue.signed_market(reduce_only=True))
        frame = await stream.hear()
    assert (frame["type"], frame["txs"][0]["status"]) == ("update/account_tx", 0)


async def test_transactions_can_be_sent_over_the_stream(venue: LighterVenue) -> None:
    signed = [await venue.signed_market("0.1", nonce=nonce) for nonce in (0, 1, 2)]
    async with venue.stream() as stream:
        data = {"id": "x", "tx_type": 14, "tx_info": json.loads(signed[0][1])}
        await stream.say(type="jsonapi/sendtx", data=data)
        answer = await stream.hear()
        assert (answer["code"], answer["id"], answer["tx_hash"]) == (200, "x", signed[0][2])
        assert "message" not in answer
        await stream.say(type="jsonapi/sendtx", data=data)
        assert (await stream.hear()) == {
            "error": {"code": 21104, "message": "invalid nonce"},
            "id": "x",
        }
        batch = {
            "id": "y",
            "tx_types": json.dumps([14, 14]),
            "tx_infos": json.dumps([signed[1][1], signed[2][1]]),
        }
        await stream.say(type="jsonapi/sendtxbatch", data=batch)
        assert (await stream.hear())["tx_hash"] == [signed[1][2], signed[2][2]]
        await venue.clock.sleep(1)
    assert venue.size == Decimal("0.3")


async def test_faults_strike_transactions_of_the_stream_too(venue: LighterVenue) -> None:
    signed = await venue.signed_market("0.1")
    data = {"id": 1, "tx_type": 14, "tx_info": json.loads(signed[1])}
    async with venue.stream() as stream:
        venue.fault("rate_limit")
        await stream.say(type="jsonapi/sendtx", data=data)
        assert (await stream.hear())["error"]["code"] == 23000
        venue.fault("drop_answer", when="after")
        await stream.say(type="jsonapi/sendtx", data=data)
        message = await stream.socket.receive(timeout=5)
        assert message.type in {aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.CLOSE}
    await venue.clock.sleep(1)
    assert venue.size == Decimal("0.1")


async def test_nonsense_is_answered_with_the_venues_codes(venue: LighterVenue) -> None:
    async with venue.stream() as stream:
        await stream.socket.send_str("{")
        assert (await stream.hear())["error"]["code"] == 30000
        await stream.say(type="dance")
        assert (await stream.hear())["error"]["code"] == 30001
        for channel in ("order_book/x", "order_book/77777", "nothing/1", "account_all/4711"):
            assert (await stream.subscribe(channel))["error"]["code"] == 30005
        await stream.subscribe(f"ticker/{ETH}")
        assert (await stream.subscribe(f"ticker/{ETH}"))["error"]["code"] == 30003
        await stream.say(type="unsubscribe", channel=f"ticker/{ETH}")
        assert await stream.hear() == {"type": "unsubscribed", "channel": f"ticker:{ETH}"}
        await stream.say(type="unsubscribe", channel=f"ticker/{ETH}")
        assert (await stream.hear())["error"]["code"] == 30002
        await stream.say(type="ping")
        assert await stream.hear() == {"type": "pong"}


async def test_a_client_that_says_nothing_is_asked_and_then_cut(venue: LighterVenue) -> None:
    async with venue.stream() as stream:
        assert await stream.hear(timeout_s=61) == {"type": "ping"}
        closed = await stream.socket.receive(timeout=61)
        assert (closed.type, closed.data) == (aiohttp.WSMsgType.CLOSE, 1008)


async def test_a_client_that_answers_the_ping_stays(venue: LighterVenue) -> None:
    async with venue.stream() as stream:
        for _ in range(5):
            assert await stream.hear(timeout_s=61) == {"type": "ping"}
            await stream.say(type="pong")


async def test_an_outage_cuts_every_stream(venue: LighterVenue) -> None:
    async with venue.stream() as stream:
        venue.fault("outage", seconds=5)
        message = await stream.socket.receive(timeout=3)
        assert message.type is aiohttp.WSMsgType.CLOSED


async def test_a_silent_stream_catches_up_and_a_closed_one_is_closed(venue: LighterVenue) -> None:
    async with venue.stream() as stream:
        await stream.subscribe(f"account_all_trades/{ACCOUNT}")
        venue.fault("silence_stream", seconds=10)
        silent_s = venue.clock.monotonic_s()
        await venue.send(await venue.signed_market("0.5"))
        await stream.until("update/account_all_trades")
        assert venue.clock.monotonic_s() - silent_s >= 10
        venue.fault("close_stream")
        await venue.send(await venue.signed_market("0.5"))
        message = await stream.socket.receive(timeout=5)
        assert message.type is aiohttp.WSMsgType.CLOSE
