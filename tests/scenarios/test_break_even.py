"""
S41: after how many settlements a hedge has its cost back.

A public bot divided the cost by the rate *less the cost spread over the planned hold*, so the cost
was counted twice: 50 hours became 163 at a hold of 72 hours, and "999" at a hold of 50 or less.
Here the cost is counted once, and the planned hold has no say in it.
"""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import ROUND_CEILING, Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hedger import economics, scanner
from hedger.decay import H_MAX, KNEE_1H, RESOLUTION_1H, DecayModel, Form
from hedger.domain.ids import Symbol
from hedger.domain.money import BPS
from hedger.economics import Costs
from hedger.opportunity import Opportunity
from hedger.trader import scan_rules
from tests.desk import Desk

ETH = Symbol("ETH")
JAN = datetime(2026, 1, 1, tzinfo=UTC)
SIZE_USD = Decimal(1000)


def a_spread_that_stays() -> DecayModel:
    """Every settlement of the week pays in full: then break-even is cost / rate."""
    form = Form(fast=0.0, fast_h=1.0, slow=0.0, slow_h=1.0, floor=1.0, last_lag=H_MAX)
    return DecayModel(form=form, scales={}, counts={}, origin="S41", since=JAN, until=JAN, pairs=1)


STAYS = a_spread_that_stays()


def break_even(rate_1h: Decimal, cost_bps: Decimal, hold: int) -> int | None:
    """Of a hedge that earns ``rate_1h`` at each settlement and is planned for ``hold`` of them."""
    return economics.value(
        STAYS,
        ETH,
        rate_1h + RESOLUTION_1H,  # a rounding step of the venues is never counted
        size_usd=SIZE_USD,
        costs=Costs(fees_bps=cost_bps),
        settlements=hold,
    ).break_even


def bot_says(rate_1h: Decimal, cost_bps: Decimal, hold: int) -> int:
    """The public bot's formula, for the difference."""
    left = rate_1h - cost_bps / BPS / hold
    return round(cost_bps / BPS / left) if left > 0 else 999


@pytest.mark.parametrize(("hold", "wrong"), [(72, 164), (50, 999), (24, 999)])
def test_s41_fifty_hours_are_fifty_hours_whatever_hold_is_planned(hold: int, wrong: int) -> None:
    rate, cost = Decimal("0.00001"), Decimal(5)

    assert bot_says(rate, cost, hold) == wrong
    assert break_even(rate, cost, hold) == 50


@given(
    rate=st.integers(1, int(KNEE_1H * 1_000_000)).map(lambda n: Decimal(n) / 1_000_000),
    cost=st.integers(1, 1_000).map(lambda n: Decimal(n) / 10),
    hold=st.integers(1, H_MAX),
)
@example(rate=Decimal("0.00001"), cost=Decimal(5), hold=24)
def test_s41_break_even_is_cost_by_rate_as_a_simulation_of_the_settlements_has_it(
    rate: Decimal, cost: Decimal, hold: int
) -> None:
    """The money of a hedge, settlement by settlement, in USD."""
    account_usd, settlements = -cost / BPS * SIZE_USD, 0
    while account_usd < 0 and settlements < H_MAX:
        account_usd += rate * SIZE_USD
        settlements += 1
    simulated = settlements if account_usd >= 0 else None

    assert break_even(rate, cost, hold) == simulated
    if simulated is not None:
        assert simulated == (cost / BPS / rate).to_integral_value(ROUND_CEILING)


async def test_s41_a_scan_tells_the_same_break_even_for_every_planned_hold(desk: Desk) -> None:
    """What a person reads: with real books, fees and rollbacks, over all markets."""
    rules = scan_rules(desk.config, STAYS)
    told: list[dict[Symbol, int | None]] = []
    for hold in (1, 24, H_MAX):
        terms = replace(rules.terms, settlements=hold)
        result = await scanner.scan(
            desk.trader.quotes, replace(rules, terms=terms), desk.world.clock
        )
        priced = [found for found in result.opportunities if found.priced]
        assert [found.worth.break_even for found in priced] == [simulated(f) for f in priced]
        told.append({found.pair.symbol: found.worth.break_even for found in priced})

    always = set.intersection(*(set(hold) for hold in told))
    assert len([symbol for symbol in always if told[0][symbol] is not None]) >= 2
    for symbol in always:
        assert len({hold[symbol] for hold in told}) == 1


def simulated(found: Opportunity) -> int | None:
    """From the costs and the spread alone."""
    rate = STAYS.counted(found.pair.spread_1h)
    account = -found.costs.total_bps / BPS
    for settlement in range(1, H_MAX + 1):
        account += rate
        if account >= 0:
            return settlement
    return None
