"""What a rollback would send, shown before it is asked for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from hedger.domain.hedge import Hedge
from hedger.domain.ids import HedgeId, Symbol, VenueId, as_configured
from hedger.domain.market import Position
from hedger.domain.money import ZERO, plain, rounded
from hedger.domain.order import Side
from hedger.economics import walk
from hedger.errors import UsageError
from hedger.ports import QuoteSource, Venue

MICRO = Decimal("0.000001")


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """One position that would come off, and the hedge it belongs to, if any."""

    position: Position
    hedge: HedgeId | None


async def exposures(
    venues: Mapping[VenueId, Venue],
    live: Sequence[Hedge],
    *,
    hedge: str | None,
    market: Symbol | None,
    everything: bool,
) -> list[Preview]:
    """
    The positions a rollback is about, as the venues hold them now.

    Raises:
        UsageError: no live hedge, or several, begin with ``hedge``.
        VenueError: a venue could not be asked.
    """
    wanted = None if market is None else as_configured(market)
    if hedge is not None:
        named = [h for h in live if h.id.startswith(hedge)]
        if len(named) != 1:
            many = "several live hedges begin" if named else "no live hedge begins"
            raise UsageError(f"{many} with {hedge!r}; `hedger status` lists them")
        wanted = as_configured(named[0].symbol)
    by_symbol = {h.symbol: h.id for h in live}
    return [
        Preview(position=position, hedge=by_symbol.get(position.symbol))
        for venue in venues.values()
        for position in (await venue.positions()).values()
        if position.size != ZERO and (everything or as_configured(position.symbol) == wanted)
    ]


async def preview_rows(
    venues: Mapping[VenueId, Venue],
    quotes: Mapping[VenueId, QuoteSource],
    previews: Sequence[Preview],
) -> list[Mapping[str, Any]]:
    """
    Sizes in coins as the venues hold them, side, expected average price and fee in USD.

    Price and fee are None where the book is too thin to tell.

    Raises:
        VenueError: a venue could not be asked.
    """
    rows: list[Mapping[str, Any]] = []
    for preview in previews:
        position = preview.position
        side = Side.closing(position.size)
        book = await quotes[position.venue].book(position.symbol)
        size = abs(position.size)
        price = walk(book.bids if side is Side.SELL else book.asks, size)
        fees = await venues[position.venue].fees(position.symbol)
        fee = None if price is None else (price * size * fees.taker).quantize(MICRO)
        rows.append(
            {
                "hedge": preview.hedge,
                "venue": position.venue,
                "market": position.symbol,
                "side": side,
                "size": plain(size),
                "expected_price": None if price is None else rounded(price),
                "fee_usd": None if fee is None else plain(fee),
            }
        )
    return rows
