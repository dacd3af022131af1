"""
The real size of both legs of a hedge: read, and believed only as far as something speaks for it.

A reading may be late, and a venue may contradict itself. What our own fills confirm is believed
at once, anything else waits for the read lag or for a second source (reliability.md §2.4).
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal

from hedger.clock import Clock
from hedger.domain.hedge import Hedge, State
from hedger.domain.ids import VenueId
from hedger.domain.market import Instrument, Position
from hedger.domain.money import ZERO, plain
from hedger.errors import UnavailableError, UnlistedError, VenueError
from hedger.ledger.store import Store
from hedger.legread import LegRead, rules_of
from hedger.monitoring.market_facts import MarketFacts
from hedger.owned import note_taken, ours, own_size, proven_empty, shrunk
from hedger.ports import Venue
from hedger.position_cache import PositionCache
from hedger.readlag import ReadLag, Watch
from hedger.reconciliation.forgetting import Forgetting
from hedger.reduction import Legs
from hedger.secondsource import SinceOpened, traded_since_opened
from hedger.together import together
from hedger.urgency import once, overlapping

SECOND_LOOK_S = 1.0
LOOK_S = 0.35
LOOKS_MAX = 60
IN_PASSING_S = 0.5
LAGS_AGAINST_OUR_FILLS = 2  # a venue may for once be later than it declares (S17)


class _Same:
    """One size, read again and again: since when, and when to ask what speaks for it."""

    def __init__(self) -> None:
        self._size: Decimal | None = None
        self._since: datetime | None = None
        self._asked_at: datetime | None = None

    def since(self, size: Decimal, asked_at: datetime) -> datetime:
        """When this very size was read for the first time in a row."""
        if size != self._size or self._since is None:
            self._size, self._since, self._asked_at = size, asked_at, None
        return self._since

    def due(self, asked_at: datetime) -> bool:
        """Whether a second look says the same, and the trades were not asked just now."""
        before = self._asked_at or self._since
        if before is None or asked_at - before < timedelta(seconds=SECOND_LOOK_S):
            return False
        self._asked_at = asked_at
        return True


class LegReader:
    """Reads what is there, of any hedge."""

    def __init__(
        self,
        *,
        venues: Mapping[VenueId, Venue],
        store: Store,
        positions: PositionCache,
        lag: ReadLag,
        facts: MarketFacts,
        clock: Clock,
        dedicated: bool,
        forgetting: Forgetting,
    ) -> None:
        self._facts = facts
        self._forgetting = forgetting
        self._venues = venues
        self._store = store
        self._positions = positions
        self._lag = lag
        self._clock = clock
        self._dedicated = dedicated

    async def read(self, hedge: Hedge, gone: VenueId | None = None) -> Legs:
        """
        Both real sizes, fresh, as far as they are this hedge's; read side by side.

        A venue that does not answer does not keep the other leg standing alone, where our own
        record proves that it holds nothing of this hedge (reliability.md §2.3, park policy).
        The leg that our last order provably took off as a whole is ``gone`` and not read: the
        other one is alone now and does not wait for a reading that is late. Neither does it wait
        for the rules of a market on which nothing is to be rounded.

        Raises:
            VenueError: a venue could not be read; its leg is unknown.
        """
        looks = await together(
            self._gone(hedge, venue) if venue == gone else self._leg(hedge, venue)
            for venue in hedge.venues
        )
        a, b = looks
        return Legs(
            a=a.size,
            b=b.size,
            rules_a=rules_of(a, b, hedge.symbol),
            rules_b=rules_of(b, a, hedge.symbol),
            doubts={leg.venue: leg.doubt for leg in looks if leg.doubt},
            unread=a.unread or b.unread,
            beside=frozenset(leg.venue for leg in looks if leg.beside),
            clips=frozenset(
                v for v in hedge.venues if self._venues[v].capabilities.clips_reduce_only
            ),
        )

    async def _leg(self, hedge: Hedge, venue: VenueId) -> LegRead:
        try:
            rules = await self._reducing(hedge, venue)
        except UnlistedError as error:
            return await self._unlisted(hedge, venue, error)
        except VenueError as error:
            if not proven_empty(self._store, hedge.id, venue):
                raise
            return LegRead(venue, ZERO, None, unread=error)
        try:
            position, doubt = await self._settled(hedge, venue)
        except VenueError as error:
            size = await self._known(hedge, venue)
            if size is None:
                raise
            return LegRead(venue, size, rules, unread=error)
        size = ours(
            position.size, own_size(self._store, hedge.id, venue), dedicated=self._dedicated
        )
        return LegRead(venue, size, rules, doubt=doubt, beside=position.size != size)

    async def _unlisted(self, hedge: Hedge, venue: VenueId, error: UnlistedError) -> LegRead:
        """
        A leg on a market that the venue does not list: nothing, where nothing of ours was ever
        there and the account has no position of that name either. What our fills made may be
        there under a name that nobody knows yet.

        Raises:
            VenueError: something is there, or may be.
        """
        if own_size(self._store, hedge.id, venue) != ZERO or self._unsettled(hedge, venue):
            raise error
        try:
            position, _ = await self._settled(hedge, venue)
        except VenueError as unread:
            if not proven_empty(self._store, hedge.id, venue):
                raise
            return LegRead(venue, ZERO, None, unread=unread)
        if position.size != ZERO:
            raise error
        return LegRead(venue, ZERO, None, unlisted=error)

    async def _reducing(self, hedge: Hedge, venue: VenueId) -> Instrument:
        """The rules of a leg's market; asked for in passing where nothing of ours is there."""

        async def ask() -> Instrument:
            return await self._facts.reducing(venue, hedge.symbol)

        if proven_empty(self._store, hedge.id, venue):
            return await once(ask, venue, limit_s=IN_PASSING_S)
        return await ask()

    async def _known(self, hedge: Hedge, venue: VenueId) -> Decimal | None:
        """
        A leg whose position cannot be read; None where nothing else tells it.

        Our own fills do where they make nothing; else the trades of the account, which hold every
        fill of ours: so much may be taken off. Nothing is concluded from it.
        """
        if proven_empty(self._store, hedge.id, venue):
            return ZERO
        booked = own_size(self._store, hedge.id, venue)
        port = self._venues[venue]
        traded = await traded_since_opened(
            port, self._store, hedge, booked, self._clock, forgotten=True
        )
        if traded is None or not traded.current:
            return None
        return ours(traded.net, booked, dedicated=self._dedicated)

    async def _gone(self, hedge: Hedge, venue: VenueId) -> LegRead:
        rules = await self._facts.reducing(venue, hedge.symbol)
        return LegRead(venue, ZERO, rules)

    async def _settled(self, hedge: Hedge, venue: VenueId) -> tuple[Position, str]:
        """
        A position that our own fills confirm, or one that two looks agree on, and any doubt.

        A reading may be older than our last fill. It is believed against our fills at once where
        the account's trades make just that and hold every fill of ours; otherwise only when it
        began twice the read lag later (S17, S18, S37). Trades that contradict it delay it by the
        read lag and leave it in doubt, but never hold back what takes exposure off (S5). A venue
        that has forgotten our fills is believed after a while, and so is one that has them again.
        """
        booked = own_size(self._store, hedge.id, venue)
        lag = self._lag.bound(venue)
        last = self._last_change(hedge, venue)
        same = _Same()
        watch = Watch()
        # the other leg may stand alone meanwhile: what is proven empty is asked for only once
        in_passing = proven_empty(self._store, hedge.id, venue)

        async def look() -> Position:
            return await self._positions.get(venue, hedge.symbol, max_age_s=0, hedge=hedge.id)

        for _ in range(LOOKS_MAX):
            if in_passing:
                position = await once(look, venue, limit_s=IN_PASSING_S)
            else:
                position = await overlapping(look, self._clock)
            asked_at = position.read_started_at
            if position.size == booked:
                if last is not None:
                    self._lag.shown(venue, "a position", watch, since=last, asked_at=asked_at)
                self._forgetting.whole(hedge, venue)
                return position, ""
            watch.missed(asked_at)
            since = same.since(position.size, asked_at)
            late = last is None or asked_at > last + LAGS_AGAINST_OUR_FILLS * lag
            if same.due(asked_at):
                traded = await self._traded(hedge, position)
                explained = traded is not None and traded.explains(position.size)
                against = traded is not None and not explained and shrunk(position.size, booked)
                if late and against and await self._forgotten(hedge, position, traded):
                    return position, ""
                if explained or (late and (not against or asked_at - since > lag)):
                    self._disagree(hedge, position, booked)
                    await self._forgetting.take_back(hedge, venue, position.size)
                    if explained and not self._dedicated and not self._unsettled(hedge, venue):
                        note_taken(self._store, hedge, position)
                    return position, self._doubt(hedge, position, traded) if against else ""
            await self._clock.sleep(SECOND_LOOK_S if late else LOOK_S)
        raise UnavailableError(venue, f"the {hedge.symbol} position keeps changing")

    def _unsettled(self, hedge: Hedge, venue: VenueId) -> bool:
        """Whether what is missing there may be what an order of ours of unknown end has done."""
        return any(one.order.venue == venue for one in self._store.open_intents(hedge.id))

    async def _forgotten(
        self, hedge: Hedge, position: Position, traded: SinceOpened | None
    ) -> bool:
        if traded is None:
            return False
        return await self._forgetting.believes(hedge, position.venue, position.size, traded)

    def _doubt(self, hedge: Hedge, position: Position, traded: SinceOpened | None) -> str:
        assert traded is not None
        return self._forgetting.doubt(hedge, position.venue, position.size, traded)

    async def _traded(self, hedge: Hedge, position: Position) -> SinceOpened | None:
        venue = self._venues[position.venue]
        return await traded_since_opened(venue, self._store, hedge, position.size, self._clock)

    def _last_change(self, hedge: Hedge, venue: VenueId) -> datetime | None:
        """When an order of ours may last have changed a leg; None where none did."""
        return max(
            (
                record.done_at or record.prepared_at
                for record in self._store.orders_of(hedge.id)
                if record.prepared.order.venue == venue
                # one that provably executed nothing has changed no position
                and (record.filled_size > ZERO or not record.state.terminal)
            ),
            default=None,
        )

    def _disagree(self, hedge: Hedge, position: Position, booked: Decimal) -> None:
        if hedge.state is State.ORPHAN or not self._store.orders_of(hedge.id):
            return  # nothing of ours to compare with
        self._store.event(
            "position_differs",
            f"{position.venue} holds {plain(position.size)} {hedge.symbol},"
            f" our fills make {plain(booked)}",
            hedge=hedge.id,
            level="warning",
            data={"venue": position.venue, "read": position.size, "booked": booked},
        )
