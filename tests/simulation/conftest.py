"""What the worlds have in common under pytest."""

from collections.abc import Iterator

import pytest
from loguru import logger

SILENT = ("hedger", "adapters")


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """A virtual hour logs thousands of lines, and formatting them costs more than the hour."""
    for name in SILENT:
        logger.disable(name)
    yield
    for name in SILENT:
        logger.enable(name)
