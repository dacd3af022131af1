"""The decisions log: one JSON line for each opening, refusal, close and cut of every rule."""

from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import IO

from hedger.backtest.replay import Decision, Sink
from hedger.backtest.series import instant
from hedger.errors import UsageError
from hedger.plainjson import dumps


def begun(path: Path | None) -> None:
    """
    Make the file anew and empty.

    Raises:
        UsageError: it cannot be written.
    """
    if path is not None:
        with _opened(path, "w"):
            pass


@contextmanager
def log(path: Path | None, part: str) -> Iterator[Sink | None]:
    """
    Append the decisions on one part to a file; no file, no log.

    Raises:
        UsageError: it cannot be written.
    """
    if path is None:
        yield None
        return
    with _opened(path, "a") as file:

        def sink(decision: Decision) -> None:
            file.write(dumps(row(decision, part)) + "\n")

        yield sink


def _opened(path: Path, mode: str) -> IO[str]:
    try:
        return path.open(mode, encoding="utf-8")
    except OSError as error:
        raise UsageError(
            f"{path}: cannot be written ({error.strerror or error}); name another file"
        ) from error


def row(decision: Decision, part: str) -> dict[str, object]:
    """One line; ``at`` is the settlement after which it was decided, nothing later was known."""
    expected = decision.expected_usd
    return {
        "at": instant(decision.hour),
        "part": part,
        "market": decision.symbol,
        "rule": decision.rule,
        "action": decision.action,
        "short": {1: "a", -1: "b"}.get(decision.direction, ""),
        "rate_a_1h": Decimal(repr(decision.rate_a)),
        "rate_b_1h": Decimal(repr(decision.rate_b)),
        "expected_usd": None if expected is None else Decimal(f"{expected:.6f}"),
        "reason": decision.reason,
    }
