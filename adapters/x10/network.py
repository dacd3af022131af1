"""
What network X10's options name. Loads no SDK: it is asked before anything else is.

Everything below the venue's domains that is not the test network counts as real money.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from adapters.common.hosts import network_of
from hedger.config.networks import Network, Sign

CHAINS: Final = {"SN_MAIN": Network.MAIN, "SN_SEPOLIA": Network.TEST}
TEST: Final = ("sepolia.extended.exchange",)
MAIN: Final = ("extended.exchange", "x10.exchange")
ADDRESSES: Final = {"api_base_url": ("http", "https"), "stream_url": ("ws", "wss")}


def signs(options: Mapping[str, str | int | float | bool]) -> Sequence[Sign]:
    """What chain and hosts say; an option that is missing says nothing."""
    found = [
        Sign(
            key=key,
            value=str(options[key]).strip(),
            network=network_of(str(options[key]).strip(), test=TEST, main=MAIN),
            schemes=schemes,
        )
        for key, schemes in ADDRESSES.items()
        if key in options
    ]
    if "chain_id" in options:
        chain = str(options["chain_id"]).strip()
        network = CHAINS.get(chain, Network.UNKNOWN)
        found.insert(0, Sign(key="chain_id", value=chain, network=network))
    return found
