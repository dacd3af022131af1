"""What a transaction does when its turn comes, and the ``event_info`` that tells of it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from adapters.sandbox.engine.types import CancelReason, OrderView, TradeView
from adapters.sandbox.lighter_face.errors import ApiError, Code, sequencer_error
from adapters.sandbox.lighter_face.face import Face
from adapters.sandbox.lighter_face.order_rules import (
    modified_order,
    price_units,
    refuse_if_wrong,
    size_units,
)
from adapters.sandbox.lighter_face.shapes import (
    ORDER_STATUSES,
    client_index,
    fee_ppm,
    order_status,
)
from adapters.sandbox.lighter_face.txinfo import (
    CANCEL_ALL_MARKET,
    NIL_MARKET_INDEX,
    Tx,
    TxType,
)
from adapters.sandbox.lighter_face.txlog import Entry

_CANCEL_ALL_NOW, _CANCEL_ALL_SCHEDULED = 0, 1


@dataclass(frozen=True, slots=True)
class Outcome:
    """``event_info`` of an executed transaction; ``error`` says that it failed."""

    event_info: str
    error: Code | None = None


def failure(code: Code, **fields: Any) -> Outcome:
    """A transaction that did nothing; it has used its nonce all the same."""
    return Outcome(_json({**fields, "ae": sequencer_error(code)}), code)


class Execution:
    """Carries transactions out on the engine."""

    def __init__(self, face: Face) -> None:
        self._face = face

    def run(self, entry: Entry, now_ms: int) -> Outcome:
        """Execute it; its nonce is used whatever comes of it."""
        tx = entry.tx
        if tx.type is TxType.CREATE_ORDER:
            return self._create(entry, now_ms)
        if tx.type is TxType.CANCEL_ORDER:
            return self._cancel(tx, now_ms)
        if tx.type is TxType.CANCEL_ALL:
            return self._cancel_all(tx, now_ms)
        if tx.type is TxType.MODIFY_ORDER:
            return self._modify(tx, now_ms)
        assert tx.type is TxType.UPDATE_LEVERAGE  # ingress takes no others
        return self._update_leverage(tx)

    def _create(self, entry: Entry, now_ms: int) -> Outcome:
        face, tx = self._face, entry.tx
        assert entry.order_id is not None
        order = face.exchange.order(tx.account, entry.order_id)
        assert order is not None
        wrong = self._wrong_reduction(order)
        if wrong is not None:  # leaves no order record, only this transaction
            face.exchange.cancel(tx.account, order.id, CancelReason.REDUCE_ONLY)
            return failure(wrong)
        face.directory.executed(order.id, now_ms)
        matched = face.exchange.match(order.id)
        trades = face.exchange.trades(tx.account, order.id)
        return Outcome(
            _json({"t": self._trade(trades), "mo": None, "to": self._order(matched), "ae": ""})
        )

    def _wrong_reduction(self, order: OrderView) -> Code | None:
        if not order.new.reduce_only or order.new.forced_reason is not None:
            return None
        position = self._face.exchange.position(order.account, order.new.symbol)
        if position is None or not position.size:
            return Code.NO_POSITION
        if (position.size > 0) == order.new.is_buy:
            return Code.REDUCE_ONLY_INCREASES
        return None

    def _cancel(self, tx: Tx, now_ms: int) -> Outcome:
        order = self._open_order(tx, now_ms)
        who = {"a": tx.account, "i": tx.fields["Index"], "u": 0}
        if order is None:
            return failure(Code.INVALID_ORDER_INDEX, **who)
        self._face.exchange.cancel(tx.account, order.id)
        index = self._face.directory.index(order.id)
        return Outcome(
            _json({"a": tx.account, "i": index, "u": client_index(order.new.client_id), "ae": ""})
        )

    def _cancel_all(self, tx: Tx, now_ms: int) -> Outcome:
        face = self._face
        mode = tx.fields["TimeInForce"]
        market = tx.attributes.get(CANCEL_ALL_MARKET, NIL_MARKET_INDEX)
        if mode == _CANCEL_ALL_NOW:
            self._cancel_open(tx.account, market, now_ms)
        elif mode == _CANCEL_ALL_SCHEDULED:
            face.cancel_all_ms = tx.fields["Time"]
            work = self._cancel_later(tx.account, market, tx.fields["Time"])
            face.background.start(work, "scheduled cancel-all")
        else:
            face.cancel_all_ms = None
        return Outcome(_json({"a": tx.account, "ae": ""}))

    async def _cancel_later(self, account: int, market: int, at_ms: int) -> None:
        face = self._face
        while face.cancel_all_ms == at_ms:
            now_ms = face.now_ms()
            if now_ms >= at_ms:
                face.cancel_all_ms = None
                self._cancel_open(account, market, now_ms)
                return
            await face.clock.sleep((at_ms - now_ms) / 1000)

    def _cancel_open(self, account: int, market: int, now_ms: int) -> None:
        face = self._face
        for order in face.orders(account, now_ms, open_only=True):
            market_id = face.exchange.rules_of(order.new.symbol).market_id
            if market in {NIL_MARKET_INDEX, market_id}:
                face.exchange.cancel(account, order.id)

    def _modify(self, tx: Tx, now_ms: int) -> Outcome:
        face = self._face
        order = self._open_order(tx, now_ms)
        market = tx.fields["MarketIndex"]
        if order is None:
            return failure(Code.INVALID_ORDER_INDEX, m=market)
        new = modified_order(face, tx, order.new)
        try:  # without its id, which the order it replaces still holds
            refuse_if_wrong(face, tx.account, replace(new, client_id="0"))
        except ApiError as error:
            return failure(Code(error.code), m=market)
        face.exchange.cancel(tx.account, order.id)
        admitted = face.exchange.admit(tx.account, new)
        face.directory.replaced(order.id, admitted.id, now_ms)
        matched = face.exchange.match(admitted.id)
        return Outcome(
            _json({"m": market, "oo": self._order(order), "no": self._order(matched), "ae": ""})
        )

    def _update_leverage(self, tx: Tx) -> Outcome:
        face = self._face
        rules = face.rules(tx.fields["MarketIndex"])
        fraction = tx.fields["InitialMarginFraction"]
        refused = face.exchange.set_leverage(tx.account, rules.symbol, Decimal(10_000) / fraction)
        if refused is not None:
            return failure(Code.INVALID_MARGIN_FRACTION)
        return Outcome(_json({"a": tx.account, "m": rules.market_id, "f": fraction, "ae": ""}))

    def _open_order(self, tx: Tx, now_ms: int) -> OrderView | None:
        """The working order a cancel or modification names, by either of its indexes."""
        face = self._face
        symbol = face.rules(tx.fields["MarketIndex"]).symbol
        working = face.orders(tx.account, now_ms, open_only=True)
        return face.directory.find(
            (order for order in working if order.new.symbol == symbol), tx.fields["Index"]
        )

    def _order(self, order: OrderView) -> Mapping[str, Any]:
        new = order.new
        rules = self._face.exchange.rules_of(new.symbol)
        return {
            "i": self._face.directory.index(order.id),
            "u": client_index(new.client_id),
            "a": order.account,
            "is": size_units(rules, new.size),
            "p": price_units(rules, new.price),
            "rs": size_units(rules, order.remaining),
            "ia": int(not new.is_buy),
            "ot": int(new.is_market),
            "f": {"ioc": 0, "gtt": 1, "post_only": 2}[new.tif],
            "ro": int(new.reduce_only),
            "tp": 0,
            "e": new.expires_ms or 0,
            "st": ORDER_STATUSES.index(order_status(order)),
            "ts": 0,
            "t0": 0,
            "t1": 0,
            "c0": 0,
        }

    def _trade(self, trades: list[TradeView]) -> Mapping[str, int] | None:
        """The last fill; the wire has room for one."""
        if not trades:
            return None
        last = trades[-1]
        rules = self._face.exchange.rules_of(last.symbol)
        maker, taker = self._face.exchange.fees(last.account, last.symbol)
        return {
            "p": price_units(rules, last.price),
            "s": size_units(rules, last.size),
            "tf": fee_ppm(taker),
            "mf": fee_ppm(maker),
        }


def _json(value: Mapping[str, Any]) -> str:
    return json.dumps(value, separators=(",", ":"))
