"""Names for the identifiers that must not be mixed up."""

from typing import NewType

VenueId = NewType("VenueId", str)
"""Our name of an exchange, for example ``x10``."""

Symbol = NewType("Symbol", str)
"""Our name of an asset, for example ``ETH``; the venue's spelling stays in its adapter."""


def as_configured(symbol: Symbol) -> Symbol:
    """
    The spelling in which the configuration and the command line name a market.

    Some venues have small letters in their names; limits and switches are found by this one.
    """
    return Symbol(symbol.upper())


HedgeId = NewType("HedgeId", str)
"""Chosen by us before anything is sent: ``eth-260102213005-k3f9``."""

OrderId = NewType("OrderId", str)
"""Chosen by us before sending: ``<hedge>-<number>``; characters ``[a-z0-9-]`` only."""

LaneId = NewType("LaneId", str)
"""One nonce sequence: ``<venue>:<account>:<api key index>``."""
