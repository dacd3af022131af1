"""One venue: everything an exchange does, without a wire. SKELETON of signatures, filled in next."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Literal

from adapters.sandbox.clock import MarketClock, WireClock
from adapters.sandbox.engine.types import *  # noqa: F403 - skeleton only
from adapters.sandbox.tape import Tape

VenueName = Literal["x10", "lighter"]


class Exchange:
    """
    One venue. Not thread-safe; call it from one event loop.

    Every public method first calls ``sync``. Unknown account, order or market: EngineError.
    """

    def __init__(
        self,
        venue: VenueName,
        *,
        tape: Tape,
        wire: WireClock,
        market: MarketClock,
        params: "VenueParams | None" = None,
    ) -> None: ...

    venue: str
    params: "VenueParams"
    rules: Mapping[str, Rules]  # by our symbol, every market of the tape

    def rules_of(self, symbol: str) -> Rules: ...
    def symbol_of(self, name: str) -> str | None: ...  # from the venue's spelling
    def symbol_of_id(self, market_id: int) -> str | None: ...
    def sync(self) -> None: ...
    def subscribe(self, callback: "Callable[[Event], None]") -> "Callable[[], None]":
        """Callbacks run in order, after the state has changed; returns what unsubscribes."""

    def create_account(self, account: int, collateral: Decimal) -> None: ...
    @property
    def accounts(self) -> tuple[int, ...]: ...

    # orders
    def check(self, account: int, new: NewOrder) -> Refused | None: ...
    def admit(self, account: int, new: NewOrder) -> OrderView: ...
    def match(self, order_id: int) -> OrderView: ...
    def cancel(
        self, account: int, order_id: int, reason: CancelReason = CancelReason.USER
    ) -> OrderView: ...
    def order(self, account: int, key: int | str, as_of_ms: int | None = None) -> OrderView | None:
        """By id (int) or by client id (str: the newest with it). None when there is none."""

    def orders_of_client(
        self, account: int, client_id: str, as_of_ms: int | None = None
    ) -> list[OrderView]: ...
    def orders(
        self, account: int, as_of_ms: int | None = None, *, open_only: bool = False
    ) -> list[OrderView]:
        """Oldest first."""

    def trades(
        self, account: int, order_id: int | None = None, as_of_ms: int | None = None
    ) -> list[TradeView]: ...
    def public_trades(self, symbol: str, limit: int = 100) -> list[PublicTrade]:
        """Newest last; ours and synthetic ones."""

    # positions and money
    def position(
        self, account: int, symbol: str, as_of_ms: int | None = None
    ) -> PositionView | None: ...
    def positions(self, account: int, as_of_ms: int | None = None) -> list[PositionView]: ...
    def closed_positions(self, account: int) -> list[ClosedPosition]: ...
    def traded_symbols(self, account: int) -> list[str]: ...
    def balance(self, account: int, as_of_ms: int | None = None) -> BalanceView: ...
    def payments(self, account: int) -> list[PaymentView]: ...
    def leverage(self, account: int, symbol: str) -> Decimal: ...
    def set_leverage(self, account: int, symbol: str, leverage: Decimal) -> "Refused | None": ...
    def liquidation_price(self, account: int, symbol: str) -> Decimal | None: ...
    def fees(self, account: int, symbol: str) -> "tuple[Decimal, Decimal]":
        """Maker and taker as fractions."""

    # market data
    def mark(self, symbol: str) -> Decimal: ...
    def index(self, symbol: str) -> Decimal: ...
    def book(self, symbol: str, depth: int = 50) -> Book: ...
    def stats(self, symbol: str) -> MarketStats: ...
    def open_interest(self, symbol: str) -> Decimal:
        """USD, one side."""

    def predicted_rate(self, symbol: str) -> Decimal: ...
    def funding_rows(self, symbol: str) -> list[FundingRow]:
        """Settled so far, oldest first; starts with the tape's hours before the start of the session: none."""

    def next_settlement_ms(self) -> int: ...
    def market_now_ms(self) -> int: ...
    def wire_now_ms(self) -> int: ...

    # faults
    def liquidate(self, account: int, symbol: str, fraction: Decimal = Decimal(1)) -> None: ...
