"""
A venue's request limit as we see it: what we used in the last minute, and what is kept back.

Everything that only looks for new business may use the limit up to a share; the rest belongs
to orders, their look-ups and whatever takes exposure off (reliability.md §2.3). Refusing a
request here costs nothing; being refused by the venue may cost a minute.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from hedger.clock import Clock
from hedger.domain.ids import VenueId
from hedger.errors import KeptBackError

WINDOW_S = 60.0
SPARE_SHARE = 0.7  # what everything but orders and exits may use; 30 % are kept back
KEPT_BACK = "the rest is kept for exits"


@dataclass(slots=True)
class Budget:
    """Weights used in a rolling minute of the given clock. ``per_minute`` 0 means no limit."""

    venue: VenueId
    clock: Clock
    per_minute: int
    weights: Mapping[str, int] = field(default_factory=dict)  # endpoint name -> weight
    default_weight: int = 1
    _used: deque[tuple[float, int]] = field(default_factory=deque)
    _sum: int = 0

    def spend(self, endpoint: str, *, urgent: bool) -> None:
        """
        Count one request before it is made.

        Raises:
            KeptBackError: it is not urgent, and its share of the limit is used up.
        """
        now_s = self.clock.monotonic_s()
        while self._used and self._used[0][0] <= now_s - WINDOW_S:
            self._sum -= self._used.popleft()[1]
        weight = self.weights.get(endpoint, self.default_weight)
        spare = self.per_minute * SPARE_SHARE
        if self.per_minute and not urgent and self._sum + weight > spare:
            wait_s = self._wait_s(self._sum + weight - spare, now_s)
            raise KeptBackError(
                self.venue,
                f"{self._sum} of its request limit of {self.per_minute} a minute are used,"
                f" {KEPT_BACK}; free again in {wait_s:.0f} s",
                wait_s,
            )
        self._used.append((now_s, weight))
        self._sum += weight

    def _wait_s(self, excess: float, now_s: float) -> float:
        """How long until so much of what was used is older than the minute."""
        for used_s, weight in self._used:
            excess -= weight
            if excess <= 0:
                return used_s + WINDOW_S - now_s
        return WINDOW_S  # the share is smaller than the question
