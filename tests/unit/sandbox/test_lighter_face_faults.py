"""Faults at the Lighter face: when they strike, and what the SDK makes of them."""

from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import aiohttp
import lighter
import pytest

from hedger.clock import Clock
from tests.unit.sandbox.lighter_face_venue import ACCOUNT, ETH, LighterVenue, lighter_venue


@pytest.fixture
async def venue(virtual_time: Clock) -> AsyncIterator[LighterVenue]:
    async with lighter_venue(virtual_time) as venue:
        yield venue


@pytest.mark.parametrize("status", [429, 405])
@pytest.mark.parametrize("html", [False, True])
async def test_a_throttle_comes_before_the_nonce_check(
    venue: LighterVenue, status: int, html: bool
) -> None:
    venue.fault("rate_limit", status=status, html=html)
    signed = await venue.signed_market()
    with pytest.raises(lighter.ApiException) as refused:
        await venue.send(signed)
    assert refused.value.status == status
    assert ("<html>" in refused.value.body) == html
    assert (await venue.executed(signed)).status == 2


@pytest.mark.parametrize(("when", "filled"), [("before", "0"), ("after", "0.5")])
async def test_a_dropped_answer_tells_nothing_and_the_hash_tells_all(
    venue: LighterVenue, when: str, filled: str
) -> None:
    venue.fault("drop_answer", when=when)
    signed = await venue.signed_market()
    with pytest.raises(aiohttp.ClientError):
        await venue.send(signed)
    await venue.clock.sleep(1)

    assert venue.size == Decimal(filled)
    if when == "after":
        assert (await venue.tx(signed[2])).status == 2
    else:
        with pytest.raises(lighter.exceptions.BadRequestException, match="21500"):
            await venue.tx(signed[2])


@pytest.mark.parametrize(("when", "filled"), [("before", "0"), ("after", "0.5")])
async def test_a_server_error_may_hide_an_execution(
    venue: LighterVenue, when: str, filled: str
) -> None:
    venue.fault("server_error", when=when, html=True)
    with pytest.raises(lighter.exceptions.ServiceException):
        await venue.send(await venue.signed_market())
    await venue.clock.sleep(1)
    assert venue.size == Decimal(filled)


async def test_a_hanging_answer_outlasts_the_clients_timeout(venue: LighterVenue) -> None:
    venue.fault("hang", seconds=30)
    with pytest.raises(TimeoutError):
        await venue.send(await venue.signed_market())
    assert venue.size == Decimal("0.5")


async def test_a_slow_match_leaves_the_transaction_pending(venue: LighterVenue) -> None:
    venue.fault("slow_match", seconds=60)
    signed = await venue.signed_market()
    await venue.send(signed)
    await venue.clock.sleep(59)
    assert (await venue.tx(signed[2])).status == 1
    assert venue.size == 0
    await venue.clock.sleep(2)
    assert (await venue.tx(signed[2])).status == 2
    assert venue.size == Decimal("0.5")


async def test_refusals_can_be_aimed_at_a_market_and_at_closing_orders(
    venue: LighterVenue,
) -> None:
    venue.fault("refuse", code=21739, market="BTC")
    venue.fault("refuse", code=21740, reduce_only=True, status=400, message="closed for today")
    await venue.executed(await venue.signed_market("0.5"))
    closing = await venue.signed_market("0.5", sell=True, reduce_only=True)
    with pytest.raises(lighter.exceptions.BadRequestException, match="closed for today"):
        await venue.send(closing)
    assert (await venue.executed(closing)).status == 2


async def test_cancels_meet_only_the_faults_of_cancels(venue: LighterVenue) -> None:
    venue.fault("refuse", code=21739, times=0)
    burn = await venue.executed(await venue.sign("cancel_order", ETH, 1))
    assert burn.status == 0
    venue.fault("rate_limit", op="cancel")
    with pytest.raises(lighter.ApiException):
        await venue.send(await venue.sign("cancel_order", ETH, 1))


async def test_lagging_reads_show_the_past_and_only_what_was_asked(venue: LighterVenue) -> None:
    await venue.executed(await venue.signed_market("0.5", client_index=1))
    venue.fault("lag", what=["positions", "orders", "nonce"], seconds=4, times=0)
    signed = await venue.signed_market("0.5", sell=True, client_index=2)
    await venue.send(signed)
    await venue.clock.sleep(1)

    assert venue.size == 0
    with pytest.raises(lighter.exceptions.BadRequestException, match="21500"):
        await venue.tx(signed[2])  # not found is no proof
    position = await venue.position()
    assert position is None or position["position"] == "0.0000"
    await venue.clock.sleep(2.5)
    assert (await venue.position())["position"] == "0.5000"
    assert [order["client_order_index"] for order in await venue.orders(1, 2)] == [1]
    assert await venue.next_nonce() == 1
    await venue.clock.sleep(4)
    assert (await venue.position())["position"] == "0.0000"
    assert await venue.next_nonce() == 2


async def test_an_empty_read_looks_flat_once(venue: LighterVenue) -> None:
    await venue.executed(await venue.signed_market("0.5"))
    venue.fault("empty_reads", what=["positions"])
    positions = [(await venue.position())["position"] for _ in range(2)]
    assert positions == ["0.0000", "0.5000"]


@pytest.mark.parametrize(
    ("what", "path", "query"),
    [
        ("positions", "account", {"by": "index", "value": str(ACCOUNT)}),
        ("balance", "account", {"by": "index", "value": str(ACCOUNT)}),
        ("orders", "tx", {"by": "hash", "value": "00"}),
        ("nonce", "nextNonce", {"account_index": str(ACCOUNT), "api_key_index": "5"}),
        ("public", "funding-rates", {}),
    ],
)
async def test_bad_reads_fail_once(
    venue: LighterVenue, what: str, path: str, query: dict[str, Any]
) -> None:
    venue.fault("bad_reads", what=[what])
    assert (await venue.get(path, **query))[0] == 503
    assert (await venue.get(path, **query))[0] != 503


async def test_a_liquidation_shows_as_a_trade_of_that_kind(venue: LighterVenue) -> None:
    await venue.executed(await venue.signed_market("0.5"))
    venue.exchange.liquidate(ACCOUNT, "ETH", Decimal(1))
    assert venue.size == 0
    rows = (await venue.read("liquidations", account_index=ACCOUNT, limit=10))["liquidations"]
    assert sum(Decimal(row["trade"]["size"]) for row in rows) == Decimal("0.5")
    assert {row["trade"]["type"] for row in rows} == {"liquidation"}
