"""
When a venue that no longer knows of our fills is believed. Pure: no clock, no venue.

A venue may lose a batch: positions, orders and trades of ours are gone as if they had never been.
Our record then contradicts the venue for ever, and the venue is right about what it holds. It is
believed when its position and its own trades make the same, its margin agrees with both, and that
again and again for long enough. A reading that does not agree begins the series anew.
"""

from dataclasses import dataclass
from decimal import Decimal

from hedger.domain.market import Balance
from hedger.domain.money import ZERO


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """
    One look at both sources: the position, and what the account's trades make; signed coins.

    ``after_s`` is how long after the look before it this one began, by a clock that nobody
    sets; 0 where that is not known.
    """

    position: Decimal
    traded: Decimal
    margin_agrees: bool
    after_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """Looks in a row that agree on one position, and how long they span in seconds."""

    position: Decimal
    looks: int
    span_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Needed:
    """How many looks, over how many seconds, make a venue believed."""

    looks: int
    span_s: float


def followed(series: Series | None, reading: Reading) -> Series | None:
    """The series with one more look; None where the look contradicts itself."""
    if reading.traded != reading.position or not reading.margin_agrees:
        return None
    if series is None or series.position != reading.position:
        return Series(position=reading.position, looks=1, span_s=0.0)
    return Series(
        position=series.position,
        looks=series.looks + 1,
        span_s=series.span_s + max(0.0, reading.after_s),
    )


def believed(series: Series | None, needed: Needed) -> bool:
    """Whether the venue is right and our record is not."""
    return series is not None and series.looks >= needed.looks and series.span_s >= needed.span_s


def margin_agrees(
    balance: Balance, *, shown_usd: Decimal, missing_usd: Decimal, max_leverage: Decimal | None
) -> bool:
    """
    Whether the account's own money confirms that a position is not there.

    ``shown_usd`` is the value of every position that the venue shows, ``missing_usd`` what the
    lost part was worth. The venue's own value of all positions must be nearer to what is shown
    than to that with the lost part. Where it shows none at all, less must be tied up than the
    lost part would need at the highest leverage of its market.
    """
    if balance.held_usd is not None and balance.held_usd - shown_usd > missing_usd / 2:
        return False
    if shown_usd != ZERO or max_leverage is None:
        return balance.held_usd is not None
    tied_up_usd = balance.equity_usd - balance.available_usd
    return tied_up_usd < missing_usd / max_leverage / 2


def given_back(read: Decimal, own: Decimal, lost: Decimal, others: Decimal) -> Decimal:
    """
    How much of a lost part is there again, in signed coins.

    Of the position ``read``, ``own`` is known to be ours and ``others`` was traded by somebody
    else since the market was flat. What is left beyond both is ours, up to what was lost, and
    never more than is there: what others traded against it has taken from it or hides it.
    """
    shown = read - own
    beyond = shown - others
    if beyond * lost <= ZERO or shown * lost <= ZERO:
        return ZERO
    return min(beyond, shown, lost, key=abs)
