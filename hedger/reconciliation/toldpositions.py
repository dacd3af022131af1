"""What an account holds, also where its answer does not tell it of every market."""

import contextlib
from collections.abc import Iterable, Mapping, Sequence

from hedger.differences import SomePositions
from hedger.domain.ids import Symbol
from hedger.domain.market import Position
from hedger.errors import DriftError
from hedger.ports import Venue

SAME_ANSWER_S = 2.0
"""Markets that are asked for one after the other are told by one answer of the account."""


async def told_positions(
    venue: Venue, symbols: Iterable[Symbol], max_age_s: float = 0.0
) -> tuple[Mapping[Symbol, Position], str]:
    """
    Every open position, and an empty text; where one market contradicts what is known of it,
    those of ``symbols`` that are told all the same, and why the others are not.

    Raises:
        VenueError: the account could not be read, or tells nothing of these markets.
    """
    try:
        return await venue.positions(max_age_s=max_age_s), ""
    except DriftError as error:
        read = await _one_by_one(venue, symbols, max(max_age_s, SAME_ANSWER_S))
        if not read:
            raise
        return SomePositions(read), error.detail


async def _one_by_one(
    venue: Venue, symbols: Iterable[Symbol], max_age_s: float
) -> Sequence[Position]:
    read: list[Position] = []
    for symbol in symbols:
        with contextlib.suppress(DriftError):
            read.append(await venue.position(symbol, max_age_s=max_age_s))
    return read
