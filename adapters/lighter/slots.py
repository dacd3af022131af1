"""
Which transaction has used a nonce, by the venue's own list of the account's transactions. Pure.

Of one account and API key exactly one transaction can use a nonce. So a row that shows another
one with it proves that ours never executes, however late other readings are; that no row shows
one proves nothing.
"""

from collections.abc import Iterator

from adapters.lighter.fields import Row, row_of, rows_of, text_of
from adapters.lighter.orders import PAYLOAD_MAX, TX_CREATE_ORDER, json_of, tx_record


def used_by_other(
    data: object, *, account: int, key: int, nonce: int, tx_hash: str, client_index: int
) -> str | None:
    """
    The hash of the transaction, not ours, that used the nonce for good; None: no proof of one.

    None as well where a row with this nonce may be ours, or two of others are shown.

    Raises:
        UnreadableError: a row that matters is not what it always was.
    """
    rows = list(_with(data, account=account, key=key, nonce=nonce))
    if any(_may_be(row, tx_hash, client_index) for row in rows):
        return None
    used = {text_of(row, "hash") for row in rows if tx_record(row).used_its_nonce}
    return min(used) if len(used) == 1 else None


def _with(data: object, *, account: int, key: int, nonce: int) -> Iterator[Row]:
    """Rows of others, and of transactions without a key or a nonce, are left out."""
    wanted = (account, key, nonce)
    for row in rows_of(data, "txs"):
        if (row.get("account_index"), row.get("api_key_index"), row.get("nonce")) == wanted:
            yield row


def _may_be(row: Row, tx_hash: str, client_index: int) -> bool:
    """By the hash, or by our id in what was signed: the two have to agree that it is not."""
    shown = text_of(row, "hash").removeprefix("0x").lower()
    if shown == tx_hash.removeprefix("0x").lower():
        return True
    if row.get("type") != TX_CREATE_ORDER:
        return False
    info = text_of(row, "info", PAYLOAD_MAX)
    signed = row_of(json_of(info, "info of a transaction", ours=False))
    return signed.get("ClientOrderIndex") in (client_index, None)
