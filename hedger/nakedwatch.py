"""
How long a leg stands alone, and telling a person when that is too long (promise 4).

Read from the ledger alone, so it works while every venue is silent: our own fills, the latest
readings of both positions, and orders whose end is unknown. The start is kept in the ledger, so
a restart does not begin to count anew, nor does a clock that is set back.
"""

import json
from collections.abc import Mapping
from datetime import datetime, timedelta

from loguru import logger

from hedger.clock import Clock
from hedger.domain.hedge import Hedge, State
from hedger.domain.ids import HedgeId, VenueId
from hedger.domain.money import ZERO, plain
from hedger.ledger.store import Store
from hedger.owned import changed_at, known_at, own_size, read_since, seen_sizes, unclear
from hedger.settings_recovery import Recovery as Rules

PREFIX = "naked:"
DOUBT = "doubt:"
"""Meta key of a venue that cannot be relied on: JSON with ``since`` and ``why``."""
LOOKED = "naked_looked"
"""Meta key: when the last look was that found a leg alone or a venue in doubt."""
ON_THE_WAY = frozenset({State.CONVERGING, State.ORPHAN})


def exposure(store: Store, hedge: Hedge, *, dedicated: bool) -> str | None:
    """Why a hedge may have a leg alone, in words; None when its legs are known to be equal."""
    if unknown := store.open_intents(hedge.id):
        names = ", ".join(prepared.order.id for prepared in unknown)
        return f"it is unknown what became of order {names}"
    sizes = seen_sizes(store, hedge, dedicated=dedicated)
    net = sum(sizes.values(), ZERO)
    if net == ZERO:
        why = _unread(store, hedge) or (None if dedicated else _unclear(store, hedge))
        return why or _unconcluded(hedge)
    legs = ", ".join(f"{venue} {plain(size)}" for venue, size in sizes.items())
    return f"{plain(net)} {hedge.symbol} stand alone ({legs})"


def _unread(store: Store, hedge: Hedge) -> str | None:
    """A hedge that is brought to match: what its legs were before that is no word about them."""
    if hedge.state not in ON_THE_WAY:
        return None
    for venue in hedge.venues:
        look = store.last_observation(venue, hedge.symbol)
        if look is None or not read_since(look, hedge.updated_at, store.now()):
            return f"its leg on {venue} was not read since it is {hedge.state}"
    return None


def _unconcluded(hedge: Hedge) -> str | None:
    """A hedge that is brought to match ends at once where its legs do: something is in the way."""
    return (
        f"it is {hedge.state}, and its legs are not proven" if hedge.state in ON_THE_WAY else None
    )


def _unclear(store: Store, hedge: Hedge) -> str | None:
    """Where the latest reading of a shared account cannot be told apart (``hedger/owned.py``)."""
    for venue in hedge.venues:
        look = store.last_observation(venue, hedge.symbol)
        if look is not None and (why := unclear(store, hedge, venue, look.size)) is not None:
            return why
    return None


class NakedWatch:
    """
    Alerts at ``naked_alert_s`` of a leg alone, and each time that has doubled.

    The same for a venue in doubt while there are hedges: nobody knows what becomes of their legs.
    """

    def __init__(self, *, store: Store, clock: Clock, rules: Rules, dedicated: bool) -> None:
        self._dedicated = dedicated
        self._store = store
        self._clock = clock
        self._rules = rules
        self._told: dict[str, float] = {}  # the span at which the next alert is due
        self._counted_from: dict[str, float] = {}  # monotonic seconds of the first look
        self._matched_at: dict[tuple[HedgeId, VenueId], datetime] = {}

    def look(self) -> Mapping[HedgeId, float]:
        """Measure every live hedge; the seconds that each has stood alone."""
        self._follow_our_clock()
        known = self._store.metas(PREFIX)
        spans: dict[HedgeId, float] = {}
        matched_at: dict[tuple[HedgeId, VenueId], datetime] = {}
        for hedge in self._store.live():
            why = None if hedge.state is State.PLANNED else self._why(hedge)
            if why is None:
                for venue in hedge.venues:
                    matched_at[hedge.id, venue] = known_at(self._store, hedge, venue)
                continue
            since = known.pop(PREFIX + hedge.id, None)
            if since is None:
                since = self._since(hedge).isoformat()
                self._store.set_meta(PREFIX + hedge.id, since)
            span_s = self._span_s(PREFIX + hedge.id, datetime.fromisoformat(since))
            spans[hedge.id] = span_s
            text = f"hedge {hedge.id} is {hedge.state} and exposed for {span_s:.0f} s: {why}"
            self._tell_in_time(PREFIX + hedge.id, span_s, text, hedge.id)
        for key in known:
            self._store.set_meta(key, "")
            self._told.pop(key, None)
            self._counted_from.pop(key, None)
        self._matched_at = matched_at
        doubts = self._store.metas(DOUBT)
        self._doubts(doubts)
        if spans or doubts:
            self._store.set_meta(LOOKED, self._clock.now().isoformat())
        return spans

    def _follow_our_clock(self) -> None:
        """What was noted before it was set back began earlier by so much."""
        looked = self._store.meta(LOOKED)
        back = datetime.fromisoformat(looked) - self._clock.now() if looked else timedelta()
        if back <= timedelta():
            return
        for key, since in self._store.metas(PREFIX).items():
            self._store.set_meta(key, (datetime.fromisoformat(since) - back).isoformat())
        for key, text in self._store.metas(DOUBT).items():
            found = json.loads(text)
            found["since"] = (datetime.fromisoformat(found["since"]) - back).isoformat()
            self._store.set_meta(key, json.dumps(found))
        self._store.set_meta(LOOKED, self._clock.now().isoformat())

    def _doubts(self, doubts: Mapping[str, str]) -> None:
        for key in [key for key in self._told if key.startswith(DOUBT) and key not in doubts]:
            self._told.pop(key)
            self._counted_from.pop(key, None)
        live = self._store.live()
        for key, text in doubts.items() if live else ():
            found = json.loads(text)
            since = datetime.fromisoformat(found["since"])
            span_s = self._span_s(key, since)
            venue = key.removeprefix(DOUBT)
            self._tell_in_time(
                key,
                span_s,
                f"{venue} is in doubt for {span_s:.0f} s while {len(live)} hedges are open:"
                f" {found['why']}",
                None,
            )

    def _span_s(self, key: str, since: datetime) -> float:
        """
        Seconds since an instant that an earlier process may have noted; at least those that this
        one has counted itself, because a wall clock may be set back.
        """
        now_s = self._clock.monotonic_s()
        counted_s = now_s - self._counted_from.setdefault(key, now_s)
        return max((self._clock.now() - since).total_seconds(), counted_s)

    def _why(self, hedge: Hedge) -> str | None:
        return exposure(self._store, hedge, dedicated=self._dedicated)

    def _since(self, hedge: Hedge) -> datetime:
        """
        Since when, as early as it may be.

        An opening hedge since its first order was committed. Of another one a leg that no order
        of ours has changed went at any time after the last reading in which the legs matched.
        """
        orders = self._store.orders_of(hedge.id)
        if hedge.opened_at is None and orders:
            return min(orders[0].prepared_at, self._clock.now())
        maybe_at = [self._clock.now()]
        for venue in hedge.venues:
            look = self._store.last_observation(venue, hedge.symbol)
            if look is None or look.size == own_size(self._store, hedge.id, venue):
                continue
            maybe_at.append(look.read_started_at)
            matched = self._matched_at.get((hedge.id, venue))
            if matched is not None and matched >= changed_at(self._store, hedge, venue):
                maybe_at.append(matched)
        return min(maybe_at)

    def _tell_in_time(self, key: str, span_s: float, text: str, hedge: HedgeId | None) -> None:
        """Alert where it is time for it; then, and not before, twice the span is waited for."""
        due_s = self._told.setdefault(key, self._rules.naked_alert_s)
        if span_s < due_s:
            return
        logger.error("{}", text)
        self._store.alert(text, hedge=hedge)
        while due_s <= span_s:
            due_s *= 2
        self._told[key] = due_s
