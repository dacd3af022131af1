"""Our names of the markets and X10's. X10 writes ``ETH-USD`` where we write ``ETH``."""

from collections.abc import Mapping

from adapters.common.identities import Identities
from hedger.domain.ids import Symbol

SUFFIX = "-USD"


class Names:
    """
    Translates market names in both directions.

    ``overrides`` says where X10 spells an asset differently (our name to the whole market
    name). An overridden name has exactly that one market: the market that would have had the
    name by itself is then left out, instead of two markets being mistaken for each other.

    Attributes:
        markets: which of X10's assets each symbol is. Where a market was renamed, its new name
            is told by ``renamed``.
    """

    def __init__(self, overrides: Mapping[Symbol, str]) -> None:
        self._told = dict(overrides)
        self._market_of = dict(overrides)
        self._symbol_of = {market: symbol for symbol, market in overrides.items()}
        self._earlier: dict[Symbol, set[str]] = {}
        self.markets = Identities(frozenset(overrides))

    def market(self, symbol: Symbol) -> str:
        """X10's name of our symbol; it may not exist there."""
        return self._market_of.get(symbol, f"{symbol}{SUFFIX}")

    def symbol(self, market: str) -> Symbol | None:
        """Our name of one of X10's markets; None when we have given that name away."""
        if (given := self._symbol_of.get(market)) is not None:
            return given
        symbol = Symbol(market.removesuffix(SUFFIX))
        return None if symbol in self._market_of else symbol

    def renamed(self, symbol: Symbol, market: str) -> None:
        """The market of one of our symbols has this name now."""
        if self.market(symbol) != market:
            self._earlier.setdefault(symbol, set()).add(self.market(symbol))
            self._symbol_of.pop(self.market(symbol), None)
            self._market_of[symbol] = market
            self._symbol_of[market] = symbol

    def ever(self, symbol: Symbol) -> frozenset[str]:
        """Every name that its market is known to have had: old rows may keep an old one."""
        told = self._told.get(symbol, f"{symbol}{SUFFIX}")
        return frozenset({told, self.market(symbol), *self._earlier.get(symbol, ())})

    def certain_symbol(self, market: str) -> Symbol:
        """As ``symbol``, but a market without a name of ours keeps its own spelling."""
        return self.symbol(market) or Symbol(market)

    def past_symbol(self, market: str) -> Symbol:
        """As ``certain_symbol``, of a row that may still have an earlier name of its market."""
        if market not in self._symbol_of:
            for symbol, names in self._earlier.items():
                if market in names:
                    return symbol
        return self.certain_symbol(market)
