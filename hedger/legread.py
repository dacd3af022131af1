"""One leg of a hedge as it was read, and the rules by which it is rounded."""

from dataclasses import dataclass, replace
from decimal import Decimal

from hedger.domain.ids import Symbol, VenueId
from hedger.domain.market import Instrument, MarketStatus
from hedger.domain.money import ONE
from hedger.errors import VenueError


@dataclass(frozen=True, slots=True)
class LegRead:
    """
    One leg: its size, its market's rules, what speaks against it, if others are there.

    ``unread`` is why it could not be read; its rules are None where it is ZERO and they are not
    known either, ``unlisted`` is why: the venue has no such market, and shows no position of it.
    """

    venue: VenueId
    size: Decimal
    rules: Instrument | None
    doubt: str = ""
    beside: bool = False
    unread: VenueError | None = None
    unlisted: VenueError | None = None


def rules_of(leg: LegRead, other: LegRead, symbol: Symbol) -> Instrument:
    """
    The rules of a leg; where nothing is there and they are not known, those of the other one.

    Raises:
        VenueError: neither are known, and it is not sure that neither venue has the market.
    """
    if leg.rules is not None:
        return leg.rules
    if other.rules is not None:
        return replace(other.rules, venue=leg.venue)
    if leg.unlisted is None or other.unlisted is None:
        error = leg.unread or other.unread
        assert error is not None
        raise error
    return Instrument(  # there is nothing to round, and nothing to send
        venue=leg.venue, symbol=symbol, name=symbol, status=MarketStatus.CLOSED,
        size_step=ONE, price_tick=ONE, min_size=ONE,
    )  # fmt: skip
