"""
Configured names of markets, held against the markets that the venues list.

Pure. A venue whose list is not known yet proves nothing: what it may list is not told to be
wrong.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from hedger.config.names import nearest
from hedger.domain.ids import Symbol, VenueId, as_configured

Lists = Mapping[VenueId, Mapping[Symbol, str]]
"""Per venue that answered: our name of each of its markets, and the venue's own name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Configured:
    """
    Every name of a market in the configuration.

    ``by_key`` are our names by the key they stand under; ``spelt`` is ``symbols.names``.
    """

    by_key: Mapping[str, tuple[Symbol, ...]]
    spelt: Mapping[Symbol, Mapping[VenueId, str]]

    def __bool__(self) -> bool:
        return any(self.by_key.values()) or bool(self.spelt)


def unmatched(configured: Configured, venues: tuple[VenueId, ...], lists: Lists) -> list[str]:
    """A sentence for each name that provably matches nothing, with the nearest one that does."""
    known = {as_configured(symbol): symbol for found in lists.values() for symbol in found}
    wrong = []
    if all(venue in lists for venue in venues):
        wrong = [
            f"{key} names {name}, which is no market of {' or '.join(venues)}{nearest(name, known)}"
            for key, names in configured.by_key.items()
            for name in names
            if name not in known
        ]
    return wrong + _misspelt(configured, lists)


def _misspelt(configured: Configured, lists: Lists) -> list[str]:
    return [
        f"symbols.names.{symbol}.{venue} is {name!r}, which {venue} does not list"
        f"{nearest(name, lists[venue].values())}"
        for symbol, theirs in configured.spelt.items()
        for venue, name in theirs.items()
        if venue in lists and name not in lists[venue].values()
    ]
