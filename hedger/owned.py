"""
What part of a position is ours, where a sub-account is shared with others.

A venue nets everything that an account trades, so a position alone does not tell whose it is.
Our fills are the most that is ours. Where somebody takes off a part of that, and the trades of
the account prove it, the part is gone for good: what appears there later is theirs, though our
fills would have room for it. So a leg is what our fills make, less what was taken.
"""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal

from loguru import logger

from hedger.domain.hedge import Hedge
from hedger.domain.ids import HedgeId, VenueId
from hedger.domain.market import Position
from hedger.domain.money import ZERO, plain
from hedger.domain.order import Purpose
from hedger.ledger import lost
from hedger.ledger import taken as took
from hedger.ledger.reader import Reader
from hedger.ledger.records import earlier_key, lost_key, taken_key
from hedger.ledger.store import Store


def ours(read: Decimal, own: Decimal, *, dedicated: bool) -> Decimal:
    """
    The part of a position that is this hedge's to close.

    On a dedicated sub-account all of it. On a shared one never more than what is our ``own``,
    and nothing when the signs differ: what is not ours is never touched.
    """
    if dedicated:
        return read
    if read * own <= ZERO:
        return ZERO
    return read if abs(read) <= abs(own) else own


def shrunk(read: Decimal, own: Decimal) -> bool:
    """
    Whether a leg reads smaller than what is our own, or on the other side.

    A leg that reads larger is believed: what is not there cannot be reduced.
    """
    return own != ZERO and (read * own <= ZERO or abs(read) < abs(own))


def booked_size(store: Reader, hedge: HedgeId, venue: VenueId) -> Decimal:
    """What our fills make of a leg, without what earlier hedges left that are booked with it."""
    earlier = store.meta(earlier_key(hedge, venue))
    return store.leg_size(hedge, venue) - Decimal(earlier or 0)


def own_size(store: Reader, hedge: HedgeId, venue: VenueId) -> Decimal:
    """
    What our fills make of a leg, less what was taken from it or forgotten, in signed coins.

    An order of ours that fills beyond what others left of the leg turns it around: what carries
    our id is ours. What a venue forgot is at most what was left.
    """
    left = booked_size(store, hedge, venue) - taken(store, hedge, venue)
    own = left - forgotten(store, hedge, venue)
    return own if own * left > ZERO else ZERO


def proven_empty(store: Store, hedge: HedgeId, venue: VenueId) -> bool:
    """
    Whether our own record alone proves that the hedge holds nothing on ``venue``.

    Every order of ours there has a proven end, and together they make nothing. Only for hedges
    that we opened: what a found position may be, no order of ours tells.
    """
    orders = store.orders_of(hedge)
    if not any(record.prepared.order.purpose is Purpose.OPEN for record in orders):
        return False
    there = [record for record in orders if record.prepared.order.venue == venue]
    return all(record.state.terminal for record in there) and not booked_size(store, hedge, venue)


def untouched(store: Reader, hedge: Hedge) -> bool:
    """
    Whether both legs stand by our own fills, and no order of ours to close them has changed that.

    They need not be equal to the last coin: dust is less than what any order could take off.
    """
    a, b = store.leg_sizes(hedge)
    if a * b >= ZERO or store.open_intents(hedge.id):
        return False
    closed = (o for o in store.orders_of(hedge.id) if o.prepared.order.purpose is Purpose.CLOSE)
    return not any(order.filled_size for order in closed)


def taken(store: Reader, hedge: HedgeId, venue: VenueId) -> Decimal:
    """What somebody else took off a leg, as the part of our fills that is gone; signed coins."""
    return took.size_in(store.meta(taken_key(hedge, venue)))


def forgotten(store: Reader, hedge: HedgeId, venue: VenueId) -> Decimal:
    """What a venue no longer knows of a leg, as the part of our fills that is gone."""
    return lost.size_in(store.meta(lost_key(hedge, venue)))


def note_taken(store: Store, hedge: Hedge, position: Position) -> None:
    """
    Keep what was taken off a leg, and tell a person; ``position`` is proven by the trades.

    Nothing is noted where the leg is whole.
    """
    venue = position.venue
    own = own_size(store, hedge.id, venue)
    if not shrunk(position.size, own):
        return
    gone = own - ours(position.size, own, dedicated=False)
    booked = booked_size(store, hedge.id, venue)
    text = (
        f"somebody else took {plain(gone)} {hedge.symbol} of hedge {hedge.id} on {venue}, which"
        f" holds {plain(position.size)} while our fills make {plain(booked)}; what appears there"
        " from now on is taken to be theirs"
    )
    logger.error("{}", text)
    store.alert(text, hedge=hedge.id)  # first: once it is noted nobody would tell it any more
    store.note_taken(hedge.id, venue, gone)


def unclear(store: Reader, hedge: Hedge, venue: VenueId, read: Decimal) -> str | None:
    """Why it cannot be told whose a position is, in words; None where it can."""
    gone = taken(store, hedge.id, venue)
    own = own_size(store, hedge.id, venue)
    beyond = read - ours(read, own, dedicated=False)
    if gone * beyond <= ZERO:
        return None
    return (
        f"{venue} holds {plain(read)} {hedge.symbol}, of which {plain(own)} is taken to be ours,"
        f" for {plain(gone)} was taken from us: whose the rest is cannot be told"
    )


def tell_unaccounted(store: Store, hedge: Hedge) -> None:
    """
    Alert where a hedge ends and our fills do not add up to what was taken from it.

    The position is gone, but a part of it may have been somebody else's; or a venue does not know
    it at present, and shows it again later: what is missing is kept as lost, to be taken back.
    """
    for venue in hedge.venues:
        booked, gone = booked_size(store, hedge.id, venue), taken(store, hedge.id, venue)
        lost_there = forgotten(store, hedge.id, venue)
        if booked == gone + lost_there:
            continue
        also = f" and {plain(lost_there)} to be forgotten by the venue" if lost_there else ""
        text = (
            f"hedge {hedge.id} ends while our fills make {plain(booked)} {hedge.symbol} on"
            f" {venue}, and {plain(gone)} of that is known to be taken by somebody else{also}:"
            " look at what both accounts hold"
        )
        logger.error("{}", text)
        missing = booked - gone - lost_there
        data = {"venue": venue, "lost": plain(missing)}
        store.lose(hedge, venue, missing, text=text, data=data, unexplained=True)


def seen_size(store: Reader, hedge: Hedge, venue: VenueId, *, dedicated: bool) -> Decimal:
    """The latest reading of a leg, as far as it is ours; our fills where they are newer."""
    booked = own_size(store, hedge.id, venue)
    look = store.last_observation(venue, hedge.symbol)
    if look is None or not read_since(look, changed_at(store, hedge, venue), store.now()):
        return booked
    return ours(look.size, booked, dedicated=dedicated)


def seen_sizes(store: Reader, hedge: Hedge, *, dedicated: bool) -> Mapping[VenueId, Decimal]:
    """The same of both legs, by venue."""
    return {v: seen_size(store, hedge, v, dedicated=dedicated) for v in hedge.venues}


def read_since(look: Position, instant: datetime, now: datetime) -> bool:
    """
    Whether a reading began after an instant, both by our own clock.

    What lies in the future is from before our clock was set back: older than anything since.
    """
    if look.read_started_at > now:
        return False
    return instant > now or look.read_started_at > instant


def known_at(store: Reader, hedge: Hedge, venue: VenueId) -> datetime:
    """When a leg was last read, or an order of ours there came to change it."""
    look = store.last_observation(venue, hedge.symbol)
    changed = changed_at(store, hedge, venue)
    if look is None or not read_since(look, changed, store.now()):
        return changed
    return look.read_started_at


def changed_at(store: Reader, hedge: Hedge, venue: VenueId) -> datetime:
    """When an order of ours last changed a leg, or may have; one that filled nothing did not."""
    return max(
        (
            record.done_at or record.prepared_at
            for record in store.orders_of(hedge.id)
            if record.prepared.order.venue == venue
            and (record.filled_size or not record.state.terminal)
        ),
        default=hedge.created_at,
    )
