"""What closing a hedge would send now, and which leg would stay: shown before a person decides."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from hedger.domain.ability import Can
from hedger.domain.hedge import Hedge
from hedger.domain.ids import VenueId
from hedger.domain.market import OrderBook
from hedger.domain.money import ZERO, plain
from hedger.domain.order import Side
from hedger.economics import walk
from hedger.execution import stands
from hedger.execution.abilities import Abilities
from hedger.execution.exitproof import LegLook, Proof, about, combined
from hedger.ledger.reader import Reader
from hedger.ports import QuoteSource, Venue

GOES: Final[Mapping[Can, str]] = {Can.YES: "goes", Can.NO: "stays", Can.UNKNOWN: "may stay"}


async def close_rows(
    venues: Mapping[VenueId, Venue],
    quotes: Mapping[VenueId, QuoteSource],
    ledger: Reader,
    hedge: Hedge,
    slippage_bps: Decimal,
) -> list[Mapping[str, Any]]:
    """
    One row per leg that the venues hold now: order, expected price, and whether it goes or stays.

    A key that was refused when the exit was tried last is named as well.

    Raises:
        VenueError: a position could not be read.
    """
    abilities = Abilities(venues=venues, quotes=quotes)
    stand = stands.read(ledger, hedge.id)
    rows: list[Mapping[str, Any]] = []
    for venue in hedge.venues:
        position = await venues[venue].position(hedge.symbol)
        if position.size == ZERO:
            continue
        look = await abilities.look(venue, hedge.symbol, position.size)
        proof = combined(about(look, slippage_bps))
        rows.append(_row(hedge, look, proof, stand))
    return rows


def _row(
    hedge: Hedge, look: LegLook, proof: Proof, stand: stands.Stand | None
) -> Mapping[str, Any]:
    side, size, price = Side.closing(look.size), abs(look.size), None
    if isinstance(look.book, OrderBook):
        price = walk(look.book.bids if side is Side.SELL else look.book.asks, size)
    can, why = proof.can, proof.why
    if can is Can.YES and stand is not None and look.venue in _named(stand):
        can, why = stand.can, stand.why
    return {
        "hedge": hedge.id,
        "venue": look.venue,
        "market": hedge.symbol,
        "side": side,
        "size": plain(size),
        "expected_price": None if price is None else f"{price:.8g}",
        "leg": GOES[can],
        "why": why or None,
    }


def _named(stand: stands.Stand) -> set[str]:
    """Venues that stood in the way of the exit when it was tried last."""
    return {part.partition(":")[0] for part in stand.key.split(",") if stand.can is not Can.YES}


def stays_text(rows: list[Mapping[str, Any]]) -> str:
    """One sentence about every leg that would stay, or may; empty where none would."""
    legs = [
        f"{'-' if row['side'] == Side.BUY else ''}{row['size']} {row['market']} on {row['venue']}"
        f" {row['leg']}, unhedged ({row['why']})"
        for row in rows
        if row["leg"] != GOES[Can.YES]
    ]
    return "; ".join(legs)
