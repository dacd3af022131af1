"""Looking transactions up: by hash, by sequence index, by account (lighter.md §2)."""

from collections.abc import Mapping
from typing import Any

from aiohttp import web

from adapters.sandbox.faults import Op
from adapters.sandbox.lighter_face.errors import ApiError, Code
from adapters.sandbox.lighter_face.face import block_at
from adapters.sandbox.lighter_face.http import Query, read
from adapters.sandbox.lighter_face.shapes import ok
from adapters.sandbox.lighter_face.txlog import Entry, TxStatus
from adapters.sandbox.reply import route

PAGE = 100

routes = web.RouteTableDef()


def tx_json(entry: Entry, as_of_ms: int) -> dict[str, Any]:
    """One transaction as it stood at that instant. Status: 0 failed, 1 pending, 2 executed."""
    status = entry.status_at(as_of_ms)
    executed_ms = 0 if status is TxStatus.PENDING else entry.executed_ms or 0
    return {
        "hash": entry.hash,
        "type": int(entry.tx.type),
        "info": entry.tx.text,
        "event_info": "" if status is TxStatus.PENDING else entry.event_info,
        "status": int(status),
        "transaction_index": entry.sequence,
        "l1_address": f"0x{entry.tx.account:040x}",
        "account_index": entry.tx.account,
        "api_key_index": entry.tx.api_key_index,
        "nonce": entry.tx.nonce,
        "expire_at": entry.tx.expired_at_ms,
        "block_height": block_at(executed_ms),
        "queued_at": entry.received_ms,
        "executed_at": executed_ms,
        "sequence_index": entry.sequence,
        "parent_hash": "",
        "transaction_time": executed_ms * 1000,
        "committed_at": 0,
        "verified_at": 0,
    }


@route(routes.get, "/api/v1/tx")
@read(Op.ORDERS)
def tx(query: Query) -> Mapping[str, Any]:
    """
    One transaction. It can be found as soon as it was accepted; what became of it lags.

    Were the record itself late, "not found" would look like a nonce used by somebody else.
    """
    by, value = query.text("by"), query.text("value")
    entry: Entry | None = None
    if by == "hash":
        entry = query.face.log.by_hash(value)
    elif by == "sequence_index" and value.isascii() and value.isdecimal():
        entry = query.face.log.by_sequence(int(value))
    else:
        raise ApiError(Code.INVALID_PARAM, "by must be hash or sequence_index")
    as_of_ms = query.look.as_of_ms(Op.ORDERS)
    if entry is None or entry.received_ms > query.look.forced_ms(Op.ORDERS):
        raise ApiError(Code.TX_NOT_FOUND)
    return ok(**tx_json(entry, as_of_ms))


@route(routes.get, "/api/v1/accountTxs")
@read(Op.ORDERS)
def account_txs(query: Query) -> Mapping[str, Any]:
    """Transactions of an account, newest first, before sequence index ``index`` if given."""
    if query.text("by") != "account_index":
        raise ApiError(Code.INVALID_PARAM, "by must be account_index")
    account = whole_value(query.text("value"))
    query.authorise(account)
    limit = query.whole("limit", low=1, high=PAGE)
    before = query.whole("index", 2**62)
    types = {part for part in query.get("types", "").split(",") if part}
    as_of_ms = query.look.as_of_ms(Op.ORDERS)
    rows = [
        tx_json(entry, as_of_ms)
        for entry in query.face.log.newest_first()
        if entry.tx.account == account
        and entry.sequence < before
        and entry.received_ms <= as_of_ms
        and (not types or str(int(entry.tx.type)) in types)
    ]
    return ok(txs=rows[:limit])


def whole_value(value: str) -> int:
    """
    A whole number that stands in ``value``.

    Raises:
        ApiError: 20001 it is none.
    """
    if not (value.isascii() and value.isdecimal()):
        raise ApiError(Code.INVALID_PARAM, "value must be a whole number")
    return int(value)
