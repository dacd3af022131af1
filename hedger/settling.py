"""
The way out by hand: a person closes a hedge in the ledger, and no order is sent.

For an escalated hedge that the program cannot bring to rest: a market that is delisted, a venue
that is gone, a remainder that no order may take off. It is refused while the venues still show
exposure of the hedge or cannot be read; ``force`` overrides that, and what is left then is
written down and left alone (its market stays blocked) until it changes. Orders whose end is
unknown stay on the list and are looked up for ever (``hedger/latewatch.py``).
"""

import asyncio
from collections.abc import Callable, Mapping
from decimal import Decimal

from hedger.clock import Clock
from hedger.domain.hedge import Hedge, State
from hedger.domain.ids import HedgeId, Symbol, VenueId
from hedger.domain.money import ZERO, plain
from hedger.errors import UsageError, VenueError
from hedger.ledger.store import Store
from hedger.owned import ours, own_size
from hedger.ports import Venue
from hedger.retrying import asking
from hedger.settings import RetryPolicy

LEFT = "left:"
"""Meta key of a position that a person took over: ``left:<venue>:<symbol>``, its signed size."""

REASON_MAX = 500


def left_key(venue: VenueId, symbol: Symbol) -> str:
    """Where the ledger keeps what a person took over."""
    return f"{LEFT}{venue}:{symbol}"


class HandSettlement:
    """Records who settled a hedge, why, and what the venues showed at that moment."""

    def __init__(
        self,
        *,
        venues: Mapping[VenueId, Venue],
        store: Store,
        clock: Clock,
        retries: RetryPolicy,
        dedicated: bool,
        alone: Callable[[HedgeId], asyncio.Lock],
    ) -> None:
        self._alone = alone
        self._venues = venues
        self._store = store
        self._clock = clock
        self._retries = retries
        self._dedicated = dedicated

    async def settle(self, hedge: Hedge, *, who: str, reason: str, force: bool) -> Hedge:
        """
        Close an escalated hedge in the ledger, once the attempt under way has ended.

        Raises:
            UsageError: it is not escalated, no reason is given, the venues still show
                exposure (or do not answer) and ``force`` was not given, or an order filled late
                meanwhile.
        """
        reason = " ".join(reason.split())
        if not reason or len(reason) > REASON_MAX:
            raise UsageError(f"--reason must say why, in 1 to {REASON_MAX} characters")
        _check_state(hedge)
        async with self._alone(hedge.id):
            return await self._settle(self._store.hedge(hedge.id), who, reason, force=force)

    async def _settle(self, hedge: Hedge, who: str, reason: str, *, force: bool) -> Hedge:
        _check_state(hedge)  # the attempt may have brought it right
        booked = self._store.leg_sizes(hedge)
        shown = await self._shown(hedge)
        if self._store.leg_sizes(hedge) != booked:
            raise UsageError(
                f"hedge {hedge.id} is not settled: an order of it filled late while both venues"
                " were read; look at it and ask again"
            )
        held = {venue: size for venue, size in shown.items() if size != ZERO}
        if held and not force:
            raise UsageError(
                f"hedge {hedge.id} is not settled: {_told(held, hedge.symbol)}; take it off with"
                f" `hedger rollback {hedge.id}`, or add --force and look after it yourself"
            )
        unknown = [prepared.order.id for prepared in self._store.open_intents(hedge.id)]
        self._store.event(
            "settled_by_hand",
            f"settled by {who}: {reason}. The venues: {_told(shown, hedge.symbol)}",
            hedge=hedge.id,
            level="warning",
            data={
                "who": who,
                "reason": reason,
                "force": force,
                "shown": {v: None if s is None else plain(s) for v, s in shown.items()},
                "unknown_orders": unknown,
            },
        )
        return self._store.move(
            hedge,
            State.CLOSED,
            f"settled by hand by {who}: {reason}",
            metas=self._taken_over(hedge, shown),
            closed_at=self._clock.now(),
        )

    def _taken_over(self, hedge: Hedge, shown: Mapping[VenueId, Decimal | None]) -> dict[str, str]:
        """What is that person's from now on, and what of earlier times is so no longer."""
        sizes = {left_key(venue, hedge.symbol): size for venue, size in shown.items()}
        return {
            key: plain(size) if size else ""
            for key, size in sizes.items()
            if size is not None and (size != ZERO or self._store.meta(key))
        }

    async def _shown(self, hedge: Hedge) -> dict[VenueId, Decimal | None]:
        """What each venue shows of the hedge now; None where it does not answer."""
        shown: dict[VenueId, Decimal | None] = {}
        for id_ in hedge.venues:
            try:
                positions = await asking(self._venues[id_].positions, self._retries, self._clock)
            except VenueError:
                shown[id_] = None
                continue
            found = positions.get(hedge.symbol)
            size = ZERO if found is None else found.size
            own = own_size(self._store, hedge.id, id_)
            shown[id_] = ours(size, own, dedicated=self._dedicated)
        return shown


def _check_state(hedge: Hedge) -> None:
    if hedge.state is State.ESCALATED:
        return
    if hedge.state.terminal:
        raise UsageError(f"hedge {hedge.id} is {hedge.state} already: {hedge.reason}")
    raise UsageError(
        f"hedge {hedge.id} is {hedge.state}, and only an escalated one is settled by hand;"
        f" `hedger close {hedge.id}` takes it off"
    )


def _told(shown: Mapping[VenueId, Decimal | None], symbol: Symbol) -> str:
    return ", ".join(
        f"{venue} does not answer" if size is None else f"{venue} holds {plain(size)} {symbol}"
        for venue, size in shown.items()
    )
