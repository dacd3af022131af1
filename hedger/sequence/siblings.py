"""
The lanes of one account: where one is out of step, the others are read, too (seed 001).

A lane in trouble is brought back together with those of its account that prove to be out of
step as well; several at once are told of as one, and put the rest of the account in doubt.
"""

from collections.abc import Iterable, Sequence

from hedger.ledger.records import LaneState
from hedger.ledger.store import Store
from hedger.sequence.held import Held
from hedger.sequence.resync import Resync
from hedger.together import together


class Siblings:
    """Resynchronises several lanes at once; ``lanes`` are all that there are."""

    def __init__(self, store: Store, *, lanes: Iterable[Held], resync: Resync) -> None:
        self._store = store
        self._lanes = tuple(lanes)
        self._resync = resync

    async def recover_account(self, held: Held) -> None:
        """
        Resynchronise the lane, and those of its account that are out of step as well.

        Raises:
            VenueError: one of them could not be; see ``Resync.recover``.
        """
        others = [
            other for other in self._lanes if other is not held and other.account == held.account
        ]
        mine = [other for other in others if other.lane.turns.try_acquire()]
        try:
            ready = [o for o in mine if o.lane.state is LaneState.READY]
            why = held.doubt or held.lane.reason
            out, _ = await together((self.astray(ready), self._recovered(held, why)))
            self._tell_of_several([held, *out] if out else [])
            await together(
                self._resync.recover(other, other.doubt or why, patient=False) for other in out
            )
        finally:
            for other in mine:
                other.lane.turns.release()

    async def _recovered(self, held: Held, why: str) -> list[Held]:
        """What is left of one lane whose order has ended: nothing."""
        await self._resync.recover(held, why, patient=False)
        return []

    async def recover_all(self, out: Sequence[Held], why: str, *, patient: bool = True) -> None:
        """
        Resynchronise lanes that are ours and on which nothing is in flight, all at once.

        Raises:
            VenueError: one of them could not be; see ``Resync.recover``.
        """
        self._tell_of_several(out)
        await together(
            self._resync.recover(held, _reason(held, why), patient=patient) for held in out
        )

    def _tell_of_several(self, out: Sequence[Held]) -> None:
        """The global form: the other lanes of the account are in doubt, too (seed 001)."""
        if len([held for held in out if held.lane.state is not LaneState.SYNCING]) > 1:
            names = ", ".join(held.lane.id for held in out)
            text = f"several lanes of {out[0].venue.id} are out of step, all are read: {names}"
            self._store.event("lane_global_resync", text, level="warning", data={"lanes": names})
            everything = [h for h in self._lanes if h.account == out[0].account]
            for other in everything:
                if other not in out:
                    other.doubt = other.doubt or "other lanes of the account were out of step"

    async def astray(self, idle: Sequence[Held]) -> list[Held]:
        """Those of the lanes, on which nothing is in flight, that have to be resynchronised."""
        answers = await together(self._resync.out_of_step(held) for held in idle)
        return [held for held, out in zip(idle, answers, strict=True) if out]


def _reason(held: Held, why: str) -> str:
    """Why a lane is resynchronised: its own reason, if it has one."""
    first = held.lane.state is LaneState.SYNCING
    return held.doubt or ("first reading" if first else why)
