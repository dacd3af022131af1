"""
What proves the end of an order: the venue's answer, or a look that came late enough.

Pure rules over frozen values; who asks, and when, is ``hedger/resolver.py``.
"""

from datetime import datetime, timedelta

from hedger.domain.order import (
    NEVER_SENT,
    Accepted,
    Answer,
    Declined,
    NeverSent,
    NoProof,
    Prepared,
    Reason,
    Refused,
)
from hedger.ports import Capabilities
from hedger.venueclock import Offset

INNER_SKEW_S = 1.0
"""Between the machine of a venue that dates its answers and the one that judges expiries."""


def verdict(prepared: Prepared, answer: Answer | None) -> Refused | None:
    """The end of the order if its answer proves one; None means: look it up."""
    match answer:
        case Declined(reason, code, detail):
            return Refused(prepared, reason, code, detail)
        case NeverSent(detail):
            return Refused(prepared, Reason.OTHER, NEVER_SENT, detail)
        case Accepted() | NoProof() | None:
            return None


def expired_for_good(
    prepared: Prepared, limits: Capabilities, asked_at: datetime, offset: Offset | None
) -> bool:
    """
    Whether a look that began at ``asked_at`` would have seen any execution in time.

    By the venue's own clock where its answers tell it, else by ours and the bound on both.
    """
    margin = fence_margin(limits, offset)
    return asked_at > prepared.expires_at + margin


def fence_margin(limits: Capabilities, offset: Offset | None) -> timedelta:
    """From a signed expiry to the instant on our clock at which "not found" proves a death."""
    if offset is None:
        return timedelta(seconds=limits.clock_skew_s + limits.read_lag_s)
    return timedelta(seconds=INNER_SKEW_S + limits.read_lag_s - offset.low_s)


def dead(prepared: Prepared, detail: str) -> Refused:
    """The end of an order that the venue does not know and can no longer execute."""
    return Refused(prepared, Reason.OTHER, "dead", detail, dead=True)
