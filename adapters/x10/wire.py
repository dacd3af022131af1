"""
X10's answers in our words: markets, funding, books, balance, positions, fees, payments.

Pure: nothing here asks or waits. Field names and units are those of x10.md §2.3, the meaning
of funding rates that of x10.md §9. What an order's answer proves is in ``codes``, what became
of an order in ``sightings``.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, TypeVar

from adapters.common.answers import TEXT_LIMIT, failure, is_page, parse_json
from adapters.common.identities import Listing
from adapters.x10.codes import DECLINED, PASSING, error_code
from adapters.x10.fields import EPOCH, Row, rows_of
from adapters.x10.names import Names
from hedger.common.words import clean
from hedger.domain.ids import Symbol, VenueId
from hedger.domain.market import (
    Balance,
    Fees,
    FundingPayment,
    FundingQuote,
    Instrument,
    Level,
    MarketStatus,
    OrderBook,
    Position,
    SettledRate,
)
from hedger.domain.money import ZERO
from hedger.errors import DeniedError, DriftError, UnavailableError

INTERVAL_S = 3600
MAINTENANCE_SHARE = Decimal("0.5")
"""Maintenance is half of the least initial margin in every group of markets (x10.md §9)."""
RATE_CAP_1H = Decimal("0.03")
"""
The highest cap of any group of markets, 3 % an hour (x10.md §9); where a market names its own,
that counts. ``hourlyFundingRateCap`` is read as percent: its "0.25" for BTC as a fraction would
be far above every group's.
"""
PERCENT = Decimal(100)
HOUR = timedelta(hours=1)
PAID_EARLY = timedelta(minutes=1)
FUNDING_SOURCE = "GET /info/markets marketStats.fundingRate"
POSITION_SOURCE = "GET /user/positions"
PASSING_CODES = frozenset(str(code) for code in PASSING)

Parsed = TypeVar("Parsed")


@dataclass(frozen=True, slots=True)
class Page:
    """One page of an answer: its content, and the cursor of the next page, if any."""

    data: Any
    cursor: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningAssets:
    """What a signature needs to know of a market: ids and resolutions of both assets."""

    asset: str
    asset_precision: int
    synthetic_id: str
    synthetic_resolution: int
    collateral: str
    collateral_precision: int
    collateral_id: str
    collateral_resolution: int
    by_request: bool  # prices are asked for, there is no book: not for us


def answer(venue: VenueId, what: str, status: int, text: str) -> Page | None:
    """
    The content of an answer to a read; None when the venue itself says that there is none.

    That is a 404 without a reason. One with a known refusal (no such account) is a refusal,
    and a web page comes from a proxy and is no word of the venue.

    Raises:
        VenueError: anything but a usable answer.
    """
    if not 200 <= status < 300:
        code = error_code(text)
        if status == 404 and not is_page(text) and code not in DECLINED:
            return None
        if code in PASSING:
            raise UnavailableError(venue, failure(venue, what, status, text).detail)
        raise failure(venue, what, status, text)
    return unwrap(venue, what, parse_json(venue, what, text))


def unwrap(venue: VenueId, what: str, body: Any) -> Page:
    """
    Take the content out of the envelope of x10.md §2.1.

    Raises:
        DeniedError: the envelope holds an error.
        UnavailableError: the error says that it will pass.
        DriftError: there is neither an error nor content.
    """
    envelope = Row(venue, what, body)
    if envelope.has("error"):
        error = envelope.row("error")
        code = error.id("code")
        message = clean(error.text_or("message", ""), TEXT_LIMIT)
        said = f"{what}: code {code} {message}".rstrip()
        if code in PASSING_CODES:
            raise UnavailableError(venue, said)
        raise DeniedError(venue, said)
    if envelope.word("status").upper() != "OK":
        raise envelope.drift("neither OK nor an error")
    cursor: str | None = None
    if envelope.has("pagination") and envelope.row("pagination").has("cursor"):
        cursor = envelope.row("pagination").id("cursor")
    return Page(body.get("data"), cursor)


def check_owner(venue: VenueId, what: str, data: Any, account_id: str) -> None:
    """
    Refuse an answer of which a row names another account; most rows about an account name it.

    Raises:
        DriftError: it is about another account.
    """
    for row in data if isinstance(data, list) else [data]:
        owner = row.get("accountId") if isinstance(row, Mapping) else None
        if owner is not None and str(owner) != account_id:
            raise DriftError(venue, f"{what}: an answer about account {clean(str(owner), 40)}")


def perpetuals(venue: VenueId, data: Any, names: Names) -> Listing[Row]:
    """
    The rows of ``/info/markets`` that are perpetuals and have a name of ours.

    A market is told by the id of its asset: one that has a new name keeps our symbol.
    """
    rows = [
        (identity(row), names.symbol(row.word("name")), row)
        for row in rows_of(venue, "markets", data)
        if row.has("name") and row.word_or("type", "PERPETUAL") == "PERPETUAL"
    ]
    listing = names.markets.listing(sorted(rows, key=lambda each: not _trades(each[2])))
    for symbol, row in listing.rows.items():
        names.renamed(symbol, row.word("name"))
    return listing


def identity(row: Row) -> str:
    """The id of the market's asset, which is what is signed; its name where it has none."""
    assets = row.row("l2Config") if row.has("l2Config") else None
    if assets is None or not assets.has("syntheticId"):
        return row.word("name")
    return assets.word("syntheticId")


def _trades(row: Row) -> bool:
    return status_of(row) is MarketStatus.ACTIVE


def understood(
    rows: Mapping[Symbol, Row], parse: Callable[[Symbol, Row], Parsed]
) -> dict[Symbol, Parsed]:
    """
    Parse each market by itself: one that we do not understand is absent and harms no other.

    Raises:
        DriftError: there are markets, and not one of them is understood.
    """
    parsed: dict[Symbol, Parsed] = {}
    last: DriftError | None = None
    for symbol, row in rows.items():
        try:
            parsed[symbol] = parse(symbol, row)
        except DriftError as error:
            last = error
    if last is not None and not parsed:
        raise last
    return parsed


def status_of(row: Row) -> MarketStatus:
    """``active`` alone is not enough: REDUCE_ONLY markets are told by ``status`` only."""
    word = row.word_or("status", "ACTIVE").upper()
    if row.flag_or("isRfq", default=False):
        return MarketStatus.CLOSED
    if word == "REDUCE_ONLY":
        return MarketStatus.REDUCE_ONLY
    active = word == "ACTIVE" and row.flag_or("active", default=True)
    return MarketStatus.ACTIVE if active else MarketStatus.CLOSED


def instrument(venue: VenueId, symbol: Symbol, row: Row) -> Instrument:
    """The rules of one market. Our orders are LIMIT, so the limit value cap counts."""
    rules = row.row("tradingConfig")
    return Instrument(
        venue=venue,
        symbol=symbol,
        name=row.word("name"),
        status=status_of(row),
        size_step=rules.positive("minOrderSizeChange"),
        price_tick=rules.positive("minPriceChange"),
        min_size=rules.positive("minOrderSize"),
        max_order_value_usd=rules.decimal_or_none("maxLimitOrderValue"),
        price_band=min(rules.decimal("limitPriceCap"), rules.decimal("limitPriceFloor")),
        max_leverage=(most := rules.decimal_or_none("maxLeverage")),
        maintenance=MAINTENANCE_SHARE / most if most else None,
        identity=identity(row),
    )


def signing_assets(row: Row) -> SigningAssets:
    """Ids and resolutions; never a guess, because a wrong one makes a wrong signature."""
    assets = row.row("l2Config")
    return SigningAssets(
        asset=row.word("assetName"),
        asset_precision=int(row.decimal("assetPrecision")),
        synthetic_id=assets.word("syntheticId"),
        synthetic_resolution=int(assets.positive("syntheticResolution")),
        collateral=row.word("collateralAssetName"),
        collateral_precision=int(row.decimal("collateralAssetPrecision")),
        collateral_id=assets.word("collateralId"),
        collateral_resolution=int(assets.positive("collateralResolution")),
        by_request=row.flag_or("isRfq", default=False),
    )


def funding_quote(venue: VenueId, symbol: Symbol, row: Row, as_of: datetime) -> FundingQuote:
    """
    The present estimate: already a fraction per hour, positive when longs pay.

    ``nextFundingRate`` is, against its name, the instant of the next charge.
    """
    stats = row.row("marketStats")
    return FundingQuote(
        venue=venue,
        symbol=symbol,
        rate_1h=stats.decimal("fundingRate"),
        next_settlement_at=stats.instant("nextFundingRate"),
        interval_s=INTERVAL_S,
        mark_price=stats.positive("markPrice"),
        index_price=stats.decimal_or_none("indexPrice"),
        open_interest_usd=stats.decimal_or_none("openInterest"),
        as_of=as_of,
        source=FUNDING_SOURCE,
        volume_24h_usd=stats.decimal_or_none("dailyVolume"),
        cap_1h=_rate_cap_1h(row),
    )


def _rate_cap_1h(row: Row) -> Decimal:
    if row.has("tradingConfig") and row.row("tradingConfig").has("hourlyFundingRateCap"):
        own = row.row("tradingConfig").decimal("hourlyFundingRateCap") / PERCENT
        if own > ZERO:
            return min(own, RATE_CAP_1H)
    return RATE_CAP_1H


def settled_rates(
    venue: VenueId, symbol: Symbol, market: str, data: Any, since: datetime
) -> dict[datetime, SettledRate]:
    """
    ``GET /info/{market}/funding``: what was charged, already a fraction per hour.

    The price it was charged on is not in it; only a payment tells that (x10.md §2.4).
    """
    found: dict[datetime, SettledRate] = {}
    for row in rows_of(venue, f"funding of {market}", data):
        at = settled_hour(row.instant("T"))
        if at >= since:
            found[at] = SettledRate(
                venue=venue, symbol=symbol, settlement_at=at, rate_1h=row.decimal("f")
            )
    return found


def leverage(venue: VenueId, data: Any, market: str) -> Decimal | None:
    """``GET /user/leverage``: of one market; None where the answer does not hold it."""
    for row in rows_of(venue, "leverage", data):
        if row.word("market") == market:
            return row.positive("leverage")
    return None


def book(
    venue: VenueId, symbol: Symbol, market: str, data: Any, *, depth: int, as_of: datetime
) -> OrderBook:
    """The book of ``market``, sorted best first whatever order the venue sent it in."""
    row = Row(venue, f"book of {market}", data)
    if row.has("market") and row.word("market") != market:
        raise row.drift(f"it is the book of {row.word('market')}")
    bids = sorted(_levels(row.rows("bid")), key=lambda level: level.price, reverse=True)
    asks = sorted(_levels(row.rows("ask")), key=lambda level: level.price)
    return OrderBook(
        venue=venue,
        symbol=symbol,
        bids=tuple(bids[:depth]),
        asks=tuple(asks[:depth]),
        as_of=as_of,
    )


def balance(venue: VenueId, data: Any, as_of: datetime) -> Balance:
    """Free margin, equity and cash."""
    row = Row(venue, "balance", data)
    return Balance(
        venue=venue,
        available_usd=row.decimal("availableForTrade"),
        equity_usd=row.decimal("equity"),
        held_usd=row.decimal_or_none("exposure"),
        cash_usd=row.decimal_or_none("balance"),
        as_of=as_of,
    )


def position(
    venue: VenueId, row: Row, names: Names, started_at: datetime, as_of: datetime
) -> Position:
    """X10 tells the absolute size and the side; CLOSED is flat."""
    closed = row.word_or("status", "OPENED") == "CLOSED"
    size = ZERO if closed else abs(row.decimal("size")) * _sign(row)
    return Position(
        venue=venue,
        symbol=names.certain_symbol(row.word("market")),
        size=size,
        entry_price=row.decimal_or_none("openPrice") if size != ZERO else None,
        read_started_at=started_at,
        as_of=as_of,
        source=POSITION_SOURCE,
        mark_price=row.decimal_or_none("markPrice"),
        liquidation_price=row.decimal_or_none("liquidationPrice") or None,
    )


def fees(venue: VenueId, data: Any, market: str) -> Fees:
    """
    The account's rates on one market.

    Raises:
        DriftError: the answer does not hold that market.
    """
    for row in rows_of(venue, "fees", data):
        if row.word("market") == market:
            return Fees(maker=row.decimal("makerFeeRate"), taker=row.decimal("takerFeeRate"))
    raise DriftError(venue, f"fees: {market} is not in the answer")


def payment(venue: VenueId, row: Row, names: Names) -> FundingPayment:
    """
    One funding payment; ``fundingFee`` is positive when we received it (x10.md §2.4).

    It is booked from the hour it belongs to up to a minute later.
    """
    return FundingPayment(
        venue=venue,
        symbol=names.past_symbol(row.word("market")),
        payment_id=row.id("id"),
        settlement_at=settled_hour(row.instant("paidTime")),
        amount_usd=row.decimal("fundingFee"),
        rate_1h=row.decimal("fundingRate"),
        size=abs(row.decimal("size")) * _sign(row),
        mark_price=row.positive("markPrice") if row.has("markPrice") else None,
    )


def settled_hour(paid_at: datetime) -> datetime:
    """The full hour at or before; a stamp less than a minute early still means the next one."""
    return EPOCH + ((paid_at - EPOCH + PAID_EARLY) // HOUR) * HOUR


def _levels(rows: Iterable[Row]) -> list[Level]:
    levels = (Level(row.positive("price"), row.decimal("qty")) for row in rows)
    return [level for level in levels if level.size > ZERO]


def _sign(row: Row) -> Decimal:
    match row.word("side").upper():
        case "LONG" | "BUY":
            return Decimal(1)
        case "SHORT" | "SELL":
            return Decimal(-1)
        case other:
            raise row.drift(f"side is neither LONG nor SHORT: {other!r}")
