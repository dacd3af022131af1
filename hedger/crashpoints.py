"""
Places at which a test can have this process killed: ``HEDGER_CRASH_AT=label:n``.

At the n-th pass of that label the process ends itself with SIGKILL, as a power cut or the
system's out-of-memory killer would: nothing is flushed, no ``finally`` runs. ``label:n:stop``
freezes it with SIGSTOP instead, until somebody continues it; several, separated by commas, are
waited for side by side. ``bin/crash`` walks all of them (issue B §5; reliability.md §3.4).

A label is a site and a side of it: ``intend.before`` stands before the commit of an intent,
``intend.after`` behind it. The sites are every writing transaction of the ledger, every
question and every order to a venue, and the steps of recovery. Unless the variable is set,
ports are not wrapped and a pass is one comparison; it is refused where money is real.
"""

import os
import signal
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar, cast

from hedger.errors import UsageError

VARIABLE: Final = "HEDGER_CRASH_AT"

STORE_SITES: Final = (
    "begin_epoch",
    "plan",
    "adopt",
    "move_refused",
    "move_closed_flat",
    "move_open",
    "move_closing",
    "move_closed",
    "move_converging",
    "move_escalated",
    "note",
    "lose",
    "give_back",
    "intend",
    "intend_burn",
    "note_lane",
    "intend_filler",
    "reserve_values",
    "settle",
    "book_past",
    "abandon",
    "observe",
    "observe_funding",
    "book_payments",
    "book_entries",
    "note_reading",
    "note_check",
    "note_fees",
    "note_settled",
    "funding_complete",
    "event",
    "decide",
    "alert",
    "acknowledge",
    "note_taken",
    "set_meta",
)
"""Writing transactions: one site per method of ``Store``, and per state that ``move`` leads to."""

VENUE_SITES: Final = (
    "start",
    "instrument",
    "balance",
    "fees",
    "positions",
    "position",
    "next_nonce",
    "nonce_used_by",
    "prepare",
    "submit_open",
    "submit_close",
    "submit_rollback",
    "prepare_burn",
    "prepare_filler",
    "prepare_cancel",
    "submit_filler",
    "leverage",
    "set_leverage",
    "prepare_leverage",
    "ability",
    "find",
    "cancel",
    "open_orders",
    "past_orders",
    "traded",
    "funding_payments",
    "history",
)
"""Calls of ``hedger.ports.Venue``; sends are told apart by what the order is for."""

QUOTE_SITES: Final = ("instruments", "funding", "next_settlement", "book", "settled_rates")
"""Calls of ``hedger.ports.QuoteSource``."""

RECOVERY_SITES: Final = ("recover", "resume", "late_fill")
"""All of recovery, the taking up of each hedge in it, and the booking of a late fill."""

SITES: Final = STORE_SITES + VENUE_SITES + QUOTE_SITES + RECOVERY_SITES
LABELS: Final = tuple(f"{site}.{side}" for site in SITES for side in ("before", "after"))

Port = TypeVar("Port")


@dataclass(slots=True)
class _Plan:
    """What is to happen at which pass of which label, and how often each was passed."""

    at: Mapping[tuple[str, int], signal.Signals]
    passed: Counter[str] = field(default_factory=Counter)

    def reach(self, label: str) -> None:
        self.passed[label] += 1
        number = self.at.get((label, self.passed[label]))
        if number is not None:
            os.kill(os.getpid(), number)


_plan: _Plan | None = None


def arm(environ: Mapping[str, str], *, real_money: bool) -> None:
    """
    Take the order from the environment, if there is one; without one, nothing is armed.

    Raises:
        UsageError: it cannot be read, names no label of ours, or real money is traded.
    """
    global _plan  # noqa: PLW0603 - one process dies once: this is the process's own state
    text = environ.get(VARIABLE)
    if not text:
        _plan = None
        return
    if real_money:
        raise UsageError(f"{VARIABLE} is set, and this trades real money; unset it")
    _plan = _Plan(dict(_entry(part) for part in text.split(",")))


def _entry(text: str) -> tuple[tuple[str, int], signal.Signals]:
    label, _, rest = text.strip().partition(":")
    count, _, what = rest.partition(":")
    if label not in LABELS or not count.isdigit() or int(count) == 0 or what not in {"", "stop"}:
        raise UsageError(
            f"{VARIABLE} has {text!r}; write label:n or label:n:stop, the label one of"
            f" {', '.join(LABELS)}"
        )
    return (label, int(count)), signal.SIGSTOP if what else signal.SIGKILL


def reach(site: str, side: str) -> None:
    """Pass one side (``before``, ``after``) of a site; may not come back."""
    if _plan is not None:
        _plan.reach(f"{site}.{side}")


def passes() -> Mapping[str, int]:
    """How often each label was passed since it was armed; nothing when it is not."""
    return {} if _plan is None else dict(_plan.passed)


def around(port: Port) -> Port:
    """The port with a site around each of its calls; itself when nothing is armed."""
    return port if _plan is None else cast("Port", _Around(port))


class _Around:
    """Passes everything on to a venue or quote source, and the sites on the way."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        if name in VENUE_SITES or name in QUOTE_SITES or name == "submit":
            return self._watched(name, found)
        return found

    @staticmethod
    def _watched(
        name: str, call: Callable[..., Awaitable[object]]
    ) -> Callable[..., Awaitable[object]]:
        async def watched(*args: Any, **kwargs: Any) -> object:
            site = name if name != "submit" else f"submit_{args[0].order.purpose}"
            reach(site, "before")
            answer = await call(*args, **kwargs)
            reach(site, "after")
            return answer

        return watched
