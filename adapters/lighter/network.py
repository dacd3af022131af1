"""
What network Lighter's options name. Loads no SDK: it is asked before anything else is.

Everything below the venue's domains that is not a test network counts as real money.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from adapters.common.hosts import network_of
from hedger.config.networks import Network, Sign

CHAINS: Final = {304: Network.MAIN, 466324: Network.MAIN, 300: Network.TEST}
TEST: Final = ("testnet.zklighter.elliot.ai", "rh-testnet.lighter.xyz")
MAIN: Final = ("elliot.ai", "lighter.xyz")


def signs(options: Mapping[str, str | int | float | bool]) -> Sequence[Sign]:
    """
    What chain and host say; an option that is missing says nothing.

    The signer takes the main chain where none is named, unless the host is a test network's.
    """
    found: list[Sign] = []
    if "url" in options:
        url = str(options["url"]).strip()
        host = network_of(url, test=TEST, main=MAIN)
        found.append(Sign(key="url", value=url, network=host, schemes=("http", "https")))
        if "chain_id" not in options and host is not Network.TEST:
            found.append(Sign(key="chain_id", value="left out", network=Network.MAIN))
    if "chain_id" in options:
        found.append(_of_chain(options["chain_id"]))
    return found


def _of_chain(value: str | float | bool) -> Sign:
    known = isinstance(value, int) and not isinstance(value, bool)
    network = CHAINS.get(int(value), Network.UNKNOWN) if known else Network.UNKNOWN
    return Sign(key="chain_id", value=str(value), network=network)
