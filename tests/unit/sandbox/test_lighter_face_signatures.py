"""Hashes and signatures against the shipped binary of the official SDK."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from typing import Any

import lighter
import pytest
from lighter.nonce_manager import NonceManagerType
from lighter.signer_client import CreateOrderTxReq

from adapters.sandbox.lighter_face import schnorr
from adapters.sandbox.lighter_face.errors import ApiError
from adapters.sandbox.lighter_face.hashing import auth_token_hash, transaction_hash
from adapters.sandbox.lighter_face.keyring import KeyRing
from adapters.sandbox.lighter_face.txinfo import parse
from tests.unit.sandbox.lighter_face_venue import ACCOUNT, KEY, KEYS

EXPIRY_MS = 1_900_000_000_000
LARGE_MARKET = 70_000


@pytest.fixture
async def signer() -> AsyncIterator[lighter.SignerClient]:
    client = lighter.SignerClient(
        url="http://127.0.0.1:1",
        account_index=ACCOUNT,
        api_private_keys=dict(KEYS.api_keys),
        nonce_management_type=NonceManagerType.NONE,
        chain_id=KEYS.chain_id,
    )
    yield client
    await client.close()


def _grouped() -> list[Any]:
    def order(**fields: int) -> Any:
        common = {"MarketIndex": 0, "ClientOrderIndex": 0, "OrderExpiry": EXPIRY_MS}
        return CreateOrderTxReq(**(common | fields))

    entry = order(
        BaseAmount=1000, Price=3000, IsAsk=0, Type=0, TimeInForce=1, ReduceOnly=0, TriggerPrice=0
    )
    exits = [
        order(
            BaseAmount=0,
            Price=3000,
            IsAsk=1,
            Type=kind,
            TimeInForce=0,
            ReduceOnly=1,
            TriggerPrice=trigger,
        )
        for kind, trigger in ((4, 3100), (2, 2900))
    ]
    return [entry, *exits]


SIGNED = {
    "market order": ("create_order", (0, 123, 1000, 300_000, 1, 1, 0), {"order_expiry": 0}),
    "resting order that may skip nonces": (
        "create_order",
        (LARGE_MARKET, 2**48 - 1, 2**48 - 1, 2**32 - 1, 0, 0, 2),
        {"skip_nonce": 1},
    ),
    "cancel": ("cancel_order", (0, 123), {}),
    "cancel all": ("cancel_all_orders", (0, 0), {}),
    "cancel all of one market": ("cancel_all_orders", (0, 0, 3), {}),
    "modification": ("modify_order", (0, 123, 1000, 2000), {}),
    "leverage": ("update_leverage", (0, 500, 0), {}),
    "margin above 32 bits": ("update_margin", (0, 5 << 33, 1), {}),
    "grouped orders": ("create_grouped_orders", (3, _grouped()), {}),
}


@pytest.mark.parametrize("name", SIGNED)
async def test_the_hash_is_the_signers_and_its_signature_is_valid(
    signer: lighter.SignerClient, name: str
) -> None:
    method, args, kwargs = SIGNED[name]
    sign = getattr(signer, f"sign_{method}")
    tx_type, info, tx_hash, error = await asyncio.to_thread(
        sign, *args, nonce=5, api_key_index=KEY, **kwargs
    )
    assert error is None

    tx = parse(tx_type, info)
    message = transaction_hash(tx, KEYS.chain_id)

    assert message.hex() == tx_hash
    assert schnorr.verify(KEYS.public_keys[KEY], message, tx.signature)


async def test_another_chain_another_amount_or_another_key_is_not_what_was_signed(
    signer: lighter.SignerClient,
) -> None:
    tx_type, info, _, _ = await asyncio.to_thread(
        signer.sign_cancel_order, 0, 123, nonce=5, api_key_index=KEY
    )
    tx = parse(tx_type, info)
    public = KEYS.public_keys[KEY]
    tampered = parse(tx_type, info.replace('"Index":123', '"Index":124'))

    assert not schnorr.verify(public, transaction_hash(tx, 304), tx.signature)
    assert not schnorr.verify(public, transaction_hash(tampered, KEYS.chain_id), tx.signature)
    assert not schnorr.verify(
        KEYS.public_keys[KEY + 1], transaction_hash(tx, KEYS.chain_id), tx.signature
    )


async def test_auth_tokens_of_the_sdk_are_valid_until_they_expire(
    signer: lighter.SignerClient,
) -> None:
    now_s = 1_900_000_000
    ring = KeyRing(KEYS, KEYS.public_keys, verify=True, max_auth_s=8 * 3600)
    token, _ = await asyncio.to_thread(
        signer.create_auth_token_with_expiry, 600, timestamp=now_s, api_key_index=KEY
    )
    message, _, signature = token.rpartition(":")

    assert schnorr.verify(KEYS.public_keys[KEY], auth_token_hash(message), bytes.fromhex(signature))
    ring.authorise(token, ACCOUNT, now_s)
    for late, owner in ((now_s + 600, ACCOUNT), (now_s, ACCOUNT + 1), (now_s - 30_000, ACCOUNT)):
        with pytest.raises(ApiError, match="20013"):
            ring.authorise(token, owner, late)
    with pytest.raises(ApiError, match="20013"):
        ring.authorise(token.replace(f"{now_s + 600}", f"{now_s + 700}"), ACCOUNT, now_s)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"Sig": "AAAA"}, 21120),
        ({"Sig": None}, 21120),
        ({"Nonce": -1}, 21104),
        ({"Nonce": True}, 21501),
        ({"Price": 0}, 21702),
        ({"Price": 2**32}, 21702),
        ({"IsAsk": 2}, 21703),
        ({"TimeInForce": 3}, 21705),
        ({"ClientOrderIndex": 2**48}, 21727),
        ({"BaseAmount": "1"}, 21501),
        ({"L2TxAttributes": {"x": 1}}, 21501),
    ],
)
def test_fields_out_of_range_get_the_code_of_the_field(change: dict[str, Any], code: int) -> None:
    body = {
        "AccountIndex": ACCOUNT,
        "ApiKeyIndex": KEY,
        "MarketIndex": 0,
        "ClientOrderIndex": 1,
        "BaseAmount": 1,
        "Price": 1,
        "IsAsk": 0,
        "Type": 0,
        "TimeInForce": 0,
        "ReduceOnly": 0,
        "TriggerPrice": 0,
        "OrderExpiry": 0,
        "ExpiredAt": EXPIRY_MS,
        "Nonce": 0,
        "Sig": base64.b64encode(bytes(80)).decode(),
        "L2TxAttributes": None,
    }
    with pytest.raises(ApiError) as refused:
        parse(14, json.dumps(body | change))
    assert refused.value.code == code


def test_a_signature_of_the_sandbox_itself_is_valid() -> None:
    message = schnorr.digest([1, 2, 3])
    signature = schnorr.sign(schnorr.private_key(KEYS.api_keys[KEY]), message)
    assert schnorr.verify(KEYS.public_keys[KEY], message, signature)
