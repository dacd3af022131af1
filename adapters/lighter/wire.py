"""Lighter's JSON about markets and prices, in our words. Pure (lighter.md §2)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final

from adapters.common.identities import Listing
from adapters.lighter import units
from adapters.lighter.fields import (
    Row,
    UnreadableError,
    decimal_of,
    instant,
    int_of,
    on_the_hour,
    rows_of,
    text_of,
)
from adapters.lighter.names import Names
from hedger.domain.ids import Symbol, VenueId
from hedger.domain.market import (
    Instrument,
    Level,
    MarketStatus,
    OrderBook,
    SettledRate,
)
from hedger.domain.money import ONE, ZERO

NO_QUOTE_LIMIT: Final = Decimal("281474976.710655")  # 2^48-1 micro-USDC: "no limit"
PRICE_BAND: Final = Decimal("0.05")  # else 21733 or 21734 (lighter.md §3, §10)
MAX_DECIMALS: Final = 18

STATUSES: Final = {
    "active": MarketStatus.ACTIVE,
    "inactive": MarketStatus.CLOSED,
    "in-settlement": MarketStatus.CLOSED,
    "waiting-for-settlement": MarketStatus.CLOSED,
    "settled": MarketStatus.CLOSED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """Prices, open interest and volume of one market, in USD."""

    price: Decimal
    index: Decimal
    open_interest_usd: Decimal
    volume_24h_usd: Decimal | None
    rate_cap_1h: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Markets:
    """One answer of ``/orderBookDetails``; ``unreadable`` names what had to be left out."""

    instruments: Mapping[Symbol, Instrument]
    marks: Mapping[Symbol, Mark]
    unreadable: tuple[str, ...]
    leverages: Mapping[Symbol, Decimal]  # of an account that never chose one
    drift: Mapping[Symbol, str]  # of which it cannot be told for sure which market they are

    @property
    def listing(self) -> Listing[Instrument]:
        """The rules alone."""
        return Listing(self.instruments, self.drift)


def markets(data: object, venue: VenueId, names: Names) -> Markets:
    """
    ``GET /orderBookDetails``: rules of every perpetual market, and its prices.

    A row that cannot be read is left out and named; none at all is an error. Spot markets
    are in a list of their own, binary options are told by ``market_type``. A market is told by
    its number; one that cannot be told for sure has no price.
    """
    listing = names.markets.listing(_rows(data, names))
    instruments: dict[Symbol, Instrument] = {}
    marks: dict[Symbol, Mark] = {}
    leverages: dict[Symbol, Decimal] = {}
    unreadable: list[str] = []
    for symbol, row in listing.rows.items():
        try:
            instruments[symbol] = _instrument(row, venue, symbol)
            if usual := _fraction(row, "default_initial_margin_fraction"):
                leverages[symbol] = ONE / usual
        except UnreadableError as error:
            unreadable.append(f"{symbol}: {error}")
            continue
        if symbol in listing.drift:
            unreadable.append(f"{symbol}: {listing.drift[symbol]}")
            continue
        try:
            marks[symbol] = _mark(row)
        except UnreadableError as error:  # its rules hold all the same
            unreadable.append(f"{symbol} prices: {error}")
    if not instruments:
        raise UnreadableError("no market in it can be read")
    return Markets(
        instruments=instruments,
        marks=marks,
        unreadable=tuple(unreadable),
        leverages=leverages,
        drift=listing.drift,
    )


def _rows(data: object, names: Names) -> list[tuple[str, Symbol | None, Row]]:
    """Perpetual markets by number and by name; those that trade stand first."""
    found = []
    for row in rows_of(data, "order_book_details"):
        number = row.get("market_id")
        if row.get("market_type", "perp") != "perp" or number is None:
            continue
        found.append((str(number), names.ours(str(row.get("symbol", ""))), row))
    return sorted(found, key=lambda each: each[2].get("status") != "active")


def _instrument(row: Row, venue: VenueId, symbol: Symbol) -> Instrument:
    limit = decimal_of(row, "order_quote_limit") if row.get("order_quote_limit") else None
    margin = int_of(row, "min_initial_margin_fraction") if _has_margin(row) else None
    return Instrument(
        venue=venue,
        symbol=symbol,
        name=text_of(row, "symbol"),
        status=_status(row),
        size_step=_step(int_of(row, "supported_size_decimals")),
        price_tick=_step(int_of(row, "supported_price_decimals")),
        # Both minima bind resting orders only (lighter.md §3); we keep to them when opening.
        min_size=decimal_of(row, "min_base_amount"),
        min_notional_usd=decimal_of(row, "min_quote_amount"),
        minima_bind_takers=False,
        max_order_value_usd=None if limit is None or limit >= NO_QUOTE_LIMIT else limit,
        price_band=PRICE_BAND,
        max_leverage=units.FRACTION_UNIT / margin if margin else None,
        maintenance=_fraction(row, "maintenance_margin_fraction"),
        market_id=int_of(row, "market_id"),
        identity=str(int_of(row, "market_id")),
    )


def _fraction(row: Row, key: str) -> Decimal | None:
    """A margin fraction of a market, from basis points."""
    return int_of(row, key) / units.FRACTION_UNIT if row.get(key) is not None else None


def _has_margin(row: Row) -> bool:
    return row.get("min_initial_margin_fraction") is not None


def _status(row: Row) -> MarketStatus:
    status = STATUSES.get(text_of(row, "status"), MarketStatus.CLOSED)
    config = row.get("market_config")
    if status is MarketStatus.ACTIVE and isinstance(config, dict):
        return MarketStatus.REDUCE_ONLY if config.get("force_reduce_only") is True else status
    return status


def _step(decimals: int) -> Decimal:
    if not 0 <= decimals <= MAX_DECIMALS:
        raise UnreadableError(f"{decimals} decimals cannot be meant")
    return ONE.scaleb(-decimals)


def _mark(row: Row) -> Mark:
    price = decimal_of(row, "mark_price")
    if price <= ZERO:
        raise UnreadableError(f"the mark price is {price}")
    # open_interest is in coins here and in USDC on the WebSocket channel (lighter.md §2, §5)
    coins = decimal_of(row, "open_interest")
    traded = row.get("daily_quote_token_volume")  # in USDC; absent is unknown
    clamp = decimal_of(row, "funding_clamp_big") if row.get("funding_clamp_big") else None
    return Mark(
        price=price,
        index=decimal_of(row, "index_price"),
        open_interest_usd=coins * price,
        volume_24h_usd=None if traded is None else decimal_of(row, "daily_quote_token_volume"),
        rate_cap_1h=units.RATE_CAP_1H if clamp is None else units.cap_1h_of_clamp(clamp),
    )


def lighter_rates(data: object) -> Mapping[int, Decimal]:
    """
    ``GET /funding-rates``: signed fraction per hour, by market number.

    The payload mixes rows of Binance, Bybit and Hyperliquid with its own: only rows whose
    exchange is ``lighter`` are taken. One that cannot be read is absent, never zero.
    """
    rates: dict[int, Decimal] = {}
    for row in rows_of(data, "funding_rates"):
        if row.get("exchange") != "lighter":
            continue
        try:
            rates[int_of(row, "market_id")] = units.rate_1h_of_funding_rates(
                decimal_of(row, "rate")
            )
        except UnreadableError:
            continue
    return rates


def settled_rates(data: object, venue: VenueId, symbol: Symbol) -> Mapping[datetime, SettledRate]:
    """
    ``GET /fundings``: what was charged by settlement, on the market clock.

    ``value`` is USDC per coin without a sign, and the only place that tells a charge in full:
    ``rate`` is cut to four decimals of a percent.
    """
    found: dict[datetime, SettledRate] = {}
    for row in rows_of(data, "fundings"):
        at, direction = (
            on_the_hour(instant(int_of(row, "timestamp"))),
            str(row.get("direction", "")),
        )
        value = row.get("value")
        found[at] = SettledRate(
            venue=venue,
            symbol=symbol,
            settlement_at=at,
            rate_1h=units.rate_1h_of_fundings(decimal_of(row, "rate"), direction),
            per_coin_usd=None
            if value is None
            else units.per_coin_of_fundings(decimal_of(row, "value"), direction),
        )
    return found


def settlements(data: object) -> list[datetime]:
    """``GET /fundings``: only when they were, oldest first."""
    stamps = {int_of(row, "timestamp") for row in rows_of(data, "fundings")}
    return sorted(on_the_hour(instant(stamp)) for stamp in stamps)


def book(data: object, venue: VenueId, symbol: Symbol, as_of: datetime) -> OrderBook:
    """``GET /orderBookOrders``: single orders, summed to levels, best first."""
    return OrderBook(
        venue=venue,
        symbol=symbol,
        bids=_levels(rows_of(data, "bids"), best_first_down=True),
        asks=_levels(rows_of(data, "asks"), best_first_down=False),
        as_of=as_of,
    )


def _levels(rows: list[Row], *, best_first_down: bool) -> tuple[Level, ...]:
    sizes: dict[Decimal, Decimal] = {}
    for row in rows:
        price = decimal_of(row, "price")
        size = decimal_of(row, "remaining_base_amount")
        if price <= ZERO or size < ZERO:
            raise UnreadableError(f"an order of {size} at {price}")
        if size > ZERO:
            sizes[price] = sizes.get(price, ZERO) + size
    return tuple(Level(price, sizes[price]) for price in sorted(sizes, reverse=best_first_down))
