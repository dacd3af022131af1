"""Options and secrets of an account: wrong in one sentence, and never shown."""

import pytest

from adapters.lighter.access import access
from hedger.domain.ids import VenueId
from hedger.errors import ConfigError

LIGHTER = VenueId("lighter")
KEY = "0x" + "5e" * 40
OPTIONS: dict[str, str | int | float | bool] = {
    "url": "http://127.0.0.1:9/",
    "account_index": 700001,
    "api_key_index": 5,
}
SECRETS = {"private_key_5": KEY, "private_key_6": KEY}


def test_one_key_serves_for_both_purposes_unless_a_second_is_named() -> None:
    one = access(LIGHTER, OPTIONS, SECRETS)
    two = access(LIGHTER, {**OPTIONS, "rollback_api_key_index": 6}, SECRETS)
    assert (one.open_key, one.close_key, set(one.keys)) == (5, 5, {5})
    assert (two.open_key, two.close_key, set(two.keys)) == (5, 6, {5, 6})
    assert one.url == "http://127.0.0.1:9"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("account_index", 0),  # the signer refuses it later and worse
        ("account_index", True),
        ("account_index", "700001"),
        ("api_key_index", 255),  # "any key"
        ("api_key_index", -1),
        ("rollback_api_key_index", 6.0),
        ("chain_id", 0),
        ("url", "ftp://host"),
        ("url", "https://host/base"),  # the signer would drop the path
        ("timeout_s", 0),
        ("timeout_s", 601),
        ("colour", "red"),
    ],
)
def test_a_wrong_option_is_named_with_its_section(key: str, value: str | float) -> None:
    with pytest.raises(ConfigError, match=f"venues.options.lighter.{key}"):
        access(LIGHTER, {**OPTIONS, key: value}, SECRETS)


@pytest.mark.parametrize("key", ["url", "account_index", "api_key_index"])
def test_a_missing_option_is_named(key: str) -> None:
    options = {name: value for name, value in OPTIONS.items() if name != key}
    with pytest.raises(ConfigError, match=f"{key} is missing"):
        access(LIGHTER, options, SECRETS)


def test_a_missing_secret_is_named() -> None:
    with pytest.raises(ConfigError, match="private_key_7"):
        access(LIGHTER, {**OPTIONS, "rollback_api_key_index": 7}, SECRETS)


def test_a_secret_is_in_no_message_and_no_repr() -> None:
    wrong = "5e" * 39 + "zz"
    with pytest.raises(ConfigError) as caught:
        access(LIGHTER, OPTIONS, {"private_key_5": wrong})
    assert wrong[:8] not in str(caught.value)
    assert "5e5e" not in repr(access(LIGHTER, OPTIONS, SECRETS))
