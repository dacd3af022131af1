"""
The official SDKs, unmodified, trade in virtual time with real signatures.

These prove the test world itself; what the venues and adapters do has tests of its own.
"""

from decimal import Decimal

import lighter
from x10.clients.stream import StreamClient
from x10.models.order import OrderSide

from tests import sdk_scripts as sdk


async def test_the_x10_sdk_trades_in_virtual_time(world):
    async with sdk.x10_client(world.line) as client:
        order = await sdk.x10_order(
            client, world.line, market="ETH-USD", size="0.5", side=OrderSide.BUY
        )
        placed = await client.orders.place_order(order)
        await world.pass_time(1)
        (position,) = (await client.account.get_positions()).data
    assert placed.data.external_id == order.id
    assert position.size == world.position("x10", "ETH") == Decimal("0.5")


async def test_the_lighter_sdk_signs_in_a_thread_and_trades_in_virtual_time(world):
    market_id = world.exchange("lighter").rules_of("ETH").market_id
    async with sdk.lighter_client(world.line) as client:
        tx_type, text, tx_hash = await sdk.lighter_order(
            client, world.line, market_id=market_id, size=5_000, is_ask=True
        )
        sent = await client.tx_api.send_tx(tx_type=tx_type, tx_info=text, _request_timeout=5.0)
        await world.pass_time(1)
        account = await lighter.AccountApi(client.api_client).account(
            by="index", value=str(world.account("lighter"))
        )
    assert sent.tx_hash == tx_hash
    (position,) = account.accounts[0].positions
    assert (position.sign, Decimal(position.position)) == (-1, Decimal("0.5"))
    assert world.position("lighter", "ETH") == Decimal("-0.5")


async def test_the_x10_account_stream_tells_of_a_fill_in_virtual_time(world):
    stream = StreamClient(api_url=world.line["x10"]["stream_url"])
    async with (
        stream.subscribe_to_account_updates(world.line["x10"]["api_key"]) as updates,
        sdk.x10_client(world.line) as client,
    ):
        order = await sdk.x10_order(
            client, world.line, market="ETH-USD", size="0.5", side=OrderSide.SELL
        )
        await client.orders.place_order(order)
        filled = Decimal(0)
        while filled < Decimal("0.5"):
            update = await updates.recv()
            filled += sum(trade.qty for trade in update.data.trades or ())
    assert filled == Decimal("0.5")


async def test_quotes_of_both_venues_come_over_httpx_in_virtual_time(world):
    for venue in ("x10", "lighter"):
        rates = await world.quotes(venue).funding()
        assert len(rates) == 64, venue


async def test_both_adapters_start_and_read_their_balance(world):
    for venue in (await world.x10(), await world.lighter()):
        assert (await venue.balance()).available_usd == 10_000
        assert await venue.positions() == {}


async def test_funding_is_paid_for_every_market_hour_that_is_advanced(world):
    async with sdk.x10_client(world.line) as client:
        order = await sdk.x10_order(
            client, world.line, market="ETH-USD", size="0.5", side=OrderSide.BUY
        )
        await client.orders.place_order(order)
        await world.pass_time(1)
    world.advance_market(hours=3)
    assert len(world.state()["x10"]["payments"]) == 3


async def test_a_liquidation_can_be_ordered(world):
    async with sdk.x10_client(world.line) as client:
        order = await sdk.x10_order(
            client, world.line, market="ETH-USD", size="0.5", side=OrderSide.BUY
        )
        await client.orders.place_order(order)
        await world.pass_time(1)
    world.fault("x10", "liquidate", market="ETH", fraction="0.4")
    assert world.position("x10", "ETH") == Decimal("0.3")
    world.fault("x10", "liquidate", market="ETH")
    assert world.position("x10", "ETH") == 0


async def test_the_same_world_works_over_real_sockets(real_world):
    async with sdk.x10_client(real_world.line) as client:
        balance = (await client.account.get_balance()).data
    assert balance.equity == 10_000
