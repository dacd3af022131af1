"""
What was signed, held against what was ordered, before a byte of it leaves.

A signer is foreign code that takes whole numbers without a unit: one that cuts a market's number
or wraps a price signs something else than it was given, and says nothing.
"""

from collections.abc import Iterator

from hedger.domain.money import plain
from hedger.domain.order import Prepared


def objection(prepared: Prepared, nonce: int | None) -> str:
    """Why the bytes are not sent, in one sentence; empty where they say what was ordered."""
    found = list(_differences(prepared, nonce))
    if not found:
        return ""
    return f"the signed bytes of order {prepared.order.id} are not the order: {'; '.join(found)}"


def _differences(prepared: Prepared, nonce: int | None) -> Iterator[str]:
    order, signed = prepared.order, prepared.signed
    if signed is None:
        yield "what was signed is not told"
        return
    for name, said, meant in (
        ("market", str(signed.symbol), str(order.symbol)),
        ("side", str(signed.side), str(order.side)),
        ("size", plain(signed.size), plain(order.size)),
        ("price", plain(signed.limit_price), plain(order.limit_price)),
        ("reduce-only", str(signed.reduce_only), str(order.reduce_only)),
        ("immediate", str(signed.immediate), str(True)),
        ("account", signed.account, prepared.account),
        ("client id", signed.client_id, prepared.client_id),
        ("lane", str(signed.lane), str(prepared.lane)),
        ("expiry", signed.expires_at.isoformat(), prepared.expires_at.isoformat()),
    ):
        if said != meant:
            yield f"{name} {said} instead of {meant}"
    wanted = prepared.nonce if nonce is None else nonce
    if signed.nonce != wanted:
        yield f"nonce {signed.nonce} instead of {wanted}"
