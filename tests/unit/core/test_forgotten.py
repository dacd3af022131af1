"""When a venue that no longer knows our fills is believed: the decision alone."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from hedger.domain.ids import VenueId
from hedger.domain.market import Balance
from hedger.reconciliation.forgotten import (
    Needed,
    Reading,
    Series,
    believed,
    followed,
    given_back,
    margin_agrees,
)

NEEDED = Needed(looks=3, span_s=180)
D = Decimal


def look(
    after_s: float = 0, *, position: str = "0", traded: str = "0", margin: bool = True
) -> Reading:
    return Reading(position=D(position), traded=D(traded), margin_agrees=margin, after_s=after_s)


def series_of(*looks: Reading) -> Series | None:
    series: Series | None = None
    for one in looks:
        series = followed(series, one)
    return series


@pytest.mark.parametrize(
    ("looks", "expected"),
    [
        ([look(), look(90), look(90)], True),
        ([look(), look(180)], False),  # two looks
        ([look(), look(90), look(89)], False),  # too short
        ([look(400), look(1), look(1)], False),  # what was before the first look is unknown
        ([look(), look(-200), look(179)], False),  # no clock makes it longer
        ([look(), look(90), look(90, traded="0.1")], False),  # trades contradict
        ([look(), look(90), look(90, margin=False)], False),
        ([look(), look(90), look(90, position="0.1", traded="0.1")], False),  # another size
        ([look(), look(90, margin=False), look(90), look(90)], False),  # begins anew
        ([look(), look(90, margin=False), look(90), look(90), look(90)], True),
    ],
)
def test_believed_after_enough_looks_in_a_row_over_long_enough(
    looks: list[Reading], expected: bool
) -> None:
    assert believed(series_of(*looks), NEEDED) is expected


@pytest.mark.parametrize(
    ("held", "tied_up", "shown", "expected"),
    [
        ("0", "0", "0", True),
        ("300", "0", "0", False),  # the value of the lost leg is still told
        ("0", "60", "0", False),  # its margin is still tied up
        ("0", "2.9", "0", True),  # less than half of what 50 times would need
        ("500", "100", "500", True),  # another market's position explains both
        ("800", "100", "500", False),
        (None, "0", "0", True),
        (None, "0", "500", False),  # nothing tells
    ],
)
def test_the_money_has_to_agree(held: str | None, tied_up: str, shown: str, expected: bool) -> None:
    balance = Balance(
        venue=VenueId("x10"),
        available_usd=D(1000) - D(tied_up),
        equity_usd=D(1000),
        as_of=datetime.now(UTC),
        held_usd=None if held is None else D(held),
    )
    found = margin_agrees(balance, shown_usd=D(shown), missing_usd=D(300), max_leverage=D(50))
    assert found is expected


@pytest.mark.parametrize(
    ("read", "own", "lost", "others", "expected"),
    [
        ("-0.1", "0", "-0.1", "0", "-0.1"),
        ("-0.1", "0", "-0.1", "-0.1", "0"),  # somebody else's
        ("-0.15", "0", "-0.1", "-0.05", "-0.1"),
        ("-0.5", "0", "-0.1", "0", "-0.1"),  # never more than was lost
        ("0.1", "0", "-0.1", "0", "0"),  # the other side is not it
        ("-0.06", "-0.04", "-0.06", "0", "-0.02"),
        ("-0.04", "0", "-0.1", "0.06", "-0.04"),  # never more than is there
    ],
)
def test_what_is_there_again_is_what_nobody_else_traded(
    read: str, own: str, lost: str, others: str, expected: str
) -> None:
    assert given_back(D(read), D(own), D(lost), D(others)) == D(expected)
