"""Rows of the recorded files: the columns of the reference data, and those of books and rules."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal

from hedger.domain.ids import Symbol, VenueId
from hedger.domain.market import FundingQuote, Instrument, OrderBook, SettledRate
from hedger.domain.money import BPS, ZERO, plain

RATE_COLUMNS = (
    "venue", "market", "timestamp_utc", "rate_1h", "mark_price", "index_price", "oi_usd", "kind",
    "source",
)  # fmt: skip
BOOK_COLUMNS = (
    "venue", "market", "timestamp_utc", "bid", "ask", "spread_bps", "bid_depth_usd",
    "ask_depth_usd",
)  # fmt: skip
PREDICTED, SETTLED = "predicted_snapshot", "settled"
RECORD, HISTORY = "record", "history"
BAND_BPS = Decimal(50)  # how far from the mid the recorded depth reaches
Row = tuple[object, ...]


def in_its_hour(quote: FundingQuote) -> datetime:
    """
    When the quote was seen, on the venue's market clock.

    That clock need not be ours; what is sure is the settlement that the rate is for. A reading
    that our clock puts outside of that settlement's hour is put at the edge of it.
    """
    first = quote.next_settlement_at - timedelta(seconds=quote.interval_s)
    last = quote.next_settlement_at - timedelta(seconds=1)
    return min(max(quote.as_of, first), last).replace(microsecond=0)


def of_quote(quote: FundingQuote) -> Row:
    """What a venue says now about one market."""
    return (
        quote.venue,
        quote.symbol,
        _instant(in_its_hour(quote)),
        plain(quote.rate_1h),
        plain(quote.mark_price),
        _amount(quote.index_price),
        _amount(quote.open_interest_usd),
        PREDICTED,
        RECORD,
    )


def of_settled(rate: SettledRate) -> Row:
    """What a venue has charged."""
    at = _instant(rate.settlement_at)
    return (rate.venue, rate.symbol, at, plain(rate.rate_1h), "", "", "", SETTLED, HISTORY)


def of_book(book: OrderBook, at: datetime) -> Row | None:
    """The best prices and what lies near them; None when a side is empty."""
    mid = book.mid
    if mid is None:
        return None
    bid, ask = book.bids[0].price, book.asks[0].price
    band = mid * BAND_BPS / BPS
    depths = (
        sum((x.price * x.size for x in side if abs(x.price - mid) <= band), ZERO)
        for side in (book.bids, book.asks)
    )
    spread = (ask - bid) / mid * BPS
    shown = (f"{spread:.3f}", *(f"{depth:.2f}" for depth in depths))
    return (book.venue, book.symbol, _instant(at), plain(bid), plain(ask), *shown)


def rules_header(venues: tuple[VenueId, VenueId]) -> tuple[str, ...]:
    """Columns of ``markets.csv``, as the backtest's package has them."""
    names = ("name", "id", "min_size", "size_step", "price_tick", "min_notional_usd",
             "max_order_value_usd")  # fmt: skip
    return ("symbol", *(f"{venue}_{name}" for venue in venues for name in names), "reference_price")


def of_rules(
    symbol: Symbol, rules: tuple[Instrument, Instrument], marks: Mapping[Symbol, Decimal]
) -> Row:
    """The rules of a market on both venues."""
    cells: list[object] = [symbol]
    for one in rules:
        cells += [one.name, one.market_id, plain(one.min_size), plain(one.size_step)]
        cells += [plain(one.price_tick), plain(one.min_notional_usd)]
        cells.append(_amount(one.max_order_value_usd))
    return (*cells, _amount(marks.get(symbol)))


def _amount(value: Decimal | None) -> str:
    return "" if value is None else plain(value)


def _instant(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%SZ}"
