"""
What a person switched off, until the person switches it on again: no new hedges, exits go on.

Kept in the ledger, so that a restart forgets nothing, and named by ``hedger status``:

    all              ``hedger pause``
    venue:lighter    ``hedger pause --venue lighter``
    market:ETH       ``hedger pause --market ETH``
    stablecoin       ``hedger pause --stablecoin``: the collateral of a venue is in doubt

A file named ``KILL`` in the state directory does the same as ``hedger pause``, without a
program: for a watchdog, or when nothing else answers. Its text, if it has one, is the reason.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from hedger.clock import Clock
from hedger.common.words import instant
from hedger.domain.ids import Symbol, VenueId
from hedger.ledger.reader import Reader
from hedger.ledger.store import Store

PREFIX: Final = "switch:"
ALL: Final = "all"
VENUE: Final = "venue:"
MARKET: Final = "market:"
STABLECOIN: Final = "stablecoin"
KILL_FILE: Final = "KILL"
TEXT_MAX: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Off:
    """One thing that is switched off."""

    scope: str
    since: str
    who: str
    why: str

    def text(self) -> str:
        """One sentence, with the way back."""
        what = {ALL: "paused", STABLECOIN: "the stable coin is in doubt"}.get(
            self.scope, f"{self.scope.partition(':')[2]} is switched off"
        )
        return f"{what} since {instant(self.since)} by {self.who}: {self.why} (hedger resume)"


def active(ledger: Reader) -> list[Off]:
    """Everything that is switched off now."""
    found = []
    for key, text in ledger.metas(PREFIX).items():
        kept = json.loads(text)
        scope = key.removeprefix(PREFIX)
        found.append(Off(scope=scope, since=kept["since"], who=kept["who"], why=kept["why"]))
    return found


def switch_off(store: Store, clock: Clock, scope: str, *, who: str, why: str) -> Off:
    """Open nothing there until it is switched on again; the first one who said so stays."""
    for off in active(store):
        if off.scope == scope:
            return off
    off = Off(scope=scope, since=clock.now().isoformat(timespec="seconds"), who=who, why=why)
    kept = {"since": off.since, "who": off.who, "why": off.why}
    store.set_meta(PREFIX + scope, json.dumps(kept))
    store.event("switched_off", off.text(), level="warning", data={"scope": scope, **kept})
    return off


def switch_on(store: Store, scope: str | None, *, who: str) -> list[str]:
    """What was switched on again; None switches everything on."""
    scopes = [off.scope for off in active(store) if scope in (None, off.scope)]
    for each in scopes:
        store.set_meta(PREFIX + each, "")
        store.event("switched_on", f"{each} goes on, says {who}", data={"scope": each, "who": who})
    return scopes


def kill_text(path: Path | None) -> str:
    """Why the kill file stops new hedges; empty without one. Unreadable counts as there."""
    if path is None:
        return ""
    try:
        text = path.read_bytes()[:TEXT_MAX].decode(errors="replace")
    except FileNotFoundError:
        return ""
    except OSError as error:
        text = error.strerror or ""
    said = " ".join(text.split())
    return f"the kill file {path.name} is there" + (f": {said}" if said else "; remove it")


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """All switches in the form in which risk asks for them."""

    paused: str = ""
    stablecoin: str = ""
    venues: Mapping[VenueId, str]
    markets: Mapping[Symbol, str]


def standing(ledger: Reader, kill_file: Path | None) -> Standing:
    """Read every switch, and look for the kill file."""
    found = {off.scope: off.text() for off in active(ledger)}
    reasons = [found.get(ALL, ""), kill_text(kill_file)]
    return Standing(
        paused="; ".join(reason for reason in reasons if reason),
        stablecoin=found.get(STABLECOIN, ""),
        venues={VenueId(s.removeprefix(VENUE)): w for s, w in found.items() if s.startswith(VENUE)},
        markets={
            Symbol(s.removeprefix(MARKET)): w for s, w in found.items() if s.startswith(MARKET)
        },
    )
