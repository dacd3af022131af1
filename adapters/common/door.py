"""
What leaves an adapter: an answer, a ``VenueError``, or of a send what it proves; nothing else.

Answers are foreign. One that is well-formed and means nothing (a price too large to divide by, a
list where a number was) may fail at any line that computes with it, and the code between two
legs knows what to do with a ``VenueError`` only.
"""

import functools
import inspect
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar

from loguru import logger

from hedger.domain.order import NoProof
from hedger.errors import DriftError

SENDS: Final = frozenset({"submit", "submit_filler"})
MISREAD: Final = (
    ArithmeticError,
    AttributeError,
    LookupError,
    MemoryError,
    RecursionError,
    TypeError,
    ValueError,
)
"""What reading something else than was expected raises. Assertions are our own, and stay."""

Port = TypeVar("Port", bound=type)


def guarded(port: Port) -> Port:
    """Class decorator: public coroutines raise ``VenueError`` for what they misread."""
    for name, call in list(vars(port).items()):
        if inspect.iscoroutinefunction(call) and not name.startswith("_"):
            setattr(port, name, _guard(name, call))
    return port


def _guard(name: str, call: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    @functools.wraps(call)
    async def guard(self: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            return await call(self, *args, **kwargs)
        except MISREAD as error:
            logger.opt(exception=error).error("{}: {} met what it cannot read", self.id, name)
            told = f"{name}: an answer that cannot be read ({type(error).__name__})"
            if name in SENDS:
                return NoProof(told)
            raise DriftError(self.id, told) from error

    return guard
