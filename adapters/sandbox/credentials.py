"""
The keys of the two sandbox accounts. Worth nothing elsewhere, and still kept owner-only.

They are drawn by the operating system, or from a seed where a test asks for the same keys again.
"""

import random
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from adapters.sandbox.lighter_face import schnorr

X10_VAULT: Final = 10_002
X10_CHAIN_ID: Final = "SN_SEPOLIA"
X10_API_KEY_BYTES: Final = 16
STARK_ORDER: Final = 0x0800000000000010FFFFFFFFFFFFFFFFB781126DCAE7B2321E66A241ADC64D2F

LIGHTER_ACCOUNT: Final = 700_001
ACCOUNTS: Final = 100_000  # how many different accounts chance picks from
LIGHTER_CHAIN_ID: Final = (
    300  # of the test network: nothing signed here is worth anything elsewhere
)
LIGHTER_KEY_INDEXES: Final = (5, 6, 7)

RandBelow = Callable[[int], int]


@dataclass(frozen=True, slots=True)
class X10Credentials:
    """One X10 sub-account. Keys are hex texts with ``0x``."""

    api_key: str = field(repr=False)
    private_key: str = field(repr=False)
    public_key: str
    vault: int = X10_VAULT
    chain_id: str = X10_CHAIN_ID


@dataclass(frozen=True, slots=True)
class LighterCredentials:
    """
    One Lighter account with several API keys.

    Private keys are ``0x`` and 80 hex digits; public keys are 80 hex digits without ``0x``, as
    the venue shows them.
    """

    account_index: int
    api_keys: Mapping[int, str] = field(repr=False)  # index -> private key
    public_keys: Mapping[int, str]
    chain_id: int = LIGHTER_CHAIN_ID

    @property
    def api_key_index(self) -> int:
        """The first key."""
        return next(iter(self.api_keys))


@dataclass(frozen=True, slots=True)
class Credentials:
    """Both accounts."""

    x10: X10Credentials
    lighter: LighterCredentials

    def announcement(self, x10_url: str, lighter_url: str, control_url: str) -> dict[str, Any]:
        """What ``hedger sandbox`` prints when it is ready (and keeps in ``HEDGER_HOME``)."""
        x10, lighter = self.x10, self.lighter
        stream = x10_url.replace("http://", "ws://", 1)
        return {
            "x10": {
                "api_base_url": f"{x10_url}/api/v1",
                "stream_url": f"{stream}/stream.extended.exchange/v1",
                "api_key": x10.api_key,
                "public_key": x10.public_key,
                "private_key": x10.private_key,
                "vault": x10.vault,
                "chain_id": x10.chain_id,
            },
            "lighter": {
                "url": lighter_url,
                "account_index": lighter.account_index,
                "api_key_index": lighter.api_key_index,
                "private_key": lighter.api_keys[lighter.api_key_index],
                "api_keys": {str(index): key for index, key in lighter.api_keys.items()},
                "chain_id": lighter.chain_id,
            },
            "control_url": control_url,
        }


def generate(seed: int | None = None) -> Credentials:
    """New credentials; with a seed always the same ones (tests only)."""
    if seed is None:
        # A new sandbox is a new account: what an old ledger knows of the former one's nonces,
        # orders and trades must not be taken for this one's.
        offset = secrets.randbelow(ACCOUNTS)
        return _credentials(secrets.randbelow, X10_VAULT + offset, LIGHTER_ACCOUNT + offset)
    return _credentials(random.Random(seed).randrange, X10_VAULT, LIGHTER_ACCOUNT)  # noqa: S311 - a seed is asked for by tests that want known keys


def _credentials(below: RandBelow, vault: int, account_index: int) -> Credentials:
    return Credentials(x10=_x10(below, vault), lighter=_lighter(below, account_index))


def _x10(below: RandBelow, vault: int) -> X10Credentials:
    import fast_stark_crypto

    private = 1 + below(STARK_ORDER - 1)
    return X10Credentials(
        api_key=f"{below(1 << 8 * X10_API_KEY_BYTES):032x}",
        private_key=hex(private),
        public_key=hex(fast_stark_crypto.get_public_key(private)),
        vault=vault,
    )


def _lighter(below: RandBelow, account_index: int) -> LighterCredentials:
    private = {index: 1 + below(schnorr.ORDER - 1) for index in LIGHTER_KEY_INDEXES}
    return LighterCredentials(
        account_index=account_index,
        api_keys={index: f"0x{key.to_bytes(40, 'little').hex()}" for index, key in private.items()},
        public_keys={index: schnorr.public_key(key) for index, key in private.items()},
    )
