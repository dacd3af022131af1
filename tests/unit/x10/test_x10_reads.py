"""Reads and start of the X10 adapter against the sandbox's X10 face, in virtual time."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from adapters.sandbox.engine.order_types import NewOrder, Tif
from adapters.x10.venue import XVenue
from hedger.domain.ids import Symbol
from hedger.domain.order import (
    Accepted,
    Purpose,
    Side,
)
from hedger.errors import ConfigError, DeniedError, UnavailableError
from hedger.ports import Fence
from tests.unit.x10.desk import ETH, LATER_S, SIZE, filled, found, prepared, with_access
from tests.world import World

PAGE = 100


async def test_positions_are_signed_and_flat_ones_are_absent(world: World) -> None:
    venue = await world.x10()
    assert dict(await venue.positions()) == {}
    assert (await venue.position(ETH)).size == 0
    await filled(world, venue, side=Side.SELL)
    assert (await venue.position(ETH)).size == -SIZE
    assert {symbol: one.size for symbol, one in (await venue.positions()).items()} == {ETH: -SIZE}


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "bad_reads", "what": ["positions"]},
        {"kind": "server_error", "op": "positions"},
        {"kind": "rate_limit", "op": "positions", "html": True},
        # on a used connection that closes, aiohttp itself asks a second time
        {"kind": "drop_answer", "op": "positions", "times": 2},
    ],
)
async def test_a_failed_read_is_an_error_and_never_flat(
    world: World, fault: dict[str, Any]
) -> None:
    venue = await world.x10()
    world.fault("x10", **fault)
    with pytest.raises(UnavailableError):
        await venue.position(ETH)
    assert (await venue.position(ETH)).size == 0


async def test_a_failed_look_up_is_an_error_and_never_not_found(world: World) -> None:
    venue = await world.x10()
    sent = await prepared(world, venue)
    world.fault("x10", "bad_reads", what=["orders"], status=503)
    with pytest.raises(UnavailableError):
        await venue.find(sent)


async def test_the_balance_is_read_fresh(world: World) -> None:
    venue = await world.x10()
    before = await venue.balance()
    assert before.available_usd == before.equity_usd == Decimal(10_000)
    await filled(world, venue)
    assert (await venue.balance()).available_usd < before.available_usd


@pytest.mark.sandbox(balance_usd=Decimal(0))
async def test_a_missing_balance_is_a_proven_zero(world: World) -> None:
    balance = await (await world.x10()).balance()
    assert (balance.available_usd, balance.equity_usd) == (Decimal(0), Decimal(0))


async def test_the_accounts_own_fee_rates_are_read(world: World) -> None:
    assert (await (await world.x10()).fees(ETH)).taker == Decimal("0.00025")


async def test_every_funding_payment_is_read_over_all_pages_oldest_first(world: World) -> None:
    venue = await world.x10()
    since = await world.quotes("x10").next_settlement()
    await filled(world, venue)
    hours = 130
    world.advance_market(hours=hours)
    await world.pass_time(LATER_S)
    world.advance_market(hours=0.05)
    payments = await venue.funding_payments(since, ETH)
    assert [one.settlement_at for one in payments] == [
        since + timedelta(hours=hour) for hour in range(hours)
    ]
    assert {one.size for one in payments} == {SIZE}
    truth = sum((Decimal(one["amount"]) for one in world.state()["x10"]["payments"]), Decimal(0))
    assert sum((one.amount_usd for one in payments), Decimal(0)) == truth
    late = since + timedelta(hours=hours - 2)
    assert len(await venue.funding_payments(late)) == 2
    assert list(await venue.funding_payments(since, Symbol("BTC"))) == []


async def test_the_trades_of_an_old_order_are_found_behind_newer_ones(world: World) -> None:
    venue = await world.x10()
    old = await prepared(world, venue)
    assert isinstance(await venue.submit(old), Accepted)
    await world.pass_time(LATER_S)
    exchange, account = world.exchange("x10"), world.account("x10")
    for number in range(PAGE + 10):
        other = NewOrder(
            client_id=f"other-{number}",
            symbol=ETH,
            is_buy=old.order.side is Side.BUY,
            size=Decimal("0.01"),
            price=old.order.limit_price,
            tif=Tif.IOC,
            reduce_only=False,
            expires_ms=None,
        )
        exchange.match(exchange.admit(account, other).id)
    assert len(exchange.trades(account)) > PAGE
    assert (await found(world, venue, old)).complete


async def test_keys_that_do_not_belong_together_stop_the_start(world: World) -> None:
    other = with_access(world, private_key="0x5")
    with pytest.raises(ConfigError, match="does not belong to the private_key"):
        await other.start()


async def test_a_vault_that_is_not_the_api_keys_stops_the_start(world: World) -> None:
    other = with_access(world, vault=77)
    with pytest.raises(ConfigError, match="vault is 77, but the API key belongs to vault 10002"):
        await other.start()
    await other.close()


async def test_an_api_key_that_nobody_has_is_denied(world: World) -> None:
    other = with_access(world, api_key="0123456789abcdef")
    with pytest.raises(DeniedError) as caught:
        await other.start()
    assert "0123456789abcdef" not in str(caught.value)
    await other.close()


async def test_the_adapter_shows_no_secret(world: World) -> None:
    venue = await world.x10()
    assert isinstance(venue, XVenue)
    assert repr(venue) == "XVenue(id='x10', account='10002')"


async def test_its_fence_is_the_expiry_and_it_has_no_nonces(world: World) -> None:
    venue = await world.x10()
    assert venue.capabilities.fence is Fence.EXPIRY
    assert venue.capabilities.order_ttl_s == 5
    assert venue.lane(Purpose.OPEN) is None
    sent = await prepared(world, venue)
    assert sent.lane is None
    with pytest.raises(DeniedError, match="no nonce"):
        await venue.prepare_burn(sent)
