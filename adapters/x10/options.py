"""What the configuration says about our X10 account, checked before anything is opened."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Final

from fast_stark_crypto import get_public_key
from x10.config import MAINNET_CONFIG, TESTNET_CONFIG
from x10.core.client_config import ClientConfig
from x10.core.stark_account import StarkPerpetualAccount

from hedger.domain.ids import VenueId
from hedger.errors import ConfigError

Value = str | int | float | bool

KNOWN: Final = frozenset(
    {"api_base_url", "stream_url", "vault", "public_key", "chain_id", "order_ttl_s"}
)

TTL_S: Final = 5.0
TTL_MAX_S: Final = 12.0
"""An order that may live longer would keep an unanswered send undecided for too long."""

CHAINS: Final[Mapping[str, ClientConfig]] = {
    "SN_SEPOLIA": TESTNET_CONFIG,
    "SN_MAIN": MAINNET_CONFIG,
}
CURVE_ORDER: Final = 0x800000000000010FFFFFFFFFFFFFFFFB781126DCAE7B2321E66A241ADC64D2F
"""The order of the Stark curve: a private key is above zero and below it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountOptions:
    """Options and secrets of one account. Its ``repr`` shows no secret."""

    venue: VenueId
    api_base_url: str
    stream_url: str | None
    vault: int
    public_key: int
    chain_id: str
    order_ttl_s: float
    api_key: str = field(repr=False)
    private_key: int = field(repr=False)

    def check_keys(self) -> None:
        """
        Prove that the two keys belong together; the SDK does not look (x10.md §5).

        Raises:
            ConfigError: they do not.
        """
        if _public_key_of(self.private_key) != self.public_key:
            raise ConfigError(
                f"venues.options.{self.venue}.public_key does not belong to the private_key in "
                f"the secrets of {self.venue}; take both from the same X10 API key"
            )

    def client_config(self, timeout_s: float) -> ClientConfig:
        """The SDK's configuration with our hosts, and our time limit for its 500 s."""
        base = CHAINS[self.chain_id]
        url = self.api_base_url
        stream = self.stream_url or base.endpoints.stream_url
        return replace(
            base,
            defaults=replace(base.defaults, request_timeout_seconds=timeout_s),
            endpoints=replace(
                base.endpoints,
                api_base_url=url,
                api_base_order_management_url=url,
                stream_url=stream,
                onboarding_url=url.removesuffix("/api/v1"),
            ),
        )

    def stark_account(self) -> StarkPerpetualAccount:
        """The SDK's signer."""
        return StarkPerpetualAccount(
            vault=self.vault,
            private_key=hex(self.private_key),
            public_key=hex(self.public_key),
            api_key=self.api_key,
        )


@lru_cache(maxsize=4)
def _public_key_of(private_key: int) -> int:
    """Takes two milliseconds, and an account is opened more than once in a process."""
    return int(get_public_key(private_key))


def read_options(
    venue: VenueId, options: Mapping[str, Value], secrets: Mapping[str, str]
) -> AccountOptions:
    """
    Check what was configured.

    Raises:
        ConfigError: something is missing or cannot be used; the text names it and the remedy,
            and never shows a secret.
    """
    where = f"venues.options.{venue}"
    for key in options:
        if key not in KNOWN:
            raise ConfigError(
                f"{where}.{key} is not a known key; use one of {', '.join(sorted(KNOWN))}"
            )
    chain_id = _text(where, options, "chain_id")
    if chain_id not in CHAINS:
        raise ConfigError(f"{where}.chain_id is {chain_id!r}; use SN_SEPOLIA or SN_MAIN")
    ttl_s = options.get("order_ttl_s", TTL_S)
    if isinstance(ttl_s, str | bool) or not 1 <= ttl_s <= TTL_MAX_S:
        raise ConfigError(f"{where}.order_ttl_s is {ttl_s!r}; use 1 to {TTL_MAX_S:g} seconds")
    stream_url = _text(where, options, "stream_url") if "stream_url" in options else None
    return AccountOptions(
        venue=venue,
        api_base_url=_text(where, options, "api_base_url").rstrip("/"),
        stream_url=stream_url,
        vault=_vault(where, options),
        public_key=_public_key(where, options),
        chain_id=chain_id,
        order_ttl_s=float(ttl_s),
        api_key=_secret(venue, secrets, "api_key"),
        private_key=_private_key(venue, secrets),
    )


def _text(where: str, options: Mapping[str, Value], key: str) -> str:
    value = options.get(key)
    if not isinstance(value, str) or not value.strip():
        raise ConfigError(f"{where}.{key} is missing; add it as a text")
    return value.strip()


def _vault(where: str, options: Mapping[str, Value]) -> int:
    value = options.get("vault")
    if isinstance(value, str) and value.isascii() and value.isdigit():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or value <= 0:
        raise ConfigError(f"{where}.vault is {value!r}; give the account's l2Vault, a number")
    return value


def _public_key(where: str, options: Mapping[str, Value]) -> int:
    """A key written without quotes reaches us as the number that YAML made of it."""
    value = options.get("public_key")
    number = _hex(value) if isinstance(value, str) else value
    if isinstance(number, bool | float) or not number or number <= 0:
        raise ConfigError(f"{where}.public_key is not a Stark key; give it as 0x and hex digits")
    return number


def _private_key(venue: VenueId, secrets: Mapping[str, str]) -> int:
    number = _hex(_secret(venue, secrets, "private_key"))
    if number is None or not 0 < number < CURVE_ORDER:
        raise ConfigError(
            f"the secret private_key of {venue} is not a Stark key; give it as 0x and hex digits"
        )
    return number


def _secret(venue: VenueId, secrets: Mapping[str, str], key: str) -> str:
    value = secrets.get(key, "").strip()
    if not value:
        raise ConfigError(f"the secret {key} of {venue} is missing; see Keys in config/README.md")
    return value


def _hex(text: str) -> int | None:
    try:
        return int(text.strip(), 16)
    except ValueError:
        return None
