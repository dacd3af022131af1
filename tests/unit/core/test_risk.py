"""Every limit from both sides, and all objections at once."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from hedger import risk
from hedger.domain.ids import Symbol
from hedger.domain.market import MarketStatus
from hedger.domain.order import Side
from hedger.risk import (
    RULES,
    Approved,
    Book,
    Churn,
    Funds,
    Limits,
    Objected,
    Objection,
    Opened,
    Plan,
    RolledBack,
    Track,
)
from tests.builders import ETH, LIGHTER, NOW, X10, a_position, a_quote, an_instrument

BTC = Symbol("BTC")
LIMITS = Limits(
    max_position_usd=Decimal(1000),
    max_open_hedges=2,
    max_price_gap_bps=Decimal(100),
    max_venue_usd=Decimal(5000),
)
DAY = NOW.date()


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


def objected(
    plan: Plan, book: Book | None = None, limits: Limits = LIMITS
) -> tuple[Objection, ...]:
    verdict = risk.review(plan, limits, book or Book())
    return verdict.objections if isinstance(verdict, Objected) else ()


def codes(plan: Plan, book: Book | None = None, limits: Limits = LIMITS) -> list[str]:
    return [objection.code for objection in objected(plan, book, limits)]


def test_a_plan_within_every_limit_is_approved() -> None:
    assert risk.review(a_plan(), LIMITS, Book()) == Approved(a_plan())


def capped(rate: str) -> tuple[object, ...]:
    return (a_quote(X10, rate, cap_1h=Decimal("0.005")), a_quote(LIGHTER, "0"))


@pytest.mark.parametrize(
    ("inside", "outside", "code", "word"),
    [
        (
            {"usd": Decimal(1000)},
            {"usd": Decimal("1000.01")},
            "max_position",
            "max_position_size_usd",
        ),
        (
            {"price_gap_bps": Decimal(100)},
            {"price_gap_bps": Decimal("100.1")},
            "price_gap",
            "prices differ",
        ),
        ({"size": Decimal("0.01")}, {"size": Decimal("0.009")}, "min_size", "minimum"),
        ({"quotes_age_s": 30.0}, {"quotes_age_s": 30.1}, "data_age", "old"),
        (
            {"b": an_instrument(LIGHTER, min_notional_usd=Decimal(300))},
            {"b": an_instrument(LIGHTER, min_notional_usd=Decimal(301))},
            "order_value",
            "below the 301",
        ),
        (
            {"a": an_instrument(X10, max_order_value_usd=Decimal(300))},
            {"a": an_instrument(X10, max_order_value_usd=Decimal(299))},
            "order_value",
            "order cap",
        ),
        (
            {"a": an_instrument(X10, status=MarketStatus.ACTIVE)},
            {"a": an_instrument(X10, status=MarketStatus.REDUCE_ONLY)},
            "market_status",
            "not open for trading",
        ),
        (
            {"next_settlement_b": NOW + timedelta(hours=1)},
            {"next_settlement_b": NOW + timedelta(hours=1, seconds=1)},
            "settlements",
            "funding of ETH is in doubt",
        ),
        (
            {"quotes": capped("-0.005")},
            {"quotes": capped("-0.005001")},
            "rate_cap",
            "beyond the venue's cap",
        ),
    ],
)
def test_a_limit_of_the_plan_holds_on_both_sides(
    inside: dict[str, object], outside: dict[str, object], code: str, word: str
) -> None:
    assert objected(a_plan(**inside)) == ()
    (objection,) = objected(a_plan(**outside))
    assert objection.code == code
    assert word in objection.text


def on_eth(hedges: int, usd: str) -> dict[str, object]:
    return {"today_on": {ETH: Opened(hedges=hedges, usd=Decimal(usd))}}


@pytest.mark.parametrize(
    ("inside", "outside", "code", "word"),
    [
        ({"live_hedges": 1}, {"live_hedges": 2}, "max_open_hedges", "max_open_hedges"),
        (
            {"busy_symbols": frozenset({BTC})},
            {"busy_symbols": frozenset({ETH})},
            "market_busy",
            "live",
        ),
        (
            {"venues_in_doubt": frozenset()},
            {"venues_in_doubt": frozenset({X10})},
            "venue_in_doubt",
            "in doubt",
        ),
        (
            {"blocked_markets": frozenset({(X10, BTC)})},
            {"blocked_markets": frozenset({(X10, ETH)})},
            "foreign_position",
            "no hedge explains",
        ),
        ({"cooling": frozenset({BTC})}, {"cooling": frozenset({ETH})}, "cooling", "left alone"),
        ({"churned": {BTC: "cost"}}, {"churned": {ETH: "cost 3 USD"}}, "churn", "cost 3 USD"),
        ({"stopped": ""}, {"stopped": "job scan died"}, "stopped", "job scan died"),
        (
            {"live_usd": {X10: Decimal(4700)}},
            {"live_usd": {X10: Decimal("4700.01")}},
            "max_venue_usd",
            "on x10",
        ),
        (
            {"today": Opened(usd=Decimal(4700))},
            {"today": Opened(usd=Decimal("4700.01"))},
            "max_day_usd",
            "max_day_usd",
        ),
        (
            {"today": Opened(hedges=19)},
            {"today": Opened(hedges=20)},
            "max_day_hedges",
            "20 hedges",
        ),
        (on_eth(1, "1700"), on_eth(1, "1700.01"), "max_market_day_usd", "on ETH today"),
        (on_eth(4, "0"), on_eth(5, "0"), "max_market_day_hedges", "5 hedges"),
        (
            {"orders_last_minute": {LIGHTER: 19}},
            {"orders_last_minute": {LIGHTER: 20}},
            "max_orders_per_minute",
            "on lighter",
        ),
        ({"units_in_doubt": {}}, {"units_in_doubt": {LIGHTER: "8 times"}}, "units", "8 times"),
        (
            {"rates_in_doubt": {(LIGHTER, BTC): "8"}},
            {"rates_in_doubt": {(LIGHTER, ETH): "8 times"}},
            "symbol_units",
            "taken out",
        ),
        (
            {"leverage_in_doubt": {}},
            {"leverage_in_doubt": {X10: "10, not 5"}},
            "leverage",
            "10, not 5",
        ),
        ({"paused": ""}, {"paused": "paused by me"}, "paused", "paused by me"),
        ({"venues_off": {}}, {"venues_off": {X10: "x10 is off"}}, "venue_off", "x10 is off"),
        (
            {"markets_off": {BTC: "BTC is off"}},
            {"markets_off": {ETH: "ETH is off"}},
            "market_off",
            "ETH is off",
        ),
        ({"stablecoin": ""}, {"stablecoin": "depegged"}, "stablecoin", "depegged"),
        ({"losses": ()}, {"losses": (Objection("day_loss", "lost 9"),)}, "day_loss", "lost 9"),
    ],
)
def test_a_limit_of_the_situation_holds_on_both_sides(
    inside: dict[str, object], outside: dict[str, object], code: str, word: str
) -> None:
    assert objected(a_plan(), Book(**inside)) == ()  # type: ignore[arg-type]  # real fields
    (objection,) = objected(a_plan(), Book(**outside))  # type: ignore[arg-type]  # real fields
    assert objection.code == code
    assert word in objection.text


def test_a_market_of_its_own_limit_has_that_and_no_other() -> None:
    limits = replace(LIMITS, market_usd={ETH: Decimal(300)})

    assert codes(a_plan(), limits=limits) == []
    assert codes(a_plan(usd=Decimal("300.01")), limits=limits) == ["market_usd"]
    assert codes(a_plan(symbol=BTC, usd=Decimal("300.01")), limits=limits) == []


def test_a_blocked_symbol_is_never_opened_and_another_one_is() -> None:
    limits = replace(LIMITS, blocked_symbols=frozenset({ETH}))

    assert codes(a_plan(), limits=limits) == ["blocked_symbol"]
    assert codes(a_plan(symbol=BTC), limits=limits) == []


def test_all_objections_come_at_once() -> None:
    blocked = replace(LIMITS, blocked_symbols=frozenset({ETH}), max_open_hedges=0)

    found = codes(a_plan(usd=Decimal(4000)), Book(stopped="drill"), blocked)

    assert found == [
        "stopped", "blocked_symbol", "max_open_hedges", "max_position", "max_market_day_usd",
    ]  # fmt: skip


def test_every_rule_has_a_code_of_its_own() -> None:
    names = [code for code, _ in RULES]

    assert len(names) == len(set(names)) >= 25


def test_the_size_is_on_the_coarser_step_of_both_venues() -> None:
    a = an_instrument(X10, size_step=Decimal(10))
    b = an_instrument(LIGHTER, size_step=Decimal("0.1"))

    assert risk.sized(Decimal(100), Decimal("0.33"), a, b) == Decimal(300)


# -- what the accounts say ----------------------------------------------------------------------


def some_funds(**changes: object) -> Funds:
    values: dict[str, object] = {
        "venue": X10,
        "equity_usd": Decimal(1000),
        "available_usd": Decimal(1000),
        "needed_usd": Decimal(200),
        "value_usd": Decimal(1000),
        "asked_usd": Decimal(1000),
        "other_usd": Decimal(0),
        "maintenance": Decimal("0.01"),
    }
    return Funds(**(values | changes))  # type: ignore[arg-type]  # a test names real fields


@pytest.mark.parametrize(
    ("inside", "outside", "code"),
    [
        ({"needed_usd": Decimal(900)}, {"needed_usd": Decimal("900.01")}, "free_margin"),
        (
            # 1,615 USD are 16.15 % of 10,000: less 1 % maintenance, by 1.01, exactly 1,500 bps
            {"equity_usd": Decimal(1615), "other_usd": Decimal(9000)},
            {"equity_usd": Decimal(1615), "other_usd": Decimal(9001)},
            "liquidation_distance",
        ),
    ],
)
def test_a_limit_of_the_account_holds_on_both_sides(
    inside: dict[str, object], outside: dict[str, object], code: str
) -> None:
    limits = replace(LIMITS, max_venue_usd=Decimal(99_000))
    assert risk.account_objections([some_funds(**inside)], None, limits) == ()
    (objection,) = risk.account_objections([some_funds(**outside)], None, limits)
    assert objection.code == code
    assert "x10" in objection.text


def test_what_a_venue_says_is_held_there_counts_against_its_limit() -> None:
    """Positions of somebody else and adopted ones count, which no row of ours has a value for."""
    limits = replace(LIMITS, min_liquidation_distance_bps=Decimal(0))
    inside, outside = some_funds(other_usd=Decimal(4000)), some_funds(other_usd=Decimal(4001))
    assert risk.account_objections([inside], None, limits) == ()
    (objection,) = risk.account_objections([outside], None, limits)
    assert objection.code == "max_venue_usd"


def test_a_distance_that_cannot_be_known_is_an_objection_and_never_far_enough() -> None:
    (objection,) = risk.account_objections([some_funds(other_usd=None)], None, LIMITS)
    assert objection.code == "liquidation_distance"
    assert "x10 would be from liquidation is unknown" in objection.text


def test_the_distance_is_where_equity_meets_maintenance() -> None:
    """At that move, what is left is just the maintenance of what the value has become."""
    for equity, value, share in ((1000, 3000, "0.01"), (500, 2500, "0.05"), (90, 100, "0.2")):
        maintenance = Decimal(share)
        move = risk.distance_bps(Decimal(equity), Decimal(value), maintenance) / 10_000
        assert equity - value * move == pytest.approx(value * (1 + move) * maintenance)


@pytest.mark.parametrize(
    ("size", "liquidation", "distance"),
    [("1", "2700", 1000), ("-1", "3300", 1000), ("1", None, None), ("0", "2700", None)],
)
def test_a_held_leg_is_as_far_from_liquidation_as_the_venue_says(
    size: str, liquidation: str | None, distance: int | None
) -> None:
    position = replace(
        a_position(X10, size),
        mark_price=Decimal(3000),
        liquidation_price=None if liquidation is None else Decimal(liquidation),
    )

    assert risk.held_distance_bps(position) == distance


def a_track(day_loss: str = "0", drawdown: str = "0") -> Track:
    now = Decimal(1000)
    return Track(
        day=DAY,
        day_start_usd=now + Decimal(day_loss),
        peak_usd=now + Decimal(drawdown),
        now_usd=now,
    )


@pytest.mark.parametrize(
    ("inside", "outside", "code"),
    [
        (a_track(day_loss="20"), a_track(day_loss="20.01"), "day_loss"),
        (a_track(drawdown="50"), a_track(drawdown="50.01"), "drawdown"),
    ],
)
def test_a_loss_stops_at_its_limit(inside: Track, outside: Track, code: str) -> None:
    assert risk.losses(inside, LIMITS) == []
    assert [found.code for found in risk.losses(outside, LIMITS)] == [code]
    funds = some_funds()
    assert [o.code for o in risk.account_objections([funds], outside, LIMITS)] == [code]


def test_a_day_begins_at_its_first_reading_and_a_peak_never_goes_down() -> None:
    track = risk.tracked(None, DAY, {X10: Decimal(500), LIGHTER: Decimal(500)})
    track = risk.tracked(track, DAY, {X10: Decimal(600), LIGHTER: Decimal(500)})
    track = risk.tracked(track, DAY, {X10: Decimal(490), LIGHTER: Decimal(500)})
    assert (track.day_loss_usd, track.drawdown_usd) == (Decimal(10), Decimal(110))

    track = risk.tracked(track, DAY + timedelta(days=1), {X10: Decimal(480), LIGHTER: Decimal(500)})
    assert (track.day_loss_usd, track.drawdown_usd) == (Decimal(0), Decimal(120))
    back = risk.tracked(track, DAY, {X10: Decimal(470), LIGHTER: Decimal(500)})
    assert back.day_loss_usd == 10  # a clock that was set back begins no day anew


# -- markets that cost rollbacks (S42) ----------------------------------------------------------

CHURN = Churn(each_s=60, s_per_usd=Decimal(600), max_s=3600, window_h=24)


def rolled(cost: str, *, ago_s: float = 0, symbol: Symbol = ETH) -> RolledBack:
    return RolledBack(symbol=symbol, at=NOW - timedelta(seconds=ago_s), cost_usd=Decimal(cost))


@pytest.mark.parametrize(
    ("those", "wait_s"),
    [
        ([rolled("0")], 60),
        ([rolled("0.5")], 360),
        ([rolled("0.5"), rolled("0.5", ago_s=100)], 720),
        ([rolled("-3")], 60),  # one that earned by chance shortens nothing
        ([rolled("100")], 3600),
    ],
)
def test_s42_a_market_is_left_alone_the_longer_the_more_its_rollbacks_cost(
    those: list[RolledBack], wait_s: float
) -> None:
    assert risk.cool_down_s(those, CHURN) == wait_s
    until = NOW + timedelta(seconds=wait_s)
    before = risk.churned(those, CHURN, until - timedelta(seconds=1))
    assert list(before) == [ETH]
    assert f"{len(those)} rollbacks" in before[ETH]
    assert risk.churned(those, CHURN, until) == {}


def test_s42_rollbacks_of_another_market_or_of_long_ago_do_not_count() -> None:
    day_s = 24 * 3600

    assert list(risk.churned([rolled("1", symbol=BTC)], CHURN, NOW)) == [BTC]
    assert risk.churned([rolled("9999", ago_s=day_s + 1)], CHURN, NOW) == {}
