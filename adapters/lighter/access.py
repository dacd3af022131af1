"""How to reach one Lighter account: the options and secrets of the configuration, checked."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

from hedger.domain.ids import VenueId
from hedger.errors import ConfigError

Options = Mapping[str, str | int | float | bool]

KNOWN: Final = frozenset(
    {
        "url",
        "account_index",
        "api_key_index",
        "rollback_api_key_index",
        "chain_id",
        "timeout_s",
        "read_lag_s",
        "tier",  # adapters/lighter/limits.py
    }
)

MAX_KEY_INDEX: Final = 254  # 255 means "any key" to the signer
PRIVATE_KEY: Final = re.compile(r"(0x)?[0-9a-fA-F]{80}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """
    Checked options of one account.

    ``keys`` maps API key indexes to private keys and is not shown by ``repr``.
    """

    url: str
    account_index: int
    open_key: int
    close_key: int
    chain_id: int | None
    timeout_s: float
    read_lag_s: float
    keys: Mapping[int, str] = field(repr=False)


def access(venue: VenueId, options: Options, secrets: Mapping[str, str]) -> Access:
    """
    Check the options and pick the private keys.

    Raises:
        ConfigError: one sentence with the key, the value and the remedy.
    """
    reader = _Reader(venue, options)
    open_key = reader.whole("api_key_index", least=0, most=MAX_KEY_INDEX)
    close_key = reader.whole(
        "rollback_api_key_index", least=0, most=MAX_KEY_INDEX, default=open_key
    )
    return Access(
        url=reader.url(),
        account_index=reader.whole("account_index", least=1, most=2**48 - 1),
        open_key=open_key,
        close_key=close_key,
        chain_id=reader.whole("chain_id", least=1, most=2**31 - 1)
        if "chain_id" in options
        else None,
        timeout_s=reader.seconds("timeout_s", 5.0),
        read_lag_s=reader.seconds("read_lag_s", 5.0),
        keys={
            index: _private_key(venue, secrets, index) for index in sorted({open_key, close_key})
        },
    )


class _Reader:
    def __init__(self, venue: VenueId, options: Options) -> None:
        self._where = f"venues.options.{venue}"
        self._options = options
        for key in options:
            if key not in KNOWN:
                raise ConfigError(
                    f"{self._where}.{key} is not a known key; use one of {', '.join(sorted(KNOWN))}"
                )

    def whole(self, key: str, *, least: int, most: int, default: int | None = None) -> int:
        value = self._options.get(key, default)
        if value is None:
            raise ConfigError(f"{self._where}.{key} is missing; add it")
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise ConfigError(
                f"{self._where}.{key} is {value!r}, which is not allowed: "
                f"give a whole number from {least} to {most}"
            )
        return value

    def seconds(self, key: str, default: float) -> float:
        value = self._options.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= 600:
            raise ConfigError(
                f"{self._where}.{key} is {value!r}, which is not allowed: "
                "give seconds above 0, at most 600"
            )
        return float(value)

    def url(self) -> str:
        value = self._options.get("url")
        if value is None:
            raise ConfigError(f"{self._where}.url is missing; add it")
        parts = urlsplit(str(value))
        # The signer's Go code would overwrite a path silently (lighter.md §6).
        if parts.scheme not in ("http", "https") or not parts.netloc or parts.path.strip("/"):
            raise ConfigError(
                f"{self._where}.url is {value!r}, which is not allowed: "
                "give scheme and host only, such as https://mainnet.zklighter.elliot.ai"
            )
        return f"{parts.scheme}://{parts.netloc}"


def _private_key(venue: VenueId, secrets: Mapping[str, str], index: int) -> str:
    name = f"private_key_{index}"
    key = secrets.get(name)
    if not key:
        raise ConfigError(
            f"the secret {name} of {venue} is missing; give the key of API key {index},"
            " see Keys in config/README.md"
        )
    if not PRIVATE_KEY.fullmatch(key):  # its text is never shown
        raise ConfigError(
            f"secret {name} of {venue} is not a Lighter API private key: give its 80 hex digits"
        )
    return key
