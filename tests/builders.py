"""Frozen values for tests, each with only what matters spelt out."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from hedger.domain.hedge import Hedge, State, Target
from hedger.domain.ids import HedgeId, OrderId, Symbol, VenueId
from hedger.domain.market import (
    FundingQuote,
    Instrument,
    Level,
    MarketStatus,
    OrderBook,
    Position,
)
from hedger.domain.order import Order, Prepared, Purpose, Side

X10 = VenueId("x10")
LIGHTER = VenueId("lighter")
ETH = Symbol("ETH")
NOW = datetime(2026, 1, 2, 21, 0, tzinfo=UTC)


def an_instrument(venue: VenueId = X10, **changes: object) -> Instrument:
    values: dict[str, object] = {
        "venue": venue,
        "symbol": ETH,
        "name": "ETH-USD",
        "status": MarketStatus.ACTIVE,
        "size_step": Decimal("0.001"),
        "price_tick": Decimal("0.1"),
        "min_size": Decimal("0.01"),
    }
    return Instrument(**(values | changes))  # type: ignore[arg-type]  # a test names real fields


def a_quote(venue: VenueId, rate_1h: str, *, mark: str = "3000", **changes: object) -> FundingQuote:
    values: dict[str, object] = {
        "venue": venue,
        "symbol": ETH,
        "rate_1h": Decimal(rate_1h),
        "next_settlement_at": NOW + timedelta(hours=1),
        "interval_s": 3600,
        "mark_price": Decimal(mark),
        "index_price": None,
        "open_interest_usd": None,
        "as_of": NOW,
        "source": "test",
    }
    return FundingQuote(**(values | changes))  # type: ignore[arg-type]  # as above


def a_book(
    *levels: tuple[str, str, str, str], venue: VenueId = X10, symbol: Symbol = ETH
) -> OrderBook:
    """Levels as (bid price, bid size, ask price, ask size), best first."""
    return OrderBook(
        venue=venue,
        symbol=symbol,
        bids=tuple(Level(Decimal(b), Decimal(bs)) for b, bs, _, _ in levels),
        asks=tuple(Level(Decimal(a), Decimal(as_)) for _, _, a, as_ in levels),
        as_of=NOW,
    )


def a_hedge(state: State = State.OPEN, **changes: object) -> Hedge:
    values: dict[str, object] = {
        "id": HedgeId("eth-260102210000-test"),
        "symbol": ETH,
        "venue_a": X10,
        "venue_b": LIGHTER,
        "side_a": Side.BUY,
        "requested_usd": Decimal(300),
        "planned_size": Decimal("0.1"),
        "state": state,
        "target": Target.MATCH,
        "reason": "test",
        "created_at": NOW,
        "updated_at": NOW,
        "first_settlement_a": NOW + timedelta(hours=1),
        "first_settlement_b": NOW + timedelta(hours=1),
    }
    return Hedge(**(values | changes))  # type: ignore[arg-type]  # as above


def a_position(venue: VenueId, size: str, symbol: Symbol = ETH) -> Position:
    return Position(
        venue=venue,
        symbol=symbol,
        size=Decimal(size),
        entry_price=Decimal(3000),
        read_started_at=NOW,
        as_of=NOW,
        source="test",
    )


def a_prepared(**changes: object) -> Prepared:
    order = Order(
        id=OrderId("eth-260102210000-test-1"),
        hedge=HedgeId("eth-260102210000-test"),
        venue=X10,
        symbol=ETH,
        purpose=Purpose.OPEN,
        attempt=1,
        side=Side.BUY,
        size=Decimal("0.1"),
        limit_price=Decimal(3000),
        expires_at=NOW + timedelta(seconds=10),
    )
    values: dict[str, object] = {
        "order": order,
        "account": "1",
        "client_id": order.id,
        "payload": "{}",
        "expires_at": order.expires_at,
    }
    return Prepared(**(values | changes))  # type: ignore[arg-type]  # as above
