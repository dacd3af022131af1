"""The fault ``keep_working``: an immediate order that the venue leaves in its book."""

from dataclasses import replace

from adapters.sandbox.engine.exchange import Exchange
from adapters.sandbox.engine.types import NewOrder, Tif
from adapters.sandbox.faults import Fault
from hedger.domain.money import floor_to_step


def kept_working(new: NewOrder, fault: Fault, exchange: Exchange) -> NewOrder:
    """
    The order as a resting one without expiry, of which ``fraction`` fills at first.

    With ``seconds`` the rest fills that much later, if nobody has cancelled it by then.
    """
    until_ms = exchange.wire_now_ms() + round(fault.seconds * 1000) if fault.seconds else None
    return replace(
        new,
        tif=Tif.GTT,
        expires_ms=None,
        fill_limit=floor_to_step(
            new.size * fault.fraction, exchange.rules_of(new.symbol).size_step
        ),
        fill_limit_until_ms=until_ms,
    )
