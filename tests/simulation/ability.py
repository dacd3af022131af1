"""
Whether a venue would take off a leg now, by the engines alone.

What makes it unable is told here as it comes to be modelled: a market that does not trade, a key
that the venue does not know, a book with nothing in it, a door that is shut. A venue that takes
orders and does not tell what became of them is not able either: beside an order whose end is
unknown no second one may be sent for the same leg. On a shared account that holds for the other
venue as well: what its position owes to an order of unknown end, nobody can tell there.
"""

from typing import TYPE_CHECKING

from tests.simulation.process import now_s

if TYPE_CHECKING:
    from tests.simulation.world import World


def able(world: "World", venue: str, symbol: str) -> bool:
    """Whether an order of ours that only reduces would be taken and could fill there now."""
    rules = world.venues.exchange(venue).rules_of(symbol)
    return (
        venue not in world.outages
        and world.doors.takes_orders(venue)
        and _ends_are_told(world, venue)
        and rules.active
        and world.faults.dry_until_s.get(venue, 0.0) <= now_s()
    )


def _ends_are_told(world: "World", venue: str) -> bool:
    asked = (venue,) if world.dedicated else ("x10", "lighter")
    return all(map(world.doors.tells_ends, asked))
