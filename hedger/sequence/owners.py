"""
Exactly one manager per lane.

Five managers on one key were the cause of seed 003: each counted for itself. In a process, a
lane of a ledger is claimed once; on the machine, the state directory's lock and the ledger's
epoch see to it that only one process writes.
"""

import threading
import weakref
from typing import Any

from hedger.domain.ids import LaneId
from hedger.errors import StateError

_mutex = threading.Lock()
_owners: "weakref.WeakKeyDictionary[Any, dict[LaneId, tuple[int, weakref.ref[Any]]]]" = (
    weakref.WeakKeyDictionary()
)


def claim(store: Any, epoch: int, lane: LaneId, owner: object) -> None:
    """
    Make ``owner`` the one manager of a lane, for as long as it lives.

    A later opening of the ledger (a higher ``epoch``) takes over: the earlier one can write no
    longer.

    Raises:
        StateError: the lane has another manager.
    """
    with _mutex:
        claims = _owners.setdefault(store, {})
        if lane in claims:
            before, ref = claims[lane]
            other = ref()
            if other is not None and other is not owner and before >= epoch:
                raise StateError(
                    f"lane {lane} has a manager already; values come from that one alone"
                )
        claims[lane] = (epoch, weakref.ref(owner))
