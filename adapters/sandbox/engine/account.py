"""One account: money, positions and what has happened to them."""

from dataclasses import dataclass
from decimal import Decimal

from adapters.sandbox.engine.account_types import (
    BalanceView,
    ClosedPosition,
    PaymentView,
    PositionView,
)
from adapters.sandbox.engine.amounts import ZERO, entry, share, sign, usd
from adapters.sandbox.engine.history import History
from adapters.sandbox.engine.order_types import TradeKind, TradeView


@dataclass(slots=True, kw_only=True)
class OpenPosition:
    """A position that is not flat, with the running totals that its end will report."""

    id: int
    symbol: str
    size: Decimal  # signed
    is_long: bool
    entry_price: Decimal
    opened_ms: int
    leverage: Decimal
    by_value: bool  # what is held is booked by its USD value, not by an averaged price
    value: Decimal = ZERO  # what the open part cost, USD; only ``by_value``
    max_size: Decimal = ZERO
    trade_pnl: Decimal = ZERO
    open_fees: Decimal = ZERO
    close_fees: Decimal = ZERO
    funding: Decimal = ZERO
    closed_size: Decimal = ZERO
    closed_value: Decimal = ZERO

    def increase(self, delta: Decimal, price: Decimal, fee: Decimal) -> None:
        """Take more of the same side; entry prices are averaged by size."""
        held, added = abs(self.size), abs(delta)
        if self.by_value:
            self.value += usd(added * price)
            self.entry_price = entry(self.value, held + added)
        else:
            self.entry_price = entry(held * self.entry_price + added * price, held + added)
        self.size += delta
        self.max_size = max(self.max_size, abs(self.size))
        self.open_fees += fee

    def reduce(self, delta: Decimal, price: Decimal, fee: Decimal) -> Decimal:
        """Give back at most what is held; returns the price profit in USD."""
        profit = self.profit(delta, price)
        self.value -= self._cost(delta)
        self.size += delta
        self.trade_pnl += profit
        self.close_fees += fee
        self.closed_size += abs(delta)
        self.closed_value += abs(delta) * price
        return profit

    def profit(self, delta: Decimal, price: Decimal) -> Decimal:
        """What giving ``delta`` back at that price would realise, as it is booked."""
        assert abs(delta) <= abs(self.size)
        if self.by_value:
            return (usd(abs(delta) * price) - self._cost(delta)) * sign(self.size)
        return usd((price - self.entry_price) * -delta)

    def _cost(self, delta: Decimal) -> Decimal:
        return share(self.value, abs(delta), abs(self.size)) if self.by_value else ZERO

    def view(self, account: int, now_ms: int) -> PositionView:
        """The position as it stands."""
        fees = self.open_fees + self.close_fees
        return PositionView(
            id=self.id,
            account=account,
            symbol=self.symbol,
            size=self.size,
            entry_price=self.entry_price,
            realised_pnl=self.trade_pnl - fees + self.funding,
            fees=fees,
            funding_total=self.funding,
            leverage=self.leverage,
            opened_ms=self.opened_ms,
            updated_ms=now_ms,
        )


class Account:
    """
    A cross-margin account with one position per market.

    ``collateral`` is deposits plus everything realised: price profit, fees and funding.
    ``by_value``: see ``VenueParams.entry_by_value``.
    """

    def __init__(self, number: int, collateral: Decimal, *, by_value: bool = False) -> None:
        self.number = number
        self.collateral = collateral
        self.by_value = by_value
        self.open: dict[str, OpenPosition] = {}
        self.leverage: dict[str, Decimal] = {}  # where it was set
        self.positions: dict[str, History[PositionView]] = {}  # every market ever traded
        self.balances: History[BalanceView] = History()
        self.trades: list[TradeView] = []
        self.payments: list[PaymentView] = []
        self.closed: list[ClosedPosition] = []

    def size(self, symbol: str) -> Decimal:
        """The signed position; zero when flat."""
        held = self.open.get(symbol)
        return held.size if held else ZERO

    def entry_value(self, symbol: str) -> Decimal:
        """What the open position cost: entry price times absolute size, USD."""
        held = self.open.get(symbol)
        if held is None:
            return ZERO
        return held.value if held.by_value else abs(held.size) * held.entry_price

    def realises(self, symbol: str, delta: Decimal, price: Decimal) -> Decimal:
        """The price profit that a fill of ``delta`` signed coins would book, USD."""
        held = self.open.get(symbol)
        if held is None or sign(held.size) == sign(delta):
            return ZERO
        return held.profit(-held.size if abs(delta) > abs(held.size) else delta, price)

    def apply_fill(
        self,
        symbol: str,
        delta: Decimal,
        price: Decimal,
        fee: Decimal,
        *,
        new_id: int,
        leverage: Decimal,
        now_ms: int,
        kind: TradeKind,
    ) -> list[PositionView]:
        """
        Book a fill of ``delta`` signed coins.

        Returns the versions it made: two when the position changes sides, because the old one
        ends and a new one, with ``new_id``, begins.
        """
        views: list[PositionView] = []
        self.collateral -= fee
        held = self.open.get(symbol)
        if held and sign(held.size) != sign(delta):
            closing = -held.size if abs(delta) > abs(held.size) else delta
            closing_fee = fee if closing == delta else usd(fee * closing / delta)
            self.collateral += held.reduce(closing, price, closing_fee)
            views.append(self._record(held, now_ms))
            if held.size == ZERO:
                self._finish(held, now_ms, kind)
            delta -= closing
            fee -= closing_fee
        if delta:
            views.append(
                self._add(
                    symbol, delta, price, fee, new_id=new_id, leverage=leverage, now_ms=now_ms
                )
            )
        return views

    def _add(
        self,
        symbol: str,
        delta: Decimal,
        price: Decimal,
        fee: Decimal,
        *,
        new_id: int,
        leverage: Decimal,
        now_ms: int,
    ) -> PositionView:
        held = self.open.get(symbol)
        if held is None:
            held = OpenPosition(
                id=new_id,
                symbol=symbol,
                size=ZERO,
                is_long=delta > ZERO,
                entry_price=price,
                opened_ms=now_ms,
                leverage=leverage,
                by_value=self.by_value,
            )
            self.open[symbol] = held
        held.increase(delta, price, fee)
        return self._record(held, now_ms)

    def apply_payment(self, payment: PaymentView, now_ms: int) -> PositionView:
        """Book a funding payment on the position that is held."""
        held = self.open[payment.symbol]
        held.funding += payment.amount
        self.collateral += payment.amount
        self.payments.append(payment)
        return self._record(held, now_ms)

    def apply_leverage(self, symbol: str, leverage: Decimal, now_ms: int) -> PositionView | None:
        """Set the leverage of a market; the new version of its position, if there is one."""
        self.leverage[symbol] = leverage
        held = self.open.get(symbol)
        if held is None:
            return None
        held.leverage = leverage
        return self._record(held, now_ms)

    def _record(self, held: OpenPosition, now_ms: int) -> PositionView:
        view = held.view(self.number, now_ms)
        self.positions.setdefault(held.symbol, History()).add(now_ms, view)
        return view

    def _finish(self, held: OpenPosition, now_ms: int, kind: TradeKind) -> None:
        del self.open[held.symbol]
        exit_price = entry(held.closed_value, held.closed_size)
        self.closed.append(
            ClosedPosition(
                id=held.id,
                account=self.number,
                symbol=held.symbol,
                was_long=held.is_long,
                max_size=held.max_size,
                entry_price=held.entry_price,
                exit_price=exit_price,
                realised_pnl=held.trade_pnl - held.open_fees - held.close_fees + held.funding,
                trade_pnl=held.trade_pnl,
                funding_total=held.funding,
                open_fees=held.open_fees,
                close_fees=held.close_fees,
                leverage=held.leverage,
                kind=kind,
                opened_ms=held.opened_ms,
                closed_ms=now_ms,
            )
        )
