"""What one order met, found out from its end, its times and what the venue said of it."""

import re
from dataclasses import dataclass
from decimal import ROUND_UP, Context, Decimal

from adapters.sandbox.faults import Kind
from hedger.domain.order import NEVER_SENT
from tests.simulation.faults import Ill
from tests.simulation.replaying.recorded import Mark, Recorded, Told, amount

UNANSWERED_S = 2.2  # an order of one process that took longer had no answer in time
LATE_MOST_S = 600.0
OUTAGE_MOST_S = 240.0
STALL_MOST_S = 60.0
SHARE = Context(prec=28, rounding=ROUND_UP)  # cut to a step it is the same size again
EXECUTED = frozenset({"filled", "partial", "zero"})
_CODE = re.compile(r"\d{3,6}")
_FILLED = re.compile(r"filled (\S+) of (\S+)")
_LATE = re.compile(r"was believed (\w+), but filled")
_FROZEN = re.compile(r"not sent: ([\d.]+) s after")


@dataclass(frozen=True, slots=True)
class Door:
    """What the venue does with an order: a fault of the sandbox with its parameters."""

    kind: Kind
    code: int = 0
    status: int = 0
    reason: str = ""
    fraction: Decimal = Decimal(1)
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Met:
    """
    What one order meets. ``always``: each of its sendings meets ``message``, not the first alone.

    ``late_s``: its bytes arrive so long after; ``outage_s``: nobody reaches the venue for so long
    once it has arrived; ``stall_s``: the process stands still between its intent and its sending.
    """

    text: str
    message: Ill | None = None
    always: bool = False
    door: Door | None = None
    late_s: float = 0.0
    outage_s: float = 0.0
    stall_s: float = 0.0


def met_by(order: Told, told: Recorded, untold: list[str], *, died: bool) -> Met | None:
    """
    What an order met; None: nothing but the usual.

    ``died``: the process did while it was under way. What cannot be played of it is added to
    ``untold``.
    """
    first = _first_end(order, told)
    if first is not None:
        return _ended_twice(order, first, untold)
    if (unknown_s := _unknown_s(order, told)) is not None:
        return Met("venue unreachable after it", outage_s=unknown_s, door=_door(order))
    match order.state:
        case "refused":
            return _refused(order, untold)
        case "dead":
            stolen = order.venue == "lighter" and "has its nonce" in order.detail + _said(
                order, told
            )
            stolen |= "belongs to another" in order.detail
            if stolen:
                return Met("nonce taken by another", door=Door(Kind.STEAL_NONCE))
            return Met("lost on its way", message=Ill.REQUEST_LOST, always=True)
        case "abandoned":
            frozen = _FROZEN.search(order.detail)
            stall_s = min(float(frozen[1]), STALL_MOST_S) if frozen else 0.0
            return Met("process stood still", stall_s=stall_s) if stall_s else None
        case "prepared" | "unresolved":
            return Met("no answer", message=Ill.RESPONSE_LOST, outage_s=OUTAGE_MOST_S)
        case _:  # filled, in part, or not at all
            pass
    late = not died and order.took_s is not None and order.took_s > UNANSWERED_S
    door = _door(order)
    if late:
        text = "no answer" + (f", {_door_text(order)}" if door else "")
        return Met(text, message=Ill.RESPONSE_LOST, door=door)
    return Met(_door_text(order), door=door) if door else None


def _door(order: Told) -> Door | None:
    """What made it fill less than it asked for."""
    if order.state == "partial":
        return Door(Kind.PARTIAL_FILL, fraction=SHARE.divide(order.filled, order.size))
    if order.state != "zero":
        return None
    said = order.status.lower()
    if "margin" in said:
        return Door(Kind.REJECT, reason="margin")
    if "reduce" in said:
        return Door(Kind.REJECT, reason="reduce_only")
    return Door(Kind.NO_FILL)


def _door_text(order: Told) -> str:
    if order.state == "partial":
        return f"filled {order.share:.3f} of it"
    return f"filled nothing ({order.status or 'no word'})"


def _refused(order: Told, untold: list[str]) -> Met:
    code = order.status
    if code == NEVER_SENT:
        return Met("no connection", message=Ill.NOT_CONNECTED, always=True)
    if code == "429" or code.startswith(("http-", "23")) or order.detail.startswith("rate"):
        return Met(f"refused {code}", door=Door(Kind.RATE_LIMIT, status=429))
    if code == "401":
        return Met("refused 401", door=Door(Kind.REFUSE, code=401, status=401))
    if _CODE.fullmatch(code):
        return Met(f"refused {code}", door=Door(Kind.REFUSE, code=int(code), status=400))
    untold.append(f"order {order.number} was refused with {code!r}, which is no code")
    return Met("refused", door=Door(Kind.RATE_LIMIT, status=429))


def _said(order: Told, told: Recorded) -> str:
    return " ".join(
        mark.text for mark in told.marks if mark.order == order.number and mark.what[0] == "outcome"
    )


def _ends(order: Told, told: Recorded) -> list[Mark]:
    return [m for m in told.marks if m.what[0] == "outcome" and m.order == order.number]


def _first_end(order: Told, told: Recorded) -> Mark | None:
    """The end that was believed before the true one, where there were two."""
    ends = [mark for mark in _ends(order, told) if mark.what[2] != "unresolved"]
    return ends[0] if len(ends) > 1 and _LATE.search(ends[-1].text) else None


def _ended_twice(order: Told, first: Mark, untold: list[str]) -> Met | None:
    """An end that was none: it arrived late, or filled more after it."""
    late_s = min(max(0.0, (order.took_s or 0.0)), LATE_MOST_S)
    if first.what[2] == "dead":
        return Met(f"arrived {late_s:.0f} s late", Ill.REQUEST_LOST, always=True, late_s=late_s)
    if first.what[2] == "refused":
        untold.append(f"order {order.number} was refused and executed all the same")
        return None
    found = _FILLED.search(first.text)
    share = SHARE.divide(amount(found[1]), order.size) if found else Decimal(0)
    if order.state == "partial":
        untold.append(f"order {order.number}: its late rest fills it here")
    door = Door(Kind.LATE_REST, fraction=share, seconds=late_s)
    return Met(f"filled {share:.3f} of it, the rest {late_s:.0f} s late", door=door)


def _unknown_s(order: Told, told: Recorded) -> float | None:
    """How long a venue did not tell what became of an order, until it did; None: it did at once."""
    unknown = any(mark.what[2] == "unresolved" for mark in _ends(order, told))
    if not unknown or order.state not in EXECUTED or order.took_s is None:
        return None
    return min(order.took_s, OUTAGE_MOST_S)
