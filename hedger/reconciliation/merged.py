"""
Orders of several hedges that are booked into one, because the ledger had forgotten all of them.

A hedge on a symbol begins only after the one before it is over, and nothing of that is left on
either venue. So where the fills of the earlier ones do not come to nothing (a venue traded by
force, or somebody else took a part), the rest is gone: it is no part of the position that the last
of them may still hold.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from decimal import Decimal

from hedger.domain.ids import Sent, VenueId, hedge_of
from hedger.domain.money import ZERO
from hedger.domain.order import Purpose
from hedger.ledger.records import OrderRecord


def gone_before(records: Sequence[OrderRecord], first: VenueId) -> Mapping[VenueId, Decimal]:
    """
    What the fills of all but the last of the hedges make, in signed coins by venue.

    Hedges are told apart by the orders that name theirs. They open on ``first``; where its orders
    name no hedge, nothing is known of it.
    """
    sizes: dict[VenueId, Decimal] = defaultdict(lambda: ZERO)
    gone: Mapping[VenueId, Decimal] = {}
    last = None
    for record in sorted(records, key=lambda each: Sent.of_order(each.prepared.order.id) or ()):
        order = record.prepared.order
        name = hedge_of(record.prepared.client_id)
        opens = order.purpose is Purpose.OPEN and order.venue == first
        if name is not None and name != last and opens:
            gone = dict(sizes)
            last = name
        sizes[order.venue] += record.filled_size * order.side.sign
    return gone
