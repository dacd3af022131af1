"""The body of an order: what the SDK would send, signed so that the venue can verify it."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from fast_stark_crypto import get_order_msg_hash, get_public_key, verify
from hypothesis import given
from hypothesis import strategies as st

from adapters.x10 import wire
from adapters.x10.fields import Row, to_ms
from adapters.x10.options import Value, read_options
from adapters.x10.signing import SALT_MAX, check_steps, expiry_of, salt_of, signed_body
from hedger.domain.ids import HedgeId, OrderId, Symbol, VenueId
from hedger.domain.order import Order, Purpose, Side
from hedger.errors import ConfigError, DeniedError
from tests.unit.x10.recorded import recorded

X10 = VenueId("x10")
NOW = datetime(2026, 1, 2, 21, 30, 0, 123_456, tzinfo=UTC)
PRIVATE = 0x1F2E3D4C5B6A79881234567890ABCDEF
PUBLIC = get_public_key(PRIVATE)
OPTIONS: dict[str, Value] = {
    "api_base_url": "http://127.0.0.1:1/api/v1/",
    "stream_url": "ws://127.0.0.1:1/stream.extended.exchange/v1",
    "vault": 10002,
    "public_key": hex(PUBLIC),
    "chain_id": "SN_SEPOLIA",
}
SECRETS = {"api_key": "the-api-key", "private_key": hex(PRIVATE)}
ACCOUNT = read_options(X10, OPTIONS, SECRETS)
ORDER = Order(
    id=OrderId("btc-260102213000-k3f9-1"),
    hedge=HedgeId("btc-260102213000-k3f9"),
    venue=X10,
    symbol=Symbol("BTC"),
    purpose=Purpose.ROLLBACK,
    attempt=1,
    side=Side.SELL,
    size=Decimal("0.00123"),
    limit_price=Decimal("7.6679E+4"),
    expires_at=NOW + timedelta(seconds=10),
)


def row() -> Row:
    return Row(X10, "market", recorded("markets")["data"][0])


def body_of(order: Order, salt: int | None = None) -> str:
    return signed_body(
        order,
        market="BTC-USD",
        assets=wire.signing_assets(row()),
        account=ACCOUNT.stark_account(),
        domain=ACCOUNT.client_config(5).signing.starknet_domain,
        max_fee=Decimal("0.00025"),
        salt=salt_of(order.id) if salt is None else salt,
        expires_at=order.expires_at,
    )


def signature_holds(body: dict[str, Any]) -> bool:
    """Hash the order from its JSON as the venue does (x10.md §6)."""
    sign = -1 if body["side"] == "SELL" else 1
    amounts = {key: int(value) for key, value in body["debuggingAmounts"].items()}
    assert amounts["syntheticAmount"] == sign * int(Decimal(body["qty"]) * 1_000_000)
    message = get_order_msg_hash(
        position_id=int(body["settlement"]["collateralPosition"]),
        base_asset_id=0x4254432D3600000000000000000000,
        base_amount=amounts["syntheticAmount"],
        quote_asset_id=1,
        quote_amount=amounts["collateralAmount"],
        fee_asset_id=1,
        fee_amount=amounts["feeAmount"],
        expiration=-(-body["expiryEpochMillis"] // 1000) + 14 * 86_400,
        salt=int(body["nonce"]),
        user_public_key=int(body["settlement"]["starkKey"], 16),
        domain_name="Perpetuals",
        domain_version="v0",
        domain_chain_id="SN_SEPOLIA",
        domain_revision="1",
    )
    r, s = (int(body["settlement"]["signature"][part], 16) for part in "rs")
    return bool(verify(PUBLIC, message, r, s))


def test_the_body_says_what_the_order_says() -> None:
    body = json.loads(body_of(ORDER))
    assert body["id"] == ORDER.id
    assert body["market"] == "BTC-USD"
    assert (body["type"], body["timeInForce"], body["side"]) == ("LIMIT", "IOC", "SELL")
    assert (body["qty"], body["price"]) == ("0.00123", "76679")
    assert (body["reduceOnly"], body["postOnly"]) == (True, False)
    assert body["fee"] == "0.00025"
    assert body["nonce"] == str(salt_of(ORDER.id))
    assert body["settlement"]["collateralPosition"] == "10002"


def test_an_opening_order_is_not_reduce_only() -> None:
    assert json.loads(body_of(replace(ORDER, purpose=Purpose.OPEN)))["reduceOnly"] is False


def test_the_signature_can_be_verified_from_the_body_alone() -> None:
    assert signature_holds(json.loads(body_of(ORDER)))
    assert signature_holds(json.loads(body_of(replace(ORDER, side=Side.BUY))))


def test_a_changed_expiry_breaks_the_signature() -> None:
    body = json.loads(body_of(ORDER))
    body["expiryEpochMillis"] += 60_000
    assert not signature_holds(body)


def test_the_same_order_gives_the_same_bytes() -> None:
    assert body_of(ORDER) == body_of(ORDER)
    assert body_of(ORDER) != body_of(ORDER, salt=1)


def test_the_expiry_is_read_from_the_body_and_is_ours_to_the_millisecond() -> None:
    expires_at = expiry_of(X10, body_of(ORDER))
    assert 0 <= to_ms(expires_at) - to_ms(ORDER.expires_at) <= 1


@given(st.text(alphabet="abcdefghijklmnopqrstuvwxyz0123456789-", min_size=1, max_size=60))
def test_a_salt_is_in_the_documented_range_and_follows_from_the_id(text: str) -> None:
    assert 1 <= salt_of(OrderId(text)) <= SALT_MAX
    assert salt_of(OrderId(text)) == salt_of(OrderId(text))


def test_a_size_or_price_off_its_step_is_not_signed() -> None:
    rules = wire.instrument(X10, Symbol("BTC"), row())
    check_steps(ORDER, rules)
    with pytest.raises(DeniedError, match=r"size 0\.001234 is not a whole number of 0\.00001"):
        check_steps(replace(ORDER, size=Decimal("0.001234")), rules)
    with pytest.raises(DeniedError, match=r"price 76679\.5 is not a whole number of 1"):
        check_steps(replace(ORDER, limit_price=Decimal("76679.5")), rules)


def test_values_that_the_signer_refuses_are_an_error_and_show_no_key() -> None:
    with pytest.raises(DeniedError, match="the signer refused") as caught:
        body_of(replace(ORDER, size=Decimal(10) ** 30))
    assert hex(PRIVATE) not in str(caught.value)


def test_keys_that_belong_together_are_accepted() -> None:
    ACCOUNT.check_keys()


def test_keys_that_do_not_belong_together_are_refused_in_one_sentence() -> None:
    other = read_options(X10, OPTIONS | {"public_key": hex(get_public_key(5))}, SECRETS)
    with pytest.raises(ConfigError, match="does not belong to the private_key"):
        other.check_keys()


def test_a_public_key_that_yaml_made_a_number_of_is_understood() -> None:
    assert read_options(X10, OPTIONS | {"public_key": PUBLIC}, SECRETS).public_key == PUBLIC


def test_no_secret_is_shown() -> None:
    shown = repr(ACCOUNT)
    assert "the-api-key" not in shown
    assert str(PRIVATE) not in shown
    assert f"{PRIVATE:x}" not in shown


@pytest.mark.parametrize(
    ("options", "secrets", "complaint"),
    [
        ({"api_base_url": ""}, {}, "venues.options.x10.api_base_url is missing"),
        ({"vault": "ten"}, {}, "vault is 'ten'; give the account's l2Vault"),
        ({"vault": True}, {}, "vault is True"),
        ({"vault": -1}, {}, "vault is -1"),
        ({"public_key": "mine"}, {}, "public_key is not a Stark key"),
        ({"public_key": 0.5}, {}, "public_key is not a Stark key"),
        ({"chain_id": "SN_OTHER"}, {}, "use SN_SEPOLIA or SN_MAIN"),
        ({"order_ttl_s": 60}, {}, "order_ttl_s is 60; use 1 to 12 seconds"),
        ({"order_ttl_s": "10"}, {}, "order_ttl_s is '10'"),
        ({}, {"api_key": ""}, "the secret api_key of x10 is missing"),
        ({}, {"private_key": "0x0"}, "the secret private_key of x10 is not a Stark key"),
        ({}, {"private_key": "0x" + "f" * 64}, "private_key of x10 is not a Stark key"),
        ({}, {"private_key": "password"}, "private_key of x10 is not a Stark key"),
    ],
)
def test_a_wrong_option_is_one_sentence_without_a_secret(
    options: dict[str, Value], secrets: dict[str, str], complaint: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        read_options(X10, OPTIONS | options, SECRETS | secrets)
    assert complaint in str(caught.value)
    assert "password" not in str(caught.value)


def test_the_sdk_gets_our_hosts_and_our_time_limit() -> None:
    config = ACCOUNT.client_config(5)
    assert config.defaults.request_timeout_seconds == 5
    assert config.endpoints.api_base_order_management_url == "http://127.0.0.1:1/api/v1"
    assert config.signing.starknet_domain.chain_id == "SN_SEPOLIA"
