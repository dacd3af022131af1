"""
Every question about our X10 account, each answered in our types or an exception.

What became of a single order is asked in ``lookup``, the books are read in ``books``.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final

from adapters.lately import Lately, Told
from adapters.x10 import sightings, wire
from adapters.x10.fields import Row, to_ms
from adapters.x10.http import LIMIT, AccountHttp
from adapters.x10.names import Names
from hedger.clock import Clock
from hedger.domain.ids import Symbol, VenueId
from hedger.domain.market import Balance, Fees, FundingPayment, Position, Traded
from hedger.domain.money import ZERO
from hedger.domain.order import Order
from hedger.errors import VenueError

FEES_FOR_S: Final = 3_600.0
FEES_WAIT_S: Final = 0.5
FEE_CEILING: Final = Decimal("0.0005")
"""
The SDK's own default of the highest fee accepted, twice what X10 charges. It stands in where
the real rate cannot be read and exposure has to come off: X10 charges the real rate anyway.
"""


@dataclass(frozen=True, slots=True)
class Held:
    """Every position of one answer; ``drift`` says of which markets its rows do not tell it."""

    positions: Mapping[Symbol, Position]
    drift: Mapping[Symbol, VenueError]


class Reads:
    """Questions of one account. Balance, positions and fees may be given again while young."""

    def __init__(self, venue: VenueId, http: AccountHttp, names: Names, clock: Clock) -> None:
        self._venue = venue
        self._http = http
        self._names = names
        self._clock = clock
        self._balance = Lately(clock, self._read_balance)
        self._everything = Lately(clock, self._read_positions)
        self._fees: dict[Symbol, tuple[float, Fees]] = {}

    def forget(self) -> None:
        """An order is about to be sent: balance and positions may change."""
        self._balance.forget()
        self._everything.forget()

    def forget_balance(self) -> None:
        """Leverage is about to change, and with it what is free."""
        self._balance.forget()

    async def balance(self, max_age_s: float) -> Balance:
        """Free margin and equity."""
        return (await self._balance.get(max_age_s)).answer

    async def _read_balance(self) -> Balance:
        """Free margin and equity. X10 answers 404 where the balance is zero (x10.md §2.2)."""
        page = await self._http.page("/user/balance")
        now = self._clock.now()
        if page is None:
            return Balance(
                venue=self._venue,
                available_usd=ZERO,
                equity_usd=ZERO,
                held_usd=ZERO,
                cash_usd=ZERO,
                as_of=now,
            )
        return wire.balance(self._venue, page.data, now)

    async def fees(self, symbol: Symbol, max_age_s: float) -> Fees:
        """The account's real fee rates on one market."""
        known = self._fees.get(symbol)
        if known is not None and self._clock.monotonic_s() - known[0] < max_age_s:
            return known[1]
        asked_s = self._clock.monotonic_s()
        market = self._names.market(symbol)
        page = await self._http.content("/user/fees", [("market", market)])
        fees = wire.fees(self._venue, page.data, market)
        self._fees[symbol] = (asked_s, fees)
        return fees

    async def positions(self, max_age_s: float) -> Told[Held]:
        """Every open position; a symbol that is not there is flat as of this read."""
        return await self._everything.get(max_age_s)

    def flat(self, symbol: Symbol, told: Told[Held]) -> Position:
        """What an answer without a row of this market says."""
        return Position(
            venue=self._venue,
            symbol=symbol,
            size=ZERO,
            entry_price=None,
            read_started_at=told.asked_at,
            as_of=told.came_at,
            source=wire.POSITION_SOURCE,
        )

    async def leverage(self, symbol: Symbol) -> Decimal | None:
        """Per market, always asked for; set before its first order (x10.md §9)."""
        market = self._names.market(symbol)
        page = await self._http.content("/user/leverage", [("market", market)])
        return wire.leverage(self._venue, page.data, market)

    async def open_orders(self) -> Sequence[str]:
        """Client ids of every working order of the account, always asked for."""
        rows = await self._http.rows("/user/orders", ())
        return [row.id("externalId") if row.has("externalId") else row.id("id") for row in rows]

    async def traded(self, symbol: Symbol, since: datetime) -> Traded:
        """Every trade on one market since an instant, by ``GET /user/trades`` (x10.md §2.4)."""
        started_at = self._clock.now()
        market = self._names.market(symbol)

        def all_before(rows: Sequence[Row]) -> bool:
            return all(row.instant("createdTime") < since for row in rows)

        rows = await self._http.rows("/user/trades", [("market", market), LIMIT], all_before)
        bought, sold, forced = sightings.all_traded(rows, self._names.ever(symbol), since)
        return Traded(
            venue=self._venue,
            symbol=symbol,
            bought=bought,
            sold=sold,
            forced=forced,
            read_started_at=started_at,
            trades=frozenset(row.id("id") for row in rows),
        )

    async def funding_payments(
        self, since: datetime, symbol: Symbol | None
    ) -> Sequence[FundingPayment]:
        """
        Every payment whose settlement is at or after ``since``, oldest first.

        X10 has had two names for the filter and ignores the one that it does not know, so both
        are sent and the rows are filtered here again (x10.md §2.4).
        """
        from_ms = str(to_ms(since - wire.PAID_EARLY))
        params = [LIMIT, ("fromTime", from_ms), ("startTime", from_ms)]
        if symbol is not None:
            params.append(("market", self._names.market(symbol)))

        def all_before(rows: Sequence[Row]) -> bool:
            return all(row.instant("paidTime") < since - wire.PAID_EARLY for row in rows)

        rows = await self._http.rows("/user/funding/history", params, all_before)
        payments = [wire.payment(self._venue, row, self._names) for row in rows]
        wanted = [
            one for one in payments if one.settlement_at >= since and symbol in {None, one.symbol}
        ]
        return sorted(wanted, key=lambda one: (one.settlement_at, one.symbol, one.payment_id))

    async def _read_positions(self) -> Held:
        started_at = self._clock.now()
        rows = await self._http.rows("/user/positions", ())
        now = self._clock.now()
        found: dict[Symbol, Position] = {}
        drift: dict[Symbol, VenueError] = {}
        for row in rows:
            symbol = self._names.certain_symbol(row.word("market"))
            try:
                one = wire.position(self._venue, row, self._names, started_at, now)
            except VenueError as error:
                drift[symbol] = error
                continue
            if one.size != ZERO and found.setdefault(symbol, one) is not one:
                drift[symbol] = row.drift(
                    f"{symbol} is there twice; X10 has one position per market"
                )
        return Held(found, drift)

    async def max_fee(self, order: Order) -> Decimal:
        """
        The taker rate. An order that takes exposure off goes by the one that is known, of any
        age; where none is, it waits for a reading no longer than ``FEES_WAIT_S``.
        """
        if not order.reduce_only:
            return (await self.fees(order.symbol, FEES_FOR_S)).taker
        known = self._fees.get(order.symbol)
        if known is not None:
            return max(FEE_CEILING, known[1].taker)
        try:
            async with asyncio.timeout(FEES_WAIT_S):
                return (await self.fees(order.symbol, FEES_FOR_S)).taker
        except (TimeoutError, VenueError):
            return FEE_CEILING
