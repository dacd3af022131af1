"""
The self-check of units while the program runs: read two endpoints of a venue, and judge.

What counts as a unit error is in ``hedger/units.py``. Here is when what is asked: some symbols
at the start, then a few at each turn, so that all of them come round within the venue's request
limit. A venue whose check fails, or could not be made at all, opens nothing, and no hedge is left
for what its rates say; urgent exits go on.

A question that our own request limit keeps back says nothing about the venue: it is asked again at
the next turn, and what was judged before stands meanwhile, for so many turns.
"""

import asyncio
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from loguru import logger

from hedger.clock import Clock
from hedger.domain.ids import Symbol, VenueId
from hedger.domain.market import FundingQuote
from hedger.errors import KeptBackError, VenueError
from hedger.ledger.store import Store
from hedger.ports import QuoteSource
from hedger.settings_risk import Units as Rules
from hedger.units import (
    Compared,
    Estimates,
    compare,
    estimates_text,
    judge,
    parsed_estimates,
)

DOUBT: Final = "units:"
"""Meta key of a venue whose rates are in doubt: JSON with ``since`` and ``why``."""

OUT: Final = "units_out:"
"""Meta key ``units_out:venue:SYMBOL`` of a symbol that is taken out: the reason."""

ESTIMATES: Final = "estimates:"
MEANWHILE: Final = "nothing is opened, no hedge is left for its rates, urgent exits go on"
UNCHECKED: Final = "its units could not be checked"
KEPT: Final = 3  # settlements whose estimates are kept
FRESH_S: Final = 120.0
LOOK_BACK: Final = timedelta(hours=4)
PACE_S: Final = 300.0  # between two turns, where nobody says otherwise
TURNS_MISSED: Final = 5  # for our own request limit; then the venue is in doubt


@dataclass(slots=True)
class _Venue:
    """What is known of one venue's rates."""

    estimates: dict[datetime, dict[Symbol, Decimal]] = field(default_factory=dict)
    seen_s: float = float("-inf")
    compared: dict[Symbol, tuple[datetime, Compared]] = field(default_factory=dict)
    judged: bool = False
    looked_s: float = float("-inf")  # when a turn had its answers
    kept_back_s: float | None = None  # since when our own limit lets none through
    kept_back: str = ""  # why the latest question was not asked


@dataclass(slots=True)
class _Answers:
    """What one turn got of one venue."""

    count: int = 0
    listed: bool = False
    problem: str = ""  # that the venue made


class UnitCheck:
    """Every venue's rates, held against its own settled ones."""

    def __init__(
        self,
        *,
        quotes: Mapping[VenueId, QuoteSource],
        store: Store,
        clock: Clock,
        rules: Rules,
        pace_s: float = PACE_S,
    ) -> None:
        self._quotes = quotes
        self._store = store
        self._clock = clock
        self._rules = rules
        self._pace_s = pace_s
        self._venues = {venue: _Venue() for venue in quotes}
        self.in_doubt: Mapping[VenueId, str] = {}
        self._waiting: set[VenueId] = set()  # of those, nobody was told yet
        self.out: Mapping[tuple[VenueId, Symbol], str] = {}
        self._untold: set[tuple[VenueId, Symbol]] = set()  # of those
        for venue in quotes:
            self._recall(venue)

    def saw(self, quotes: Mapping[VenueId, Mapping[Symbol, FundingQuote]]) -> None:
        """Take note of estimates that were read anyway; the latest word of each hour counts."""
        for id_, found in quotes.items():
            venue = self._venues[id_]
            venue.seen_s = self._clock.monotonic_s()
            for symbol, quote in found.items():
                rates = venue.estimates.setdefault(quote.next_settlement_at, {})
                rates[symbol] = quote.rate_1h
            for old in sorted(venue.estimates)[:-KEPT]:
                del venue.estimates[old]

    def doubt(self, symbol: Symbol, venues: Iterable[VenueId]) -> str:
        """Why the rates of one market are not believed on these venues; empty when they are."""
        found = [self.in_doubt.get(id_) or self.out.get((id_, symbol)) for id_ in venues]
        return "; ".join(why for why in found if why)

    async def fresh(self) -> None:
        """For who opens without a daemon: a first turn, unless the last one is as recent as its."""
        now_s = self._clock.monotonic_s()
        if any(now_s - venue.looked_s >= self._pace_s for venue in self._venues.values()):
            await self.run(first=True)

    async def run(self, *, first: bool = False) -> None:
        """One turn on every venue. Never raises for a venue's sake."""
        async with asyncio.TaskGroup() as group:
            for id_ in self._quotes:
                group.create_task(self._look(id_))
        symbols = self._common()
        async with asyncio.TaskGroup() as group:
            for id_, venue in self._venues.items():
                # few symbols judge nothing: until a venue was judged once, each turn asks enough
                whole = first or not venue.judged
                most = self._rules.first_symbols if whole else self._rules.symbols
                group.create_task(self._turn(id_, symbols, most))

    def _common(self) -> set[Symbol]:
        """Symbols that every venue quotes; only they are ever hedged."""
        known = [
            {symbol for rates in venue.estimates.values() for symbol in rates}
            for venue in self._venues.values()
        ]
        return set.intersection(*known)

    async def _look(self, id_: VenueId) -> None:
        venue = self._venues[id_]
        venue.kept_back = ""
        if self._clock.monotonic_s() - venue.seen_s < FRESH_S:
            return
        try:
            self.saw({id_: await self._quotes[id_].funding()})
        except VenueError as error:
            logger.warning("units of {} are not checked now: {}", id_, error.detail)
            if isinstance(error, KeptBackError):
                venue.kept_back = error.detail

    async def _turn(self, id_: VenueId, symbols: set[Symbol], most: int) -> None:
        venue = self._venues[id_]
        if venue.estimates and not symbols:
            return  # the other venue could not be read: that is its own doubt
        answers = _Answers(problem="its estimates could not be read")
        if venue.estimates:
            answers = await self._ask(id_, self._next(venue, symbols)[:most])
            self._store.set_meta(ESTIMATES + id_, estimates_text(venue.estimates))
        if venue.kept_back and not answers.count:
            self._missed(id_, venue)
            return
        if not (answers.problem or answers.listed or venue.compared):
            # asked and answered: a venue that has settled nothing yet has nothing to compare
            logger.warning("{} lists no settled rate yet: its units are checked later", id_)
            self._looked(venue)
            if self.in_doubt.get(id_, "").startswith(UNCHECKED):
                self._doubt(id_, "")
            return
        self._conclude(id_, venue, symbols, answers.problem)

    async def _ask(self, id_: VenueId, symbols: Iterable[Symbol]) -> "_Answers":
        """Read settled rates and compare them, as far as the venue and our limit allow."""
        venue, answers = self._venues[id_], _Answers()
        since = max(venue.estimates) - LOOK_BACK
        for symbol in symbols:
            try:
                settled = await self._quotes[id_].settled_rates(symbol, since)
            except KeptBackError as error:
                venue.kept_back = error.detail
                break
            except VenueError as error:
                answers.problem = error.detail
                break
            answers.count += 1
            answers.listed = answers.listed or bool(settled)
            self._note(venue, id_, symbol, {at: row.rate_1h for at, row in settled.items()})
        return answers

    def _looked(self, venue: _Venue) -> None:
        venue.looked_s, venue.kept_back_s = self._clock.monotonic_s(), None

    def _missed(self, id_: VenueId, venue: _Venue) -> None:
        """
        A turn in which our own limit let no question through: no reason to doubt the venue.

        What was found before stands for some turns more. A venue that was never looked at opens
        nothing until it was, but nobody is called for that.
        """
        now_s = self._clock.monotonic_s()
        if venue.kept_back_s is None:
            venue.kept_back_s = now_s
        missed_s = now_s - venue.kept_back_s
        logger.warning("units of {} are not checked now: {}", id_, venue.kept_back)
        if id_ in self.in_doubt and id_ not in self._waiting:
            return
        if missed_s >= TURNS_MISSED * self._pace_s:
            why = f"{UNCHECKED} for {missed_s:.0f} s, for our own request limit"
            self._doubt(id_, f"{why}: {venue.kept_back}")
        elif venue.looked_s == float("-inf"):
            self._doubt(id_, f"{UNCHECKED} yet: {venue.kept_back}", quietly=True)

    def _next(self, venue: _Venue, symbols: set[Symbol]) -> list[Symbol]:
        """Live markets first, then those whose comparison is the oldest."""
        live = {hedge.symbol for hedge in self._store.live()}
        newest = max(venue.estimates)

        def key(symbol: Symbol) -> tuple[bool, float]:
            known = venue.compared.get(symbol)
            age_h = 1e9 if known is None else (newest - known[0]) / timedelta(hours=1)
            return (symbol not in live or age_h <= 1, -age_h)

        return sorted(sorted(symbols), key=key)

    def _note(
        self, venue: _Venue, id_: VenueId, symbol: Symbol, settled: Mapping[datetime, Decimal]
    ) -> None:
        seen = [
            Estimates(venue=id_, settles_at=at, rates=rates)
            for at, rates in venue.estimates.items()
        ]
        found = compare(symbol, seen, settled)
        if found is not None:
            venue.compared[symbol] = (max(settled), found)

    def _conclude(self, id_: VenueId, venue: _Venue, symbols: set[Symbol], problem: str) -> None:
        compared = [one for symbol, (_, one) in venue.compared.items() if symbol in symbols]
        judgement = judge(compared)
        missing = bool(symbols - venue.compared.keys())
        if judgement.enough or (compared and not missing):
            venue.judged = True
            if not problem:
                self._looked(venue)
            self._doubt(id_, judgement.venue)
        elif venue.kept_back and not problem:
            self._missed(id_, venue)
        elif not venue.judged:
            few = f"only {judgement.judged} symbols could be compared"
            self._doubt(id_, f"{UNCHECKED}: {problem or few}")
        kept = {s: why for (v, s), why in self.out.items() if v == id_ and s not in venue.compared}
        self._take_out(id_, kept | dict(judgement.out))

    def _doubt(self, id_: VenueId, why: str, *, quietly: bool = False) -> None:
        """Keep, and tell a person once per change of mind."""
        told = id_ in self.in_doubt and id_ not in self._waiting
        others = {venue: text for venue, text in self.in_doubt.items() if venue != id_}
        if why:
            self.in_doubt = others | {id_: why}
            if quietly or not told:
                self._waiting.add(id_)
        if quietly:
            return
        if why and not told:
            text = f"the rates of {id_} are in doubt: {why}; {MEANWHILE}"
            logger.error("{}", text)
            self._store.alert(text)
            now = self._clock.now().isoformat()
            self._store.set_meta(DOUBT + id_, json.dumps({"since": now, "why": why}))
        elif told and not why:
            self._store.event("units_right", f"the rates of {id_} are in their units again")
            self._store.set_meta(DOUBT + id_, "")
        self._waiting.discard(id_)
        if not why:
            self.in_doubt = others

    def _take_out(self, id_: VenueId, out: Mapping[Symbol, str]) -> None:
        before = {s: why for (v, s), why in self.out.items() if v == id_}
        others = {key: why for key, why in self.out.items() if key[0] != id_}
        self.out = others | {(id_, symbol): why for symbol, why in out.items()}
        self._untold |= {(id_, symbol) for symbol in out.keys() - before.keys()}
        self._untold &= self.out.keys()
        for symbol, why in out.items():
            if (id_, symbol) in self._untold:
                text = f"{symbol} is taken out on {id_}: {why}; {MEANWHILE}"
                logger.error("{}", text)
                self._store.alert(text)
                self._store.set_meta(f"{OUT}{id_}:{symbol}", why)
                self._untold.discard((id_, symbol))
        prefix = f"{OUT}{id_}:"
        for key in self._store.metas(prefix):
            if key.removeprefix(prefix) not in out:
                self._store.set_meta(key, "")

    def _recall(self, id_: VenueId) -> None:
        """What an earlier process saw and found: a restart is no reason to believe a venue."""
        venue = self._venues[id_]
        text = self._store.meta(ESTIMATES + id_)
        if text:
            venue.estimates = parsed_estimates(text)
        doubt = self._store.meta(DOUBT + id_)
        if doubt:
            self.in_doubt = {**self.in_doubt, id_: json.loads(doubt)["why"]}
        prefix = f"{OUT}{id_}:"
        kept = self._store.metas(prefix)
        found = {(id_, Symbol(key.removeprefix(prefix))): why for key, why in kept.items()}
        self.out = {**self.out, **found}
