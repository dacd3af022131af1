"""
What orders are scaled and judged by, kept fresh: steps, ticks, minima, caps, status, number, fees.

An order that opens goes on facts that were read just before it. One that reduces waits for
nothing: it goes on what is known, and a reading runs beside it; only where an order was refused
for the market's rules, or filled less than it asked for, the next one is preceded by a reading of
at most a second. While anything is open, an idle job reads once a minute, so that what is known is
young. A change is an event and an alert, written at rest or before leg A, never between legs.
"""

import asyncio
import contextlib
import json
from collections import deque
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Final

from loguru import logger

from hedger.clock import Clock
from hedger.domain.hedge import Hedge
from hedger.domain.ids import OrderId, Symbol, VenueId
from hedger.domain.market import Fees, Instrument
from hedger.domain.money import plain
from hedger.domain.order import Filled, Order, Outcome, Reason, Refused
from hedger.errors import (
    ContradictionError,
    DeniedError,
    DriftError,
    UnavailableError,
    UnwritableError,
    VenueError,
)
from hedger.ledger.store import Store
from hedger.monitoring import drift
from hedger.monitoring.factrows import facts_of, rules_of
from hedger.monitoring.knownmarkets import LIVE, KnownMarkets
from hedger.ports import Venue
from hedger.together import together

OPENING_S: Final = 60.0  # no order that opens is sent on older facts
JUST_READ_S: Final = 2.0  # before leg A: how old what was read for its plan may be
IDLE_S: Final = 45.0  # at rest: older facts are read again, so that none comes to a minute
LOOK_S: Final = 10.0  # how often the idle job looks for such
AGAIN_S: Final = 1.0  # how long anything waits for a reading while a leg may stand alone
BESIDE_S: Final = 5.0
FEES_S: Final = 600.0
DRIFTS_MAX: Final = 100
RECALLED: Final = timedelta(days=1)
SUSPECT: Final = frozenset({Reason.RULES, Reason.MARKET_STATE})
Market = tuple[VenueId, Symbol]


class MarketFacts:
    """The rules of both venues' markets, by what they are needed for."""

    def __init__(
        self,
        *,
        venues: Mapping[VenueId, Venue],
        known: KnownMarkets,
        store: Store,
        clock: Clock,
    ) -> None:
        self._venues = venues
        self._store = store
        self._clock = clock
        self._suspect: dict[Market, bool] = {}  # and whether an exit has asked since
        self._drifts: deque[tuple[Order, str]] = deque(maxlen=DRIFTS_MAX)  # not yet recorded
        self._drifted: deque[tuple[OrderId, str]] = deque(maxlen=DRIFTS_MAX)
        self._recalled = False
        self._told: dict[Market, str] = {}
        self._beside: dict[VenueId, asyncio.Task[None]] = {}
        self._known = known

    # -- for orders -------------------------------------------------------------------------

    async def before(self, hedge: Hedge) -> list[Instrument]:
        """
        Both markets, read just now and side by side: before leg A, so that leg B waits for none.

        Raises:
            VenueError: one could not be read, or it is not clear which market it is.
        """
        found = await together(self._just_now((v, hedge.symbol)) for v in hedge.venues)
        for rules in found:
            self._compare(rules)
        self.keep()
        return found

    def keep(self, held: Symbol | None = None) -> None:
        """
        See ``KnownMarkets.keep``.

        Raises:
            StateError: the ledger cannot be written.
        """
        self._known.keep(held)

    async def _just_now(self, market: Market) -> Instrument:
        venue, symbol = market
        age_s = 0.0 if market in self._suspect else JUST_READ_S
        rules = await self._venues[venue].instrument(symbol, max_age_s=age_s)
        self._suspect.pop(market, None)
        return rules

    async def opening(self, venue: VenueId, symbol: Symbol) -> Instrument:
        """
        For an order that opens: what ``before`` has read, as a rule. A leg may stand alone.

        Raises:
            VenueError: that is a minute ago, and it could not be read within a second.
        """
        try:
            async with asyncio.timeout(AGAIN_S):
                return await self._venues[venue].instrument(symbol, max_age_s=OPENING_S)
        except TimeoutError as error:
            what = f"the rules of {symbol} were not told within {AGAIN_S:g} s"
            raise UnavailableError(venue, what) from error

    async def reducing(self, venue: VenueId, symbol: Symbol) -> Instrument:
        """
        For what takes exposure off: what is known, read again first only after a refusal.

        What an earlier process knew stands in where this one cannot be told: the other leg may
        have to come down by what is left here.

        Raises:
            VenueError: nothing is known of this market, and it could not be asked.
        """
        if self._suspect.get((venue, symbol)) is False:
            await self._again(venue, symbol)
        else:
            self._refresh_beside(venue, symbol)
        try:
            return await self._venues[venue].instrument(symbol)
        except VenueError:
            if not (kept := self._store.meta(_key((venue, symbol)))):
                raise
            with contextlib.suppress(KeyError):  # kept by a version that knew less
                return rules_of(venue, symbol, json.loads(kept))
            raise

    def note(self, outcome: Outcome) -> None:
        """What became of an order says something about the facts that it was made by."""
        order = outcome.prepared.order
        ruled_out = isinstance(outcome, Refused) and outcome.reason in SUSPECT
        if ruled_out or (isinstance(outcome, Filled) and outcome.size != order.size):
            self._suspect[order.venue, order.symbol] = False
        if isinstance(outcome, Filled) and (what := drift.told_by(outcome)):
            self._drift(order, what)

    def contradicted(self, order: Order, error: ContradictionError) -> None:
        """The venue tells of an order what was never signed."""
        self._drift(order, error.detail)

    def _drift(self, order: Order, what: str) -> None:
        """Once per order and reason."""
        if (order.id, what) not in self._drifted:
            self._drifted.append((order.id, what))
            self._drifts.append((order, what))
            self._stop_drifting()

    def _stop_drifting(self) -> None:
        """Switch off what drifts; what the ledger cannot take now is tried again by ``look``."""
        with contextlib.suppress(UnwritableError):
            while self._drifts:
                drift.stop(self._store, self._clock, *self._drifts[0])
                self._drifts.popleft()

    async def _again(self, venue: VenueId, symbol: Symbol) -> None:
        """Read anew, for a second; the doubt stays where that fails, and the exit goes on."""
        self._suspect[venue, symbol] = True
        try:
            async with asyncio.timeout(AGAIN_S):
                await self._venues[venue].instrument(symbol, max_age_s=0.0)
        except (TimeoutError, VenueError) as error:
            logger.warning("{}: the rules of {} stay as known: {!r}", venue, symbol, error)
        else:
            self._suspect.pop((venue, symbol), None)

    def _refresh_beside(self, venue: VenueId, symbol: Symbol) -> None:
        """Read what is old in a task of its own that nobody waits for; one per venue."""
        if (running := self._beside.get(venue)) is not None and not running.done():
            return
        task = asyncio.get_running_loop().create_task(self._refresh(venue, symbol))
        task.add_done_callback(_ended)
        self._beside[venue] = task

    async def _refresh(self, venue: VenueId, symbol: Symbol) -> None:
        try:
            async with asyncio.timeout(BESIDE_S):
                await self._venues[venue].instrument(symbol, max_age_s=OPENING_S)
        except (TimeoutError, VenueError) as error:
            logger.info("{}: the rules of {} are read later: {!r}", venue, symbol, error)

    # -- at rest ----------------------------------------------------------------------------

    def _recall(self) -> None:
        """An earlier process may have ended between the booking of an order and its telling."""
        if self._recalled:
            return
        for record in self._store.more_untold(self._clock.now() - RECALLED):
            order = record.prepared.order
            if what := drift.too_much(record.filled_size, order):
                self._drift(order, what)
        self._recalled = True

    async def look(self) -> None:
        """Keep the facts of every market with a live hedge young; tell what changed."""
        self._recall()
        self._stop_drifting()
        live = {(venue, hedge.symbol) for hedge in self._store.live() for venue in hedge.venues}
        self._forget(live)
        await together(
            self._look(venue, [symbol for v, symbol in sorted(live) if v == venue])
            for venue in self._venues
        )
        self.keep()

    async def _look(self, venue: VenueId, symbols: Iterable[Symbol]) -> None:
        """One reading serves all markets of a venue."""
        for symbol in symbols:
            try:
                rules = await self._venues[venue].instrument(symbol, max_age_s=IDLE_S)
                self._compare(rules)
                await self._look_at_fees(venue, symbol)
            except VenueError as error:
                self._tell_once((venue, symbol), error)
            else:
                self._told.pop((venue, symbol), None)

    async def _look_at_fees(self, venue: VenueId, symbol: Symbol) -> None:
        asked_at = self._clock.now()
        fees = await self._venues[venue].fees(symbol, max_age_s=FEES_S)
        self.note_fees(venue, symbol, fees)
        market = (venue, self._venues[venue].account, symbol)
        if self._store.fee_rates(market) != fees:
            self._store.note_fees(market, fees, asked_at)

    def note_fees(self, venue: VenueId, symbol: Symbol, fees: Fees) -> None:
        """Tell a change of the account's fees, against those that were noted last."""
        before = self._store.fee_rates((venue, self._venues[venue].account, symbol))
        if before is not None and before != fees:
            was = f"maker {plain(before.maker)}, taker {plain(before.taker)}"
            now = f"maker {plain(fees.maker)}, taker {plain(fees.taker)}"
            self._changed(venue, symbol, {"fees": (was, now)})

    def _forget(self, live: set[Market]) -> None:
        """Only the markets of live hedges are remembered beyond this process."""
        kept = {_key(market) for market in live}
        for key in self._store.metas(LIVE):
            if key not in kept:
                self._store.set_meta(key, "")
        self._told = {market: why for market, why in self._told.items() if market in live}

    def _tell_once(self, market: Market, error: VenueError) -> None:
        """A reading that fails for the same reason is told once; drift and a no to a person."""
        text = f"the rules of {market[1]} are not fresh, {error}"
        logger.warning("{}", text)
        if self._told.get(market) == text:
            return
        self._store.event("facts_not_read", text, level="warning")
        if isinstance(error, DriftError | DeniedError):
            self._store.alert(f"{text}: nothing new is opened there, look at the venue")
        self._told[market] = text

    # -- changes ----------------------------------------------------------------------------

    def _compare(self, rules: Instrument) -> None:
        """Hold what was read against what was known of a market that is or was hedged."""
        key = _key((rules.venue, rules.symbol))
        now = facts_of(rules)
        told = self._store.meta(key)
        if told:
            before = json.loads(told)
            changes = {
                name: (before.get(name, ""), now[name])
                for name in now
                if before.get(name, "") != now[name]
            }
            if not changes:
                return
            self._changed(rules.venue, rules.symbol, changes)
        self._store.set_meta(key, json.dumps(now))

    def _changed(
        self, venue: VenueId, symbol: Symbol, changes: Mapping[str, tuple[str, str]]
    ) -> None:
        said = ", ".join(
            f"{name.replace('_', ' ')} {was or 'none'} to {now or 'none'}"
            for name, (was, now) in changes.items()
        )
        text = f"{venue} changed {symbol}: {said}"
        logger.warning("{}", text)
        self._store.event(
            "market_changed",
            text,
            level="warning",
            data={
                "venue": venue,
                "symbol": symbol,
                "before": {n: c[0] for n, c in changes.items()},
            },
        )
        self._store.alert(text)


def _key(market: Market) -> str:
    return f"{LIVE}{market[0]}:{market[1]}"


def _ended(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        logger.warning("a reading of market rules failed: {!r}", error)
