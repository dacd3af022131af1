"""Every limit from both sides, and all objections at once."""

from dataclasses import replace
from decimal import Decimal

import pytest

from hedger import risk
from hedger.domain.ids import Symbol
from hedger.domain.market import MarketStatus
from hedger.domain.order import Side
from hedger.risk import Approved, Book, Limits, Objected, Plan
from tests.builders import ETH, LIGHTER, NOW, X10, an_instrument

LIMITS = Limits(max_position_usd=Decimal(1000), max_open_hedges=2, max_price_gap_bps=Decimal(100))


def a_plan(**changes: object) -> Plan:
    values: dict[str, object] = {
        "symbol": ETH,
        "side_a": Side.BUY,
        "usd": Decimal(300),
        "price": Decimal(3000),
        "size": Decimal("0.1"),
        "a": an_instrument(X10),
        "b": an_instrument(LIGHTER),
        "price_gap_bps": Decimal(5),
        "next_settlement_a": NOW,
        "next_settlement_b": NOW,
    }
    return Plan(**(values | changes))  # type: ignore[arg-type]  # a test names real fields


def objections(plan: Plan, book: Book | None = None, limits: Limits = LIMITS) -> tuple[str, ...]:
    verdict = risk.review(plan, limits, book or Book())
    return verdict.reasons if isinstance(verdict, Objected) else ()


def test_a_plan_within_every_limit_is_approved() -> None:
    assert risk.review(a_plan(), LIMITS, Book()) == Approved(a_plan())


@pytest.mark.parametrize(
    ("inside", "outside", "word"),
    [
        ({"usd": Decimal(1000)}, {"usd": Decimal("1000.01")}, "max_position_size_usd"),
        ({"price_gap_bps": Decimal(100)}, {"price_gap_bps": Decimal("100.1")}, "prices differ"),
        ({"size": Decimal("0.01")}, {"size": Decimal("0.009")}, "minimum"),
        ({"quotes_age_s": 30.0}, {"quotes_age_s": 30.1}, "old"),
        (
            {"b": an_instrument(LIGHTER, min_notional_usd=Decimal(300))},
            {"b": an_instrument(LIGHTER, min_notional_usd=Decimal(301))},
            "below the 301",
        ),
        (
            {"a": an_instrument(X10, max_order_value_usd=Decimal(300))},
            {"a": an_instrument(X10, max_order_value_usd=Decimal(299))},
            "order cap",
        ),
        (
            {"a": an_instrument(X10, status=MarketStatus.ACTIVE)},
            {"a": an_instrument(X10, status=MarketStatus.REDUCE_ONLY)},
            "not open for trading",
        ),
    ],
)
def test_a_limit_of_the_plan_holds_on_both_sides(
    inside: dict[str, object], outside: dict[str, object], word: str
) -> None:
    assert objections(a_plan(**inside)) == ()
    (reason,) = objections(a_plan(**outside))
    assert word in reason


@pytest.mark.parametrize(
    ("inside", "outside", "word"),
    [
        ({"live_hedges": 1}, {"live_hedges": 2}, "max_open_hedges"),
        ({"busy_symbols": frozenset({Symbol("BTC")})}, {"busy_symbols": frozenset({ETH})}, "live"),
        ({"venues_in_doubt": frozenset()}, {"venues_in_doubt": frozenset({X10})}, "in doubt"),
        (
            {"blocked_markets": frozenset({(X10, Symbol("BTC"))})},
            {"blocked_markets": frozenset({(X10, ETH)})},
            "no hedge explains",
        ),
        ({"stopped": ""}, {"stopped": "job scan died"}, "job scan died"),
    ],
)
def test_a_limit_of_the_situation_holds_on_both_sides(
    inside: dict[str, object], outside: dict[str, object], word: str
) -> None:
    assert objections(a_plan(), Book(**inside)) == ()  # type: ignore[arg-type]  # real fields
    (reason,) = objections(a_plan(), Book(**outside))  # type: ignore[arg-type]  # real fields
    assert word in reason


def test_all_objections_come_at_once() -> None:
    blocked = replace(LIMITS, blocked_symbols=frozenset({ETH}), max_open_hedges=0)

    assert len(objections(a_plan(usd=Decimal(5000)), Book(stopped="drill"), blocked)) == 4


def test_the_size_is_on_the_coarser_step_of_both_venues() -> None:
    a = an_instrument(X10, size_step=Decimal(10))
    b = an_instrument(LIGHTER, size_step=Decimal("0.1"))

    assert risk.sized(Decimal(100), Decimal("0.33"), a, b) == Decimal(300)
