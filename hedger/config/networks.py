"""
Whether a configuration trades real money: by its word, and by the chains and hosts it names.

The word ``environment`` alone proves nothing: a file that was copied and changed in half says
"testnet" and signs for a main chain. So each adapter says what network every one of its options
leads to, and here they are held against the word and against each other. What nobody knows
counts as real money.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from hedger.config.addresses import fault_of
from hedger.domain.ids import VenueId
from hedger.errors import ConfigError

MAINNET: Final = "mainnet"
SANDBOX: Final = "sandbox"


class Network(StrEnum):
    """What an option of a venue leads to."""

    MAIN = "main"  # real money
    TEST = "test"
    LOCAL = "local"  # this machine, which may hand on to anywhere
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sign:
    """
    What one option of a venue says about its network.

    ``schemes``, without and with TLS, are those of an option that is an address.
    """

    key: str
    value: str
    network: Network
    schemes: tuple[str, str] | None = None

    def text(self, venue: VenueId) -> str:
        """The option and its value, for a sentence."""
        return f"venues.options.{venue}.{self.key} is {self.value!r}"


Signs = Mapping[VenueId, Sequence[Sign]]


def real_money(environment: str, signs: Signs) -> bool:
    """
    Whether real money is traded; every command that may send, and every crash point, asks here.

    Raises:
        ConfigError: word, chains and hosts contradict each other, or an address is not
            encrypted; the text names the key, the value and the remedy.
    """
    _refuse_mixtures(environment, signs)
    main = environment == MAINNET or any(_counts_as_main(found) for found in signs.values())
    _refuse_unencrypted(signs, plain_here=not main)
    return main


def _counts_as_main(found: Sequence[Sign]) -> bool:
    """One main sign is enough; where nothing says test, neither is it one."""
    networks = {sign.network for sign in found}
    return Network.MAIN in networks or (bool(networks) and Network.TEST not in networks)


def _refuse_mixtures(environment: str, signs: Signs) -> None:
    for venue, found in signs.items():
        for sign in found:
            if environment == MAINNET and sign.network is Network.TEST:
                raise ConfigError(
                    f"environment is mainnet, but {sign.text(venue)}, which is a test network; "
                    "take every option of both venues from one shipped file"
                )
            if environment != MAINNET and sign.network is Network.MAIN:
                raise ConfigError(
                    f"environment is {environment}, but {sign.text(venue)}, which trades real "
                    "money; take every option of both venues from one shipped file, or write "
                    "environment: mainnet if real money is meant"
                )
        if environment not in {MAINNET, SANDBOX} and _counts_as_main(found):
            told = " and ".join(sign.text(venue) for sign in found)
            raise ConfigError(
                f"environment is {environment}, but {told}: none of these is a test network that "
                "hedger knows, so it counts as real money; name a test chain, or write "
                "environment: mainnet if real money is meant"
            )


def _refuse_unencrypted(signs: Signs, *, plain_here: bool) -> None:
    for venue, found in signs.items():
        for sign in found:
            if sign.schemes is None:
                continue
            if fault := fault_of(sign.value, *sign.schemes, plain_here=plain_here):
                raise ConfigError(f"{sign.text(venue)}: {fault}")
