"""
Exits that are wanted and cannot begin, and venues that refused an order: kept in the ledger.

Both outlive a restart, so a wish is not forgotten and a person is not told twice.
"""

import json
from collections.abc import Container, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final

from hedger.domain.ability import Can
from hedger.domain.ids import HedgeId, VenueId
from hedger.ledger.reader import Reader
from hedger.ledger.store import Store

STANDS: Final = "exit_stands:"
"""Meta key of a hedge whose exit is wanted and cannot begin: JSON of a ``Stand``."""

EXEMPT: Final = "exit_exempt:"
"""Meta key of a hedge whose exit asks for no proof: why."""

FIRST: Final = "exit_first:"
"""Meta key of a hedge whose exit begins with the leg that is nearest to its liquidation: where."""

ANYWAY: Final = "a person decided so"
"""The exemption that a person gives, who has seen which leg would stay."""

BARRED: Final = "barred:"
"""Meta key of a hedge and a venue that refused its reducing order for key or market: why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stand:
    """
    A wanted exit of which both legs stand.

    ``wish`` is why it is wanted, ``unknown_since`` since when it has not been known whether both
    legs can come off (None: one provably cannot). ``told`` counts what a person was told of
    what is so now, ``told_keys`` are the obstacles that they were told of.
    """

    since: datetime
    wish: str
    by_hand: bool
    can: Can
    key: str
    why: str
    remedy: str
    unknown_since: datetime | None = None
    told: int = 0
    told_keys: tuple[str, ...] = ()
    hurry: bool = False

    def text(self, hedge: HedgeId) -> str:
        """One sentence for a person."""
        known = "" if self.can is Can.NO else "it is not known whether both legs can come off: "
        return (
            f"hedge {hedge} is not closed ({self.wish}), both legs stand: {known}{self.why};"
            f" {self.remedy}; the daemon tries again by itself, and `hedger close {hedge} --anyway`"
            " is a person's decision"
        )


def read(ledger: Reader, hedge: HedgeId) -> Stand | None:
    """What keeps a hedge's wanted exit from beginning; None where nothing does."""
    text = ledger.meta(STANDS + hedge)
    return _parsed(text) if text else None


def every(ledger: Reader) -> Mapping[HedgeId, Stand]:
    """Of every hedge that has one."""
    found = ledger.metas(STANDS)
    return {HedgeId(key.removeprefix(STANDS)): _parsed(text) for key, text in found.items()}


def write(store: Store, hedge: HedgeId, stand: Stand | None) -> None:
    """Keep it, or forget it."""
    text = "" if stand is None else json.dumps(asdict(stand), default=_plain)
    if text != (store.meta(STANDS + hedge) or ""):
        store.set_meta(STANDS + hedge, text)


def bars(ledger: Reader, hedge: HedgeId) -> Mapping[VenueId, str]:
    """Venues that refused the last reducing order of a hedge for its key or market, and why."""
    prefix = f"{BARRED}{hedge}:"
    found = ledger.metas(prefix)
    return {VenueId(key.removeprefix(prefix)): why for key, why in found.items()}


def bar(store: Store, hedge: HedgeId, venue: VenueId, why: str) -> None:
    """Keep that a venue refused; an empty ``why`` forgets it."""
    key = f"{BARRED}{hedge}:{venue}"
    if why != (store.meta(key) or ""):
        store.set_meta(key, why)


def exempt(store: Store, hedge: HedgeId, why: str) -> None:
    """Let the exit of a hedge begin without a proof; an empty ``why`` undoes it."""
    if why != (store.meta(EXEMPT + hedge) or ""):
        store.set_meta(EXEMPT + hedge, why)


def exemption(ledger: Reader, hedge: HedgeId) -> str:
    """Why its exit asks for no proof; empty where it does."""
    return ledger.meta(EXEMPT + hedge) or ""


def begin_with(store: Store, hedge: HedgeId, venue: VenueId | None) -> None:
    """Keep on which venue the exit of a hedge begins; None: in the order of its opening."""
    if (venue or "") != (store.meta(FIRST + hedge) or ""):
        store.set_meta(FIRST + hedge, venue or "")


def first(ledger: Reader, hedge: HedgeId) -> VenueId | None:
    """On which venue its exit begins where both legs are equal; None: as it was opened."""
    venue = ledger.meta(FIRST + hedge)
    return VenueId(venue) if venue else None


def forget(store: Store, live: Container[HedgeId]) -> None:
    """What was kept of hedges that are over, whoever ended them."""
    for prefix in (STANDS, EXEMPT, FIRST, BARRED):
        for key in store.metas(prefix):
            if HedgeId(key.removeprefix(prefix).partition(":")[0]) not in live:
                store.set_meta(key, "")


def _parsed(text: str) -> Stand:
    data: dict[str, Any] = json.loads(text)
    unknown = data["unknown_since"]
    return Stand(
        **data
        | {
            "since": datetime.fromisoformat(data["since"]),
            "unknown_since": datetime.fromisoformat(unknown) if unknown else None,
            "can": Can(data["can"]),
            "told_keys": tuple(data["told_keys"]),
        }
    )


def _plain(value: object) -> str:
    assert isinstance(value, datetime)
    return value.isoformat()
