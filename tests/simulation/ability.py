"""
Whether a venue would take off a leg now, by the engines alone.

What makes it unable is told here as it comes to be modelled: a market that does not trade, or is
not the one that it was, a key that the venue does not know, a book with nothing in it, a door that
is shut, rules by which no order could be right. Nothing that the program could get right is here:
a market that takes reductions only, has a new name or other steps is able.

A venue that takes orders and does not tell what became of them is not able either: beside an order
whose end is unknown no second one may be sent for the same leg. On a shared account that holds for
the other venue as well: what its position owes to an order of unknown end, nobody can tell there.
"""

from decimal import Decimal
from typing import TYPE_CHECKING

from adapters.sandbox.engine.market_types import Rules
from hedger.domain.money import floor_to_step
from tests.simulation.kinds.venue import keyed
from tests.simulation.oracles.parts import VENUES
from tests.simulation.process import now_s

if TYPE_CHECKING:
    from tests.simulation.world import World

ZERO = Decimal(0)


def able(world: "World", venue: str, symbol: str) -> bool:
    """Whether we could take off our leg there now: it is shown, taken, and its end is told."""
    other = "lighter" if venue == "x10" else "x10"
    told = _ends_are_told(world, venue) and world.doors.shows(symbol)
    known = world.truth.ours(other, symbol) == ZERO or _is_known(world, other, symbol)
    return told and known and takes(world, venue, symbol)


def told(world: "World", symbol: str) -> bool:
    """Whether both venues tell what we hold of a market."""
    return all(_is_known(world, venue, symbol) for venue in VENUES)


def _is_known(world: "World", venue: str, symbol: str) -> bool:
    """
    Whether a venue tells what we hold of a market. Of one that has another number than our leg was
    opened under it tells nothing that anybody could take for it, so what the other leg has too
    much is not known either.
    """
    rules = world.venues.exchange(venue).rules_of(symbol)
    return _same(rules, world.market_aims.opened(venue, symbol))


def takes(world: "World", venue: str, symbol: str) -> bool:
    """Whether an order of ours that only reduces would be taken and could fill there now."""
    trades = world.faults.dry_until_s.get(venue, 0.0) <= now_s()
    return trades and shows(world, venue, symbol)


def shows(world: "World", venue: str, symbol: str) -> bool:
    """The same as far as a venue tells it: a book that fills nothing for a while looks usual."""
    rules = world.venues.exchange(venue).rules_of(symbol)
    return (
        venue not in world.outages
        and world.doors.takes_orders(venue)
        and rules.trades
        and keyed(world, venue)
        and _is_known(world, venue, symbol)
        and _somebody(world, venue, symbol)
        and _some_size(world, venue, symbol, rules)
    )


def _ends_are_told(world: "World", venue: str) -> bool:
    asked = (venue,) if world.dedicated else ("x10", "lighter")
    return all(map(world.doors.tells_ends, asked))


def _same(now: Rules, then: Rules) -> bool:
    """
    A market under another number, or of another asset, is not known to be ours: nothing is taken
    off by it, and a person is told (docs/markets.md).
    """
    return (now.market_id, now.synthetic_id) == (then.market_id, then.synthetic_id)


def _somebody(world: "World", venue: str, symbol: str) -> bool:
    """Whether the side of the book that we would trade into holds anything."""
    bids, asks = world.venues.exchange(venue).book(symbol, 1)
    return bool(bids if world.truth.ours(venue, symbol) > ZERO else asks)


def _some_size(world: "World", venue: str, symbol: str, rules: Rules) -> bool:
    """
    Whether any order may take something off: whole steps, and no less than the minimum where that
    binds an order that takes, but for one that closes all that is there. A position that was whole
    steps once may be none now. Where the venue clips, an order that is rounded up does.
    """
    params = world.venues.exchange(venue).params
    held = abs(world.venues.position(venue, symbol))
    ours = abs(world.truth.ours(venue, symbol))
    if params.clips_reduce_only and ours == held:
        return True
    most = floor_to_step(ours, rules.size_step)
    if most == ZERO:
        return False
    return not params.minimum_for_takers or most >= rules.min_size or most == held
