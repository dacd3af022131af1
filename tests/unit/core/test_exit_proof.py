"""Whether both legs of a hedge can come off: the pure decision."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from hedger.domain.ability import Ability, Can, able, unable, unknown
from hedger.domain.ids import Symbol, VenueId
from hedger.domain.market import Instrument, Level, MarketStatus, OrderBook
from hedger.execution.exitproof import LegLook, depth, judge
from tests.builders import an_instrument

A, B, ETH = VenueId("x10"), VenueId("lighter"), Symbol("ETH")
WORST_BPS = Decimal(200)
NOW = datetime(2026, 1, 2, tzinfo=UTC)


def book(venue: VenueId, bids: str, asks: str) -> OrderBook:
    return OrderBook(
        venue=venue,
        symbol=ETH,
        bids=(Level(Decimal(2999), Decimal(bids)),) if Decimal(bids) else (),
        asks=(Level(Decimal(3001), Decimal(asks)),) if Decimal(asks) else (),
        as_of=NOW,
    )


def look(venue: VenueId, size: str = "0.1") -> LegLook:
    return LegLook(
        venue=venue,
        symbol=ETH,
        size=Decimal(size),
        rules=rules(venue),
        book=book(venue, "5", "5"),
        account=able(venue),
    )


def rules(venue: VenueId, status: MarketStatus = MarketStatus.ACTIVE) -> Instrument:
    return an_instrument(venue, symbol=ETH, status=status)


def test_two_legs_that_nothing_keeps_can_come_off() -> None:
    proof = judge([look(A), look(B, "-0.1")], WORST_BPS)

    assert (proof.can, proof.obstacles, proof.key) == (Can.YES, (), "")


@pytest.mark.parametrize(
    ("changes", "can", "code"),
    [
        ({"rules": rules(B, MarketStatus.REDUCE_ONLY)}, Can.YES, ""),
        ({"rules": rules(B, MarketStatus.CLOSED)}, Can.NO, "market_closed"),
        ({"rules": None}, Can.UNKNOWN, "market_unlisted"),
        ({"rules": "no answer within 5 s"}, Can.UNKNOWN, "market_unread"),
        ({"book": book(B, "5", "0")}, Can.NO, "book_thin"),
        ({"book": book(B, "5", "0.099")}, Can.NO, "book_thin"),
        ({"book": book(B, "0", "0.1")}, Can.YES, ""),
        ({"book": "HTTP 503"}, Can.UNKNOWN, "book_unread"),
        ({"account": unable(B, "key_refused", "no", "a key")}, Can.NO, "key_refused"),
        ({"account": unknown(B, "margin_mode", "which?")}, Can.UNKNOWN, "margin_mode"),
    ],
)
def test_one_obstacle_on_one_venue_decides(changes: dict[str, object], can: Can, code: str) -> None:
    short = replace(look(B, "-0.1"), **changes)  # type: ignore[arg-type]

    proof = judge([look(A), short], WORST_BPS)

    assert proof.can is can
    assert proof.key == (f"lighter:{code}" if code else "")
    assert bool(proof.why) == bool(code)
    assert bool(proof.remedy) == bool(code)


def test_a_provable_no_outweighs_what_is_unknown_and_both_are_told() -> None:
    closed = replace(look(A), rules=rules(A, MarketStatus.CLOSED))
    unread = replace(look(B, "-0.1"), book="HTTP 503")

    proof = judge([unread, closed], WORST_BPS)

    assert proof.can is Can.NO
    assert proof.key == "lighter:book_unread,x10:market_closed"
    assert "closed" in proof.why
    assert "HTTP 503" in proof.why


@pytest.mark.parametrize(("size", "there"), [("0.1", "0.1"), ("9", "5"), ("0", "0")])
def test_depth_counts_what_lies_within_the_worst_price(size: str, there: str) -> None:
    found = replace(
        book(A, "5", "5"),
        bids=(Level(Decimal(2999), Decimal(5)), Level(Decimal(2500), Decimal(100))),
    )

    assert depth(found, Decimal(size), rules(A), WORST_BPS) == Decimal(there)


def test_obstacles_of_one_kind_are_one_whatever_their_figures() -> None:
    def thin(asks: str) -> Ability:
        leg = replace(look(B, "-0.1"), book=book(B, "5", asks))
        (found,) = judge([leg], WORST_BPS).obstacles
        return found

    assert thin("0.01").code == thin("0.02").code
    assert thin("0.01").why != thin("0.02").why
