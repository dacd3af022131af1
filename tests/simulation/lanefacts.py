"""
How the nonce lanes fared: how long each was out of step, and which refusals theft explains.

Noted where the product itself notes it, as it records the state of a lane, and held against the
venue's own log of transactions. Targets of the issue: usable again within 10 s (p99), and fewer
than 1 % of sends end in 21104 apart from injected theft.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from hedger.ledger.records import LaneNote, LaneState
from hedger.ledger.store import Store
from tests.simulation.exchange import Venues, hash_of
from tests.simulation.process import now_s

_REFUSED = re.compile(r"refused nonce (\d+)")


@dataclass(slots=True)
class LaneFacts:
    """``repairs``: (available, raw) seconds from a pause until values are given again."""

    repairs: list[tuple[float, float]] = field(default_factory=list)
    sends: int = 0  # orders sent on a lane; the identical bytes again are no new send
    stolen: int = 0  # of those refused with 21104: somebody else had the nonce
    unexplained: int = 0
    texts: list[str] = field(default_factory=list)  # of what is not explained

    def add(self, other: "LaneFacts", seed: int) -> None:
        """Those of one more world."""
        self.repairs += other.repairs
        self.sends += other.sends
        self.stolen += other.stolen
        self.unexplained += other.unexplained
        self.texts += [f"seed {seed} {text}" for text in other.texts]


class LaneWatch:
    """Listens to what one world's daemons write of their lanes, life after life."""

    def __init__(self, venues: Venues, available_s: Callable[[], float]) -> None:
        self.facts = LaneFacts()
        self._venues = venues
        self._available_s = available_s
        self._out: dict[str, tuple[float, float]] = {}
        self._ours: set[str] = set()
        self._put_back: set[int] = (
            set()
        )  # keys that were registered anew, or whose nonces went back

    def sent(self, tx_info: str, *, order: bool) -> None:
        """A transaction of ours leaves."""
        made = hash_of(tx_info)
        self.facts.sends += order and made not in self._ours
        self._ours.add(made)

    def put_back(self, key: int) -> None:
        """The venue waits for used nonces of a key again: a lane is out of step from now on."""
        self._put_back.add(key)
        for lane in self._out:
            if int(lane.rpartition(":")[2]) == key:
                self._out[lane] = (self._available_s(), now_s())

    def listen(self, store: Store) -> None:
        """Hear what a process writes; what it could not write did not happen."""
        write = store.note_lane

        def note_lane(note: LaneNote) -> None:
            write(note)
            self._noted(note)

        store.note_lane = note_lane  # type: ignore[method-assign]  # the one place to hear it

    def finish(self) -> None:
        """What is out of step now stays so."""
        for lane in tuple(self._out):
            self._usable(lane)

    def _noted(self, note: LaneNote) -> None:
        if "mismatches" in note.counted:
            self._mismatch(note)
        if note.state is LaneState.PAUSED:
            self._out.setdefault(note.lane, (self._available_s(), now_s()))
        elif note.state is LaneState.READY:
            self._usable(note.lane)

    def _usable(self, lane: str) -> None:
        began = self._out.pop(lane, None)
        if began is not None:
            self.facts.repairs.append((self._available_s() - began[0], now_s() - began[1]))

    def _mismatch(self, note: LaneNote) -> None:
        """A send ended in 21104: by the venue's log, was it a thief who had the nonce?"""
        found = _REFUSED.search(note.text)
        assert found is not None, f"a mismatch that names no nonce: {note.text}"
        key, nonce = int(note.lane.rpartition(":")[2]), int(found[1])
        users = [
            entry.hash
            for entry in self._venues.lighter_side.face.log.newest_first()
            if entry.tx.api_key_index == key and entry.tx.nonce == nonce
        ]
        if key in self._put_back or any(user not in self._ours for user in users):
            self.facts.stolen += 1
            return
        self.facts.unexplained += 1
        expected = self._venues.lighter_side.face.lanes[key].expected
        self.facts.texts.append(
            f"at {now_s():.1f} s nonce {nonce} of key {key}, which {len(users)} transactions of"
            f" ours had; the venue waits for {expected}"
        )
