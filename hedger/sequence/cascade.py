"""
Stop errors that breed errors: after several in a row, a lane opens nothing for a while.

Seed 000, "error cascade prevention". Pure; seconds are those of ``Clock.monotonic_s``. Cool-downs
outlive the process (``resume``); errors that have not led to one yet do not.
"""

from dataclasses import dataclass
from typing import Final

WINDOW_S: Final = 60.0
QUIET_S: Final = 600.0  # after so long without an error or a cool-down, the next is a first again
LONGEST_S: Final = 600.0


@dataclass(frozen=True, slots=True)
class CoolDown:
    """How long to open nothing; ``times`` counts the cool-downs in a row, this one included."""

    seconds: float
    times: int

    @property
    def escalates(self) -> bool:
        """From the second time on a person is alerted."""
        return self.times > 1


class Cascade:
    """Counts errors in a row on one lane."""

    def __init__(self, *, limit: int, cool_down_s: float) -> None:
        self._limit = limit
        self._first_s = cool_down_s
        self._errors: list[float] = []
        self._times = 0
        self._until_s = float("-inf")
        self._last_s = float("-inf")

    def failed(self, now_s: float) -> CoolDown | None:
        """Count one error; a cool-down when there were ``limit`` in a row within a minute."""
        if now_s - max(self._last_s, self._until_s) > QUIET_S:
            self._times = 0
        self._last_s = now_s
        self._errors = [at for at in self._errors if now_s - at <= WINDOW_S] + [now_s]
        if len(self._errors) < self._limit:
            return None
        self._errors.clear()
        seconds = min(self._first_s * 2**self._times, LONGEST_S)
        self._times += 1
        self._until_s = now_s + seconds
        return CoolDown(seconds, self._times)

    def resume(self, now_s: float, *, left_s: float, times: int) -> float:
        """
        Take up what an earlier process left; how long it still lasts.

        ``left_s`` is negative where it was over before. It is never longer than a cool-down can
        be: its end was told by a clock that may have been set.
        """
        self._times = times
        self._until_s = now_s + min(left_s, LONGEST_S)
        return self.remaining_s(now_s)

    def succeeded(self) -> None:
        """An order went well: errors are no longer in a row."""
        self._errors.clear()

    def remaining_s(self, now_s: float) -> float:
        """How long the cool-down still lasts; zero when there is none."""
        return max(0.0, self._until_s - now_s)
