"""The rules of recovery that need no venue: cadence, tolerance, differences."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from hedger.differences import Difference, Kind, Tolerance, differences
from hedger.domain.hedge import Hedge, State, Target
from hedger.domain.ids import HedgeId, Symbol, VenueId
from hedger.domain.market import Position
from hedger.domain.order import Side
from hedger.pace import Pace
from tests.clocks import ManualClock

A, B, ETH = VenueId("x10"), VenueId("lighter"), Symbol("ETH")
NOW = datetime(2026, 1, 2, 21, tzinfo=UTC)
HEDGE = Hedge(
    id=HedgeId("eth-1"),
    symbol=ETH,
    venue_a=A,
    venue_b=B,
    side_a=Side.BUY,
    requested_usd=Decimal(3_000),
    planned_size=Decimal(1),
    state=State.OPEN,
    target=Target.MATCH,
    reason="both legs hold 1",
    created_at=NOW,
    updated_at=NOW,
    opened_at=NOW,
)
STEPS = {(A, ETH): Decimal("0.001"), (B, ETH): Decimal("0.0001")}


def found(a: str, b: str, *, dedicated: bool = True, usd: str = "0.1") -> list[Difference]:
    return differences(
        [HEDGE],
        {(HEDGE.id, A): Decimal(1), (HEDGE.id, B): Decimal(-1)},
        {A: held(A, a), B: held(B, b)},
        dedicated=dedicated,
        tolerance=Tolerance(steps=STEPS, usd=Decimal(usd)),
    )


def held(venue: VenueId, size: str) -> dict[Symbol, Position]:
    position = Position(
        venue=venue,
        symbol=ETH,
        size=Decimal(size),
        entry_price=None,
        read_started_at=NOW,
        as_of=NOW,
        source="test",
    )
    return {ETH: position} if position.size else {}


@pytest.mark.parametrize(
    ("a", "b", "differing"),
    [
        ("1", "-1", []),
        ("0", "-1", [A]),
        ("1", "0", [B]),
        ("0", "0", [A, B]),  # both are gone: not whole, though they are equal
        ("0.6", "-0.6", []),  # trimmed after a liquidation: whole
        ("1", "-0.999", [B]),
        ("1", "-0.9995", []),  # less than the step of the larger leg
        ("0.9995", "-1", [A]),  # the larger leg has finer steps: it can come down by five
        ("-1", "-1", [A]),
        ("1.5", "-1", [A]),
    ],
)
def test_s6_legs_differ_when_what_is_left_over_is_a_step(
    a: str, b: str, differing: list[VenueId]
) -> None:
    assert [difference.venue for difference in found(a, b)] == differing


def test_s6_less_than_the_tolerance_in_dollars_is_left() -> None:
    assert found("1", "-0.999", usd="3") != []
    assert found("1", "-0.999", usd="3.01") == []


def test_what_others_add_on_a_shared_account_is_no_difference() -> None:
    assert found("5", "-1", dedicated=False) == []
    assert [d.venue for d in found("0.5", "-1", dedicated=False)] == [A]


def test_s4_a_venue_that_did_not_answer_holds_what_our_fills_make() -> None:
    booked = {(HEDGE.id, A): Decimal(1), (HEDGE.id, B): Decimal(-1)}
    tolerance = Tolerance(steps=STEPS, usd=Decimal(0))

    def alone(size: str) -> list[Difference]:
        readings = {A: held(A, size)}
        return differences([HEDGE], booked, readings, dedicated=True, tolerance=tolerance)

    assert alone("1") == []
    assert [(d.venue, d.read) for d in alone("0")] == [(A, Decimal(0))]
    assert differences([HEDGE], booked, {}, dedicated=True, tolerance=tolerance) == []


def test_hedges_on_their_way_are_left_to_those_who_drive_them() -> None:
    moving = replace(HEDGE, state=State.CONVERGING)
    booked = {(HEDGE.id, A): Decimal(1), (HEDGE.id, B): Decimal(0)}
    readings = {A: held(A, "1"), B: held(B, "0")}
    tolerance = Tolerance(steps=STEPS, usd=Decimal(0))
    assert differences([moving], booked, readings, dedicated=True, tolerance=tolerance) == []


def test_a_late_fill_makes_legs_unequal_though_every_reading_fits() -> None:
    booked = {(HEDGE.id, A): Decimal("1.5"), (HEDGE.id, B): Decimal(-1)}
    readings = {A: held(A, "1.5"), B: held(B, "-1")}
    tolerance = Tolerance(steps=STEPS, usd=Decimal(0))
    (one,) = differences([HEDGE], booked, readings, dedicated=True, tolerance=tolerance)
    assert (one.kind, one.hedge) == (Kind.LEG_DIFFERS, HEDGE.id)


def test_the_cadence_falls_and_nothing_is_ever_dropped() -> None:
    clock = ManualClock()
    pace = Pace(clock, first_s=10, max_s=80)
    times = []
    for second in range(600):
        if pace.due("one"):
            times.append(second)
        clock.advance(1)
    assert times == [0, 10, 30, 70, 150, 230, 310, 390, 470, 550]
    pace.done("one")
    assert pace.due("one")
