"""
Market data that come with the program: rules of the markets, fees and samples of the basis.

A folder may bring a ``markets.csv`` in the same columns for markets that the package does not
know. Columns carry the name of a venue, so that a third venue needs other files, not other code.
"""

import csv
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from statistics import median

from hedger.backtest.columns import Table, files, open_table
from hedger.domain.ids import Symbol, VenueId
from hedger.domain.money import ZERO
from hedger.errors import UsageError

HERE = Path(__file__).resolve().parent / "data"
MARKETS = "markets.csv"
BOOKS = "books"
MICRO = Decimal("0.000001")


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """The rules of one market at one venue. ``quoted_spread_bps`` None: never recorded."""

    name: str
    min_size: Decimal
    size_step: Decimal
    price_tick: Decimal
    min_notional_usd: Decimal
    max_order_value_usd: Decimal | None
    quoted_spread_bps: Decimal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A market of both venues, leg A's first. ``reference_price`` None: nobody recorded one."""

    symbol: Symbol
    a: Listing
    b: Listing
    reference_price: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class VenueFacts:
    """Fee of a taker as a fraction, rounding of funding, and the largest rate there can be."""

    taker_fee: Decimal
    funding_quantum_usd: Decimal = MICRO
    max_rate_1h: float = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """
    Everything together. ``basis_bps`` holds A's price over B's at real trade starts.

    ``aliases`` leads from any spelling of a market, and from a venue's ``#number``, to our
    symbol.
    """

    venues: tuple[VenueId, VenueId]
    facts: tuple[VenueFacts, VenueFacts]
    markets: Mapping[Symbol, Listed]
    aliases: Mapping[VenueId, Mapping[str, Symbol]]
    basis_bps: Mapping[Symbol, tuple[float, ...]]
    pooled_basis_bps: tuple[float, ...]


def load(venues: tuple[VenueId, VenueId], folder: Path | None = None) -> Package:
    """
    The packaged data for two venues, with the folder's own ``markets.csv`` over it.

    Raises:
        UsageError: a file is wrong, or the package knows nothing about a venue.
    """
    markets, aliases = _markets(HERE / MARKETS, venues)
    if folder is not None and (folder / MARKETS).is_file():
        more, names = _markets(folder / MARKETS, venues)
        for symbol, listed in more.items():
            markets[symbol] = _over(markets.get(symbol), listed)
        for venue in venues:
            aliases[venue] |= names[venue]
    if folder is not None:
        quoted = _quoted(folder, venues, aliases)
        markets = {symbol: _priced(one, quoted) for symbol, one in markets.items()}
    own, pooled = _basis(venues)
    return Package(
        venues=venues,
        facts=(_facts(venues[0]), _facts(venues[1])),
        markets=markets,
        aliases=aliases,
        basis_bps=own,
        pooled_basis_bps=pooled,
    )


def _over(packaged: Listed | None, newer: Listed) -> Listed:
    """The newer rules; what they do not know stays as it was packaged."""
    if packaged is None:
        return newer
    return Listed(
        symbol=newer.symbol,
        a=_spread_over(newer.a, packaged.a.quoted_spread_bps),
        b=_spread_over(newer.b, packaged.b.quoted_spread_bps),
        reference_price=newer.reference_price or packaged.reference_price,
    )


def _spread_over(listing: Listing, spread: Decimal | None) -> Listing:
    if listing.quoted_spread_bps is not None or spread is None:
        return listing
    return replace(listing, quoted_spread_bps=spread)


def _priced(listed: Listed, quoted: Mapping[tuple[int, Symbol], Decimal]) -> Listed:
    """The market with the spreads that the folder's own books had."""
    a, b = (
        replace(one, quoted_spread_bps=quoted.get((side, listed.symbol), one.quoted_spread_bps))
        for side, one in enumerate((listed.a, listed.b))
    )
    return replace(listed, a=a, b=b)


def _quoted(
    folder: Path,
    venues: tuple[VenueId, VenueId],
    aliases: Mapping[VenueId, Mapping[str, Symbol]],
) -> dict[tuple[int, Symbol], Decimal]:
    """The median spread of each market's recorded books, per side."""
    found: dict[tuple[int, Symbol], list[Decimal]] = {}
    for path in files(folder, BOOKS):
        with open_table(path, ("venue", "market", "spread_bps")) as table:
            for row in table:
                venue = VenueId(table.text(row, "venue"))
                if venue not in venues:
                    raise table.wrong(f"venue is {venue!r}, this study is of {venues}")
                symbol = aliases[venue].get(table.text(row, "market"))
                spread = table.decimal(row, "spread_bps")
                if symbol is not None and spread is not None:
                    found.setdefault((venues.index(venue), symbol), []).append(spread)
    return {key: median(spreads) for key, spreads in found.items()}


def _facts(venue: VenueId) -> VenueFacts:
    known = json.loads((HERE / "venues.json").read_text(encoding="utf-8"))
    if venue not in known:
        raise UsageError(
            f"the backtest has no fees of {venue}; name two of {', '.join(known)} in venues.order"
        )
    facts = known[venue]
    return VenueFacts(
        taker_fee=Decimal(facts["taker_fee"]),
        funding_quantum_usd=Decimal(facts["funding_quantum_usd"]),
        max_rate_1h=float(facts["max_rate_1h"]),
    )


def _markets(
    path: Path, venues: tuple[VenueId, VenueId]
) -> tuple[dict[Symbol, Listed], dict[VenueId, dict[str, Symbol]]]:
    needed = ["symbol", "reference_price"]
    needed += [f"{v}_{column}" for v in venues for column in ("name", "min_size", "size_step")]
    found: dict[Symbol, Listed] = {}
    aliases: dict[VenueId, dict[str, Symbol]] = {venue: {} for venue in venues}
    with open_table(path, needed) as table:
        for row in table:
            symbol = Symbol(table.text(row, "symbol"))
            price = table.number(row, "reference_price")
            a, b = (_listing(table, row, venue) for venue in venues)
            found[symbol] = Listed(symbol=symbol, a=a, b=b, reference_price=price)
            for venue, listing in zip(venues, (a, b), strict=True):
                number = table.text(row, f"{venue}_id")
                for name in (symbol, listing.name, *([f"#{number}"] if number else [])):
                    aliases[venue][name] = symbol
    return found, aliases


def _listing(table: Table, row: list[str], venue: VenueId) -> Listing:
    def amount(column: str) -> Decimal | None:
        return table.decimal(row, f"{venue}_{column}")

    return Listing(
        name=table.text(row, f"{venue}_name"),
        min_size=amount("min_size") or ZERO,
        size_step=amount("size_step") or MICRO,
        price_tick=amount("price_tick") or MICRO,
        min_notional_usd=amount("min_notional_usd") or ZERO,
        max_order_value_usd=amount("max_order_value_usd"),
        quoted_spread_bps=amount("quoted_spread_bps"),
    )


def _basis(
    venues: tuple[VenueId, VenueId],
) -> tuple[dict[Symbol, tuple[float, ...]], tuple[float, ...]]:
    """Samples as A's price over B's; none where the package has none for these two venues."""
    own: dict[Symbol, list[float]] = {}
    with (HERE / "basis.csv").open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        column = (reader.fieldnames or ["", ""])[1]
        if column == f"basis_bps_{venues[0]}_over_{venues[1]}":
            sign = 1.0
        elif column == f"basis_bps_{venues[1]}_over_{venues[0]}":
            sign = -1.0
        else:
            return {}, ()
        for row in reader:
            own.setdefault(Symbol(row["symbol"]), []).append(sign * float(row[column]))
    pooled = tuple(value for values in own.values() for value in values)
    return {symbol: tuple(values) for symbol, values in own.items()}, pooled
