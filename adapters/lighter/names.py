"""Our names of the markets and Lighter's, where the two differ."""

from collections.abc import Mapping

from adapters.common.identities import Identities
from hedger.domain.ids import Symbol


class Names:
    """
    Our symbols and the venue's, where the two differ (``symbols.names``).

    Attributes:
        markets: which of the venue's numbers each symbol is; it goes before every name.
    """

    def __init__(self, overrides: Mapping[Symbol, str]) -> None:
        self._theirs = dict(overrides)
        self._ours = {name: symbol for symbol, name in overrides.items()}
        self.markets = Identities(frozenset(overrides))

    def ours(self, name: str) -> Symbol | None:
        """Our symbol; None when we use that symbol for another of their markets."""
        if name in self._ours:
            return self._ours[name]
        return None if name in self._theirs else Symbol(name)

    def theirs(self, symbol: Symbol) -> str:
        """Their name."""
        return self._theirs.get(symbol, symbol)
