"""Fixtures of the unit tests."""

from collections.abc import Iterator

import pytest

from tests.unit.ledger import build


@pytest.fixture(autouse=True)
def _ledgers_closed() -> Iterator[None]:
    """Every ledger that a test has opened is closed with it, whether or not the test did so."""
    yield
    while build.OPENED:
        build.OPENED.pop().close()
