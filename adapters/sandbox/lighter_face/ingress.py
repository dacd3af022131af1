"""
The door for transactions: keys, signatures, nonces and API-level rules, all before any effect.

What passes is answered with code 200 and handed to the sequencer. That means accepted, not
executed (lighter.md §0.1).
"""

import base64
import itertools
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import ROUND_FLOOR, Decimal

from adapters.sandbox.engine.types import NewOrder
from adapters.sandbox.faults import Fault, Kind, first
from adapters.sandbox.keeping import with_its_end
from adapters.sandbox.lighter_face import schnorr
from adapters.sandbox.lighter_face.errors import ApiError, Code
from adapters.sandbox.lighter_face.face import Face
from adapters.sandbox.lighter_face.hashing import transaction_hash
from adapters.sandbox.lighter_face.order_rules import FORCED, check_supported, checked_order
from adapters.sandbox.lighter_face.sequencer import Sequencer
from adapters.sandbox.lighter_face.txinfo import Tx, TxType, parse
from adapters.sandbox.lighter_face.txlog import Entry

MAX_BATCH = 50
LIFE_MS = 599_000
"""The life of a transaction signed by the official SDK (lighter.md §4.1)."""

_CANCEL_ALL_SCHEDULED = 1
_CANCEL_ALL_LEAST_MS = 5 * 60_000
_CANCEL_ALL_MOST_MS = 15 * 86_400_000


@dataclass(frozen=True, slots=True)
class _Ready:
    """A transaction that has passed every check."""

    tx: Tx
    hash: str
    order: NewOrder | None


class Ingress:
    """Accepts transactions, or refuses them without effect."""

    def __init__(self, face: Face, sequencer: Sequencer) -> None:
        self._face = face
        self._sequencer = sequencer

    def accept(self, txs: Sequence[Tx], faults: Sequence[Fault] = ()) -> list[Entry]:
        """
        Take one transaction, or a batch as a whole.

        ``faults`` that act on the effect apply to the first of them.

        Raises:
            ApiError: refused; nothing was done and no nonce used.
        """
        self._check_batch(txs)
        self._check_nonces(txs)
        twisted = _twist(self._checked(txs[0]), faults, self._face)
        ready = [twisted, *(self._checked(tx) for tx in txs[1:])]
        slow = first(faults, Kind.SLOW_MATCH)
        extra_ms = round(slow.seconds * 1000) if slow is not None else 0
        return [self._take(item, extra_ms) for item in ready]

    def steal(self, victim: Tx) -> None:
        """
        Let another transaction use the nonce of ``victim`` first: a cancel that finds nothing.

        It is signed with the account's own key, as by a second program that shares it.
        """
        lane = self._face.lanes.get(victim.api_key_index)
        if lane is None or victim.nonce != lane.expected:
            return
        thief = self._forged_cancel(victim)
        tx_hash = transaction_hash(thief, self._face.owner.chain_id).hex()
        self._take(_Ready(thief, tx_hash, None), 0)

    def _checked(self, tx: Tx) -> _Ready:
        tx_hash = self._face.keys.transaction_hash(tx)
        if tx.expired_at_ms <= self._face.now_ms():
            raise ApiError(Code.INVALID_EXPIRY, "ExpiredAt has passed")
        check_supported(tx)
        order: NewOrder | None = None
        if tx.type is TxType.CREATE_ORDER:
            order = checked_order(self._face, tx, tx_hash)
        else:
            self._check_rest(tx)
        return _Ready(tx, tx_hash, order)

    def _check_rest(self, tx: Tx) -> None:
        if tx.market_id is not None:
            rules = self._face.rules(tx.market_id)
            fraction = tx.fields.get("InitialMarginFraction")
            if fraction is not None and Decimal(fraction) / 10_000 < 1 / rules.max_leverage:
                raise ApiError(Code.INVALID_MARGIN_FRACTION)
        if tx.type is TxType.CANCEL_ALL:
            _check_cancel_all(tx, self._face.now_ms())

    def _check_batch(self, txs: Sequence[Tx]) -> None:
        if not txs:
            raise ApiError(Code.BATCH_LENGTHS)
        owners = {(tx.account, tx.api_key_index) for tx in txs}
        if len(owners) > 1:
            raise ApiError(Code.BATCH_OWNERS)
        self._face.known_account(txs[0].account)

    def _check_nonces(self, txs: Sequence[Tx]) -> None:
        """Before the signatures: comparing numbers is cheap, and the order shows to nobody."""
        for before, after in itertools.pairwise(txs):
            if after.nonce != before.nonce + 1:
                raise ApiError(Code.BATCH_NONCE)
        lane = self._face.lane(txs[0].api_key_index)
        lane.check(txs[0].nonce, may_skip=txs[0].skips_nonces)

    def _take(self, ready: _Ready, extra_ms: int) -> Entry:
        face = self._face
        face.lane(ready.tx.api_key_index).take(ready.tx.nonce)
        due_ms = self._sequencer.due_ms(ready.tx, ready.order, extra_ms)
        entry = face.log.add(ready.tx, ready.hash, face.now_ms(), due_ms)
        if ready.order is not None:
            order = face.exchange.admit(ready.tx.account, ready.order)
            entry.order_id = order.id
            face.directory.accepted(order.id)
        self._sequencer.queue(entry)
        return entry

    def _forged_cancel(self, victim: Tx) -> Tx:
        key = schnorr.private_key(self._face.owner.api_keys[victim.api_key_index])
        body = {
            "AccountIndex": victim.account,
            "ApiKeyIndex": victim.api_key_index,
            "MarketIndex": victim.market_id or 0,
            "Index": 1,
            "ExpiredAt": self._face.now_ms() + LIFE_MS,
            "Nonce": victim.nonce,
            "Sig": base64.b64encode(bytes(schnorr.SIGNATURE_BYTES)).decode(),
            "L2TxAttributes": None,
        }
        unsigned = parse(TxType.CANCEL_ORDER, json.dumps(body))
        signature = schnorr.sign(key, transaction_hash(unsigned, self._face.owner.chain_id))
        body["Sig"] = base64.b64encode(signature).decode()
        return parse(TxType.CANCEL_ORDER, json.dumps(body))


def _check_cancel_all(tx: Tx, now_ms: int) -> None:
    at_ms = tx.fields["Time"]
    if tx.fields["TimeInForce"] != _CANCEL_ALL_SCHEDULED:
        if at_ms:
            raise ApiError(Code.CANCEL_ALL_TIME)
        return
    if not now_ms + _CANCEL_ALL_LEAST_MS <= at_ms <= now_ms + _CANCEL_ALL_MOST_MS:
        raise ApiError(Code.CANCEL_ALL_TIME)


def _twist(ready: _Ready, faults: Sequence[Fault], face: Face) -> _Ready:
    """Put into the order what a fault wants to happen to it at the match."""
    order = ready.order
    if order is not None:
        order = with_its_end(order, faults, face.exchange)
        ready = replace(ready, order=order)
    fault = first(faults, Kind.REJECT, Kind.PARTIAL_FILL, Kind.NO_FILL)
    if order is None or fault is None:
        return ready
    if fault.kind is Kind.REJECT:
        return replace(ready, order=replace(order, forced_reason=FORCED[fault.reason]))
    share = fault.fraction if fault.kind is Kind.PARTIAL_FILL else Decimal(0)
    step = face.exchange.rules_of(order.symbol).size_step
    limit = (order.size * share / step).to_integral_value(rounding=ROUND_FLOOR) * step
    if limit == 0 and share > 0:  # a share above zero fills something
        limit = min(step, order.size)
    return replace(ready, order=replace(order, fill_limit=limit))
