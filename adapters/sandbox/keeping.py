"""
Faults of an immediate order's end.

``keep_working`` leaves it in the venue's book; with ``late_rest`` the end that is told is none,
with ``overfill`` more fills than was asked.
"""

from collections.abc import Sequence
from dataclasses import replace

from adapters.sandbox.engine.exchange import Exchange
from adapters.sandbox.engine.types import NewOrder, Tif
from adapters.sandbox.faults import Fault, Kind, first
from hedger.domain.money import floor_to_step


def with_its_end(new: NewOrder, faults: Sequence[Fault], exchange: Exchange) -> NewOrder:
    """The order with what such a fault makes of its end; as it is where there is none."""
    fault = first(faults, Kind.KEEP_WORKING, Kind.LATE_REST, Kind.OVERFILL)
    if fault is None:
        return new
    step = exchange.rules_of(new.symbol).size_step
    if fault.kind is Kind.OVERFILL:
        return replace(new, overfill=max(step, floor_to_step(new.size * fault.fraction, step)))
    limited = replace(new, fill_limit=floor_to_step(new.size * fault.fraction, step))
    later_ms = exchange.wire_now_ms() + round(fault.seconds * 1000)
    if fault.kind is Kind.LATE_REST:
        return replace(limited, late_rest_ms=later_ms)
    return _kept_working(limited, later_ms if fault.seconds else None)


def _kept_working(limited: NewOrder, until_ms: int | None) -> NewOrder:
    """
    The order as a resting one without expiry, of which only a part fills at first.

    The rest fills at ``until_ms``, where it is given, if nobody has cancelled it by then.
    """
    return replace(limited, tif=Tif.GTT, expires_ms=None, fill_limit_until_ms=until_ms)
