"""Identifiers that grow with wire time, as the venues make them."""


class IdSource:
    """
    ``base + ((ms - epoch_ms) << shift)``, and one more than the last within a millisecond.

    For X10 these are Twitter snowflakes, above 2**53, from which the time can be read back
    (data.md §0.3).
    """

    def __init__(self, *, base: int, epoch_ms: int, shift: int) -> None:
        self._base = base
        self._epoch_ms = epoch_ms
        self._shift = shift
        self._last = 0

    def next(self, now_ms: int) -> int:
        """A number that was never given out before."""
        self._last = max(self._last + 1, self._base + ((now_ms - self._epoch_ms) << self._shift))
        return self._last
