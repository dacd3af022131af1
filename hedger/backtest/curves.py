"""Curves as a person sees them in a terminal: one line of blocks per rule."""

from collections.abc import Sequence

BLOCKS = "▁▂▃▄▅▆▇█"
Points = Sequence[tuple[int, int]]


def sampled(points: Points, first_hour: int, end_hour: int, count: int) -> list[int]:
    """The level at ``count`` instants evenly from the first hour to the end; 0 before any."""
    found, place, level = [], 0, 0
    for n in range(1, count + 1):
        until = first_hour + (end_hour - first_hour) * n / count
        while place < len(points) and points[place][0] <= until:
            level = points[place][1]
            place += 1
        found.append(level)
    return found


def falls(levels: Sequence[int]) -> list[int]:
    """How far each level is below the highest before it; the start counts as 0."""
    peak, found = 0, []
    for level in levels:
        peak = max(peak, level)
        found.append(peak - level)
    return found


def blocks(levels: Sequence[int], low: int, high: int) -> str:
    """The levels between ``low`` and ``high`` as blocks."""
    if high <= low:
        return BLOCKS[0] * len(levels)
    top = len(BLOCKS) - 1
    return "".join(BLOCKS[(level - low) * top // (high - low)] for level in levels)
