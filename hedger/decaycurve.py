"""The curve of ``hedger.decay`` through weighted means of shares: least squares, pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import combinations
from math import exp

from hedger.decay import Form

FAST_H = (0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0)
SLOW_H = (8.0, 12.0, 16.0, 24.0, 36.0, 48.0)
Three = tuple[float, float, float]


@dataclass(slots=True)
class Mean:
    """A weighted mean that grows."""

    weight: float = 0.0
    total: float = 0.0

    def add(self, weight: float, share: float) -> None:
        """Count one share."""
        self.weight += weight
        self.total += weight * share

    @property
    def mean(self) -> float:
        """Zero before anything was counted."""
        return self.total / self.weight if self.weight else 0.0


def fitted(lags: Mapping[int, Mean], *, excess: float) -> Form:
    """The curve with the least weighted square error, over a grid of both half-lives."""
    last = max(lags)
    best: tuple[float, Form] | None = None
    for fast_h in FAST_H:
        for slow_h in SLOW_H:
            basis = {k: (exp(-k / fast_h), exp(-k / slow_h), 1.0) for k in lags}
            for weights in _candidates(basis, lags):
                error = sum(
                    s.weight * (_dot(weights, basis[k]) - s.mean) ** 2 for k, s in lags.items()
                )
                if best is None or error < best[0] - 1e-15:
                    fast, slow, floor = (round(w, 6) for w in weights)
                    form = Form(
                        fast=fast,
                        fast_h=fast_h,
                        slow=slow,
                        slow_h=slow_h,
                        floor=floor,
                        last_lag=last,
                        excess=round(excess, 6),
                    )
                    best = (error, form)
    assert best is not None
    return best[1]


def _dot(a: Three, b: Three) -> float:
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


def _candidates(basis: Mapping[int, Three], lags: Mapping[int, Mean]) -> Iterable[Three]:
    """Solutions of the normal equations over every choice of terms, none negative."""
    yield (0.0, 0.0, 0.0)  # nothing is left
    for n in (1, 2, 3):
        for chosen in combinations(range(3), n):
            matrix = [
                [sum(s.weight * basis[k][i] * basis[k][j] for k, s in lags.items()) for j in chosen]
                for i in chosen
            ]
            right = [sum(s.weight * basis[k][i] * s.mean for k, s in lags.items()) for i in chosen]
            solved = _solve(matrix, right)
            if solved is not None and min(solved) >= 0.0:
                full = [0.0, 0.0, 0.0]
                for i, weight in zip(chosen, solved, strict=True):
                    full[i] = weight
                yield (full[0], full[1], full[2])


def _solve(matrix: list[list[float]], right: list[float]) -> list[float] | None:
    """Gauss with pivots; None when the terms cannot be told apart."""
    rows = [[*line, value] for line, value in zip(matrix, right, strict=True)]
    size = len(rows)
    scale = max(abs(value) for line in matrix for value in line) or 1.0
    for i in range(size):
        pivot = max(range(i, size), key=lambda n: abs(rows[n][i]))
        if abs(rows[pivot][i]) < 1e-12 * scale:
            return None
        rows[i], rows[pivot] = rows[pivot], rows[i]
        rows[i] = [value / rows[i][i] for value in rows[i]]
        for n in range(size):
            if n != i:
                rows[n] = [v - rows[n][i] * p for v, p in zip(rows[n], rows[i], strict=True)]
    return [line[-1] for line in rows]
