"""
The circuit breaker: after failures in a row, no new hedges for a while. Never stops an exit.

Names and defaults of seed 002: ``consecutive_failures_threshold``, ``open_timeout_seconds``.
"""

from hedger.clock import Clock


class CircuitBreaker:
    """Closed, open, or half open (one attempt after the timeout decides)."""

    def __init__(self, clock: Clock, *, threshold: int, open_timeout_s: float) -> None:
        self._clock = clock
        self._threshold = threshold
        self._open_timeout_s = open_timeout_s
        self._failures = 0
        self._opened_s: float | None = None

    def succeeded(self) -> None:
        """A hedge opened: everything is forgotten."""
        self._failures = 0
        self._opened_s = None

    def failed(self) -> None:
        """A hedge was rolled back or failed to open after something had been sent."""
        self._failures += 1
        if self._failures >= self._threshold:
            self._opened_s = self._clock.monotonic_s()

    @property
    def reason(self) -> str:
        """Why nothing may be opened now; empty when it may."""
        if self._opened_s is None:
            return ""
        left_s = self._opened_s + self._open_timeout_s - self._clock.monotonic_s()
        if left_s <= 0:
            return ""  # half open: the next attempt decides
        return f"{self._failures} hedges failed in a row, waiting {left_s:.0f} s more"
