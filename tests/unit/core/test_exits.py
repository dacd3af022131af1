"""Whether an open hedge is worth holding: each reason, once, and what may wait."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hedger import decayfile, exits
from hedger.domain.ids import HedgeId, Symbol
from hedger.holding import (
    URGENT,
    Action,
    Alternative,
    Code,
    ExitRules,
    Holding,
    Judgement,
    LegView,
    Memory,
)
from hedger.legview import with_distances
from tests.builders import ETH, LIGHTER, NOW, X10

MODEL = decayfile.shipped()
HOUR = timedelta(hours=1)
RULES = ExitRules(
    horizon=24,
    hysteresis=2,
    flip_settlements=3,
    max_hold_h=48,
    target_bps=Decimal(50),
    basis_profit_bps=Decimal(20),
    carry_bps_per_h=Decimal(0),
    rotation_gain_usd=Decimal(5),
    min_liquidation_distance=Decimal("0.05"),
    min_margin_ratio=Decimal("0.5"),
    wait_s=600,
    wait_risk_bps_per_h=Decimal("0.5"),
)


def held(hours: int = 1, spread: str = "0.0001", **changes: object) -> Holding:
    """A hedge of 1000 USD that ``hours`` settlements have paid for so far."""
    values: dict[str, object] = {
        "hedge": HedgeId("eth-1"),
        "symbol": ETH,
        "size_usd": Decimal(1000),
        "spread_1h": Decimal(spread),
        "first_settlement": NOW,
        "next_settlement": NOW + hours * HOUR,
        "interval_s": 3600,
        "settles_in_s": 1800.0,
        "leaving_bps": Decimal(10),
        "legs": (LegView(venue=X10), LegView(venue=LIGHTER)),
    }
    return Holding(**(values | changes))  # type: ignore[arg-type]  # a test names real fields


def judged(holding: Holding, memory: Memory | None = None, rules: ExitRules = RULES) -> Judgement:
    return exits.judge(holding, rules, MODEL, memory or Memory())


def told(*looks: Holding) -> list[Judgement]:
    """One look after another, each remembering the one before."""
    found, memory = [], Memory()
    for look in looks:
        found.append(judged(look, memory))
        memory = found[-1].memory
    return found


def test_a_hedge_that_earns_is_held_and_its_worth_is_told() -> None:
    found = judged(held())

    assert (found.action, found.code) == (Action.HOLD, None)
    assert found.stay_usd == MODEL.expected_sum(ETH, Decimal("0.0001"), 24) * 1000
    assert found.leave_usd == Decimal(1)
    assert found.break_even is not None


def test_a_value_below_nothing_must_last_before_a_hedge_is_left() -> None:
    bad = [held(hour, "-0.00001") for hour in (5, 6, 7)]

    first, second, third = told(*bad)

    assert first.action is second.action is Action.HOLD
    assert (third.action, third.code) == (Action.LEAVE, Code.VALUE)


def test_a_value_that_comes_back_is_forgiven() -> None:
    looks = [held(5, "-0.00001"), held(6), held(7, "-0.00001"), held(8, "-0.00001")]

    assert [found.action for found in told(*looks)] == [Action.HOLD] * 4


def test_a_loss_larger_than_the_cost_of_leaving_is_not_waited_out() -> None:
    """24 settlements at -0.05 % an hour are expected to lose 30 bps; leaving costs 10."""
    assert judged(held(5, "-0.0005")).code is Code.VALUE
    assert judged(held(5, "-0.0005", leaving_bps=Decimal(60))).action is Action.HOLD


def test_a_flip_must_persist() -> None:
    patient = replace(RULES, hysteresis=99)
    memory, actions = Memory(), []
    for hour in range(5, 9):
        found = judged(held(hour, "-0.00001"), memory, patient)
        memory = found.memory
        actions.append((found.action, found.code))

    assert actions[:3] == [(Action.HOLD, None)] * 3
    assert actions[3] == (Action.LEAVE, Code.FLIP)


@pytest.mark.parametrize("hours", [47, 48])
def test_the_longest_hold_is_counted_from_the_persisted_opening(hours: int) -> None:
    found = judged(held(hours))

    assert (found.code is Code.HELD) is (hours == 48)


def test_a_hedge_from_before_without_a_first_settlement_is_never_held_too_long() -> None:
    assert judged(held(500, first_settlement=None)).action is Action.HOLD


@pytest.mark.parametrize(("earned", "leaves"), [("4.99", False), ("5", True)])
def test_a_target_is_what_funding_has_brought(earned: str, leaves: bool) -> None:
    found = judged(held(earned_usd=Decimal(earned)))

    assert (found.code is Code.TARGET) is leaves
    assert judged(held(earned_usd=None)).action is Action.HOLD


@pytest.mark.parametrize(("basis", "leaves"), [("29.9", False), ("30", True)])
def test_a_basis_profit_is_worth_taking_after_the_cost_of_leaving(basis: str, leaves: bool) -> None:
    assert (judged(held(basis_bps=Decimal(basis))).code is Code.BASIS) is leaves


def test_a_basis_profit_is_left_alone_while_staying_is_worth_more() -> None:
    rich = held(spread="0.002", basis_bps=Decimal(30))

    assert judged(rich).action is Action.HOLD


def test_rotation_pays_two_costs_and_says_so() -> None:
    """The other hedge has its own cost in its value; leaving this one comes on top."""
    stay = judged(held()).stay_usd
    enough = Alternative(symbol=Symbol("SOL"), value_usd=stay + 6, cost_usd=Decimal(2))

    found = judged(held(alternative=enough))

    assert found.code is Code.ROTATION
    assert "two costs" in found.text
    assert "1.0000 for leaving and 2.0000 for the other" in found.text
    short = replace(enough, value_usd=stay + Decimal("5.99"))
    assert judged(held(alternative=short)).action is Action.HOLD


def test_a_market_that_leaves_is_left_at_once() -> None:
    gone = LegView(venue=LIGHTER, leaving="ETH is reduce_only on lighter")

    found = judged(held(legs=(LegView(venue=X10), gone), settles_in_s=5.0))

    assert (found.action, found.code) == (Action.LEAVE, Code.LEAVING_MARKET)
    assert "reduce_only" in found.text


def test_a_person_is_not_kept_waiting() -> None:
    found = judged(held(operator="asked for by hand", settles_in_s=5.0))

    assert (found.action, found.code) == (Action.LEAVE, Code.OPERATOR)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"liquidation_distance": Decimal("0.049")}, Code.LIQUIDATION),
        ({"liquidation_distance": Decimal("0.05")}, None),
        ({"liquidation_distance": None}, None),
        ({"margin_ratio": Decimal("0.49")}, Code.MARGIN),
        ({"margin_ratio": Decimal("0.5")}, None),
    ],
)
def test_margin_that_runs_out_is_a_reason_and_unknown_margin_is_none(
    changes: dict[str, object], code: Code | None
) -> None:
    leg = LegView(venue=X10, **changes)  # type: ignore[arg-type]  # as above

    found = judged(held(legs=(leg, LegView(venue=LIGHTER)), settles_in_s=5.0))

    assert found.code is code
    assert found.action is (Action.LEAVE if code else Action.HOLD)


def test_eroded_margin_names_the_amount_that_makes_both_venues_even() -> None:
    poor = LegView(venue=X10, margin_ratio=Decimal("0.4"), spare_usd=Decimal(-60))
    rich = LegView(venue=LIGHTER, margin_ratio=Decimal(3), spare_usd=Decimal(200))

    assert judged(held(legs=(poor, rich))).hints == ("move 130.00 USD from lighter to x10",)
    assert judged(held()).hints == ()


# -- waiting for a settlement ---------------------------------------------------------------------


def target(**changes: object) -> Holding:
    return held(earned_usd=Decimal(9), **changes)  # type: ignore[arg-type]  # as above


@pytest.mark.parametrize(
    ("changes", "action"),
    [
        ({"settles_in_s": 600.0}, Action.WAIT),
        ({"settles_in_s": 601.0}, Action.LEAVE),  # too far away
        ({"settles_in_s": None}, Action.LEAVE),  # unknown
        ({"settles_in_s": 600.0, "spread": "0.000008"}, Action.LEAVE),  # 0.08 bps: no more than
        ({"settles_in_s": 600.0, "spread": "0.000009"}, Action.WAIT),  # the 0.083 it risks
        ({"settles_in_s": 5.0, "spread": "-0.00001"}, Action.LEAVE),  # it would cost
    ],
)
def test_leaving_waits_for_a_settlement_that_pays_more_than_the_wait_risks(
    changes: dict[str, object], action: Action
) -> None:
    assert judged(target(**changes)).action is action


def test_one_settlement_is_waited_for_and_not_one_after_another() -> None:
    before, again, after = told(
        target(hours=5, settles_in_s=300.0),
        target(hours=5, settles_in_s=100.0),
        target(hours=6, settles_in_s=500.0),  # it has paid: the next one is another
    )

    assert [f.action for f in (before, again, after)] == [Action.WAIT, Action.WAIT, Action.LEAVE]


# -- transitions ----------------------------------------------------------------------------------


def test_a_reason_fires_once_while_it_holds() -> None:
    first, second, third, fourth = told(
        target(settles_in_s=90.0), target(settles_in_s=80.0), held(), target(settles_in_s=70.0)
    )

    assert first.new == {Code.TARGET}
    assert second.new == third.new == frozenset()
    assert fourth.new == {Code.TARGET}  # it had gone in between


@given(
    spread=st.integers(-500, 500).map(lambda n: f"{n / 1_000_000:.6f}"),
    wait=st.one_of(st.none(), st.floats(0, 4000)),
    basis=st.one_of(st.none(), st.integers(-100, 100).map(Decimal)),
    earned=st.one_of(st.none(), st.integers(-10, 10).map(Decimal)),
    far=st.one_of(st.none(), st.integers(0, 20).map(lambda n: Decimal(n) / 100)),
    hours=st.lists(st.integers(1, 60), min_size=1, max_size=6).map(sorted),
)
def test_whatever_is_seen_nothing_urgent_waits_and_no_waiting_loses(
    *,
    spread: str,
    wait: float | None,
    basis: Decimal | None,
    earned: Decimal | None,
    far: Decimal | None,
    hours: list[int],
) -> None:
    legs = (LegView(venue=X10, liquidation_distance=far), LegView(venue=LIGHTER))
    for found in told(
        *(
            held(h, spread, settles_in_s=wait, basis_bps=basis, earned_usd=earned, legs=legs)
            for h in hours
        )
    ):
        assert (found.action is Action.HOLD) is (found.code is None)
        if found.action is Action.WAIT:
            assert not URGENT & found.texts.keys()
            assert Decimal(spread) > 0
        assert found.new <= found.texts.keys() == found.memory.fired


ELSEWHERE = Alternative(symbol=Symbol("BTC"), value_usd=Decimal(90), cost_usd=Decimal(1))
BY_A_RATE: dict[Code, dict[str, object]] = {
    Code.VALUE: {"spread": "-0.01"},
    Code.FLIP: {"spread": "-0.000002", "hours": 9},
    Code.TARGET: {"earned_usd": Decimal(100)},
    Code.BASIS: {"basis_bps": Decimal(900)},
    Code.ROTATION: {"alternative": ELSEWHERE},
}
FLIPPED = Memory(flipped_since=NOW)


@pytest.mark.parametrize("code", BY_A_RATE)
def test_a_rate_in_doubt_is_no_reason_to_leave(code: Code) -> None:
    """A unit error reverses a spread; the hedge would be closed at full cost, and reopened."""
    look = held(**BY_A_RATE[code])  # type: ignore[arg-type]  # a test names real fields

    assert code in judged(look, FLIPPED).texts
    doubted = judged(replace(look, doubted="a unit error of 8"), FLIPPED)

    assert doubted.action is Action.HOLD
    assert doubted.texts == {}


@pytest.mark.parametrize(
    ("code", "changes"),
    [
        (Code.OPERATOR, {"operator": "asked for"}),
        (Code.LEAVING_MARKET, {"legs": (LegView(venue=X10, leaving="delisted"),)}),
        (
            Code.LIQUIDATION,
            {"legs": (LegView(venue=X10, liquidation_distance=Decimal("0.04")),)},
        ),
        (Code.MARGIN, {"legs": (LegView(venue=X10, margin_ratio=Decimal("0.4")),)}),
        (Code.HELD, {"hours": 48, "settles_in_s": 60.0}),
    ],
)
def test_what_needs_no_rate_leaves_although_the_rates_are_in_doubt(
    code: Code, changes: dict[str, object]
) -> None:
    """Nor is a settlement waited for that only a doubted rate promises."""
    found = judged(held(**changes, doubted="a unit error"))  # type: ignore[arg-type]  # real fields

    assert found.action is Action.LEAVE
    assert found.code is code


def test_what_was_counted_before_a_doubt_is_counted_anew_after_it() -> None:
    """Nobody knows what the spread was meanwhile."""
    flipped = "-0.000002"
    looks = [held(1, flipped), held(3, flipped, doubted="?"), held(4, flipped), held(6, flipped)]

    assert all(Code.FLIP not in found.texts for found in told(*looks))
    assert Code.FLIP in told(*looks, held(7, flipped))[-1].texts


def test_the_venues_own_liquidation_price_counts_and_not_our_estimate() -> None:
    legs = (
        LegView(venue=X10, liquidation_distance=Decimal("0.9")),
        LegView(venue=LIGHTER, liquidation_distance=Decimal("0.9")),
    )
    holding = held(legs=legs)

    seen = with_distances(holding, {(LIGHTER, holding.symbol): Decimal(100)})

    assert [leg.liquidation_distance for leg in seen.legs] == [Decimal("0.9"), Decimal("0.01")]
    assert judged(holding).action is Action.HOLD
    found = judged(seen)
    assert (found.action, found.code) == (Action.LEAVE, Code.LIQUIDATION)
