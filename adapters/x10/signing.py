"""
From an order to the exact body that goes on the wire: built once, signed once.

The body is the text that the SDK itself would send for the same order, so that the stored
payload is evidence and can be sent again byte for byte.
"""

import hashlib
import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from x10.core.client_config import StarknetDomain
from x10.core.stark_account import StarkPerpetualAccount
from x10.models.market import L2ConfigModel, MarketModel
from x10.models.order import OrderSide, OrderType, SelfTradeProtectionLevel, TimeInForce
from x10.signing.order_object import create_order_object

from adapters.x10.fields import from_ms
from adapters.x10.wire import SigningAssets
from hedger.domain.ids import OrderId, VenueId
from hedger.domain.market import Instrument
from hedger.domain.money import is_on_step, plain
from hedger.domain.order import Order, Side
from hedger.errors import DeniedError

SALT_MAX = 2**31 - 1
"""The documentation's range; the SDK's own random salt exceeds it half of the time."""


def salt_of(order: OrderId) -> int:
    """The order's ``nonce``: 1 to 2^31-1, always the same one for the same id."""
    digest = hashlib.blake2b(order.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") % SALT_MAX + 1


def check_steps(order: Order, instrument: Instrument) -> None:
    """
    The SDK sends size and price as they are given, so they are looked at here.

    Raises:
        DeniedError: one of them is off its step.
    """
    for name, value, step in (
        ("size", order.size, instrument.size_step),
        ("price", order.limit_price, instrument.price_tick),
    ):
        if not is_on_step(value, step):
            raise DeniedError(
                order.venue,
                f"{order.id}: {name} {plain(value)} is not a whole number of {plain(step)}",
            )


def signed_body(
    order: Order,
    *,
    market: str,
    assets: SigningAssets,
    account: StarkPerpetualAccount,
    domain: StarknetDomain,
    max_fee: Decimal,
    salt: int,
    expires_at: datetime,
) -> str:
    """
    Sign a LIMIT order, immediate or cancel, and give the JSON text of ``POST /user/order``.

    ``max_fee`` is the highest fee rate that we accept, as a fraction; ``expires_at`` is on the
    venue's clock.

    Raises:
        DeniedError: the signer refused the values.
    """
    try:
        model = create_order_object(
            account=account,
            market=_market_model(market, assets),
            amount_of_synthetic=Decimal(plain(order.size)),
            price=Decimal(plain(order.limit_price)),
            side=OrderSide.BUY if order.side is Side.BUY else OrderSide.SELL,
            starknet_domain=domain,
            order_type=OrderType.LIMIT,
            post_only=False,
            expire_time=expires_at.astimezone(UTC),
            order_external_id=order.id,
            time_in_force=TimeInForce.IOC,
            self_trade_protection_level=SelfTradeProtectionLevel.ACCOUNT,
            nonce=salt,
            taker_fee=Decimal(plain(max_fee)),
            reduce_only=order.reduce_only,
        )
    except Exception as error:  # noqa: BLE001
        # whatever the signer objects to, nothing was sent; its text may quote keys
        raise DeniedError(
            order.venue, f"{order.id}: the signer refused the values ({type(error).__name__})"
        ) from None
    return json.dumps(model.to_api_request_json(exclude_none=True))


def expiry_of(venue: VenueId, payload: str) -> datetime:
    """
    The expiry that stands in the body, to the millisecond.

    Raises:
        DeniedError: the body is not one of ours.
    """
    body: dict[str, Any] = json.loads(payload)
    expiry = body.get("expiryEpochMillis")
    if not isinstance(expiry, int):
        raise DeniedError(venue, "the order's body holds no expiry")
    return from_ms(expiry)


def _market_model(name: str, assets: SigningAssets) -> MarketModel:
    """
    Just what a signature is made of.

    The SDK's whole market is not validated, because one unknown word in a field that no
    signature uses (``tradingHours``) would make the market untradable.
    """
    return MarketModel.model_construct(
        name=name,
        asset_name=assets.asset,
        asset_precision=assets.asset_precision,
        collateral_asset_name=assets.collateral,
        collateral_asset_precision=assets.collateral_precision,
        is_rfq=assets.by_request,
        l2_config=L2ConfigModel(
            type="STARKX",
            collateral_id=assets.collateral_id,
            collateral_resolution=assets.collateral_resolution,
            synthetic_id=assets.synthetic_id,
            synthetic_resolution=assets.synthetic_resolution,
        ),
    )
