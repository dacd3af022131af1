"""``sendTx`` and ``sendTxBatch``, over HTTP and over the stream, with their faults."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from aiohttp import web

from adapters.sandbox.faults import Fault, Kind, Op, first
from adapters.sandbox.lighter_face.errors import ApiError, Code
from adapters.sandbox.lighter_face.face import FACE, VENUE, Face
from adapters.sandbox.lighter_face.http import strike_after, strike_before
from adapters.sandbox.lighter_face.ingress import MAX_BATCH, Ingress
from adapters.sandbox.lighter_face.txinfo import Tx, TxType, parse
from adapters.sandbox.lighter_face.txlog import Entry
from adapters.sandbox.reply import Reply, of_json, route

INGRESS: web.AppKey[Ingress] = web.AppKey("lighter_ingress", Ingress)

NO_QUOTA_USED = json.dumps({"ratelimit": "didn't use volume quota"})

_OPS = {
    TxType.CREATE_ORDER: Op.ORDER,
    TxType.MODIFY_ORDER: Op.ORDER,
    TxType.GROUPED_ORDERS: Op.ORDER,
    TxType.CANCEL_ORDER: Op.CANCEL,
    TxType.CANCEL_ALL: Op.CANCEL,
}

routes = web.RouteTableDef()


@route(routes.post, "/api/v1/sendTx")
async def send_tx(request: web.Request) -> Reply:
    """One signed transaction, form-encoded: ``tx_type``, ``tx_info``, ``price_protection``."""
    form = await request.post()
    tx = parse(_tx_type(form.get("tx_type")), _text(form.get("tx_info")))
    return await _send(request, [tx], is_batch=False)


@route(routes.post, "/api/v1/sendTxBatch")
async def send_tx_batch(request: web.Request) -> Reply:
    """Up to 50 transactions of one key: ``tx_types`` and ``tx_infos`` are JSON arrays."""
    form = await request.post()
    txs = parse_batch(_text(form.get("tx_types")), _text(form.get("tx_infos")), MAX_BATCH)
    return await _send(request, txs, is_batch=True)


async def _send(request: web.Request, txs: Sequence[Tx], *, is_batch: bool) -> Reply:
    face, ingress = request.app[FACE], request.app[INGRESS]
    faults = faults_of(face, txs[0])
    struck = strike_before(request, faults)
    if struck is not None:
        return struck
    entries = accept(ingress, txs, faults)
    reply = of_json(answer(entries, is_batch=is_batch))
    return await strike_after(request, faults, reply)


def faults_of(face: Face, tx: Tx) -> list[Fault]:
    """
    The faults for a request; a batch counts once, as its first transaction.

    Leverage and margin transactions are neither orders nor cancels and meet no faults but an
    outage.
    """
    op = _OPS.get(tx.type)
    if op is None:
        return []
    symbol = None if tx.market_id is None else face.exchange.symbol_of_id(tx.market_id)
    return face.faults.take(
        VENUE, op, symbol, reduce_only=tx.reduce_only, api_key_index=tx.api_key_index
    )


def accept(ingress: Ingress, txs: Sequence[Tx], faults: Sequence[Fault]) -> list[Entry]:
    """
    Hand transactions to the ingress, after the faults that come before it.

    Raises:
        ApiError: refused, by the rules or by a fault.
    """
    if first(faults, Kind.STEAL_NONCE) is not None:
        ingress.steal(txs[0])
    refuse = first(faults, Kind.REFUSE)
    if refuse is not None:
        error = ApiError(refuse.code, status=refuse.status)
        error.message = refuse.message or error.message
        raise error
    return ingress.accept(txs, faults)


def answer(entries: Sequence[Entry], *, is_batch: bool) -> Mapping[str, Any]:
    """Code 200: accepted. ``predicted_execution_time_ms`` is an instant, not a duration."""
    return {
        "code": 200,
        "message": NO_QUOTA_USED,
        "tx_hash": [entry.hash for entry in entries] if is_batch else entries[0].hash,
        "predicted_execution_time_ms": entries[-1].due_ms,
    }


def parse_batch(tx_types: str, tx_infos: str, most: int) -> list[Tx]:
    """
    Read a batch from its two JSON arrays.

    Raises:
        ApiError: 21513 lengths differ, 21514 too long, 21501 malformed.
    """
    types, infos = _array(tx_types), _array(tx_infos)
    if len(types) != len(infos) or not types:
        raise ApiError(Code.BATCH_LENGTHS)
    if len(types) > most:
        raise ApiError(Code.BATCH_TOO_LONG)
    return [parse(_tx_type(kind), _text(info)) for kind, info in zip(types, infos, strict=True)]


def _array(text: str) -> list[Any]:
    try:
        value = json.loads(text)
    except ValueError:
        raise ApiError(Code.INVALID_TX_INFO, "not JSON") from None
    if not isinstance(value, list):
        raise ApiError(Code.INVALID_TX_INFO, "not an array")
    return value


def _tx_type(value: object) -> int:
    if isinstance(value, str) and value.isascii() and value.isdecimal():
        return int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise ApiError(Code.INVALID_PARAM, "tx_type must be a whole number")


def _text(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise ApiError(Code.INVALID_PARAM, "tx_info is missing")
    return value
