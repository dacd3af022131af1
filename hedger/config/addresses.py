"""Addresses in the configuration: which hosts are this machine, and what may go out unencrypted."""

import re
from ipaddress import ip_address
from typing import Final
from urllib.parse import SplitResult, urlsplit

UNFIT: Final = re.compile(r"[\s\\\x00-\x1f\x7f]")
"""What readers of addresses take in different ways, so that two of them may see two hosts."""


def host_of(address: str) -> str:
    """The host in small letters, without a final dot; empty where the address names none."""
    parts = _split(address)
    return "" if parts is None else (parts.hostname or "").rstrip(".")


def is_this_machine(host: str) -> bool:
    """Whether what is sent to this host never leaves the machine."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def fault_of(address: str, plain: str, secure: str, *, plain_here: bool) -> str:
    """
    What is wrong with an address as half a sentence; empty where nothing is.

    ``plain`` and ``secure`` are its schemes without and with TLS; ``plain_here`` says whether
    the first one is allowed where the host is this machine.
    """
    parts = _split(address)
    if parts is None or UNFIT.search(address) or not parts.hostname or parts.query:
        return f"give one such as {secure}://host/path"
    if parts.username is not None or parts.password is not None or parts.fragment:
        return f"leave out what stands before @ or behind #, and give {secure}://host/path"
    if parts.scheme == secure:
        return ""
    if parts.scheme == plain and is_this_machine(host_of(address)):
        if plain_here:
            return ""
        return f"keys of real money are not sent unencrypted, not even here; use {secure}://"
    if parts.scheme == plain:
        return f"keys would be sent unencrypted; use {secure}:// ({plain}:// for this machine only)"
    return f"begin it with {secure}://"


def _split(address: str) -> SplitResult | None:
    try:
        parts = urlsplit(address)
        parts.port  # noqa: B018 - it raises where the port is none
    except ValueError:
        return None
    return parts
