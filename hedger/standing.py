"""
What stands in the way right now, kept in the ledger so that `hedger status` can name it.

The daemon writes it after every reconciliation; reading needs no daemon and no venue.
"""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from hedger import switches, unitcheck
from hedger.clock import Clock
from hedger.clockwatch import CLOCK
from hedger.common.words import instant
from hedger.domain.ability import Can
from hedger.domain.hedge import Hedge, State
from hedger.domain.ids import HedgeId
from hedger.domain.money import plain
from hedger.execution import stands
from hedger.guard import STOP
from hedger.holdingwatch import KEY as HOLDING
from hedger.ledger.reader import Reader
from hedger.ledger.store import Store
from hedger.nakedwatch import DOUBT
from hedger.owned import changed_at, known_at, read_since, seen_size, unclear
from hedger.reconciler import Report
from hedger.reconciliation.behind import BEHIND

BLOCKED = "blocked_markets"
ALERTS_SHOWN = 5
UNREAD_S: Final = 60.0
"""Two regular reconciliations (``jobs.reconcile``): what was read before may be otherwise."""
BY_RATES = ("stay_usd", "break_even_h", "naive_apy")
"""What of a hedge's worth is made of rates; leaving costs what the books and the fees say."""


def remember(store: Store, report: Report, clock: Clock) -> None:
    """Keep which venues are in doubt, since when and why, and which markets are blocked."""
    known = store.metas(DOUBT)
    now = clock.now().isoformat()
    for venue, why in report.in_doubt.items():
        before = known.pop(DOUBT + venue, None)
        since = json.loads(before)["since"] if before else now
        told = json.dumps({"since": since, "why": why})
        if told != before:
            store.set_meta(DOUBT + venue, told)
    for key in known:
        store.set_meta(key, "")
    blocked = ",".join(f"{venue}:{symbol}" for venue, symbol in sorted(report.blocked))
    if blocked != (store.meta(BLOCKED) or ""):
        store.set_meta(BLOCKED, blocked)


def standing(ledger: Reader) -> Mapping[str, Any]:
    """Venues in doubt, clocks, blocked markets, escalated hedges and their way out, alerts."""
    doubts = {
        key.removeprefix(DOUBT): json.loads(text) for key, text in ledger.metas(DOUBT).items()
    }
    blocked = ledger.meta(BLOCKED) or ""
    return {
        "in_doubt": [{"venue": venue, **found} for venue, found in doubts.items()],
        "clocks": [
            {"venue": key.removeprefix(CLOCK), **json.loads(text)}
            for key, text in ledger.metas(CLOCK).items()
        ],
        "blocked_markets": blocked.split(",") if blocked else [],
        "units": [
            {"venue": key.removeprefix(unitcheck.DOUBT), **json.loads(text)}
            for key, text in ledger.metas(unitcheck.DOUBT).items()
        ],
        "symbols_out": [
            {"market": key.removeprefix(unitcheck.OUT), "why": why}
            for key, why in ledger.metas(unitcheck.OUT).items()
        ],
        "switched_off": [
            {"scope": off.scope, "since": off.since, "who": off.who, "why": off.why}
            for off in switches.active(ledger)
        ],
        "stops": list(ledger.metas(STOP).values()),
        "behind": [behind] if (behind := ledger.meta(BEHIND)) else [],
        "escalated": [_way_out(h) for h in ledger.live() if h.state is State.ESCALATED],
        "exits_standing": [
            {"hedge": name, "since": stand.since.isoformat(), "text": stand.text(name)}
            for name, stand in stands.every(ledger).items()
            if stand.can is not Can.YES
        ],
        "alerts": [
            {"number": a.number, "at": a.at.isoformat(), "hedge": a.hedge, "text": a.text}
            for a in ledger.unacknowledged(ALERTS_SHOWN)
        ],
        "alerts_in_all": ledger.stats().alerts,
    }


def held(ledger: Reader, now: datetime, *, dedicated: bool) -> dict[str, dict[str, Any]]:
    """
    What each leg of a hedge that is not over holds in signed coins, by the hedge's id.

    ``size_a`` and ``size_b`` are what was read last, as far as it is ours, or what our fills make
    where they are younger. ``fills_a`` and ``fills_b`` are our fills; ``differs`` says in words
    where a leg is otherwise, and where it cannot be told whose a position is (None: nowhere).
    ``unread`` says which legs have not been read for so long that they may be otherwise by now, or,
    of a hedge that was found and not opened, since its last order: its fills are no whole story.
    """
    found = {}
    for hedge in ledger.live():
        row: dict[str, Any] = {}
        told, unread = [], []
        for leg, venue in zip("ab", hedge.venues, strict=True):
            size = seen_size(ledger, hedge, venue, dedicated=dedicated)
            fills = ledger.leg_size(hedge.id, venue)
            row |= {f"size_{leg}": plain(size), f"fills_{leg}": plain(fills)}
            known = known_at(ledger, hedge, venue)
            look = ledger.last_observation(venue, hedge.symbol)
            last = changed_at(ledger, hedge, venue)
            if not hedge.planned_size and (look is None or not read_since(look, last, now)):
                unread.append(
                    f"the leg of hedge {hedge.id} on {venue} was not read since its last order,"
                    " and what was there before is not known from our fills"
                )
            elif known > now or (now - known).total_seconds() > UNREAD_S:
                # what lies in the future is from before our clock was set back, how long is unknown
                unread.append(
                    f"the leg of hedge {hedge.id} on {venue} was last read at"
                    f" {instant(known.isoformat())}: it may hold something else by now"
                )
            whose = None
            if look is not None and not dedicated:
                whose = unclear(ledger, hedge, venue, look.size)
            if whose is not None:
                told.append(whose)
            elif size != fills:
                told.append(
                    f"{venue} holds {plain(size)} {hedge.symbol} of hedge {hedge.id},"
                    f" our fills there make {plain(fills)}"
                )
        row |= {"differs": "; ".join(told) or None, "unread": "; ".join(unread) or None}
        found[str(hedge.id)] = row
    return found


def worth(ledger: Reader) -> dict[str, dict[str, Any]]:
    """
    What each open hedge was worth at the monitor's latest look, by its id.

    What is made of rates that were in doubt then, or have come into doubt since, is None, and
    ``rates_in_doubt`` says why.
    """
    since = {hedge.id: _doubted(ledger, hedge) for hedge in ledger.live()}
    found = {}
    for key, text in ledger.metas(HOLDING).items():
        name, kept = key.removeprefix(HOLDING), json.loads(text)
        doubted = kept.get("rates_in_doubt") or since.get(HedgeId(name)) or None
        values = {value: None if doubted else kept[value] for value in BY_RATES}
        found[name] = values | {"leave_usd": kept["leave_usd"], "rates_in_doubt": doubted}
    return found


def _doubted(ledger: Reader, hedge: Hedge) -> str:
    """Why the units of its rates are not believed, as the ledger has it now."""
    doubts = [ledger.meta(unitcheck.DOUBT + venue) for venue in hedge.venues]
    outs = [ledger.meta(f"{unitcheck.OUT}{venue}:{hedge.symbol}") for venue in hedge.venues]
    return "; ".join([json.loads(text)["why"] for text in doubts if text] + [o for o in outs if o])


def sentences(found: Mapping[str, Any]) -> list[str]:
    """The same for people, the most urgent first; nothing where nothing is wrong."""
    lines = [
        f"hedge {h['hedge']} needs you since {instant(h['since'])}: {h['why']}; {h['way_out']}"
        for h in found["escalated"]
    ]
    lines += [f"{e['text']} (since {instant(e['since'])})" for e in found.get("exits_standing", [])]
    lines += [
        f"{d['venue']} is in doubt since {instant(d['since'])}: {d['why']};"
        " nothing new is opened there, exits go on"
        for d in found["in_doubt"]
    ]
    lines += [
        f"the clock of {c['venue']} is between {c['low_s']:g} and {c['high_s']:g} s ahead of ours"
        f" as of {instant(c['measured_at'])}: nothing is opened, exits go on;"
        " set this machine's clock by NTP"
        for c in found["clocks"]
        if c["beyond"]
    ]
    lines += [f"nothing is opened: {why}" for why in found.get("behind", [])]
    lines += [f"no new hedges: {why}" for why in found.get("stops", [])]
    lines += [switches.Off(**off).text() for off in found.get("switched_off", [])]
    lines += [
        f"the rates of {d['venue']} are in doubt since {instant(d['since'])}: {d['why']};"
        f" {unitcheck.MEANWHILE}"
        for d in found.get("units", [])
    ]
    lines += [f"{o['market']} is taken out: {o['why']}" for o in found.get("symbols_out", [])]
    if found["blocked_markets"]:
        lines.append(f"not opened on: {', '.join(found['blocked_markets'])}")
    lines += [
        f"alert {a['number']} at {instant(a['at'])}: {a['text']} (hedger acknowledge {a['number']})"
        for a in found["alerts"]
    ]
    if (older := found.get("alerts_in_all", 0) - len(found["alerts"])) > 0:
        lines.append(f"and {older} older alerts that nobody has acknowledged")
    return lines


def _way_out(hedge: Hedge) -> Mapping[str, Any]:
    return {
        "hedge": hedge.id,
        "symbol": hedge.symbol,
        "since": hedge.updated_at.isoformat(),
        "why": hedge.reason,
        "way_out": (
            "hedger goes on trying; by hand:"
            f" `hedger rollback {hedge.id}` takes off what the venues hold,"
            f" `hedger settle {hedge.id} --reason TEXT` closes it in the ledger without orders"
        ),
    }
