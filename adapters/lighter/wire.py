"""Lighter's JSON about markets, prices and the account, in our words. Pure (lighter.md §2)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_CEILING, Decimal
from typing import Final

from adapters.lighter import units
from adapters.lighter.fields import (
    Row,
    UnreadableError,
    decimal_of,
    field,
    instant,
    int_of,
    on_the_hour,
    row_of,
    rows_of,
    text_of,
)
from hedger.domain.ids import Symbol, VenueId
from hedger.domain.market import (
    Balance,
    Fees,
    FundingPayment,
    Instrument,
    Level,
    MarketStatus,
    OrderBook,
    Position,
    SettledRate,
)
from hedger.domain.money import ONE, ZERO

NO_QUOTE_LIMIT: Final = Decimal("281474976.710655")  # 2^48-1 micro-USDC: "no limit"
PRICE_BAND: Final = Decimal("0.05")  # else 21733 or 21734 (lighter.md §3, §10)
FRACTION_UNIT: Final = Decimal(10_000)  # margin fractions of markets are in basis points
MAX_DECIMALS: Final = 18
HUNDRED: Final = Decimal(100)
POSITION_SOURCE: Final = "GET /account positions"
ORDER_COUNTS: Final = ("total_order_count", "pending_order_count")
MARKET_ORDER_COUNTS: Final = ("open_order_count", "pending_order_count")

STATUSES: Final = {
    "active": MarketStatus.ACTIVE,
    "inactive": MarketStatus.CLOSED,
    "in-settlement": MarketStatus.CLOSED,
    "waiting-for-settlement": MarketStatus.CLOSED,
    "settled": MarketStatus.CLOSED,
}


class Names:
    """Our symbols and the venue's, where the two differ (``symbols.names``)."""

    def __init__(self, overrides: Mapping[Symbol, str]) -> None:
        self._theirs = dict(overrides)
        self._ours = {name: symbol for symbol, name in overrides.items()}

    def ours(self, name: str) -> Symbol | None:
        """Our symbol; None when we use that symbol for another of their markets."""
        if name in self._ours:
            return self._ours[name]
        return None if name in self._theirs else Symbol(name)

    def theirs(self, symbol: Symbol) -> str:
        """Their name."""
        return self._theirs.get(symbol, symbol)


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

    def symbol_of(self, market_id: int) -> Symbol | None:
        """Our symbol of a market number."""
        for symbol, instrument in self.instruments.items():
            if instrument.market_id == market_id:
                return symbol
        return None


def markets(data: object, venue: VenueId, names: Names) -> Markets:
    """
    ``GET /orderBookDetails``: rules of every perpetual market, and its prices.

    A row that cannot be read is left out and named; none at all is an error. Spot markets
    are in a list of their own, binary options are told by ``market_type``.
    """
    instruments: dict[Symbol, Instrument] = {}
    marks: dict[Symbol, Mark] = {}
    leverages: dict[Symbol, Decimal] = {}
    unreadable: list[str] = []
    for row in rows_of(data, "order_book_details"):
        symbol = names.ours(str(row.get("symbol", "")))
        if symbol is None or row.get("market_type", "perp") != "perp":
            continue
        try:
            instruments[symbol] = _instrument(row, venue, symbol)
            if usual := _fraction(row, "default_initial_margin_fraction"):
                leverages[symbol] = ONE / usual
        except UnreadableError as error:
            unreadable.append(f"{symbol}: {error}")
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
    )


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
        max_leverage=FRACTION_UNIT / margin if margin else None,
        maintenance=_fraction(row, "maintenance_margin_fraction"),
        market_id=int_of(row, "market_id"),
    )


def _fraction(row: Row, key: str) -> Decimal | None:
    """A margin fraction of a market, from basis points."""
    return int_of(row, key) / FRACTION_UNIT if row.get(key) is not None else None


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


def account_of(data: object, account_index: int) -> Row:
    """``GET /account``: our row of it; another account's is an error."""
    for row in rows_of(data, "accounts"):
        if int_of(row, "account_index" if "account_index" in row else "index") == account_index:
            return row
    raise UnreadableError(f"account {account_index} is not in the answer")


def has_no_orders(account: Row) -> bool:
    """
    ``GET /account``: whether every count of orders in it is there and zero.

    Only then nothing works; what a count above zero counts is documented nowhere.
    """
    counts = [account.get(key) for key in ORDER_COUNTS]
    for row in rows_of(account, "positions"):
        counts += [row.get(key) for key in MARKET_ORDER_COUNTS]
    return all(type(count) is int and count == 0 for count in counts)


def balance(account: Row, venue: VenueId, as_of: datetime) -> Balance:
    """Free margin for new orders and the value of everything."""
    return Balance(
        venue=venue,
        available_usd=decimal_of(account, "available_balance"),
        equity_usd=decimal_of(account, "total_asset_value"),
        held_usd=_held_usd(account),
        cash_usd=decimal_of(account, "collateral") if "collateral" in account else None,
        as_of=as_of,
    )


def _held_usd(account: Row) -> Decimal | None:
    """The value of all positions at mark; None where one of them is not told."""
    if "positions" not in account:
        return None
    held = [row for row in rows_of(account, "positions") if decimal_of(row, "position") != ZERO]
    if any(row.get("position_value") is None for row in held):
        return None
    return sum((abs(decimal_of(row, "position_value")) for row in held), ZERO)


def positions(
    account: Row, venue: VenueId, names: Names, read_started_at: datetime, as_of: datetime
) -> Mapping[Symbol, Position]:
    """
    Open positions. ``position`` has no sign of its own: it is in ``sign``.

    Rows of markets once traded stay in the answer with ``sign`` 1 and ``0.0000``: they are
    flat and left out (lighter.md §2).
    """
    found: dict[Symbol, Position] = {}
    for row in rows_of(account, "positions"):
        size = decimal_of(row, "position")
        sign = int_of(row, "sign")
        if size == ZERO:
            continue
        if size < ZERO or sign not in (1, -1):
            raise UnreadableError(f"a position of {size} with the sign {sign}")
        name = text_of(row, "symbol")
        symbol = names.ours(name) or Symbol(f"{venue}:{name}")  # never under a wrong symbol
        found[symbol] = Position(
            venue=venue,
            symbol=symbol,
            size=sign * size,
            entry_price=decimal_of(row, "avg_entry_price"),
            read_started_at=read_started_at,
            as_of=as_of,
            source=POSITION_SOURCE,
            mark_price=_positive(row, "position_value", per=size),
            liquidation_price=_positive(row, "liquidation_price"),
        )
    return found


def _positive(row: Row, key: str, *, per: Decimal = ONE) -> Decimal | None:
    """What only watching needs: absent where the venue tells nothing, and "0" is nothing."""
    value = decimal_of(row, key) if row.get(key) is not None else ZERO
    return value / per if value > ZERO else None


def margin_bps(leverage: Decimal) -> int:
    """The least margin fraction, in whole basis points, that allows no more than ``leverage``."""
    return int((FRACTION_UNIT / leverage).to_integral_value(ROUND_CEILING))


def leverage(account: Row, name: str) -> Decimal | None:
    """
    ``GET /account``: of one market, from its margin fraction in percent; None without a row.

    Only markets that the account has to do with have one.
    """
    for row in rows_of(account, "positions"):
        if text_of(row, "symbol") == name:
            fraction = decimal_of(row, "initial_margin_fraction")
            if fraction <= ZERO:
                raise UnreadableError(f"a margin fraction of {fraction}")
            return HUNDRED / fraction
    return None


def fees(data: object) -> Fees:
    """``GET /accountLimits``: what this account really pays; the documents drift."""
    row = row_of(data)
    return Fees(
        maker=units.fraction_of_ppm(int_of(row, "current_maker_fee_tick")),
        taker=units.fraction_of_ppm(int_of(row, "current_taker_fee_tick")),
    )


def payment(row: Row, venue: VenueId, symbol: Symbol) -> FundingPayment:
    """One row of ``GET /positionFunding``; ``change`` is negative when we paid."""
    side = text_of(row, "position_side")
    if side not in units.DIRECTIONS:
        raise UnreadableError(f"position_side {side!r} is neither long nor short")
    size = units.DIRECTIONS[side] * abs(decimal_of(row, "position_size"))
    amount = decimal_of(row, "change")
    return FundingPayment(
        venue=venue,
        symbol=symbol,
        payment_id=str(field(row, "funding_id")) + f":{int_of(row, 'market_id')}",
        settlement_at=on_the_hour(instant(int_of(row, "timestamp"))),
        amount_usd=amount,
        rate_1h=units.rate_1h_of_payment(decimal_of(row, "rate"), amount, size),
        size=size,
    )
