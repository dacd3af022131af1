"""What network a configured address leads to, by the domains of a venue."""

from collections.abc import Collection

from hedger.config.addresses import host_of, is_this_machine
from hedger.config.networks import Network


def network_of(address: str, *, test: Collection[str], main: Collection[str]) -> Network:
    """
    The network of an address.

    ``test`` and ``main`` are domains: a host below one belongs to it. Test domains are looked
    at first, for they lie below the main ones.
    """
    host = host_of(address)
    if any(_within(host, domain) for domain in test):
        return Network.TEST
    if any(_within(host, domain) for domain in main):
        return Network.MAIN
    return Network.LOCAL if is_this_machine(host) else Network.UNKNOWN


def _within(host: str, domain: str) -> bool:
    return host == domain or host.endswith(f".{domain}")
