"""Names for the identifiers that must not be mixed up."""

import re
from typing import Final, NamedTuple, NewType

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
"""Chosen by us before sending: ``<hedge>-<start>-<number>``; characters ``[a-z0-9-]`` only."""

LaneId = NewType("LaneId", str)
"""One nonce sequence: ``<venue>:<account>:<api key index>``."""

START_BITS: Final = 36
NUMBER_BITS: Final = 12
NUMBER_MAX: Final = 2**NUMBER_BITS - 1
_START_DIGITS: Final = 7  # 36^7 is more than 2^36
_FIGURES: Final = "0123456789abcdefghijklmnopqrstuvwxyz"
_STARTED: Final = re.compile(rf"-([0-9a-z]{{{_START_DIGITS}}})-([1-9][0-9]{{0,3}})$")


class Sent(NamedTuple):
    """
    What tells two orders apart for ever: a start of the program, and a number since then.

    Both together are 48 bits, ``value``, for venues that take a number as our id.
    """

    start: int
    number: int

    @property
    def value(self) -> int:
        return self.start << NUMBER_BITS | self.number

    @classmethod
    def of_value(cls, value: int) -> "Sent | None":
        """Back from 48 bits; None where they are no pair of ours."""
        found = cls(value >> NUMBER_BITS, value & NUMBER_MAX)
        return found if 0 < found.start < 2**START_BITS and found.number > 0 else None

    @classmethod
    def of_order(cls, order: str) -> "Sent | None":
        """What an order id carries; None of an id that was made before starts were in them."""
        found = _STARTED.search(order)
        if found is None:
            return None
        sent = cls(int(found[1], 36), int(found[2]))
        return sent if 0 < sent.start < 2**START_BITS and sent.number <= NUMBER_MAX else None


def order_id(hedge: HedgeId, sent: Sent) -> OrderId:
    """``eth-260102213005-k3f9-0k2m9qd-3``: the hedge, the start and the number since then."""
    rest, text = sent.start, ""
    for _ in range(_START_DIGITS):
        rest, figure = divmod(rest, 36)
        text = _FIGURES[figure] + text
    return OrderId(f"{hedge}-{text}-{sent.number}")


def hedge_of(order: str) -> HedgeId | None:
    """The hedge that an order id with a start in it names."""
    return HedgeId(_STARTED.sub("", order)) if Sent.of_order(order) is not None else None
