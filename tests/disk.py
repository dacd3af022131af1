"""A ledger whose disk has no room."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest

from hedger.errors import UnwritableError
from hedger.ledger.session import Session
from hedger.ledger.store import Store


@contextmanager
def without_room(store: Store, *, after: int = 0, site: str = "") -> Iterator[None]:
    """Every write is refused, or of those at ``site``; ``after`` so many that are not."""
    written = 0
    write = store._writing

    def writing(at: str) -> AbstractContextManager[Session]:
        nonlocal written
        if not site or site == at:
            written += 1
            if written > after:
                store._refused = "the disk is full"
                raise UnwritableError(store._refused)
        return write(at)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store, "_writing", writing)
        yield
