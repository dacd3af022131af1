"""
Watches for venues that forget, and for what they had forgotten and give back.

Decided in ``hedger/reconciliation/forgotten.py``; here both sources and the margin are read, and
the series of looks is kept in the ledger, so that a restart does not begin it anew. The time in
which the process did not run is not counted.
"""

import asyncio
import json
from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal

from loguru import logger

from hedger.clock import Clock
from hedger.domain.hedge import Hedge
from hedger.domain.ids import HedgeId, Symbol, VenueId
from hedger.domain.money import ZERO, plain
from hedger.errors import VenueError
from hedger.ledger import lost
from hedger.ledger.records import LOST, lost_key
from hedger.ledger.store import Store
from hedger.owned import ours, own_size
from hedger.ports import Venue
from hedger.reconciliation.forgotten import (
    Needed,
    Reading,
    Series,
    believed,
    followed,
    given_back,
    margin_agrees,
)
from hedger.secondsource import SinceOpened, planned_at
from hedger.settings_recovery import Recovery as Rules
from hedger.urgency import once

SERIES = "forgetting:"
"""Meta key of a series of looks: ``forgetting:<hedge>:<venue>``, JSON of ``Series``."""

FRESH_S = 2.0
KNOWN_MAX = 1_000


class Forgetting:
    """What venues have lost of our legs."""

    def __init__(
        self,
        *,
        venues: Mapping[VenueId, Venue],
        store: Store,
        clock: Clock,
        rules: Rules,
        dedicated: bool,
    ) -> None:
        self._venues = venues
        self._store = store
        self._clock = clock
        self._rules = rules
        self._dedicated = dedicated
        self._looked_s: dict[tuple[HedgeId, VenueId], float] = {}

    # -- what is gone -----------------------------------------------------------------------

    async def believes(
        self, hedge: Hedge, venue: VenueId, read: Decimal, traded: SinceOpened
    ) -> bool:
        """
        Take in one look at a leg whose venue does not know all our fills any more.

        True once the venue is believed: what is missing is booked as lost then, and a person
        was told. A look is one position with the trades that were read beside it; it must not
        be older than our last fill.
        """
        now_s = self._clock.monotonic_s()
        key = (hedge.id, venue)
        before_s = self._looked_s.get(key)
        agrees = traded.net == read and await self._margin_agrees(hedge, venue, read)
        if agrees is None:
            return False  # half a look is none; it speaks neither for the venue nor against it
        reading = Reading(
            position=read,
            traded=traded.net,
            margin_agrees=agrees,
            after_s=0.0 if before_s is None else now_s - before_s,
        )
        series = followed(self._series(hedge.id, venue), reading)
        self._keep(hedge.id, venue, series)
        if len(self._looked_s) >= KNOWN_MAX:
            self._looked_s.clear()
        self._looked_s[key] = now_s
        needed = Needed(looks=self._rules.forgotten_reads, span_s=self._rules.forgotten_span_s)
        if series is None or not believed(series, needed):
            return False
        self._lose(hedge, venue, series)
        return True

    def whole(self, hedge: Hedge, venue: VenueId) -> None:
        """The leg reads as our fills make it: no look before this one counts any more."""
        self._keep(hedge.id, venue, None)

    def doubt(self, hedge: Hedge, venue: VenueId, read: Decimal, traded: SinceOpened) -> str:
        """Why a leg is not believed yet, and when it will be; one sentence without the venue."""
        own = own_size(self._store, hedge.id, venue)
        text = (
            f"it shows {plain(read)} {hedge.symbol}, and its own trades make {plain(traded.net)},"
            f" while our fills make {plain(own)}"
        )
        if traded.net != read:
            return text
        return (
            f"{text}; believed once {self._rules.forgotten_reads} looks at both and at the margin"
            f" agree over {self._rules.forgotten_span_s:g} s"
        )

    def _lose(self, hedge: Hedge, venue: VenueId, series: Series) -> None:
        own = own_size(self._store, hedge.id, venue)
        gone = own - ours(series.position, own, dedicated=False)
        self._keep(hedge.id, venue, None)
        if gone == ZERO:
            return
        text = (
            f"{venue} has forgotten {plain(gone)} {hedge.symbol} of hedge {hedge.id}: its position"
            f" and its own trades make {plain(series.position)} and its margin agrees, in"
            f" {series.looks} looks over {series.span_s:.0f} s, while our fills make {plain(own)};"
            " it is believed, and our record is kept: claim it at the venue"
        )
        entry_usd = abs(gone) * _entry_price(hedge)
        logger.error("{}", text)
        data = {
            "venue": venue,
            "lost": plain(gone),
            "value_usd": plain(entry_usd.quantize(Decimal("0.01"))),
            "read": plain(series.position),
            "looks": str(series.looks),
            "span_s": f"{series.span_s:.3f}",
        }
        self._store.lose(hedge, venue, gone, text=text, data=data)

    async def _margin_agrees(self, hedge: Hedge, venue: VenueId, read: Decimal) -> bool | None:
        """Whether the account's money confirms it; None where that cannot be read in time."""
        port = self._venues[venue]
        try:
            positions, balance, rules = await asyncio.gather(
                once(lambda: port.positions(max_age_s=FRESH_S), venue),
                once(lambda: port.balance(max_age_s=FRESH_S), venue),
                once(lambda: port.instrument(hedge.symbol), venue),
            )
        except VenueError as error:
            logger.warning("the margin of {} cannot be read: {}", venue, error)
            return None
        shown = ZERO
        for position in positions.values():
            price = position.mark_price or position.entry_price
            if price is None:
                return False
            shown += abs(position.size) * price
        own = own_size(self._store, hedge.id, venue)
        missing = abs(own - read) * _entry_price(hedge)
        return margin_agrees(
            balance, shown_usd=shown, missing_usd=missing, max_leverage=rules.max_leverage
        )

    # -- what is there again ----------------------------------------------------------------

    def waits(self, symbol: Symbol, venue: VenueId) -> list[lost.Lost]:
        """What was lost on one market and is not there again."""
        return [
            one
            for one in lost.each(self._store.metas(LOST))
            if one.venue == venue and self._store.hedge(one.hedge).symbol == symbol
        ]

    def lately(self) -> frozenset[tuple[VenueId, Symbol]]:
        """Markets on which something was lost so lately that it may well come back."""
        since = self._clock.now() - timedelta(seconds=self._rules.watch_dead_s)
        return frozenset(
            (one.venue, self._store.hedge(one.hedge).symbol)
            for one in lost.each(self._store.metas(LOST))
            if one.at > since
        )

    async def explains(self, symbol: Symbol, venue: VenueId, read: Decimal) -> Hedge | None:
        """
        The hedge whose lost leg a position is that nothing else explains; it is taken up then.

        On a shared account somebody else's trades there are told from ours by the venue's list.

        Raises:
            VenueError: the trades could not be read.
        """
        for one in self.waits(symbol, venue):
            hedge = self._store.hedge(one.hedge)
            if (taken_up := await self.take_back(hedge, venue, read)) is not None:
                return taken_up
        return None

    async def take_back(self, hedge: Hedge, venue: VenueId, read: Decimal) -> Hedge | None:
        """
        Take for ours what was lost of one leg and shows in the position ``read``, if anything.

        The hedge comes back where it was over and is taken up, to be driven.

        Raises:
            VenueError: the trades could not be read.
        """
        kept = self._store.meta(lost_key(hedge.id, venue))
        gone = lost.size_in(kept)
        own = own_size(self._store, hedge.id, venue)
        if given_back(read, own, gone, ZERO) == ZERO:
            return None
        bought, sold = (ZERO, ZERO) if self._dedicated else await self._others(hedge, venue)
        others = bought - sold
        back = given_back(read, own, gone, others)
        beside = bought if gone > ZERO else sold
        if lost.is_unexplained(kept) and others * gone < ZERO and beside:
            return None  # who traded against it may have taken it, and what is there be theirs
        if back == ZERO:
            return None
        text = (
            f"{venue} holds {plain(back)} {hedge.symbol} of hedge {hedge.id} again, which it had"
            " forgotten: it is ours and is taken off or matched"
        )
        logger.error("{}", text)
        return self._store.give_back(hedge, venue, back, text)

    async def _others(self, hedge: Hedge, venue: VenueId) -> tuple[Decimal, Decimal]:
        """
        What others bought and sold on the market since the hedge was planned, when it was flat.

        A hedge that was found, because the ledger had lost it, is younger than its own fills.
        """
        port = self._venues[venue]
        stamps = self._store.trades_of(hedge.id, venue).values()
        since = min([planned_at(port, hedge), *stamps])
        traded = await port.traded(hedge.symbol, since)
        fills = self._store.fills_of(hedge.id, venue).items()
        own = [size for id_, size in fills if id_ in traded.trades]
        bought = sum((size for size in own if size > ZERO), ZERO)
        return traded.bought - bought, traded.sold - (bought - sum(own, ZERO))

    # -- memory -----------------------------------------------------------------------------

    def _series(self, hedge: HedgeId, venue: VenueId) -> Series | None:
        text = self._store.meta(f"{SERIES}{hedge}:{venue}")
        if not text:
            return None
        told = json.loads(text)
        return Series(
            position=Decimal(told["position"]), looks=told["looks"], span_s=told["span_s"]
        )

    def _keep(self, hedge: HedgeId, venue: VenueId, series: Series | None) -> None:
        key = f"{SERIES}{hedge}:{venue}"
        if series is None:
            if self._store.meta(key):
                self._store.set_meta(key, "")
            return
        told = {
            "position": plain(series.position),
            "looks": series.looks,
            "span_s": round(series.span_s, 3),
        }
        self._store.set_meta(key, json.dumps(told))


def _entry_price(hedge: Hedge) -> Decimal:
    """USD per coin as it was planned; near enough for a threshold, and it needs no quote."""
    return hedge.requested_usd / hedge.planned_size if hedge.planned_size else ZERO
