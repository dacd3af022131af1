"""
What a Lighter transaction and an auth token are signed over (lighter.md §7).

The hash is also the ``tx_hash`` that the venue answers with and can be asked about. The chain
id is its first element, so a transaction for another chain has another hash.
"""

from collections.abc import Mapping

from adapters.sandbox.lighter_face.schnorr import digest, limbs, short_digest
from adapters.sandbox.lighter_face.txinfo import (
    CANCEL_ALL_MARKET,
    MAX_ATTRIBUTES,
    NIL_MARKET_INDEX,
    Tx,
    TxType,
)

_LOW_32 = (1 << 32) - 1


def transaction_hash(tx: Tx, chain_id: int) -> bytes:
    """The 40 bytes that the transaction's signature covers."""
    head = [chain_id, tx.type, tx.nonce, tx.expired_at_ms, tx.account, tx.api_key_index]
    whole = digest([*head, *_body(tx)])
    pairs = _attribute_pairs(tx.attributes)
    if not pairs:
        return whole
    return digest([*limbs(whole), *limbs(digest(pairs))])


def auth_token_hash(message: str) -> bytes:
    """The 40 bytes that the signature of an auth token covers: ``expiry:account:key``."""
    return digest(limbs(message.encode()))


def _body(tx: Tx) -> list[int]:
    if tx.type is TxType.UPDATE_MARGIN:
        amount = tx.fields["USDCAmount"]
        return [
            tx.fields["MarketIndex"],
            amount & _LOW_32,
            amount >> 32,
            tx.fields["Direction"],
        ]
    if tx.type is TxType.GROUPED_ORDERS:
        return [tx.fields["GroupingType"], *_folded_orders(tx)]
    return list(tx.fields.values())


def _folded_orders(tx: Tx) -> list[int]:
    folded: list[int] = []
    for order in tx.orders:
        one = short_digest(list(order.values()))
        folded = short_digest([*folded, *one]) if folded else one
    return folded


def _attribute_pairs(attributes: Mapping[int, int]) -> list[int]:
    """Type and value of what is set to something, by type, padded to four pairs."""
    present = [
        (kind, value)
        for kind, value in sorted(attributes.items())
        if value != (NIL_MARKET_INDEX if kind == CANCEL_ALL_MARKET else 0)
    ]
    if not present:
        return []
    flat = [part for pair in present for part in pair]
    return flat + [0] * (2 * MAX_ATTRIBUTES - len(flat))
