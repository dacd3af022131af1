"""What a hedge is worth, when it breaks even, how large it is best, and why it is not opened."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hedger import economics, entry
from hedger.decay import H_MAX, KNEE_1H, RESOLUTION_1H, DecayModel, Form
from hedger.domain.ids import Symbol
from hedger.domain.market import Level, OrderBook
from hedger.domain.money import is_on_step
from hedger.economics import Costs, SizeLimits
from hedger.entry import Code, EntryRules, MarketFacts
from tests.builders import ETH, LIGHTER, a_book

SLOW = Symbol("SLOW")
JAN = datetime(2026, 1, 1, tzinfo=UTC)
shares = st.floats(0, 0.5).map(lambda x: round(x, 4))
spreads = st.integers(-3000, 3000).map(lambda n: Decimal(n) / 1_000_000)
bps = st.integers(-200, 500).map(lambda n: Decimal(n) / 10)


def a_model(
    fast: float = 0.6,
    slow: float = 0.2,
    floor: float = 0.05,
    last_lag: int = 48,
    excess: float = 1.0,
) -> DecayModel:
    form = Form(
        fast=fast,
        fast_h=2.0,
        slow=slow,
        slow_h=24.0,
        floor=floor,
        last_lag=last_lag,
        excess=excess,
    )
    return DecayModel(
        form=form,
        scales={SLOW: Decimal("1.2")},
        counts={SLOW: 99},
        origin="a test",
        since=JAN,
        until=JAN,
        pairs=9,
    )


models = st.builds(a_model, shares, shares, shares, st.integers(1, 72), shares)


def counted(model: DecayModel, spread: Decimal) -> Decimal:
    """Less a rounding step; and what lies above the knee only in part."""
    gain = spread > 0
    size = max(spread - RESOLUTION_1H, Decimal(0)) if gain else -spread
    below = min(size, KNEE_1H)
    left = below + (size - below) * Decimal(str(model.form.excess))
    return left if gain else -left


def simulated(model: DecayModel, symbol: Symbol, spread: Decimal, cost: Decimal) -> int | None:
    """Settlement by settlement: the first after which what came in covers the cost."""
    left = counted(model, spread)
    received = Decimal(0)
    for settlement in range(1, H_MAX + 1):
        received += left * model.share(symbol, settlement)
        if received >= cost:
            return settlement
    return None


@given(model=models, symbol=st.sampled_from([ETH, SLOW]), spread=spreads, cost=bps)
def test_break_even_is_the_first_settlement_at_which_a_simulation_has_the_cost_back(
    model: DecayModel, symbol: Symbol, spread: Decimal, cost: Decimal
) -> None:
    found = economics.value(
        model,
        symbol,
        spread,
        size_usd=Decimal(1000),
        costs=Costs(fees_bps=cost),
        settlements=24,
    )

    assert found.break_even == simulated(model, symbol, spread, cost / 10_000)


@given(
    model=models,
    symbol=st.sampled_from([ETH, SLOW]),
    spread=st.integers(2, 300).map(lambda n: Decimal(n) / 1_000_000),
    settlement=st.integers(1, H_MAX),
)
def test_a_cost_that_is_covered_exactly_is_covered(
    model: DecayModel, symbol: Symbol, spread: Decimal, settlement: int
) -> None:
    cost = model.expected_sum(symbol, spread, settlement)

    assert model.settlements_until(symbol, spread, cost) == simulated(model, symbol, spread, cost)


@given(model=models, spread=spreads, cost=bps, settlements=st.integers(1, H_MAX))
def test_the_value_is_what_a_simulation_of_the_settlements_leaves_after_the_cost(
    model: DecayModel, spread: Decimal, cost: Decimal, settlements: int
) -> None:
    size = Decimal(1000)
    found = economics.value(
        model, ETH, spread, size_usd=size, costs=Costs(fees_bps=cost), settlements=settlements
    )

    left = counted(model, spread)
    received = sum(
        (left * model.share(ETH, k) * size for k in range(1, settlements + 1)), Decimal(0)
    )
    assert found.funding_usd == received
    assert found.value_usd == received - cost / 10_000 * size


def test_the_naive_apy_stands_beside_a_value_that_says_otherwise() -> None:
    """50 % a year for an hour or two does not pay for the way in and out."""
    found = economics.value(
        a_model(),
        ETH,
        Decimal("0.000057"),
        size_usd=Decimal(1000),
        costs=Costs(fees_bps=Decimal("4.5"), slippage_bps=Decimal(4)),
        settlements=24,
    )

    assert found.naive_apy == pytest.approx(Decimal("0.5"), abs=Decimal("0.01"))
    assert found.value_usd < 0
    assert found.break_even is None


def test_the_rounding_of_the_base_rates_is_worth_nothing_for_ever() -> None:
    """1.3e-5 against 1.2e-5: a constant fake spread that a persistence rule would love."""
    found = economics.value(
        a_model(fast=0, slow=0, floor=1.0),
        ETH,
        Decimal("0.000013") - Decimal("0.000012"),
        size_usd=Decimal(1000),
        costs=Costs(fees_bps=Decimal("0.01")),
        settlements=H_MAX,
    )

    assert found.funding_usd == 0
    assert found.break_even is None


def test_walking_a_book_averages_over_its_levels() -> None:
    levels = [Level(Decimal(10), Decimal(1)), Level(Decimal(13), Decimal(2))]

    assert economics.walk(levels, Decimal(2)) == Decimal("11.5")
    assert economics.walk(levels, Decimal(4)) is None


def test_what_was_measured_takes_over_from_what_was_believed() -> None:
    prior = (Decimal("0.05"), Decimal(20))

    unmeasured = economics.rollback_cost_bps(
        attempts=0, rollbacks=0, cost_bps=Decimal(0), prior=prior
    )
    quiet = economics.rollback_cost_bps(attempts=180, rollbacks=0, cost_bps=Decimal(0), prior=prior)
    stormy = economics.rollback_cost_bps(
        attempts=180, rollbacks=90, cost_bps=Decimal(40), prior=prior
    )

    assert unmeasured == Decimal(1)
    assert quiet == Decimal("0.1")
    assert stormy == pytest.approx(Decimal("18.1"), abs=Decimal("0.01"))


# -- size ---------------------------------------------------------------------------------------


def a_ladder(depths: list[tuple[int, int]], mid: int = 1000) -> OrderBook:
    """Levels so many ticks from the mid, with so many coins; the same on both sides."""
    rows, away = [], 0
    for ticks, coins in depths:
        away += ticks
        rows.append((str(mid - away), str(coins), str(mid + away), str(coins)))
    return a_book(*rows)


ladders = st.lists(st.tuples(st.integers(1, 5), st.integers(1, 9)), min_size=1, max_size=6).map(
    a_ladder
)


def limits(**changes: object) -> SizeLimits:
    values: dict[str, object] = {
        "step": Decimal("0.5"),
        "min_size": Decimal("0.5"),
        "min_value_usd": Decimal(0),
        "price": Decimal(1000),
        "caps": (("the most", Decimal(20_000)),),
    }
    return SizeLimits(**(values | changes))  # type: ignore[arg-type]  # a test names real fields


def worth(long: OrderBook, short: OrderBook, gain: Decimal, size: Decimal) -> Decimal | None:
    slips = [economics.slippage_bps(book, size) for book in (long, short)]
    if slips[0] is None or slips[1] is None:
        return None
    return (gain - slips[0] - slips[1]) * size


@given(long=ladders, short=ladders, gain=st.integers(0, 400).map(Decimal))
def test_no_other_size_within_the_limits_is_worth_more(
    long: OrderBook, short: OrderBook, gain: Decimal
) -> None:
    found = economics.best_size(long_book=long, short_book=short, gain_bps=gain, limits=limits())

    every = [Decimal(n) / 2 for n in range(1, 41)]
    values = [v for size in every if (v := worth(long, short, gain, size)) is not None]
    best = max([Decimal(0), *values])
    mine = worth(long, short, gain, found.size) if found.size else Decimal(0)
    assert mine is not None
    assert mine == pytest.approx(best, abs=Decimal("1e-18"))
    assert is_on_step(found.size, Decimal("0.5"))
    assert found.size * 1000 <= 20_000


@pytest.mark.parametrize("cap", ["the order cap of x10", "the free margin on lighter"])
def test_a_size_names_the_limit_that_bound_it(cap: str) -> None:
    deep = a_ladder([(1, 100)])
    caps = (("trading.max_position_size_usd", Decimal(9000)), (cap, Decimal(5400)))

    found = economics.best_size(
        long_book=deep, short_book=deep, gain_bps=Decimal(100), limits=limits(caps=caps)
    )

    assert (found.size, found.bound_by) == (Decimal(5), cap)


def test_a_size_below_a_venues_minimum_is_none() -> None:
    deep = a_ladder([(1, 100)])
    tiny = limits(min_size=Decimal(30))

    found = economics.best_size(long_book=deep, short_book=deep, gain_bps=Decimal(100), limits=tiny)

    assert found.size == 0
    assert "minimum" in found.bound_by


def test_an_empty_book_has_no_size() -> None:
    found = economics.best_size(
        long_book=a_book(), short_book=a_ladder([(1, 1)]), gain_bps=Decimal(9), limits=limits()
    )

    assert found.size == 0


# -- entry --------------------------------------------------------------------------------------

RULES = EntryRules(
    min_value_usd=Decimal(1),
    min_value_bps=Decimal(5),
    cost_multiple=Decimal(2),
    persistence=2,
    min_volume_usd=Decimal(1000),
    min_open_interest_usd=Decimal(2000),
    min_depth_usd=Decimal(3000),
    max_wait_s=1800,
    waiting_bps_per_h=Decimal(1),
)
FACTS = MarketFacts(
    persisted=2,
    volume_usd=Decimal(1000),
    open_interest_usd=Decimal(2000),
    depth_usd=Decimal(3000),
    settles_in_s=1800,
    interval_s=3600,
)


def a_valuation(funding: str = "3", cost: str = "1.4") -> economics.Valuation:
    return economics.Valuation(
        size_usd=Decimal(1000),
        settlements=24,
        funding_usd=Decimal(funding),
        cost_usd=Decimal(cost),
        value_usd=Decimal(funding) - Decimal(cost),
        break_even=9,
        naive_apy=Decimal(1),
    )


def codes(*args: object) -> list[Code]:
    return [o.code for o in entry.objections_to_entry(*args)]  # type: ignore[arg-type]  # as given


def test_a_hedge_that_keeps_every_rule_has_no_objection() -> None:
    assert codes(a_valuation(), FACTS, RULES) == []


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"persisted": 1}, Code.PERSISTENCE),
        ({"volume_usd": Decimal(999)}, Code.VOLUME),
        ({"volume_usd": None}, Code.VOLUME),
        ({"open_interest_usd": Decimal(1999)}, Code.OPEN_INTEREST),
        ({"open_interest_usd": None}, Code.OPEN_INTEREST),
        ({"depth_usd": Decimal(2999)}, Code.DEPTH),
        ({"settles_in_s": 1801.0}, Code.WAITING),
        ({"interval_s": 28_800}, Code.INTERVAL),
    ],
)
def test_each_fact_beyond_its_limit_is_one_objection(
    changes: dict[str, object], code: Code
) -> None:
    facts = replace(FACTS, **changes)  # type: ignore[arg-type]  # a test names real fields
    easy = replace(RULES, waiting_bps_per_h=Decimal(0))

    assert codes(a_valuation(), facts, easy) == [code]


def test_a_value_below_a_threshold_or_a_multiple_of_its_cost_is_an_objection() -> None:
    assert codes(a_valuation("2.3", "1.4"), FACTS, RULES) == [Code.VALUE, Code.MULTIPLE]
    assert codes(a_valuation("2.9", "1.5"), FACTS, RULES) == [Code.MULTIPLE]


def test_waiting_for_the_first_settlement_costs() -> None:
    """16 bps of value, of which standing open for half an hour at 23 bps an hour takes 11.5."""
    dear = replace(RULES, waiting_bps_per_h=Decimal(23))

    assert codes(a_valuation(), FACTS, dear) == [Code.VALUE]
    assert codes(a_valuation(), replace(FACTS, settles_in_s=600.0), dear) == []


@given(funding=st.integers(-50, 50), cost=st.integers(-50, 50))
def test_no_rule_lets_a_negative_value_in(funding: int, cost: int) -> None:
    """Not even thresholds that a person has set below nothing."""
    careless = EntryRules(
        min_value_usd=Decimal(-999),
        min_value_bps=Decimal(-999),
        cost_multiple=Decimal(0),
        persistence=0,
        min_volume_usd=Decimal(0),
        min_open_interest_usd=Decimal(0),
        min_depth_usd=Decimal(0),
        max_wait_s=86_400,
        waiting_bps_per_h=Decimal(0),
    )
    found = codes(a_valuation(str(funding), str(cost)), FACTS, careless)

    assert (Code.VALUE in found) is (funding <= cost)


def test_the_book_of_a_market_is_as_deep_as_its_thinner_side() -> None:
    book = a_book(("999", "3", "1001", "2"), ("900", "50", "1100", "50"), venue=LIGHTER)

    assert economics.depth_usd(book, Decimal(50)) == Decimal(2002)
