"""
One venue: everything an exchange does, without a wire.

The wire faces translate to and from this class. It does no I/O and knows no asyncio; it is
called from one event loop and is deterministic: the same seed, clocks and calls in the same order
give the same answers.
"""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from adapters.sandbox.engine import changing, forgetting, liquidation, margin, matching
from adapters.sandbox.engine.account import Account
from adapters.sandbox.engine.checks import refusals
from adapters.sandbox.engine.forgetting import Lost
from adapters.sandbox.engine.overrides import Liquidity
from adapters.sandbox.engine.reads import ExchangeReads
from adapters.sandbox.engine.types import (
    CancelReason,
    DuplicateRule,
    EngineError,
    NewOrder,
    OrderView,
    PositionChanged,
    Refusal,
    Refused,
    TradeKind,
    UnknownOrderError,
)


class Exchange(ExchangeReads):
    """
    One venue over a shared tape.

    Every public method first brings the state up to the clocks. An account, order or market that
    does not exist is an ``EngineError``; a broken business rule is a ``Refused`` value.
    """

    def create_account(self, account: int, collateral: Decimal) -> None:
        """
        Open an account with a deposit in USD.

        Raises:
            EngineError: it exists already.
        """
        state = self._public()
        if account in state.accounts:
            msg = f"account {account} exists already"
            raise EngineError(msg)
        by_value = state.params.entry_by_value
        state.accounts[account] = Account(account, collateral, by_value=by_value)
        matching.note_balance(state, account)
        self._flush()

    def deposit(self, account: int, amount: Decimal) -> None:
        """Add money in USD; negative takes it away."""
        state = self._public()
        state.account(account).collateral += amount
        matching.note_balance(state, account)
        self._flush()

    def set_leverage(self, account: int, symbol: str, leverage: Decimal) -> Refused | None:
        """Change it; refused beyond the market's limits or when margin would not suffice."""
        state = self._public()
        holder, rules = state.account(account), state.rules_of(symbol)
        if leverage < 1:
            return Refused(Refusal.LEVERAGE_BELOW_MIN, "leverage must be at least 1")
        if leverage > rules.max_leverage:
            return Refused(Refusal.LEVERAGE_ABOVE_MAX, f"at most {rules.max_leverage}")
        before = state.leverage(holder, symbol)
        holder.leverage[symbol] = leverage
        if leverage < before and margin.free_margin(state, holder) < 0:
            holder.leverage[symbol] = before
            return Refused(Refusal.MARGIN, "not enough margin for a lower leverage")
        view = holder.apply_leverage(symbol, leverage, state.now_ms)
        if view is not None:
            state.emit(PositionChanged(view))
        matching.note_balance(state, account)
        self._flush()
        return None

    @property
    def duplicates(self) -> DuplicateRule:
        """Which earlier orders a client id may not repeat; may be switched at any time."""
        return self._state.duplicates

    @duplicates.setter
    def duplicates(self, rule: DuplicateRule) -> None:
        self._state.duplicates = rule

    def refusals(self, account: int, new: NewOrder) -> Iterator[Refused]:
        """Every business rule the order breaks, most important first. No effect."""
        state = self._public()
        state.account(account)
        return refusals(state, account, new)

    def check(self, account: int, new: NewOrder) -> Refused | None:
        """The first business rule the order breaks, or None. No effect."""
        return next(self.refusals(account, new), None)

    def admit(self, account: int, new: NewOrder) -> OrderView:
        """Record an order as NEW, unjudged and not matched yet."""
        order = matching.admit(self._public(), account, new)
        self._flush()
        return order

    def match(self, order_id: int) -> OrderView:
        """
        Bring an admitted order to the book.

        IOC takes what the book gives within its price and the rest is cancelled; GTT and
        POST_ONLY rest. An order that is no longer NEW, or rests already, is left alone.
        """
        state = self._public()
        order = matching.match(state, state.orders.get(order_id))
        self._flush()
        return order

    def cancel(
        self, account: int, order_id: int, reason: CancelReason = CancelReason.USER
    ) -> OrderView:
        """
        Cancel an order; one that has ended is returned unchanged.

        Raises:
            UnknownOrderError: the account has no such order.
        """
        state = self._public()
        order = state.orders.get(order_id)
        if order.account != account:
            msg = f"account {account} has no order {order_id}"
            raise UnknownOrderError(msg)
        order = matching.cancel(state, order, reason)
        self._flush()
        return order

    def change_rules(self, symbol: str, **changes: Any) -> None:
        """
        Replace fields of a market's rules, from now on.

        Raises:
            EngineError: no such market, or its new name or number is taken.
        """
        changing.change_rules(self._public(), symbol, changes)
        self._relist()
        self._flush()

    def set_price_path(self, symbol: str, points: tuple[tuple[int, Decimal], ...]) -> None:
        """Let the mark follow points (ms of market time from now, USD); none: as recorded."""
        changing.set_price_path(self._public(), symbol, points)
        self._flush()

    def set_liquidity(self, symbol: str, liquidity: Liquidity | None) -> None:
        """Give a book another depth or spread; None: as it was."""
        changing.set_liquidity(self._public(), symbol, liquidity)
        self._flush()

    def forget(
        self, account: int, symbol: str, *, positions: bool, orders: bool, trades: bool
    ) -> Lost:
        """Lose what an account has in a market, as a venue that lost a batch."""
        lost = forgetting.forget(
            self._public(), account, symbol, positions=positions, orders=orders, trades=trades
        )
        self._flush()
        return lost

    def remember(self, lost: Lost) -> None:
        """
        Put back what was lost.

        Raises:
            EngineError: a new position was opened in that market meanwhile.
        """
        forgetting.remember(self._public(), lost)
        self._flush()

    def liquidate(
        self,
        account: int,
        symbol: str,
        fraction: Decimal = Decimal(1),
        kind: TradeKind = TradeKind.LIQUIDATION,
    ) -> None:
        """Close a fraction of a position by force, now; nothing happens when it is flat."""
        state = self._public()
        holder = state.account(account)
        size = abs(holder.size(symbol)) * fraction
        liquidation.close_by_force(state, holder, symbol, size, kind)
        self._flush()
