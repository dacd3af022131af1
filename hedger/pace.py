"""Falling cadence: what could not be brought right is tried again, ever less often, for ever."""

from hedger.clock import Clock

GROWTH = 2.0
KNOWN_MAX = 1_000


class Pace:
    """When each of many things is due again. Nothing is ever dropped, only asked less often."""

    def __init__(self, clock: Clock, *, first_s: float, max_s: float) -> None:
        self._clock = clock
        self._first_s = first_s
        self._max_s = max(first_s, max_s)
        self._next: dict[str, tuple[float, float]] = {}  # when it is due, and the wait after that

    def due(self, key: str, age_s: float = 0.0) -> bool:
        """
        Whether it is time for ``key``; if so, its next time is further away than the last.

        What is ``age_s`` old waits no shorter than that: a new process does not begin anew.
        """
        now_s = self._clock.monotonic_s()
        first_s = min(max(self._first_s, age_s), self._max_s)
        at_s, wait_s = self._next.get(key, (now_s, first_s))
        if now_s < at_s:
            return False
        while len(self._next) >= KNOWN_MAX and key not in self._next:
            self._next.pop(next(iter(self._next)))  # the oldest is merely due at once again
        self._next[key] = (now_s + wait_s, min(wait_s * GROWTH, self._max_s))
        return True

    def done(self, key: str) -> None:
        """``key`` is settled: should it come back, it is due at once."""
        self._next.pop(key, None)
