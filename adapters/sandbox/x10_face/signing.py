"""
The Stark signature of an order, recomputed from the JSON that arrived (x10.md §6).

Only amounts, fee, expiry, nonce, vault and asset are signed; type, reduce-only, time in force
and external id are not.
"""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import ROUND_DOWN, ROUND_UP, Context, Decimal, localcontext
from typing import Final

from adapters.sandbox.engine.types import Rules

COLLATERAL_ID: Final = 0x1
COLLATERAL_RESOLUTION: Final = 1_000_000
DOMAIN_NAME: Final = "Perpetuals"
DOMAIN_VERSION: Final = "v0"
DOMAIN_REVISION: Final = "1"
SETTLEMENT_BUFFER_S: Final = 14 * 86_400

_PRECISION: Final = 28
_STARK_ORDER: Final = 0x0800000000000010FFFFFFFFFFFFFFFFB781126DCAE7B2321E66A241ADC64D2F
_ELEMENT_BOUND: Final = 1 << 251


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedTerms:
    """What the owner of the key has agreed to; rates are fractions, ``nonce`` is the salt."""

    is_buy: bool
    qty: Decimal
    price: Decimal
    fee_rate: Decimal  # with the builder's
    expiry_ms: int
    nonce: int


def _scaled(value: Decimal, resolution: int, rounding: str) -> int:
    """Whole units of an asset, rounded in a context of 28 digits as the venue's SDK does."""
    context = Context(prec=_PRECISION, rounding=rounding)
    return int(context.multiply(value, Decimal(resolution)).to_integral_value(rounding=rounding))


def order_hash(
    terms: SignedTerms, *, rules: Rules, vault: int, public_key: int, chain_id: str
) -> int:
    """
    The SNIP-12 hash of an order.

    Raises:
        ValueError: a value does not fit the signed message (64-bit amounts and salt).
    """
    import fast_stark_crypto

    rounding = ROUND_UP if terms.is_buy else ROUND_DOWN
    with localcontext(Context(prec=_PRECISION)):
        collateral = terms.qty * terms.price
        fee = terms.fee_rate * collateral
    base = _scaled(terms.qty, rules.synthetic_resolution, rounding)
    quote = _scaled(collateral, COLLATERAL_RESOLUTION, rounding)
    hashed: int = fast_stark_crypto.get_order_msg_hash(
        position_id=vault,
        base_asset_id=int(rules.synthetic_id, 16),
        base_amount=base if terms.is_buy else -base,
        quote_asset_id=COLLATERAL_ID,
        quote_amount=-quote if terms.is_buy else quote,
        fee_asset_id=COLLATERAL_ID,
        fee_amount=_scaled(fee, COLLATERAL_RESOLUTION, ROUND_UP),
        expiration=-(-terms.expiry_ms // 1000) + SETTLEMENT_BUFFER_S,
        salt=terms.nonce,
        user_public_key=public_key,
        domain_name=DOMAIN_NAME,
        domain_version=DOMAIN_VERSION,
        domain_chain_id=chain_id,
        domain_revision=DOMAIN_REVISION,
    )
    return hashed


def is_possible_signature(r: int, s: int) -> bool:
    """
    Whether the curve library can be asked about this pair at all.

    Outside of these bounds its ``verify`` does not answer False: it panics, which in Python is
    no ``Exception``, and prints a backtrace.
    """
    if not 0 < r < _ELEMENT_BOUND or not 0 < s < _ELEMENT_BOUND:
        return False
    return pow(s, -1, _STARK_ORDER) < _ELEMENT_BOUND


def is_signed_by(public_key: int, r: int, s: int, hashed: Callable[[], int]) -> bool:
    """Whether this pair signs what ``hashed`` gives; False when that cannot be hashed."""
    import fast_stark_crypto

    if not is_possible_signature(r, s):
        return False
    try:
        message = hashed()
    except ValueError:
        return False
    if message >= _ELEMENT_BOUND:  # about one hash in 2**54; the library panics here, too
        return False
    verified: bool = fast_stark_crypto.verify(public_key, message, r, s)
    return verified
