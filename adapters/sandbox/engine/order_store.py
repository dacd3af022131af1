"""Every order an exchange ever recorded, with all its versions."""

import bisect
from collections.abc import Container, Iterator
from dataclasses import dataclass, field

from adapters.sandbox.engine.errors import UnknownOrderError
from adapters.sandbox.engine.history import History
from adapters.sandbox.engine.order_types import OrderView, TradeView


@dataclass(slots=True)
class LostOrders:
    """Orders that the venue no longer knows."""

    account: int
    versions: dict[int, History[OrderView]] = field(default_factory=dict)
    trades: dict[int, list[TradeView]] = field(default_factory=dict)


class OrderStore:
    """
    Orders by id, by account and by client id.

    Nothing is forgotten: the sandbox is the truth that a ledger is compared with.
    """

    def __init__(self) -> None:
        self._versions: dict[int, History[OrderView]] = {}
        self._of_account: dict[int, list[int]] = {}
        self._of_client: dict[tuple[int, str], list[int]] = {}
        self._open: dict[int, OrderView] = {}
        self._ended: dict[int, tuple[list[int], list[int]]] = {}  # by account: when, and which
        self._trades: dict[int, list[TradeView]] = {}

    def record(self, view: OrderView, now_ms: int) -> None:
        """A new order, or a new version of one."""
        history = self._versions.get(view.id)
        was_open = history is None or view.id in self._open
        if history is None:
            history = self._versions[view.id] = History()
            self._of_account.setdefault(view.account, []).append(view.id)
            self._of_client.setdefault((view.account, view.new.client_id), []).append(view.id)
        history.add(now_ms, view)
        if view.is_open:
            self._open[view.id] = view
        else:
            self._open.pop(view.id, None)
            if was_open:
                ends_ms, ids = self._ended.setdefault(view.account, ([], []))
                ends_ms.append(now_ms)
                ids.append(view.id)

    def get(self, order_id: int) -> OrderView:
        """
        The newest version.

        Raises:
            UnknownOrderError: there is no such order.
        """
        history = self._versions.get(order_id)
        if history is None:
            msg = f"no order {order_id}"
            raise UnknownOrderError(msg)
        return history.newest

    def find(self, order_id: int, as_of_ms: int | None) -> OrderView | None:
        """A version, or None when there was none at that time."""
        history = self._versions.get(order_id)
        return history.as_of(as_of_ms) if history else None

    def of_client(self, account: int, client_id: str, as_of_ms: int | None) -> list[OrderView]:
        """Every order with a client id, oldest first."""
        ids = self._of_client.get((account, client_id), ())
        return [view for id_ in ids if (view := self.find(id_, as_of_ms))]

    def of_account(self, account: int, as_of_ms: int | None) -> list[OrderView]:
        """Every order of an account, oldest first."""
        ids = self._of_account.get(account, ())
        return [view for id_ in ids if (view := self.find(id_, as_of_ms))]

    @property
    def any_open(self) -> bool:
        """Whether some order may still fill."""
        return bool(self._open)

    def open_as_of(self, account: int, as_of_ms: int) -> list[OrderView]:
        """Orders that might still fill at that time, oldest first."""
        ends_ms, ids = self._ended.get(account, ((), ()))
        later = ids[bisect.bisect_right(ends_ms, as_of_ms) :]
        candidates = sorted([*later, *(view.id for view in self._select_open(account, None))])
        views = (self.find(id_, as_of_ms) for id_ in candidates)
        return [view for view in views if view is not None and view.is_open]

    def open(self, account: int | None = None, symbol: str | None = None) -> list[OrderView]:
        """Orders that may still fill, oldest first."""
        return list(self._select_open(account, symbol))

    def _select_open(self, account: int | None, symbol: str | None) -> Iterator[OrderView]:
        for view in self._open.values():
            if account is not None and view.account != account:
                continue
            if symbol is not None and view.new.symbol != symbol:
                continue
            yield view

    def forget(self, account: int, symbol: str, spared: Container[int]) -> LostOrders:
        """Lose every order of an account in a market, but for those that are ``spared``."""
        lost = LostOrders(account)
        for id_ in tuple(self._of_account.get(account, ())):
            view = self._versions[id_].newest
            if view.new.symbol != symbol or id_ in spared:
                continue
            lost.versions[id_] = self._versions.pop(id_)
            lost.trades[id_] = self._trades.pop(id_, [])
            self._open.pop(id_, None)
            self._of_account[account].remove(id_)
            self._of_client[account, view.new.client_id].remove(id_)
        ends_ms, ids = self._ended.get(account, ([], []))
        kept = [
            (at_ms, id_) for at_ms, id_ in zip(ends_ms, ids, strict=True) if id_ in self._versions
        ]
        self._ended[account] = ([at_ms for at_ms, _ in kept], [id_ for _, id_ in kept])
        return lost

    def remember(self, lost: LostOrders) -> None:
        """Put lost orders back; one that was still working then rests in no book any more."""
        for id_, history in lost.versions.items():
            view = history.newest
            self._versions[id_] = history
            self._trades[id_] = lost.trades[id_]
            if view.is_open:
                self._open[id_] = view
            bisect.insort(self._of_account.setdefault(lost.account, []), id_)
            bisect.insort(self._of_client.setdefault((lost.account, view.new.client_id), []), id_)

    def add_trade(self, trade: TradeView) -> None:
        """Remember a fill under its order."""
        self._trades.setdefault(trade.order_id, []).append(trade)

    def trades(self, order_id: int) -> list[TradeView]:
        """The fills of an order, oldest first."""
        return list(self._trades.get(order_id, ()))
