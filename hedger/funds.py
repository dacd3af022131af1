"""
What the accounts say: equity through time, and whether they carry a hedge.

The rules are in ``hedger/risk/money.py``; here is where their figures come from. Equity is kept
in the ledger, so that a restart does not forget what a day has lost.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, timedelta
from decimal import Decimal
from typing import Final

from loguru import logger

from hedger.clock import Clock
from hedger.domain.hedge import Hedge, State
from hedger.domain.ids import VenueId
from hedger.domain.money import ZERO, plain
from hedger.ledger.records import Decision
from hedger.ledger.store import Store
from hedger.ports import Margin, Venue
from hedger.risk import Funds, Limits, Track, account_objections, tracked

EQUITY: Final = "risk:equity"
UNDER_WAY: Final = frozenset({State.PLANNED, State.OPENING_A, State.OPENING_B})


class EquityBook:
    """
    Equity of both venues together, from every reading of all of them.

    Attributes:
        readings: how many were taken into account, for whoever asks if there was one meanwhile.
    """

    def __init__(self, store: Store, clock: Clock) -> None:
        self.readings = 0
        self._store = store
        self._clock = clock

    def track(self) -> Track | None:
        """As of the last reading; None before the first. A new day begins where that stood."""
        text = self._store.meta(EQUITY)
        if not text:
            return None
        kept = json.loads(text)
        track = Track(
            day=date.fromisoformat(kept["day"]),
            day_start_usd=Decimal(kept["day_start_usd"]),
            peak_usd=Decimal(kept["peak_usd"]),
            now_usd=Decimal(kept["now_usd"]),
        )
        return tracked(track, self._today(), {VenueId(""): track.now_usd})

    def note(self, equity: Mapping[VenueId, Decimal]) -> Track:
        """Take a reading of every venue into account."""
        self.readings += 1
        track = tracked(self.track(), self._today(), equity)
        self._keep(track)
        return track

    def begin_anew(self) -> Track | None:
        """A person has looked: loss and drawdown count from the last reading on."""
        track = self.track()
        if track is None:
            return None
        anew = tracked(None, self._today(), {VenueId(""): track.now_usd})
        self._keep(anew)
        return anew

    def _today(self) -> date:
        return self._clock.now().astimezone(UTC).date()

    def _keep(self, track: Track) -> None:
        kept = {
            "day": track.day.isoformat(),
            "day_start_usd": plain(track.day_start_usd),
            "peak_usd": plain(track.peak_usd),
            "now_usd": plain(track.now_usd),
        }
        if (text := json.dumps(kept)) != self._store.meta(EQUITY):
            self._store.set_meta(EQUITY, text)


class FundsGate:
    """
    Asked by the executor with the balances that it has just read, before leg A.

    ``unseen_s`` is how long a venue may not show a leg of ours that is beside positions of
    others; zero where nobody else trades.
    """

    def __init__(
        self,
        *,
        venues: Mapping[VenueId, Venue],
        store: Store,
        equity: EquityBook,
        limits: Limits,
        clock: Clock,
        unseen_s: Callable[[VenueId], float],
    ) -> None:
        self._venues = venues
        self._store = store
        self._equity = equity
        self._limits = limits
        self._clock = clock
        self._unseen_s = unseen_s

    async def against(self, hedge: Hedge, needs: Sequence[Margin]) -> str:
        """Every objection of the accounts as one text; empty where they carry the hedge."""
        funds = [await self._funds(hedge, need) for need in needs]
        track = self._equity.note({one.venue: one.equity_usd for one in funds})
        found = account_objections(funds, track, self._limits)
        if not found:
            return ""
        codes = [objection.code for objection in found]
        text = "; ".join(objection.text for objection in found)
        logger.bind(hedge=hedge.id).info("hedge {} is refused: {}", hedge.id, text)
        self._store.event("objected", text, hedge=hedge.id, data={"codes": codes})
        self._store.decide(
            [
                Decision(symbol=hedge.symbol, about="entry", code=one.code, text=one.text)
                for one in found
            ]
        )
        return text

    async def _funds(self, hedge: Hedge, need: Margin) -> Funds:
        assert need.equity_usd is not None
        rules = await self._venues[need.venue].instrument(hedge.symbol)  # remembered by now
        return Funds(
            venue=need.venue,
            equity_usd=need.equity_usd,
            available_usd=need.available_usd - self._store.reserved(need.venue, hedge.id),
            needed_usd=need.needed_usd,
            value_usd=need.value_usd or hedge.requested_usd,
            asked_usd=hedge.requested_usd,
            other_usd=await self._others_usd(hedge, need),
            maintenance=rules.maintenance,
        )

    async def _others_usd(self, hedge: Hedge, need: Margin) -> Decimal | None:
        """
        Everything else on that venue: what it says is held, and our legs that are to come.

        It counts positions that are not ours, and ours that were adopted. It may lag behind our
        own last fills, so that our legs at rest are the least it can be; where others hold
        something too, it does not tell whose, and ours count besides until they must show.
        """
        others = [
            live for live in self._store.live() if live.id != hedge.id and need.venue in live.venues
        ]
        since = self._clock.now() - timedelta(seconds=self._unseen_s(need.venue))
        coming = sum(
            (
                one.requested_usd
                for one in others
                if one.state in UNDER_WAY or (one.opened_at is not None and one.opened_at > since)
            ),
            ZERO,
        )
        ours = sum((one.requested_usd for one in others), ZERO) - coming
        held = need.held_usd if need.held_usd is not None else await self._held_usd(need.venue)
        return None if held is None else max(held, ours) + coming

    async def _held_usd(self, venue: VenueId) -> Decimal | None:
        """By the positions themselves, where the balance does not tell; None: not known."""
        found = (await self._venues[venue].positions()).values()
        values = [abs(p.size) * p.mark_price for p in found if p.mark_price is not None]
        return sum(values, ZERO) if len(values) == len(found) else None
