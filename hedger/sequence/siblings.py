"""
The lanes of one account: where one is out of step, the others are read, too (seed 001).

A lane in trouble is brought back together with those of its account that prove to be out of
step as well; several at once are told of as one, and put the rest of the account in doubt.
"""

from collections.abc import Iterable, Sequence

from hedger.ledger.records import LaneState
from hedger.ledger.store import Store
from hedger.sequence.held import Held


class Siblings:
    """Tells of several lanes at once; ``lanes`` are all that there are."""

    def __init__(self, store: Store, *, lanes: Iterable[Held]) -> None:
        self._store = store
        self._lanes = tuple(lanes)

    def tell_of_several(self, out: Sequence[Held]) -> None:
        """The global form: the other lanes of the account are in doubt, too (seed 001)."""
        if len([held for held in out if held.lane.state is not LaneState.SYNCING]) > 1:
            names = ", ".join(held.lane.id for held in out)
            text = f"several lanes of {out[0].venue.id} are out of step, all are read: {names}"
            self._store.event("lane_global_resync", text, level="warning", data={"lanes": names})
            everything = [h for h in self._lanes if h.account == out[0].account]
            for other in everything:
                if other not in out:
                    other.doubt = other.doubt or "other lanes of the account were out of step"
