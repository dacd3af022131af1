"""Worlds side by side in several processes."""

import gc
import multiprocessing
from collections.abc import Iterator, Sequence

from tests.simulation.run import empty_ledger, simulate
from tests.simulation.setup import Result, Setup


def walked(
    setups: Sequence[Setup], workers: int, *, chunk: int = 1
) -> Iterator[tuple[Setup, Result]]:
    """
    Every world with what came of it, as each comes to its end.

    ``chunk``: how many a process takes at once; several where they are short.
    """
    empty_ledger()
    gc.freeze()
    if workers <= 1:
        yield from map(_one, setups)
        return
    with multiprocessing.get_context("fork").Pool(workers, _seldom_collect) as pool:
        yield from pool.imap_unordered(_one, setups, chunksize=chunk)


def _one(setup: Setup) -> tuple[Setup, Result]:
    return setup, simulate(setup)


def _seldom_collect() -> None:
    """Little of what a world leaves behind is cyclic, and looking for it is dear."""
    gc.set_threshold(100_000, 20, 20)
