"""The part of an exchange that answers questions: markets, accounts, orders."""

from collections.abc import Callable, Mapping
from decimal import Decimal

from adapters.sandbox.clock import MarketClock, WireClock
from adapters.sandbox.engine import liquidation, margin, market_data, prints, timeline
from adapters.sandbox.engine.events import EVENTS
from adapters.sandbox.engine.params import VenueParams, default_params
from adapters.sandbox.engine.paying import Paying
from adapters.sandbox.engine.state import VenueState
from adapters.sandbox.engine.types import (
    BalanceView,
    Book,
    ClosedPosition,
    Event,
    FundingRow,
    MarketStats,
    OrderView,
    PaymentView,
    PositionView,
    PublicTrade,
    Rules,
    TradeView,
)
from adapters.sandbox.tape import Tape, VenueName


class ExchangeReads:
    """
    Reads of one venue, and how it follows the clocks.

    Every read first brings the state up to the clocks. ``as_of_ms`` asks for what was true at
    that wire instant; None asks for now.
    """

    def __init__(
        self,
        venue: VenueName,
        *,
        tape: Tape,
        wire: WireClock,
        market: MarketClock,
        params: VenueParams | None = None,
    ) -> None:
        self.venue: VenueName = venue
        self.params = params or default_params(venue)
        self.wire_now_ms = wire.now_ms
        self._state = VenueState(venue, tape=tape, wire=wire, market=market, params=self.params)
        self._symbols: dict[str, str] = {}
        self._by_id: dict[int, str] = {}
        self._relist()
        self._stats: dict[str, tuple[tuple[int, int], MarketStats]] = {}
        self._callbacks: list[tuple[Callable[[Event], None], tuple[type[Event], ...]]] = []
        self._busy = False

    def _relist(self) -> None:
        """Find markets by the names and numbers that they have now."""
        rules = self.listed
        self._symbols = {market.name: symbol for symbol, market in rules.items()}
        self._by_id = {market.market_id: symbol for symbol, market in rules.items()}

    # Time and events

    def sync(self) -> None:
        """Bring marks, settlements, resting orders, expiries and liquidations up to now."""
        if self._busy:
            return  # a callback that asks something sees the state as it is
        instant = self._state.market.instant()
        if instant is self._state.instant:
            return
        self._busy = True
        try:
            timeline.bring_up(self._state, instant)
        finally:
            self._busy = False
        if self._state.pending:
            self._flush()

    def _flush(self) -> None:
        """Hand out queued events; a call made from a callback leaves that to the outer one."""
        pending = self._state.pending
        if self._busy or not pending:
            return
        self._busy = True
        try:
            while pending:
                event = pending.popleft()
                for callback, kinds in tuple(self._callbacks):
                    if not kinds or isinstance(event, kinds):
                        callback(event)
        finally:
            self._busy = False

    def subscribe(
        self, callback: Callable[[Event], None], *kinds: type[Event]
    ) -> Callable[[], None]:
        """
        Be told of every event (or only of some kinds), in order, after the state has changed.

        Returns what ends the subscription. A callback must not raise: its error would surface in
        the call that caused the event.
        """
        subscriber = (callback, kinds)
        self._callbacks.append(subscriber)
        self._announce()

        def unsubscribe() -> None:
            self._callbacks.remove(subscriber)
            self._announce()

        return unsubscribe

    def _announce(self) -> None:
        """Let the state queue what somebody wants to hear, and nothing else."""
        wanted = [kinds or EVENTS for _, kinds in self._callbacks]
        self._state.announced = frozenset(kind for kinds in wanted for kind in kinds)

    def market_now_ms(self) -> int:
        """Market time."""
        return self._state.market.now_ms()

    # Markets

    @property
    def tape(self) -> Tape:
        """The market path, for what the engine keeps no history of (candles)."""
        return self._state.tape

    @property
    def rules(self) -> Mapping[str, Rules]:
        """The rules of every market, by our symbol."""
        return self._state.rules

    @property
    def listed(self) -> Mapping[str, Rules]:
        """The rules of the markets that the venue lists now, by our symbol."""
        every = self._state.rules
        if all(market.listed for market in every.values()):
            return every
        return {symbol: market for symbol, market in every.items() if market.listed}

    def rules_of(self, symbol: str) -> Rules:
        """The rules of one market."""
        return self._state.rules_of(symbol)

    def symbol_of(self, name: str) -> str | None:
        """Our symbol of the venue's spelling."""
        return self._symbols.get(name)

    def symbol_of_id(self, market_id: int) -> str | None:
        """Our symbol of a market number."""
        return self._by_id.get(market_id)

    def mark(self, symbol: str) -> Decimal:
        """The mark price, USD."""
        return self._public().mark(symbol)

    def index(self, symbol: str) -> Decimal:
        """The index price, USD."""
        return self._public().index(symbol)

    def book(self, symbol: str, depth: int = 50) -> Book:
        """Best ``depth`` levels of both sides."""
        state = self._public()
        book = state.book(symbol)
        return book.view(state.ladder(symbol), state.resting_orders(symbol), depth)

    def book_version(self, symbol: str) -> int:
        """Another one whenever the book is."""
        return self._public().book(symbol).version

    def stats(self, symbol: str) -> MarketStats:
        """Figures of the last 24 market hours."""
        state = self._public()
        kept = self._stats.get(symbol)
        tick = self.tick()
        if kept is None or kept[0] != tick:
            kept = self._stats[symbol] = (tick, market_data.stats(state, symbol))
        return kept[1]

    def tick(self) -> tuple[int, int]:
        """The instant of every public figure: they change with it and never within it."""
        state = self._public()
        return state.bucket, state.changes

    def listing(self) -> tuple[int, int]:
        """The market hour, and how often something was changed by hand."""
        state = self._public()
        return state.hour, state.changes

    def hour(self) -> int:
        """The market hour: the rates that are charged change with it and never within it."""
        return self._public().hour

    def edition(
        self, lag_ms: int, *, at_marks: bool, changed_ms: int = 0
    ) -> tuple[int, int, int] | None:
        """
        What accounts and orders look like to everybody who is at most ``lag_ms`` behind.

        Equal editions, equal answers; None while the last change, or ``changed_ms``, is not
        older than that. ``at_marks``: the answer values positions at the marks.
        """
        state = self._public()
        if state.instant[0] - lag_ms < max(state.changed_ms, changed_ms):
            return None
        valued = at_marks and any(account.open for account in state.accounts.values())
        return state.version, state.changes, state.bucket if valued else -1

    def open_interest(self, symbol: str) -> Decimal:
        """USD, one side, as recorded."""
        state = self._public()
        state.rules_of(symbol)
        return state.open_interest(symbol)

    def predicted_rate(self, symbol: str) -> Decimal:
        """The rate charged at the next settlement, a signed fraction per hour."""
        return market_data.predicted_rate(self._public(), symbol)

    def next_settlement_ms(self) -> int:
        """Market time of the next settlement."""
        return market_data.next_settlement_ms(self._public())

    def funding_rows(
        self,
        symbol: str,
        from_ms: int | None = None,
        to_ms: int | None = None,
        limit: int | None = None,
    ) -> list[FundingRow]:
        """Settled rows, oldest first; both bounds inclusive, the newest ``limit`` of them."""
        return market_data.funding_rows(
            self._public(), symbol, from_ms=from_ms, to_ms=to_ms, limit=limit
        )

    def public_trades(self, symbol: str, limit: int = 100) -> list[PublicTrade]:
        """The newest trades of everybody, newest last."""
        return prints.public_trades(self._public(), symbol, limit)

    def _public(self) -> VenueState:
        state = self._state
        if state.market.instant() is not state.instant:
            self.sync()
        return state

    # Accounts

    @property
    def accounts(self) -> tuple[int, ...]:
        """Every account number."""
        return tuple(self._state.accounts)

    def balance(self, account: int, as_of_ms: int | None = None) -> BalanceView:
        """Money now, at present marks; or the last one booked by then."""
        state = self._public()
        holder = state.account(account)
        if as_of_ms is None:
            return margin.balance(state, holder)
        return holder.balances.as_of(as_of_ms) or margin.balance(state, holder)

    def position(
        self, account: int, symbol: str, as_of_ms: int | None = None
    ) -> PositionView | None:
        """An open position; None when flat."""
        state = self._public()
        state.rules_of(symbol)
        history = state.account(account).positions.get(symbol)
        view = history.as_of(as_of_ms) if history else None
        return view if view is not None and view.size else None

    def positions(self, account: int, as_of_ms: int | None = None) -> list[PositionView]:
        """Every open position, in the order the markets were first traded."""
        state = self._public()
        views = (history.as_of(as_of_ms) for history in state.account(account).positions.values())
        return [view for view in views if view is not None and view.size]

    def closed_positions(self, account: int) -> list[ClosedPosition]:
        """Positions that have ended, oldest first."""
        return list(self._public().account(account).closed)

    def traded_symbols(self, account: int, as_of_ms: int | None = None) -> list[str]:
        """Every market the account ever had a position in."""
        positions = self._public().account(account).positions
        return [symbol for symbol, history in positions.items() if history.as_of(as_of_ms)]

    def chosen_leverages(self, account: int) -> list[str]:
        """Every market whose leverage the account chose itself."""
        return list(self._public().account(account).leverage)

    def payments(self, account: int) -> list[PaymentView]:
        """Every funding payment, oldest first."""
        return list(self._public().account(account).payments)

    def listed_payments(self, account: int) -> list[PaymentView]:
        """What the venue's own list shows of them: some late, some twice (``paying``)."""
        state = self._public()
        return state.paying.listed(state.account(account).payments, state.now_ms)

    @property
    def paying(self) -> Paying:
        """How the venue treats payments from now on."""
        return self._state.paying

    def fees(self, account: int, symbol: str) -> tuple[Decimal, Decimal]:
        """Maker and taker rates as fractions."""
        self._state.account(account)
        self._state.rules_of(symbol)
        return self._state.fees(symbol)

    def leverage(self, account: int, symbol: str) -> Decimal:
        """The leverage the account uses in a market."""
        return self._state.leverage(self._state.account(account), symbol)

    def liquidation_price(self, account: int, symbol: str) -> Decimal | None:
        """The mark at which the account would be liquidated, other marks unchanged."""
        state = self._public()
        state.rules_of(symbol)
        return liquidation.liquidation_price(state, state.account(account), symbol)

    # Orders

    def order(self, account: int, key: int | str, as_of_ms: int | None = None) -> OrderView | None:
        """By id (int), or the newest with a client id (str); None when there is none."""
        state = self._public()
        if isinstance(key, str):
            found = state.orders.of_client(account, key, as_of_ms)
            return found[-1] if found else None
        view = state.orders.find(key, as_of_ms)
        return view if view is not None and view.account == account else None

    def orders_of_client(
        self, account: int, client_id: str, as_of_ms: int | None = None
    ) -> list[OrderView]:
        """Every order with a client id, oldest first."""
        return self._public().orders.of_client(account, client_id, as_of_ms)

    def orders(
        self, account: int, as_of_ms: int | None = None, *, open_only: bool = False
    ) -> list[OrderView]:
        """The account's orders, oldest first."""
        state = self._public()
        if not open_only:
            return state.orders.of_account(account, as_of_ms)
        if as_of_ms is None:
            return state.orders.open(account)
        return state.orders.open_as_of(account, as_of_ms)

    def trades(
        self, account: int, order_id: int | None = None, as_of_ms: int | None = None
    ) -> list[TradeView]:
        """The account's fills, oldest first."""
        state = self._public()
        own = state.account(account).trades
        found = own if order_id is None else state.orders.trades(order_id)
        return [
            trade
            for trade in found
            if trade.account == account and (as_of_ms is None or trade.at_ms <= as_of_ms)
        ]
