"""
Every question to Lighter that needs the account, each answered in our types or an exception.

Weights (lighter.md §2, premium tier, 24,000 a minute): nextNonce 6, accountInactiveOrders 100,
trades 600, the rest 300. A standard account has 60 requests a minute whatever they are.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from loguru import logger

from adapters.common.identities import Listing
from adapters.common.marketbook import ANY_AGE, MarketBook
from adapters.lately import Lately, Told
from adapters.lighter import accountwire, orders, slots, wire
from adapters.lighter.access import Access
from adapters.lighter.answers import TX_NOT_FOUND
from adapters.lighter.fields import Row, cursor_of, instant, int_of, reading, rows_of
from adapters.lighter.gateway import Gateway
from adapters.lighter.names import Names
from hedger.clock import Clock
from hedger.domain.ability import Ability
from hedger.domain.ids import Symbol, VenueId
from hedger.domain.market import (
    Balance,
    Fees,
    FundingPayment,
    Instrument,
    MarketStatus,
    Position,
    Traded,
)
from hedger.domain.money import ZERO
from hedger.domain.order import Fill, Order, PastOrder
from hedger.errors import DriftError, UnavailableError

PAGE: Final = 100
NEWEST: Final = 50  # transactions of the account among which the user of a nonce is looked for
MAX_PAGES: Final = 200
NAMED_WITHIN_S: Final = 60.0
NOTHING_S: Final = 1.0
"""How long to wait for the trades of an order that is said to have none."""
MAX_OLD_PAGES: Final = 3
PAGE_MARGIN: Final = timedelta(hours=2)


class Reads:
    """
    Questions of one account. Nothing is repeated; pages are followed to a bound.

    Balance, positions, leverage and the number of working orders are one answer, ``account``:
    it is asked for once for all of them where a caller allows its age.
    """

    def __init__(
        self, venue: VenueId, access: Access, gateway: Gateway, names: Names, clock: Clock
    ) -> None:
        self._venue = venue
        self._index = access.account_index
        self._gateway = gateway
        self._names = names
        self._clock = clock
        self._usual_leverage: Mapping[Symbol, Decimal] = {}
        self.gone: set[int] = set()  # numbers that the venue knows no market under
        self.markets = MarketBook(venue, clock, self._read_markets)
        self.account = Lately(clock, self._account)

    def recognise(self, identities: Mapping[Symbol, str], earlier: Mapping[Symbol, str]) -> None:
        """Which of the venue's markets our symbols were to an earlier process."""
        if self._names.markets.take_up(identities, earlier):
            self.markets.forget()

    def identities(self) -> Mapping[Symbol, str]:
        """Which market each symbol is known to be."""
        return self._names.markets.known()

    async def instrument(self, symbol: Symbol, max_age_s: float = ANY_AGE) -> Instrument:
        """
        The rules of one market.

        Raises:
            VenueError: see ``MarketBook.get``.
        """
        return await self.markets.get(symbol, max_age_s)

    def known(self, number: str) -> Instrument | None:
        """The market with this number, as it was read last."""
        symbol = self._names.markets.owner(number)
        return None if symbol is None else self.markets.known().get(symbol)

    async def leverage(self, symbol: Symbol, max_age_s: float) -> Decimal | None:
        """
        What the account has on one market: its own choice, else the market's usual one.

        None on isolated margin: what a leverage means there is another thing, and the change of
        leverage that follows puts the market back on cross margin.
        """
        number = (await self.instrument(symbol)).market_id
        account = await self.account.get(max_age_s)
        with reading(self._venue, "GET /account"):
            chosen = None if number is None else accountwire.margin(account.answer, number)
        if chosen is not None:
            return None if chosen.isolated else chosen.leverage
        return self._usual_leverage.get(symbol)

    async def ability(self, symbol: Symbol) -> Ability:
        """Whether the account is active and its margin mode on one market is known."""
        number = (await self.instrument(symbol)).market_id
        assert number is not None  # this venue's markets have one
        account = await self.account.get(0)
        with reading(self._venue, "GET /account"):
            return accountwire.ability(account.answer, self._venue, number, symbol)

    async def any_market(self) -> int:
        """
        The number of some market, the same one each time; one that trades, if any does.

        Not one that the venue said it does not have, as long as there are others.
        """
        if not self.markets.known():
            await self.markets.refresh()
        known = [each for each in self.markets.known().values() if each.market_id is not None]
        there = [each for each in known if each.market_id not in self.gone]
        active = [each for each in there if each.status is MarketStatus.ACTIVE]
        found = active or there or known
        return min(each.market_id for each in found if each.market_id is not None)

    async def balance(self, max_age_s: float) -> Balance:
        """Free margin and value."""
        account = await self.account.get(max_age_s)
        with reading(self._venue, "GET /account"):
            return accountwire.balance(account.answer, self._venue, account.came_at)

    async def positions(self, max_age_s: float) -> Mapping[Symbol, Position]:
        """
        What is open.

        Raises:
            DriftError: the rows of a market do not tell what is held there.
        """
        held = self._held(await self.account.get(max_age_s))
        for why in held.drift.values():
            raise DriftError(self._venue, f"GET /account: {why}")
        return held.positions

    async def position(self, symbol: Symbol, max_age_s: float) -> Position:
        """
        A market without a row was never traded by this account, so it is flat.

        Raises:
            DriftError: the rows of this market do not tell what is held there.
        """
        account = await self.account.get(max_age_s)
        held = self._held(account)
        if why := held.drift.get(symbol):
            raise DriftError(self._venue, f"GET /account: {why}")
        return held.positions.get(symbol) or Position(
            venue=self._venue,
            symbol=symbol,
            size=ZERO,
            entry_price=None,
            read_started_at=account.asked_at,
            as_of=account.came_at,
            source=accountwire.POSITION_SOURCE,
        )

    def _held(self, account: Told[Row]) -> accountwire.Held:
        with reading(self._venue, "GET /account"):
            return accountwire.positions(
                account.answer, self._venue, self._names, account.asked_at, account.came_at
            )

    async def fees(self) -> Fees:
        """The account's tier, the same for every market."""
        what = "GET /accountLimits"
        data = await self._gateway.read(
            what,
            self._gateway.accounts.account_limits_without_preload_content,
            account_index=self._index,
            authorization=await self._gateway.token(),
        )
        with reading(self._venue, what):
            return accountwire.fees(data)

    async def next_nonce(self, key: int) -> int:
        """What the venue says is next on one key; it lags behind execution (lighter.md §0.4)."""
        what = "GET /nextNonce"
        data = await self._gateway.read(
            what,
            self._gateway.txs.next_nonce_without_preload_content,
            account_index=self._index,
            api_key_index=key,
        )
        with reading(self._venue, what):
            return int_of(data, "nonce")

    async def used_by_other(
        self, key: int, nonce: int, *, tx_hash: str, client_index: int
    ) -> str | None:
        """Who used a nonce, if it was not the transaction with this hash and client id."""
        what = "GET /accountTxs"
        data = await self._gateway.read(
            what,
            self._gateway.txs.account_txs_without_preload_content,
            limit=NEWEST,
            by="account_index",
            value=str(self._index),
            authorization=await self._gateway.token(),
        )
        with reading(self._venue, what):
            return slots.used_by_other(
                data,
                account=self._index,
                key=key,
                nonce=nonce,
                tx_hash=tx_hash,
                client_index=client_index,
            )

    async def record(self, client_index: int) -> orders.OrderRecord | None:
        """The order by our id: active, or among the last 1,000 inactive ones of 24 h."""
        what = "GET /accountOrders"
        data = await self._gateway.read(
            what,
            self._gateway.orders.account_orders_without_preload_content,
            authorization=await self._gateway.token(),
            client_order_indexes=str(client_index),
            account_index=self._index,
        )
        with reading(self._venue, what):
            return orders.record_of(data, client_index)

    async def old_record(self, client_index: int, market: int) -> orders.OrderRecord | None:
        """The order by our id among older inactive ones of its market, newest pages first."""
        pages = self._pages(
            "accountInactiveOrders",
            self._gateway.orders.account_inactive_orders_without_preload_content,
            bound=MAX_OLD_PAGES,
            market_id=market,
        )
        async for data in pages:
            with reading(self._venue, "GET /accountInactiveOrders"):
                record = orders.record_of(data, client_index)
            if record is not None:
                return record
        return None

    async def past_orders(self, since: datetime) -> list[PastOrder]:
        """The account's inactive orders down to an instant, newest pages first."""
        pages = self._pages(
            "accountInactiveOrders",
            self._gateway.orders.account_inactive_orders_without_preload_content,
        )
        what = "GET /accountInactiveOrders"
        found: list[PastOrder] = []
        symbols: dict[int, Symbol] = {}
        async for data in pages:
            with reading(self._venue, what):
                rows = rows_of(data, "orders")
                own = [row for row in rows if orders.is_named_as_ours(row)]
                markets = {int_of(row, "market_index") for row in own}
            for market in sorted(markets - symbols.keys()):
                symbols[market] = await self.symbol_of(market)
            with reading(self._venue, what):
                past = [orders.past_order(row, self._venue, symbols) for row in own]
            found += [each for each in past if each is not None]
            with reading(self._venue, what):
                if any(instant(int_of(row, "timestamp")) < since for row in rows):
                    break
        return found

    async def tx(self, tx_hash: str) -> orders.TxRecord | None:
        """The transaction by its hash; None only for the venue's own code 21500."""
        what = "GET /tx"
        data = await self._gateway.read(
            what,
            self._gateway.txs.tx_without_preload_content,
            absent=TX_NOT_FOUND,
            by="hash",
            value=tx_hash,
        )
        if data is None:
            return None
        with reading(self._venue, what):
            return orders.tx_record(data)

    async def fills(self, order: Order, record: orders.OrderRecord) -> tuple[Fill, ...]:
        """
        The trades of one order.

        This is the dearest call, so it is made once the order has ended. Where nothing is said
        to be filled it has a short time: what the order says stands without it, for the other
        leg may wait.
        """
        if not record.final:
            return ()
        if record.filled != ZERO:
            return await self._trades(order, record)
        try:
            async with asyncio.timeout(NOTHING_S):
                return await self._trades(order, record)
        except (TimeoutError, UnavailableError) as error:
            logger.debug("{}: whether {} has no trades: {}", self._venue, order.id, error)
            return ()

    async def _trades(self, order: Order, record: orders.OrderRecord) -> tuple[Fill, ...]:
        rows: list[Row] = []
        pages = self._pages(
            "trades",
            self._gateway.orders.trades_without_preload_content,
            sort_by="timestamp",
            order_index=record.order_index,
        )
        with reading(self._venue, "GET /trades"):
            async for data in pages:
                rows.extend(rows_of(data, "trades"))
            return orders.fills(rows, order, record)

    async def traded(self, symbol: Symbol, since: datetime) -> Traded:
        """Every trade of the account on one market since an instant, newest pages first."""
        started_at = self._clock.now()
        market = (await self.instrument(symbol)).market_id
        pages = self._pages(
            "trades",
            self._gateway.orders.trades_without_preload_content,
            sort_by="timestamp",
            market_id=market,
        )
        found: dict[str, Row] = {}
        with reading(self._venue, "GET /trades"):
            async for data in pages:
                rows = rows_of(data, "trades")
                found |= {str(int_of(row, "trade_id")): row for row in rows}
                if any(instant(int_of(row, "timestamp")) < since for row in rows):
                    break
            own = [row for row in found.values() if int_of(row, "market_id") == market]
            bought, sold, forced = orders.traded(own, self._index, since)
        return Traded(
            venue=self._venue,
            symbol=symbol,
            bought=bought,
            sold=sold,
            forced=forced,
            read_started_at=started_at,
            trades=frozenset(found),
        )

    async def working(self, max_age_s: float) -> Sequence[str]:
        """Client ids of working orders; the list is not asked for where the account has none."""
        account = self.account.known(max_age_s)
        if account is not None:
            with reading(self._venue, "GET /account"):
                if accountwire.has_no_orders(account.answer):
                    return []
        what = "GET /accountActiveOrders"
        data = await self._gateway.read(
            what,
            self._gateway.orders.account_active_orders_without_preload_content,
            account_index=self._index,
            authorization=await self._gateway.token(),
        )
        with reading(self._venue, what):
            return orders.working_ids(data)

    async def payments(self, since: datetime, symbol: Symbol | None) -> Sequence[FundingPayment]:
        """
        Payments since a settlement, oldest first.

        Pages are followed to their end or, as long as they come newest first, until they are
        past ``since``. The venue's ``start_timestamp`` is not used: its unit is documented
        nowhere.
        """
        wanted: dict[str, Any] = {}
        if symbol is not None:
            wanted["market_ids"] = [(await self.instrument(symbol)).market_id]
        pages = self._pages(
            "positionFunding",
            self._gateway.accounts.position_funding_without_preload_content,
            **wanted,
        )
        found: dict[str, FundingPayment] = {}
        newest_first, last = True, None
        async for data in pages:
            for payment in await self._payments_of(data):
                newest_first &= last is None or payment.settlement_at <= last
                last = payment.settlement_at
                found[payment.payment_id] = payment
            if newest_first and last is not None and last < since - PAGE_MARGIN:
                break
        chosen = (
            payment
            for payment in found.values()
            if payment.settlement_at >= since and symbol in (None, payment.symbol)
        )
        return sorted(chosen, key=lambda payment: (payment.settlement_at, payment.payment_id))

    async def _payments_of(self, data: Any) -> list[FundingPayment]:
        what = "GET /positionFunding"
        payments: list[FundingPayment] = []
        with reading(self._venue, what):
            rows = rows_of(data, "position_fundings")
        for row in rows:
            with reading(self._venue, what):
                market = int_of(row, "market_id")
            symbol = await self.symbol_of(market)
            with reading(self._venue, what):
                payments.append(accountwire.payment(row, self._venue, symbol))
        return payments

    async def symbol_of(self, market: int) -> Symbol:
        """
        Our symbol of a market number; asked for on a miss. One that is not listed (any more) is
        named by the account, which has a row of every market it ever traded.
        """
        symbol = self._names.markets.owner(str(market))
        if symbol is None:
            await self.markets.refresh()
            symbol = self._names.markets.owner(str(market))
        if symbol is None:
            account = await self.account.get(NAMED_WITHIN_S)
            with reading(self._venue, "GET /account"):
                symbol = accountwire.named(account.answer, self._venue, self._names, market)
        return symbol or Symbol(f"{self._venue}:{market}")  # kept under its number

    async def _read_markets(self) -> Listing[Instrument]:
        what = "GET /orderBookDetails"
        data = await self._gateway.read(
            what, self._gateway.orders.order_book_details_without_preload_content
        )
        with reading(self._venue, what):
            found = wire.markets(data, self._venue, self._names)
        self._usual_leverage = found.leverages
        return found.listing

    async def _account(self) -> Row:
        what = "GET /account"
        data = await self._gateway.read(
            what,
            self._gateway.accounts.account_without_preload_content,
            by="index",
            value=str(self._index),
        )
        with reading(self._venue, what):
            return accountwire.account_of(data, self._index)

    async def _pages(
        self,
        name: str,
        call: Callable[..., Awaitable[Any]],
        *,
        bound: int = MAX_PAGES,
        **arguments: Any,
    ) -> AsyncIterator[Any]:
        """
        Pages until there is no cursor.

        Raises:
            DriftError: the cursor repeats, or there are more than ``MAX_PAGES``: incomplete.
        """
        cursor: str | None = None
        for _ in range(bound):
            more: dict[str, Any] = {} if cursor is None else {"cursor": cursor}
            data = await self._gateway.read(
                f"GET /{name}",
                call,
                account_index=self._index,
                limit=PAGE,
                authorization=await self._gateway.token(),
                **arguments,
                **more,
            )
            yield data
            with reading(self._venue, f"GET /{name}"):
                following = cursor_of(data)
            if following is None:
                return
            if following == cursor:
                raise DriftError(self._venue, f"GET /{name}: the cursor does not move on")
            cursor = following
        if bound == MAX_PAGES:
            raise DriftError(self._venue, f"GET /{name}: more than {MAX_PAGES} pages")
