"""Versions of one thing over wire time, so that a read can be served as of some seconds ago."""

from bisect import bisect_right
from typing import Generic, TypeVar

T = TypeVar("T")

_KEPT = 2048  # versions; far more than the longest lag reaches back


class History(Generic[T]):
    """Versions of one thing, newest last."""

    __slots__ = ("_times_ms", "_versions")

    def __init__(self) -> None:
        self._times_ms: list[int] = []
        self._versions: list[T] = []

    def add(self, at_ms: int, version: T) -> None:
        """A new version that holds from ``at_ms`` on."""
        if len(self._versions) >= 2 * _KEPT:
            del self._times_ms[:_KEPT]
            del self._versions[:_KEPT]
        self._times_ms.append(at_ms)
        self._versions.append(version)

    @property
    def newest(self) -> T:
        """The version that holds now."""
        return self._versions[-1]

    def as_of(self, at_ms: int | None) -> T | None:
        """The version that held then (None asks for now); None when there was none yet."""
        if at_ms is None:
            return self._versions[-1] if self._versions else None
        place = bisect_right(self._times_ms, at_ms)
        return self._versions[place - 1] if place else None
