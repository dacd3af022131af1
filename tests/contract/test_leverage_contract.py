"""
Leverage and settled rates at every venue: set, read back, and the SDK's own calls (S47).

What needs a nonce is prepared and sent as ``hedger/leverage.py`` does it.
"""

from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from hedger.domain.ids import Symbol
from hedger.domain.order import Accepted, Purpose
from hedger.errors import DeniedError, VenueError
from tests.contract.account import ETH, SETTLED_S, Account

RATE_PLACES = Decimal("0.000001")
BTC = Symbol("BTC")


def truth(account: Account, symbol: str = ETH) -> Decimal:
    exchange = account.world.exchange(account.name)
    return exchange.leverage(account.world.account(account.name), symbol)


async def change(account: Account, leverage: str, symbol: Symbol = ETH) -> Decimal | None:
    """As the core does it; what the venue reads back."""
    lane = account.venue.lane(Purpose.OPEN)
    if lane is None:
        return await account.venue.set_leverage(symbol, Decimal(leverage))
    nonce = await account.venue.next_nonce(lane)
    filler = await account.venue.prepare_leverage(symbol, Decimal(leverage), lane, nonce)
    assert isinstance(await account.venue.submit_filler(filler), Accepted)
    await account.world.pass_time(SETTLED_S)
    assert await account.venue.next_nonce(lane) == nonce + 1
    return await account.venue.leverage(symbol)


async def test_leverage_is_what_the_venue_has_before_anything_was_chosen(account: Account) -> None:
    assert await account.venue.leverage(ETH) == truth(account)


@pytest.mark.parametrize("leverage", ["2", "5", "20"])
async def test_leverage_that_was_set_is_read_back(account: Account, leverage: str) -> None:
    other = truth(account, BTC)

    assert await change(account, leverage) == Decimal(leverage) == truth(account)
    assert truth(account, BTC) == other


@pytest.mark.parametrize("leverage", ["3", "23", "27", "30", "49"])
async def test_leverage_that_the_venue_cannot_say_exactly_is_read_back_as_it_was_sent(
    account: Account, leverage: str
) -> None:
    """Lighter cut margin off to whole basis points: more leverage than was asked for."""
    wanted = Decimal(leverage)
    sent = account.venue.leverage_within(wanted)

    assert await change(account, leverage) == sent == truth(account)
    assert wanted * Decimal("0.995") < sent <= wanted


async def test_leverage_beyond_the_market_is_refused_and_stays_what_it_was(
    account: Account,
) -> None:
    before = truth(account)
    lane = account.venue.lane(Purpose.OPEN)
    if lane is None:
        with pytest.raises(DeniedError):
            await account.venue.set_leverage(ETH, Decimal(500))
    else:
        nonce = await account.venue.next_nonce(lane)
        filler = await account.venue.prepare_leverage(ETH, Decimal(500), lane, nonce)
        assert not isinstance(await account.venue.submit_filler(filler), Accepted)

    assert await account.venue.leverage(ETH) == before == truth(account)


@pytest.mark.parametrize(
    "way",
    [
        {"kind": "bad_reads", "what": ["public", "positions", "balance"], "status": 503},
        {"kind": "drop_answer", "op": ["public", "positions", "balance"]},
    ],
)
async def test_leverage_that_cannot_be_read_is_an_error_and_never_a_figure(
    account: Account, way: Mapping[str, Any]
) -> None:
    await account.venue.instrument(ETH)
    account.fault(**way, times=0)

    with pytest.raises(VenueError):
        await account.venue.leverage(ETH)


async def test_settled_rates_are_the_venues_own_by_hour_and_in_our_unit(account: Account) -> None:
    upcoming = await account.quotes.next_settlement()
    quoted = await account.quotes.funding()
    account.world.advance_market(hours=1.05)  # X10 lists a rate some seconds after its hour

    for symbol in (ETH, Symbol("AVNT"), Symbol("PENGU")):  # both signs
        settled = await account.quotes.settled_rates(symbol, upcoming)
        assert list(settled) == [upcoming]
        assert abs(settled[upcoming].rate_1h - quoted[symbol].rate_1h) < RATE_PLACES


async def test_settled_rates_before_the_first_one_asked_for_are_left_out(
    account: Account,
) -> None:
    account.world.advance_market(hours=3.05)
    last = await account.quotes.next_settlement() - timedelta(hours=1)

    assert list(await account.quotes.settled_rates(ETH, last)) == [last]
    two = await account.quotes.settled_rates(ETH, last - timedelta(hours=1))
    assert sorted(two) == [last - timedelta(hours=1), last]


async def test_every_quote_carries_a_cap_and_every_market_its_maintenance(
    account: Account,
) -> None:
    """The cap is a bound that no recorded rate breaks; 0.5 % an hour is Lighter's own."""
    rules = await account.quotes.instruments()
    for symbol, quote in (await account.quotes.funding()).items():
        assert quote.cap_1h is not None
        assert abs(quote.rate_1h) <= quote.cap_1h <= Decimal("0.03")
        maintenance, most = rules[symbol].maintenance, rules[symbol].max_leverage
        assert maintenance is not None
        assert most is not None
        assert 0 < maintenance < 1 / most


async def test_a_balance_tells_what_everything_held_is_worth(account: Account) -> None:
    assert (await account.venue.balance()).held_usd == 0
    await account.filled(size=Decimal(5))

    held = (await account.venue.balance()).held_usd

    mark = account.world.exchange(account.name).mark(ETH)
    assert held is not None
    assert abs(held - 5 * mark) < mark / 100


async def test_a_position_tells_its_mark_and_how_far_liquidation_is(account: Account) -> None:
    await account.filled(size=Decimal(5))

    held = await account.venue.position(ETH)

    mark = account.world.exchange(account.name).mark(ETH)
    assert held.mark_price is not None
    assert abs(held.mark_price - mark) < mark / 1000
    if held.liquidation_price is not None:  # a small position has none above zero
        assert held.liquidation_price < mark


async def test_the_official_clients_change_leverage_in_the_sandbox(account: Account) -> None:
    """The sandbox is what the SDKs expect: their own calls, not our adapter's."""
    venue: Any = account.venue
    if account.name == "x10":
        changed = await venue._client.account.update_leverage("ETH-USD", Decimal(4))
        read = await venue._client.account.get_leverage(market_names=["ETH-USD"])
        assert changed.error is None
        assert [row.leverage for row in read.data] == [Decimal(4)]
    else:
        client, nonce = venue._gateway._client, await venue.next_nonce(venue.lane(Purpose.OPEN))
        market = (await venue.instrument(ETH)).market_id
        key = int(str(venue.lane(Purpose.OPEN)).rpartition(":")[2])
        _, answer, error = await client.update_leverage(
            market, client.CROSS_MARGIN_MODE, 4, nonce=nonce, api_key_index=key
        )
        assert (error, answer.code) == (None, 200)
        await account.world.pass_time(SETTLED_S)
    assert truth(account) == Decimal(4)
