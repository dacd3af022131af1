"""
What stands in the body of an order, and whether its signature is of just that.

The signature covers amounts, fee, expiry, salt, vault and asset (x10.md §6); side, size and price
are in the amounts. The hash is made here from the body and the market's own figures, so that a
signer that was given something else, or makes something else of it, is found out.
"""

import json
from decimal import ROUND_DOWN, ROUND_UP, Context, Decimal, localcontext
from typing import Final

from x10.core.client_config import StarknetDomain

from adapters.x10.fields import Row, to_ms
from adapters.x10.names import Names
from adapters.x10.wire import SigningAssets
from hedger.domain.ids import VenueId
from hedger.domain.order import Side, SignedTerms
from hedger.errors import DeniedError

SETTLEMENT_BUFFER_S: Final = 14 * 86_400
PRECISION: Final = 28
CURVE_ORDER: Final = 0x0800000000000010FFFFFFFFFFFFFFFFB781126DCAE7B2321E66A241ADC64D2F
ELEMENT_BOUND: Final = 1 << 251


def body_of(venue: VenueId, payload: str) -> Row:
    """The JSON text that goes on the wire."""
    return Row(venue, "signed order", json.loads(payload, parse_float=Decimal))


def signed_terms(body: Row, names: Names) -> SignedTerms:
    """
    What the body of an order says.

    Raises:
        DriftError: a field is not what it always was.
    """
    return SignedTerms(
        symbol=names.symbol(body.word("market")),
        side=Side(body.word("side").lower()),
        size=body.positive("qty"),
        limit_price=body.positive("price"),
        reduce_only=body.flag_or("reduceOnly", default=False),
        immediate=(body.word("type"), body.word("timeInForce")) == ("LIMIT", "IOC"),
        account=body.row("settlement").id("collateralPosition"),
        client_id=body.id("id"),
        lane=None,
        nonce=int(body.id("nonce")),
        expires_at=body.instant("expiryEpochMillis"),
    )


def check_signature(
    body: Row,
    terms: SignedTerms,
    *,
    venue: VenueId,
    assets: SigningAssets,
    public_key: int,
    domain: StarknetDomain,
) -> None:
    """
    Hold the signature against what the body says.

    Raises:
        DeniedError: something else was signed.
    """
    settlement = body.row("settlement")
    key = int(settlement.word("starkKey"), 16)
    pair = settlement.row("signature")
    r, s = int(pair.word("r"), 16), int(pair.word("s"), 16)
    message = _hash(terms, body.decimal("fee"), assets, key, domain)
    if key != public_key or not _signs(key, r, s, message):
        raise DeniedError(
            venue, f"the signature of {terms.client_id} is not one of the order's own values"
        )


def _hash(
    terms: SignedTerms, fee_rate: Decimal, assets: SigningAssets, key: int, domain: StarknetDomain
) -> int:
    import fast_stark_crypto

    buys = terms.side is Side.BUY
    rounding = ROUND_UP if buys else ROUND_DOWN
    with localcontext(Context(prec=PRECISION)):
        collateral = terms.size * terms.limit_price
        fee = fee_rate * collateral
    base = _scaled(terms.size, assets.synthetic_resolution, rounding)
    quote = _scaled(collateral, assets.collateral_resolution, rounding)
    hashed: int = fast_stark_crypto.get_order_msg_hash(
        position_id=int(terms.account),
        base_asset_id=int(assets.synthetic_id, 16),
        base_amount=base if buys else -base,
        quote_asset_id=int(assets.collateral_id, 16),
        quote_amount=-quote if buys else quote,
        fee_asset_id=int(assets.collateral_id, 16),
        fee_amount=_scaled(fee, assets.collateral_resolution, ROUND_UP),
        expiration=-(-to_ms(terms.expires_at) // 1000) + SETTLEMENT_BUFFER_S,
        salt=terms.nonce,
        user_public_key=key,
        domain_name=domain.name,
        domain_version=domain.version,
        domain_chain_id=domain.chain_id,
        domain_revision=domain.revision,
    )
    return hashed


def _scaled(value: Decimal, resolution: int, rounding: str) -> int:
    context = Context(prec=PRECISION, rounding=rounding)
    return int(context.multiply(value, Decimal(resolution)).to_integral_value(rounding=rounding))


def _signs(key: int, r: int, s: int, message: int) -> bool:
    """Outside of these bounds, which hardly any signature has, the library panics."""
    import fast_stark_crypto

    if not (0 < r < ELEMENT_BOUND and 0 < s < ELEMENT_BOUND and message < ELEMENT_BOUND):
        return False
    if pow(s, -1, CURVE_ORDER) >= ELEMENT_BOUND:
        return False
    verified: bool = fast_stark_crypto.verify(key, message, r, s)
    return verified
