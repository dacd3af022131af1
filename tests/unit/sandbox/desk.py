"""A trader's desk for engine tests: both venues on manual clocks, and short ways to trade."""

from decimal import Decimal
from typing import Any

from adapters.sandbox.clock import HOUR_MS, ManualClock, MarketClock
from adapters.sandbox.engine.exchange import Exchange
from adapters.sandbox.engine.params import VenueParams
from adapters.sandbox.engine.types import Event, NewOrder, OrderView, Tif
from adapters.sandbox.tape import START_MS, Tape, VenueName
from hedger.domain.money import ceil_to_step, floor_to_step

ME = 10002
OTHER = 10003
D = Decimal
WIRE_START_MS = 1_790_000_000_123


class Desk:
    """One venue with two funded accounts. A market hour takes a wire hour."""

    def __init__(
        self,
        venue: VenueName = "x10",
        *,
        params: VenueParams | None = None,
        collateral: str = "100000",
        seed: int = 1,
        hour_s: float = 3600,
    ) -> None:
        self.wire = ManualClock(WIRE_START_MS)
        self.market = MarketClock(self.wire, start_ms=START_MS, hour_s=hour_s)
        self.tape = Tape(seed=seed)
        self.exchange = Exchange(
            venue, tape=self.tape, wire=self.wire, market=self.market, params=params
        )
        for account in (ME, OTHER):
            self.exchange.create_account(account, D(collateral))
        self.events: list[Event] = []
        self.exchange.subscribe(self.events.append)
        self._count = 0

    def new(self, side: str, size: str, symbol: str = "ETH", **more: Any) -> NewOrder:
        """An order at a price that reaches 1 % through the mark, unless one is given."""
        self._count += 1
        is_buy = side == "buy"
        fields: dict[str, Any] = {
            "client_id": f"order-{self._count}",
            "price": self.through(symbol, is_buy=is_buy),
            **more,
        }
        if isinstance(fields["price"], str):
            fields["price"] = D(fields["price"])
        return NewOrder(symbol=symbol, is_buy=is_buy, size=D(size), **fields)

    def through(self, symbol: str = "ETH", *, is_buy: bool, percent: int = 1) -> Decimal:
        """A limit price ``percent`` beyond the mark, on the tick."""
        mark, tick = self.exchange.mark(symbol), self.exchange.rules_of(symbol).price_tick
        if is_buy:
            return ceil_to_step(mark * (100 + percent) / 100, tick)
        return floor_to_step(mark * (100 - percent) / 100, tick)

    def behind(self, symbol: str = "ETH", *, is_buy: bool, percent: int = 1) -> Decimal:
        """A limit price that does not reach the book, ``percent`` away from the mark."""
        return self.through(symbol, is_buy=not is_buy, percent=percent)

    def send(self, new: NewOrder, account: int = ME) -> OrderView:
        """Admit and match at once."""
        return self.exchange.match(self.exchange.admit(account, new).id)

    def buy(self, size: str, symbol: str = "ETH", **more: Any) -> OrderView:
        """Buy at once with an immediate-or-cancel order."""
        return self.send(self.new("buy", size, symbol, **more))

    def sell(self, size: str, symbol: str = "ETH", **more: Any) -> OrderView:
        """Sell at once with an immediate-or-cancel order."""
        return self.send(self.new("sell", size, symbol, **more))

    def rest(self, side: str, size: str, account: int = ME, **more: Any) -> OrderView:
        """Put an order into the book, behind the best price unless a price is given."""
        more.setdefault("price", self.behind(is_buy=side == "buy"))
        more.setdefault("tif", Tif.GTT)
        return self.send(self.new(side, size, **more), account)

    def size(self, symbol: str = "ETH", account: int = ME) -> Decimal:
        """The signed position, zero when flat."""
        view = self.exchange.position(account, symbol)
        return view.size if view else D(0)

    def hours(self, count: int = 1) -> None:
        """Let market hours pass; wire time stands."""
        self.market.advance(count * HOUR_MS)
        self.exchange.sync()
