"""
Faults on demand: what goes wrong, at which venue, for which request.

A fault is data. It is posted to the control API or stands in the configuration, waits for the
requests it matches, and fires for the n-th of them; the same faults and the same requests
always give the same failures. A face asks ``FaultBox.take`` once per request and applies what
it is given, in the order in which it comes:

    outage, rate_limit, server_error(before), drop_answer(before), bad_reads, steal_nonce, refuse
    --- the effect, with lag, empty_reads, reject, partial_fill, no_fill, slow_match,
    keep_working, late_rest, overfill ---
    drop_answer(after), server_error(after), hang

A fault before the effect ends the request, so nothing after it is taken or counted. Of several
faults of one kind that are ready, the oldest fires and the others wait for the next request.
"""

import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from adapters.sandbox.fault_model import (
    DURATION,
    IMMEDIATE,
    BadFaultError,
    Fault,
    Kind,
    Op,
    parse_fault,
)
from hedger.clock import Clock

__all__ = ["BadFaultError", "Fault", "FaultBox", "Kind", "Op", "first", "lag_s"]

MAX_FAULTS = 10_000

_ENDS_REQUEST = frozenset(
    {Kind.OUTAGE, Kind.RATE_LIMIT, Kind.BAD_READS, Kind.STEAL_NONCE, Kind.REFUSE}
)
_EXCLUSIVE = (
    frozenset({Kind.REJECT, Kind.PARTIAL_FILL, Kind.NO_FILL}),
    frozenset({Kind.DROP_ANSWER, Kind.SERVER_ERROR}),  # at most one way to lose an answer
)
_ORDER: tuple[tuple[Kind, bool], ...] = (
    (Kind.OUTAGE, False),
    (Kind.RATE_LIMIT, False),
    (Kind.SERVER_ERROR, False),
    (Kind.DROP_ANSWER, False),
    (Kind.BAD_READS, False),
    (Kind.STEAL_NONCE, False),
    (Kind.REFUSE, False),
    (Kind.LAG, False),
    (Kind.EMPTY_READS, False),
    (Kind.REJECT, False),
    (Kind.PARTIAL_FILL, False),
    (Kind.NO_FILL, False),
    (Kind.SLOW_MATCH, False),
    (Kind.KEEP_WORKING, False),
    (Kind.LATE_REST, False),
    (Kind.OVERFILL, False),
    (Kind.CLOSE_STREAM, False),
    (Kind.SILENCE_STREAM, False),
    (Kind.SEQ_GAP, False),
    (Kind.DROP_ANSWER, True),
    (Kind.SERVER_ERROR, True),
    (Kind.HANG, True),
)
"""Kind and whether it strikes after the effect, in the order of application."""


@dataclass(slots=True)
class _Waiting:
    """A fault in the box and how many requests it has seen."""

    fault: Fault
    until_s: float | None  # for faults that last, on the box's clock; None: until deleted
    seen: int = 0
    fired: int = 0

    @property
    def spent(self) -> bool:
        return 0 < self.fault.times <= self.fired


@dataclass(frozen=True, slots=True)
class _Request:
    """What a face says about one request; None is what the request does not name."""

    venue: str
    op: Op
    symbol: str | None
    reduce_only: bool | None
    api_key_index: int | None

    def matches(self, fault: Fault) -> bool:
        """Whether the fault is about this request."""
        if fault.venue != self.venue or self.op not in fault.ops:
            return False
        return all(
            wanted is None or given is None or wanted == given
            for wanted, given in (
                (fault.market, self.symbol),
                (fault.reduce_only, self.reduce_only),
                (fault.api_key_index, self.api_key_index),
            )
        )


def first(faults: Iterable[Fault], *kinds: Kind, after: bool | None = None) -> Fault | None:
    """The first fault of one of these kinds (and, where asked, on that side of the effect)."""
    for fault in faults:
        if fault.kind in kinds and (after is None or fault.after == after):
            return fault
    return None


def lag_s(faults: Iterable[Fault], normal_s: float = 0.0) -> float:
    """How many seconds old the answer to this read is to be, at least ``normal_s``."""
    return max([normal_s, *(fault.seconds for fault in faults if fault.kind is Kind.LAG)])


class FaultBox:
    """
    All faults that wait, in the order in which they were posted.

    Args:
        clock: measures outages and silences.
        markets: symbols that exist, or None to take any.
        strike: what carries out faults that happen at once (liquidations).
    """

    def __init__(
        self,
        clock: Clock,
        *,
        markets: frozenset[str] | None = None,
        strike: Callable[[Fault], None] | None = None,
    ) -> None:
        self._clock = clock
        self._markets = markets
        self._strike = strike
        self._waiting: dict[str, _Waiting] = {}
        self._numbers = itertools.count(1)

    def add(self, raw: object) -> list[str]:
        """
        Take one fault or a list of them, all or none, and give back their ids.

        Raises:
            BadFaultError: one of them is wrong, or there are too many.
        """
        items: Sequence[Any] = raw if isinstance(raw, list | tuple) else [raw]
        if len(self._waiting) + len(items) > MAX_FAULTS:
            raise BadFaultError(f"there may be at most {MAX_FAULTS} faults; DELETE /faults first")
        faults = [parse_fault(item, f"f{next(self._numbers)}", self._markets) for item in items]
        for fault in faults:
            if fault.kind in IMMEDIATE:
                if self._strike is not None:
                    self._strike(fault)
                continue
            until_s = None
            if fault.kind in DURATION and fault.seconds > 0:
                until_s = self._clock.monotonic_s() + fault.seconds
            self._waiting[fault.id] = _Waiting(fault, until_s)
        return [fault.id for fault in faults]

    def clear(self, fault_id: str | None = None) -> int:
        """Delete one fault or all of them; says how many there were."""
        if fault_id is not None:
            return 0 if self._waiting.pop(fault_id, None) is None else 1
        count = len(self._waiting)
        self._waiting.clear()
        return count

    def listing(self) -> list[dict[str, Any]]:
        """What still waits, with how often each has seen a request and has fired."""
        self._forget()
        return [
            {
                "id": w.fault.id,
                "fault": dict(w.fault.posted),
                "seen": w.seen,
                "fired": w.fired,
            }
            for w in self._waiting.values()
        ]

    def outage(self, venue: str) -> bool:
        """Whether the venue is down now."""
        self._forget()
        return any(
            w.fault.kind is Kind.OUTAGE and w.fault.venue == venue for w in self._waiting.values()
        )

    def take(
        self,
        venue: str,
        op: str,
        symbol: str | None = None,
        reduce_only: bool | None = None,
        api_key_index: int | None = None,
    ) -> list[Fault]:
        """
        The faults for this request, in the order of application; counts the request.

        ``symbol`` and ``reduce_only`` are None where a request does not name them (a read of
        all positions); such a request matches faults of any market, and a face that can
        narrow its answer down to ``fault.market`` does so.
        """
        self._forget()
        request = _Request(venue, Op(op), symbol, reduce_only, api_key_index)
        taken: list[Fault] = []
        for kind, after in _ORDER:
            if any(kind in group and _has(taken, group, after=after) for group in _EXCLUSIVE):
                continue
            fault = self._fire(kind, after, request)
            if fault is None:
                continue
            taken.append(fault)
            if kind in _ENDS_REQUEST or (fault.when == "before"):
                break
        return taken

    def _fire(self, kind: Kind, after: bool, request: _Request) -> Fault | None:
        """The oldest ready fault of this kind; counts the request on all that match."""
        fired: Fault | None = None
        for waiting in self._waiting.values():
            fault = waiting.fault
            if fault.kind is not kind or fault.after != after or not request.matches(fault):
                continue
            if kind in DURATION:
                waiting.seen += 1
                fired = fired or fault
            elif waiting.seen < fault.skip:
                waiting.seen += 1
            elif fired is None:
                waiting.seen += 1
                waiting.fired += 1
                fired = fault
        self._forget()
        return fired

    def _forget(self) -> None:
        """Drop what is spent or over."""
        now_s = self._clock.monotonic_s()
        over = [
            key
            for key, w in self._waiting.items()
            if w.spent or (w.until_s is not None and w.until_s <= now_s)
        ]
        for key in over:
            del self._waiting[key]


def _has(taken: Sequence[Fault], group: frozenset[Kind], *, after: bool) -> bool:
    return any(fault.kind in group and fault.after == after for fault in taken)
