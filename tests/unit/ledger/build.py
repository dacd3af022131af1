"""Makes the values that ledger tests speak about, with sensible defaults."""

import tempfile
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

from hedger.clock import Clock
from hedger.domain.hedge import Hedge, State, Target
from hedger.domain.ids import HedgeId, LaneId, OrderId, Symbol, VenueId
from hedger.domain.market import FundingPayment, Position
from hedger.domain.order import Fill, Filled, Order, Prepared, Purpose, Side
from hedger.ledger.migrate import upgrade
from hedger.ledger.store import Store, open_store
from hedger.ports import Margin

X10 = VenueId("x10")
LIGHTER = VenueId("lighter")
ETH = Symbol("ETH")
START = datetime(2026, 1, 2, 21, 30, tzinfo=UTC)


class StepClock:
    """Every look at it is one millisecond later; nothing sleeps."""

    def __init__(self, start: datetime = START) -> None:
        self.at = start

    def now(self) -> datetime:
        self.at += timedelta(milliseconds=1)
        return self.at

    def monotonic_s(self) -> float:
        return (self.at - START).total_seconds()

    async def sleep(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


@cache
def _migrated() -> bytes:
    """An empty ledger; migrating once is enough for a thousand tests."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ledger.db"
        upgrade(path, StepClock())
        return path.read_bytes()


OPENED: list[Store] = []
"""What ``a_store`` has opened in the present test; it is closed with it (see conftest.py)."""


def a_store(folder: Path, clock: Clock | None = None) -> Store:
    path = folder / "ledger.db"
    if not path.exists():
        path.write_bytes(_migrated())
    OPENED.append(open_store(path, clock or StepClock()))
    return OPENED[-1]


def a_hedge(name: str = "eth-1", symbol: str = "ETH", **other: Any) -> Hedge:
    hedge = Hedge(
        id=HedgeId(name),
        symbol=Symbol(symbol),
        venue_a=X10,
        venue_b=LIGHTER,
        side_a=Side.BUY,
        requested_usd=Decimal(100),
        planned_size=Decimal("0.04"),
        state=State.PLANNED,
        target=Target.MATCH,
        reason="rates differ",
        created_at=START,
        updated_at=START,
        expected_net_bps=Decimal("12.5"),
    )
    return replace(hedge, **other)


def an_order(
    hedge: str = "eth-1",
    number: int = 1,
    *,
    venue: VenueId = X10,
    purpose: Purpose = Purpose.OPEN,
    side: Side = Side.BUY,
    size: str = "0.04",
    nonce: int | None = None,
    symbol: str = "ETH",
) -> Prepared:
    order = Order(
        id=OrderId(f"{hedge}-{number}"),
        hedge=HedgeId(hedge),
        venue=venue,
        symbol=Symbol(symbol),
        purpose=purpose,
        attempt=1,
        side=side,
        size=Decimal(size),
        limit_price=Decimal("2510.5"),
        expires_at=START + timedelta(seconds=10),
    )
    return Prepared(
        order=order,
        account="10002",
        client_id=f"{venue}/{hedge}-{number}",
        payload='{"id":"' + order.id + '","signature":"ünïcode 0x01"}',
        expires_at=START + timedelta(seconds=12, microseconds=7),
        lane=None if nonce is None else LaneId(f"{venue}:1:2"),
        nonce=nonce,
        tx_hash=None if nonce is None else f"hash-{hedge}-{number}",
    )


def filled(
    prepared: Prepared, *parts: tuple[str, str], fee: str = "0.01", first: int = 1
) -> Filled:
    """``parts`` are size and price of each execution."""
    order = prepared.order
    fills = tuple(
        Fill(
            venue=order.venue,
            trade_id=f"{order.id}/{first + number}",
            order=order.id,
            symbol=order.symbol,
            side=order.side,
            size=Decimal(size),
            price=Decimal(price),
            fee_usd=Decimal(fee),
            at=START + timedelta(seconds=number),
        )
        for number, (size, price) in enumerate(parts)
    )
    size = sum((fill.size for fill in fills), Decimal(0))
    return Filled(prepared, size, fills, "77", "FILLED")


def a_position(size: str = "0.04", *, venue: VenueId = X10, after_s: int = 0) -> Position:
    at = START + timedelta(seconds=after_s)
    return Position(
        venue=venue,
        symbol=ETH,
        size=Decimal(size),
        entry_price=Decimal("2500.25"),
        read_started_at=at,
        as_of=at + timedelta(milliseconds=3),
        source="rest",
    )


def a_payment(hour: int, amount: str = "0.0125", venue: VenueId = X10) -> FundingPayment:
    """The settlement ``hour`` hours after 22:00, the first one after ``START``."""
    return FundingPayment(
        venue=venue,
        symbol=ETH,
        payment_id=f"payment-{hour}",
        settlement_at=settlement(hour),
        amount_usd=Decimal(amount),
        rate_1h=Decimal("-0.000125"),
        size=Decimal("0.04"),
    )


def settlement(hour: int) -> datetime:
    return datetime(2026, 1, 2, 22, tzinfo=UTC) + timedelta(hours=hour)


def margin(needed: str, available: str = "100", venue: VenueId = X10) -> Margin:
    return Margin(venue=venue, available_usd=Decimal(available), needed_usd=Decimal(needed))
