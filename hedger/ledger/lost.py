"""
What a venue has forgotten of a leg, and what of that came back; inside a transaction.

Kept in the same way is what was gone when a hedge ended, and nothing explained (``unexplained``):
both legs read flat, and no trade of the account said who took them off.

The fills stay as they were booked: they are the evidence. What is lost is kept beside them, so
that a leg is what our fills make, less what the venue no longer has.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from hedger.domain.hedge import Hedge
from hedger.domain.ids import HedgeId, VenueId
from hedger.domain.money import ZERO, plain
from hedger.ledger import events, hedges, late
from hedger.ledger.records import LOST, lost_key
from hedger.ledger.session import Session

FORGOT = "venue_forgot"
GAVE_BACK = "venue_gave_back"
UNEXPLAINED = "unexplained_end"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """A part of a leg that its venue has forgotten, in signed coins, and since when."""

    hedge: HedgeId
    venue: VenueId
    size: Decimal
    at: datetime


def size_in(text: str | None) -> Decimal:
    """The size in a value of such a key; zero where there is none."""
    return Decimal(json.loads(text)["size"]) if text else ZERO


def is_unexplained(text: str | None) -> bool:
    """Whether a part of it was gone without its venue having been believed to have lost it."""
    return bool(json.loads(text).get("unexplained")) if text else False


def each(metas: Mapping[str, str]) -> list[Lost]:
    """Everything that is lost, from the values of all such keys."""
    found = []
    for name, text in metas.items():
        hedge, _, venue = name.removeprefix(LOST).rpartition(":")
        told = json.loads(text)
        found.append(
            Lost(
                hedge=HedgeId(hedge),
                venue=VenueId(venue),
                size=Decimal(told["size"]),
                at=datetime.fromisoformat(told["at"]),
            )
        )
    return found


def lose(
    session: Session,
    hedge: Hedge,
    venue: VenueId,
    size: Decimal,
    *,
    text: str,
    data: dict[str, str],
    unexplained: bool = False,
) -> None:
    """Book ``size`` more of a leg as lost, with its event and an alert."""
    before = events.meta(session.conn, lost_key(hedge.id, venue))
    kept: dict[str, object] = {
        "size": plain(size_in(before) + size),
        "at": session.now.isoformat(),
    }
    if unexplained or is_unexplained(before):
        kept["unexplained"] = True
    events.set_meta(session, lost_key(hedge.id, venue), json.dumps(kept))
    kind = UNEXPLAINED if unexplained else FORGOT
    events.append(session, kind, text, hedge=hedge.id, level="error", data=data)
    events.alert(session, text, hedge.id, data)


def give_back(
    session: Session, hedge: Hedge, venue: VenueId, size: Decimal, text: str
) -> Hedge | None:
    """
    Take ``size`` of what was lost for ours again; the hedge, if it was over and is taken up.

    Where its market has another hedge by now, it waits until that one is over.
    """
    name = lost_key(hedge.id, venue)
    kept = json.loads(events.meta(session.conn, name) or "{}")
    left = Decimal(kept["size"]) - size
    events.set_meta(session, name, json.dumps({**kept, "size": plain(left)}) if left else "")
    data = {"venue": venue, "size": plain(size)}
    events.append(session, GAVE_BACK, text, hedge=hedge.id, level="error", data=data)
    events.alert(session, text, hedge.id, data)
    now = hedges.get(session.conn, hedge.id)
    return late.reopen_or_wait(session, now, text) if now.state.terminal else None
