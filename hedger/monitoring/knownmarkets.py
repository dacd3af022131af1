"""
Which market each symbol is, kept in the ledger: a venue's number outlives the name it shows.

Markets of live hedges stay what they are. All the others that were ever listed are remembered as
well, because an older copy of the ledger may be put back while a hedge is open of which it knows
nothing: what that holds is then still found under the symbol that its orders bear.

Which market a symbol is comes into the ledger before the first hedge on it does: the market may
have another name by the time an order of it is looked up by the next process. So does what a
venue's answers call our account: the next process may be unable to ask, and has to tell those
about another one.
"""

import json
from collections.abc import Mapping
from typing import Final

from hedger.domain.ids import Symbol, VenueId
from hedger.ledger.store import Store
from hedger.ports import QuoteSource, Venue

LIVE: Final = "facts:"  # what is known of the markets of live hedges, by venue and symbol
EVERY: Final = "markets:"  # the identity of every market that was ever listed, by venue
OWNER: Final = "owner:"  # what a venue's answers call our account, by venue and account

Known = Mapping[Symbol, str]


class KnownMarkets:
    """Takes up what earlier processes knew, and keeps what this one comes to know."""

    def __init__(
        self, venues: Mapping[VenueId, Venue], quotes: Mapping[VenueId, QuoteSource], store: Store
    ) -> None:
        self._venues = venues
        self._quotes = quotes
        self._store = store
        self._kept = {venue: _every(store, venue) for venue in venues}
        live = _live(store)
        for venue in self._kept:
            self._recognise(venue, live.get(venue, {}))
        self._owners = {venue: store.meta(_owner(port)) for venue, port in venues.items()}
        for venue, owner in self._owners.items():
            if owner:
                venues[venue].belongs_to(owner)

    def keep(self, held: Symbol | None = None) -> None:
        """
        Write down what was not known before; nothing is written where there is no such.

        ``held`` is about to be of a hedge: its markets stay what they are from now on.

        Raises:
            StateError: the ledger cannot be written; the next call tries again.
        """
        for venue, port in self._venues.items():
            owner = port.owner
            if owner is not None and owner != self._owners[venue]:
                self._store.set_meta(_owner(port), owner)
                self._owners[venue] = owner
        for venue, kept in self._kept.items():
            now = self._venues[venue].identities()
            if not now.items() <= kept.items():
                numbers = set(now.values())
                others = {symbol: each for symbol, each in kept.items() if each not in numbers}
                known = dict(sorted({**others, **now}.items()))
                self._store.set_meta(EVERY + venue, json.dumps(known))
                self._kept[venue] = known
            if held is not None and held in now:
                self._recognise(venue, {held: now[held]})

    def _recognise(self, venue: VenueId, live: Known) -> None:
        for port in (self._venues[venue], self._quotes[venue]):
            port.recognise(live, self._kept[venue])


def _owner(port: Venue) -> str:
    return f"{OWNER}{port.id}:{port.account}"


def _every(store: Store, venue: VenueId) -> Known:
    text = store.meta(EVERY + venue)
    return {} if not text else {Symbol(symbol): str(n) for symbol, n in json.loads(text).items()}


def _live(store: Store) -> Mapping[VenueId, Known]:
    found: dict[VenueId, dict[Symbol, str]] = {}
    for key, text in store.metas(LIVE).items():
        venue, _, symbol = key.removeprefix(LIVE).partition(":")
        if identity := json.loads(text).get("identity"):
            found.setdefault(VenueId(venue), {})[Symbol(symbol)] = identity
    return found
