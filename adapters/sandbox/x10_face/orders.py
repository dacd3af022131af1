"""
Writing: placing and cancelling orders (x10.md §3).

POST /user/order checks, records and answers; matching follows ``match_delay_s`` later. The
checks come in the order of x10.md §10.3: key, vault, signature, market, form of size, price and
value, fee, expiry, band, reduce-only, margin, duplicate.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import Final

from aiohttp import web

from adapters.sandbox.engine.types import CancelReason, NewOrder, OrderView, Refusal, Tif
from adapters.sandbox.faults import Fault, Kind, first
from adapters.sandbox.keeping import with_its_end
from adapters.sandbox.reply import Reply
from adapters.sandbox.x10_face import errors
from adapters.sandbox.x10_face.context import FACE, Face
from adapters.sandbox.x10_face.errors import ApiProblemError, from_refusal, not_found
from adapters.sandbox.x10_face.gate import through
from adapters.sandbox.x10_face.order_body import OrderBody, parse_order
from adapters.sandbox.x10_face.requests import json_object, needed, ok
from adapters.sandbox.x10_face.signing import is_signed_by, order_hash
from hedger.domain.money import floor_to_step

DAY_MS: Final = 86_400_000

_BEFORE_FEE: Final = frozenset(
    {
        Refusal.MARKET_UNKNOWN,
        Refusal.MARKET_CLOSED,
        Refusal.MARKET_REDUCE_ONLY,
        Refusal.QTY_BELOW_MIN,
        Refusal.QTY_STEP,
        Refusal.VALUE_TOO_LARGE,
        Refusal.PRICE_STEP,
        Refusal.TOO_MANY_ORDERS,
        Refusal.POSITION_TOO_LARGE,
    }
)
"""Rules whose codes stand before 1128 in the order of the checks."""


async def place(request: web.Request) -> Reply:
    """POST /user/order."""
    face = request.app[FACE]
    raw = await json_object(request)
    reduce_only = raw.get("reduceOnly")

    def effect(taken: Sequence[Fault]) -> Reply:
        body = parse_order(raw)
        if face.options.verify_signatures:
            _check_signature(face, body)
        symbol = _check_market(face, body)
        new = _new_order(face, body, symbol, taken)
        _check_rules(face, body, new)
        replaced = _order_to_replace(face, body)
        if replaced is not None:
            face.exchange.cancel(face.account, replaced.id)
        view = face.exchange.admit(face.account, new)
        _match_later(face, view.id, taken)
        return ok({"id": view.id, "externalId": body.external_id})

    return await through(
        request,
        "order",
        effect,
        symbol=face.exchange.symbol_of(str(raw.get("market"))),
        reduce_only=reduce_only if isinstance(reduce_only, bool) else False,
    )


async def place_rfq(request: web.Request) -> Reply:
    """POST /user/order/rfq: no market here is traded by quotes."""

    def effect(_taken: Sequence[Fault]) -> Reply:
        raise ApiProblemError(errors.TYPE_NOT_ALLOWED, debug="no RFQ market in the sandbox")

    return await through(request, "order", effect)


async def cancel_by_id(request: web.Request) -> Reply:
    """DELETE /user/order/{id}: says that the wish was taken, not what came of it."""
    face = request.app[FACE]
    view = face.exchange.order(face.account, int(request.match_info["id"]))
    return await _cancel_one(request, face, view)


async def cancel_by_external_id(request: web.Request) -> Reply:
    """DELETE /user/order?externalId=..."""
    face = request.app[FACE]
    view = face.exchange.order(face.account, request.query.get("externalId", ""))
    return await _cancel_one(request, face, view)


async def mass_cancel(request: web.Request) -> Reply:
    """POST /user/order/massCancel: by ids, external ids, markets, or all; one is needed."""
    face = request.app[FACE]
    raw = await json_object(request)

    def effect(_taken: Sequence[Fault]) -> Reply:
        ids = {str(one) for one in _listed(raw.get("orderIds"))}
        client_ids = {str(one) for one in _listed(raw.get("externalOrderIds"))}
        markets = {str(one) for one in _listed(raw.get("markets"))}
        everything = raw.get("cancelAll") is True
        if not (ids or client_ids or markets or everything):
            raise ApiProblemError(errors.INVALID_PARAMETERS, debug="nothing to cancel")
        for view in face.exchange.orders(face.account, open_only=True):
            name = face.exchange.rules_of(view.new.symbol).name
            if (
                everything
                or str(view.id) in ids
                or view.new.client_id in client_ids
                or name in markets
            ):
                face.exchange.cancel(face.account, view.id)
        return ok({})

    return await through(request, "cancel", effect)


class DeadMansSwitch:
    """
    POST /user/deadmanswitch?countdownTime=S: cancels everything in S seconds unless renewed.

    0 switches it off. The answer has no body.
    """

    def __init__(self) -> None:
        self._generation = 0

    async def set(self, request: web.Request) -> Reply:
        """Set, renew or switch off."""
        face = request.app[FACE]

        def effect(_taken: Sequence[Fault]) -> Reply:
            countdown_s = needed(request, "countdownTime")
            if not 0 <= countdown_s <= DAY_MS // 1000:
                raise ApiProblemError(errors.INVALID_PARAMETERS, debug="countdownTime")
            self._generation += 1
            if countdown_s:
                work = self._fire(face, self._generation, countdown_s)
                face.background.launch(work, "dead man's switch")
            return Reply(200, "")

        return await through(request, "cancel", effect)

    async def _fire(self, face: Face, generation: int, countdown_s: int) -> None:
        await face.clock.sleep(countdown_s)
        if generation != self._generation:
            return
        for view in face.exchange.orders(face.account, open_only=True):
            face.exchange.cancel(face.account, view.id)


def _check_signature(face: Face, body: OrderBody) -> None:
    """1100, 1102 and 1101; an unknown market cannot be hashed and is left to what follows."""
    public_key = int(face.keys.public_key, 16)
    if body.stark_key != public_key:
        raise ApiProblemError(errors.INVALID_PUBLIC_KEY)
    if body.vault != face.keys.vault:
        raise ApiProblemError(errors.INVALID_VAULT)
    symbol = face.exchange.symbol_of(body.market)
    if symbol is None:
        return
    rules = face.exchange.rules_of(symbol)

    def hashed() -> int:
        return order_hash(
            body.signed_terms,
            rules=rules,
            vault=face.keys.vault,
            public_key=public_key,
            chain_id=face.keys.chain_id,
        )

    if not is_signed_by(public_key, body.r, body.s, hashed):
        raise ApiProblemError(errors.INVALID_SIGNATURE)


def _check_market(face: Face, body: OrderBody) -> str:
    symbol = face.exchange.symbol_of(body.market)
    if symbol is None:
        raise ApiProblemError(errors.MARKET_NOT_FOUND, debug=f"market {body.market!r}")
    return symbol


def _check_rules(face: Face, body: OrderBody, new: NewOrder) -> None:
    """The business rules in the venue's order; the engine knows all but fee and longest expiry."""
    refused = face.exchange.check(face.account, new)
    if refused is not None and refused.refusal in _BEFORE_FEE:
        raise from_refusal(refused)
    maker, taker = face.exchange.fees(face.account, new.symbol)
    if body.fee < (maker if new.tif is Tif.POST_ONLY else taker):
        raise ApiProblemError(errors.INVALID_FEE)
    latest_ms = face.exchange.wire_now_ms() + face.options.max_expiry_days * DAY_MS
    if body.expiry_ms > latest_ms:
        raise ApiProblemError(errors.INVALID_EXPIRY)
    if refused is not None:
        raise from_refusal(refused)


def _new_order(face: Face, body: OrderBody, symbol: str, taken: Sequence[Fault]) -> NewOrder:
    """The order for the engine, with what the faults make of it."""
    reject = first(taken, Kind.REJECT)
    new = NewOrder(
        client_id=body.external_id,
        symbol=symbol,
        is_buy=body.is_buy,
        size=body.qty,
        price=body.price,
        tif=body.tif,
        reduce_only=body.reduce_only,
        expires_ms=body.expiry_ms,
        is_market=body.is_market,
        fill_limit=_fill_limit(face, body, symbol, taken),
        forced_reason=None if reject is None else CancelReason(reject.reason),
        extra={"nonce": str(body.nonce)},
    )
    return with_its_end(new, taken, face.exchange)


def _fill_limit(face: Face, body: OrderBody, symbol: str, taken: Sequence[Fault]) -> Decimal | None:
    """How much may fill by fault, on the market's step; a fraction above zero fills something."""
    fault = first(taken, Kind.PARTIAL_FILL, Kind.NO_FILL)
    if fault is None:
        return None
    if fault.kind is Kind.NO_FILL:
        return Decimal(0)
    step = face.exchange.rules_of(symbol).size_step
    limit = floor_to_step(body.qty * fault.fraction, step)
    return min(step, body.qty) if limit == 0 and fault.fraction > 0 else limit


def _order_to_replace(face: Face, body: OrderBody) -> OrderView | None:
    """The working order that ``cancelId`` names, which the new one replaces."""
    if body.cancel_id is None:
        return None
    view = face.exchange.order(face.account, body.cancel_id)
    if view is None or not view.is_open:
        raise ApiProblemError(errors.PREVIOUS_NOT_FOUND)
    return view


def _match_later(face: Face, order_id: int, taken: Sequence[Fault]) -> None:
    slow = first(taken, Kind.SLOW_MATCH)
    delay_s = face.options.match_delay_s if slow is None else slow.seconds

    async def match() -> None:
        await face.clock.sleep(delay_s)
        view = face.exchange.order(face.account, order_id)
        if view is not None and view.is_open:  # not cancelled or expired meanwhile
            face.exchange.match(order_id)

    face.background.launch(match(), f"match {order_id}")


async def _cancel_one(request: web.Request, face: Face, view: OrderView | None) -> Reply:
    def effect(_taken: Sequence[Fault]) -> Reply:
        if view is None:
            raise not_found("Order")
        now = face.exchange.order(face.account, view.id)
        if now is not None and now.is_open:
            face.exchange.cancel(face.account, view.id)
        return ok()

    symbol = None if view is None else view.new.symbol
    return await through(request, "cancel", effect, symbol=symbol)


def _listed(value: object) -> Sequence[object]:
    if value is None:
        return ()
    if not isinstance(value, list):
        raise ApiProblemError(errors.INVALID_PARAMETERS, debug="lists are needed")
    return value
