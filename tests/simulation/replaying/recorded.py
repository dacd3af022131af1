"""What a bundle tells, read with care: it comes from somewhere else."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from hedger.audit.bundle import FORMAT, VERSION
from hedger.common.bounds import too_deep
from hedger.domain.hedge import State
from hedger.domain.order import Purpose, Side
from hedger.ledger.records import OrderState

VENUES = ("x10", "lighter")
BYTES_MAX = 64_000_000
ORDERS_MAX = 500
BY_HAND = "asked for by hand"


class BundleError(Exception):
    """The bundle cannot be played; one sentence says why."""


@dataclass(frozen=True, slots=True)
class Told:
    """One order and what became of it. Sizes in coins; seconds since the first intent."""

    number: int
    venue: str
    purpose: str
    side: str
    size: Decimal
    state: str
    filled: Decimal
    at_s: float
    took_s: float | None  # None: its end is not known
    epoch: int
    status: str
    detail: str

    @property
    def compared(self) -> tuple[object, ...]:
        """What has to be the same in another run; times need not be."""
        return self.venue, self.purpose, self.side, self.size, self.state, self.filled

    @property
    def share(self) -> Decimal:
        """The part of it that was executed."""
        return self.filled / self.size


@dataclass(frozen=True, slots=True)
class Mark:
    """
    Something that stands in the ledger of a hedge: an intent, an outcome or a change of state.

    ``times``: the how manieth of its kind. ``order`` is the number of the order it is about.
    """

    what: tuple[str, ...]
    times: int
    at: datetime
    epoch: int
    order: int | None = None
    text: str = ""

    @property
    def key(self) -> tuple[tuple[str, ...], int]:
        """The same mark in another run."""
        return self.what, self.times


@dataclass(frozen=True)
class Recorded:
    """One hedge as a bundle has it."""

    raw: Mapping[str, Any]
    orders: tuple[Told, ...]
    marks: tuple[Mark, ...]

    @property
    def hedge(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self.raw["hedge"]
        return found

    @property
    def end(self) -> str:
        """The state it is in at last."""
        return str(self.hedge["state"])

    @property
    def states(self) -> tuple[str, ...]:
        """The way it took."""
        return tuple(mark.what[2] for mark in self.marks if mark.what[0] == "state")


def read(path: Path) -> Recorded:
    """
    A bundle from a file.

    Raises:
        BundleError: there is none that can be read.
    """
    try:
        with path.open("rb") as file:
            text = file.read(BYTES_MAX + 1)
    except OSError as error:
        raise BundleError(f"{path} cannot be read ({error.strerror})") from None
    if len(text) > BYTES_MAX:
        raise BundleError(f"{path} is larger than {BYTES_MAX} bytes, and no bundle is")
    try:
        words = text.decode()
        raw = None if too_deep(words) else json.loads(words)  # it would overrun the parser's stack
    except (ValueError, RecursionError):
        raw = None
    if raw is None:
        raise BundleError(f"{path} is no JSON; make it with `hedger audit bundle HEDGE`")
    try:
        return of(raw)
    except BundleError as error:
        raise BundleError(f"{path} {error}") from None
    except (KeyError, TypeError, ValueError, InvalidOperation, AttributeError, IndexError) as error:
        what = f"{type(error).__name__}: {error}"
        raise BundleError(f"{path} is not as hedger writes bundles ({what})") from None


def of(raw: Any) -> Recorded:
    """
    A bundle from its JSON.

    Raises:
        BundleError: it is none, of another version, or of nothing that can be played.
        KeyError, TypeError, ValueError, InvalidOperation: something in it is wrong.
    """
    if not isinstance(raw, dict) or raw.get("format") != FORMAT:
        raise BundleError("is no bundle; make one with `hedger audit bundle HEDGE`")
    if raw.get("version") != VERSION:
        raise BundleError(
            f"is a bundle of version {raw.get('version')!r}, and this program plays"
            f" {VERSION}; make it again with this version of hedger"
        )
    hedge = raw["hedge"]
    pair = (hedge["venue_a"], hedge["venue_b"])
    if sorted(pair) != sorted(VENUES):
        raise BundleError(
            f"is of the venues {' and '.join(map(str, pair))}, which nobody simulates"
        )
    if not raw["orders"]:
        raise BundleError("has no orders: nothing was sent for this hedge, so nothing is played")
    if len(raw["orders"]) > ORDERS_MAX:
        raise BundleError(f"has more than {ORDERS_MAX} orders; the first of them tell enough")
    orders = tuple(_orders(raw["orders"]))
    if orders[0].purpose != Purpose.OPEN:
        raise BundleError(
            "is of a position that was found and not opened, so nothing opens it here"
        )
    State(hedge["state"])
    Side(hedge["side_a"])
    return Recorded(raw, orders, tuple(_marks(raw)))


def amount(value: object) -> Decimal:
    """A finite decimal from its text."""
    if not isinstance(value, str):
        msg = f"{value!r} is no amount"
        raise TypeError(msg)
    found = Decimal(value)
    if not found.is_finite() or abs(found.adjusted()) > 30:
        msg = f"{value!r} is no amount"
        raise ValueError(msg)
    return found


def instant(value: object) -> datetime:
    """An instant with its zone."""
    found = datetime.fromisoformat(str(value))
    if found.tzinfo is None:
        msg = f"{value!r} has no zone"
        raise ValueError(msg)
    return found


def _orders(rows: Sequence[Mapping[str, Any]]) -> Iterator[Told]:
    first = instant(rows[0]["prepared_at"])
    for number, row in enumerate(rows, start=1):
        at, done = instant(row["prepared_at"]), row["done_at"]
        told = Told(
            number=number,
            venue=row["venue"],
            purpose=str(Purpose(row["purpose"])),
            side=str(Side(row["side"])),
            size=amount(row["size"]),
            state=str(OrderState(row["state"])),
            filled=amount(row["filled_size"]),
            at_s=(at - first).total_seconds(),
            took_s=(instant(done) - at).total_seconds() if done else None,
            epoch=int(row["epoch"] or 0),
            status=str(row["status"] or ""),
            detail=str(row["detail"] or ""),
        )
        if told.venue not in VENUES or told.size <= 0 or told.filled < 0:
            msg = f"order {number} is {told.size} on {told.venue!r}"
            raise ValueError(msg)
        yield told


def _marks(raw: Mapping[str, Any]) -> Iterator[Mark]:
    """Intents, outcomes and changes of state, in their order."""
    numbers = {row["id"]: number for number, row in enumerate(raw["orders"], start=1)}
    rows = [
        (row["nr"], ("state", row["from"] or "", row["to"]), row) for row in raw["hedge"]["states"]
    ]
    for row in raw["events"]:
        if row["about_hedge"] and row["kind"] in {"intent", "outcome"}:
            number = numbers.get(row["data"].get("order"), 0)
            state = (row["data"]["state"],) if row["kind"] == "outcome" else ()
            rows.append((row["nr"], (row["kind"], str(number), *state), row))
    times: dict[tuple[str, ...], int] = {}
    for _, what, row in sorted(rows, key=lambda one: int(one[0])):
        times[what] = times.get(what, 0) + 1
        about = int(what[1]) if what[0] != "state" else None
        yield Mark(
            what, times[what], instant(row["at"]), int(row["epoch"] or 0), about, row["text"] or ""
        )
