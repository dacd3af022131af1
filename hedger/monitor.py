"""
When an open hedge is left: the simple rules of this version, pure.

A hedge is closed when it has paid instead of earned for ``flip_settlements`` settlements, or
when it was held for ``max_hold_h`` settlements' hours. Both are counted on the venue's market
clock, never on ours.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from hedger.domain.hedge import Hedge
from hedger.domain.market import FundingQuote
from hedger.domain.money import ZERO
from hedger.economics import spread_kept


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """
    One look at an open hedge. ``flipped_since`` is the next settlement at the first look in
    the present run of looks at which it paid; None while it earns.
    """

    kept_1h: Decimal
    flipped_since: datetime | None
    exit_reason: str | None


def view(
    hedge: Hedge,
    quote_a: FundingQuote,
    quote_b: FundingQuote,
    *,
    flipped_since: datetime | None,
    flip_settlements: int,
    max_hold_h: int,
) -> View:
    """What the rates say about a hedge, and whether it is to be left."""
    kept = spread_kept(hedge.side_a, quote_a.rate_1h, quote_b.rate_1h)
    upcoming = quote_a.next_settlement_at
    since = (flipped_since or upcoming) if kept < ZERO else None
    reason = None
    if since is not None:
        passed = (upcoming - since) / timedelta(seconds=quote_a.interval_s)
        if passed >= flip_settlements:
            reason = f"the spread has been against us for {int(passed)} settlements ({kept:f}/h)"
    if reason is None and hedge.first_settlement_a is not None:
        held_h = (upcoming - hedge.first_settlement_a) / timedelta(hours=1)
        if held_h >= max_hold_h:
            reason = f"held for {int(held_h)} hours, exit.max_hold_h is {max_hold_h}"
    return View(kept_1h=kept, flipped_since=since, exit_reason=reason)
