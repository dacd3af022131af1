"""Which of a venue's markets each of our symbols is: by the venue's number, from first seen on."""

from collections import Counter
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from hedger.domain.ids import Symbol

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Listing(Generic[T]):
    """
    One answer about all markets.

    ``drift`` says of which symbols it cannot be told for sure which market they are; the row
    that is nearest to what is known stands among the ``rows`` all the same.
    """

    rows: Mapping[Symbol, T]
    drift: Mapping[Symbol, str]


class Identities:
    """
    Numbers of markets. A market keeps its symbol under whatever name the venue shows it.

    A number is the venue's own and unchanging word for a market (Lighter's market number, X10's
    asset id); a display name may change, and another market may get it.

    ``configured`` are symbols that the configuration gives a name there: what was known of those
    once is not recalled.
    """

    def __init__(self, configured: Container[Symbol] = ()) -> None:
        self._configured = configured
        self._number_of: dict[Symbol, str] = {}
        self._symbol_of: dict[str, Symbol] = {}
        self._recalled: dict[str, Symbol] = {}
        self._held: set[Symbol] = set()

    def take_up(self, live: Mapping[Symbol, str], earlier: Mapping[Symbol, str]) -> bool:
        """
        Take over what an earlier process knew; whether that is not what names alone have told by
        now, so that the list has to be read again.

        A market of a ``live`` hedge stays what it is. What every one was ``earlier`` counts less:
        a symbol goes to another market that has its name.
        """
        self._recalled = {n: s for s, n in earlier.items() if s not in self._configured}
        told = [*((s, n) for n, s in self._recalled.items()), *live.items()]
        anew = any(self.conflict(s, n) or self._symbol_of.get(n, s) != s for s, n in told)
        if anew:
            self._number_of, self._symbol_of = {}, {}
        for symbol, number in live.items():
            self._know(symbol, number)
        self._held |= live.keys()
        return anew

    def _know(self, symbol: Symbol, number: str) -> None:
        self._number_of[symbol] = number
        self._symbol_of[number] = symbol

    def known(self) -> Mapping[Symbol, str]:
        """Every market that was seen, or recognised, by our symbol."""
        return dict(self._number_of)

    def owner(self, number: str) -> Symbol | None:
        """Our symbol of a market that is known."""
        return self._symbol_of.get(number) or self._recalled.get(number)

    def number(self, symbol: Symbol) -> str | None:
        """The market that a symbol is known to be."""
        return self._number_of.get(symbol)

    def conflict(self, symbol: Symbol, number: str) -> str:
        """Why a market may not be taken for a symbol; empty where nothing speaks against it."""
        known = self._number_of.get(symbol, number)
        if known == number:
            return ""
        return f"a market called {symbol} has the number {number}, and {symbol} is number {known}"

    def listing(self, rows: Iterable[tuple[str, Symbol | None, T]]) -> Listing[T]:
        """
        Sort rows of number, symbol by name and content; what is new and clear is remembered.

        Of two rows of one market the first counts, so the likelier one has to stand first.
        """
        found: dict[Symbol, T] = {}
        drift: dict[Symbol, str] = {}
        numbers: dict[str, Symbol | None] = {}
        rows = tuple(rows)
        names = {number: named for number, named, _ in rows}
        self._follow(names)
        self._outdate(names)
        for number, named, row in rows:
            symbol = self.owner(number) or named
            if number in numbers:
                if (symbol := numbers[number]) is not None:
                    drift[symbol] = f"the venue lists the market number {number} twice"
                continue
            numbers[number] = symbol
            if symbol is None:
                continue
            if why := self.conflict(symbol, number):
                drift[symbol] = why
            elif symbol in found:
                drift[symbol] = f"the venue lists two markets called {symbol}"
            else:
                found[symbol] = row
        for number, symbol in numbers.items():
            if symbol in found and symbol not in drift:
                self._know(symbol, number)
        return Listing(found, drift)

    def _follow(self, names: Mapping[str, Symbol | None]) -> None:
        """
        Let a symbol of no hedge go to the market that has its name, where its own is gone.

        A ledger that is new may have met it under a number that did not last.
        """
        shown = Counter(names.values())
        for number, symbol in names.items():
            if symbol is None or symbol in self._held or shown[symbol] > 1:
                continue
            known = self._number_of.get(symbol, number)
            if known not in names and self.owner(number) is None:
                del self._number_of[symbol], self._symbol_of[known]

    def _outdate(self, names: Mapping[str, Symbol | None]) -> None:
        """Forget what is recalled of a symbol that is the name of another market by now."""
        taken = {symbol: number for number, symbol in names.items()}
        self._recalled = {
            number: symbol
            for number, symbol in self._recalled.items()
            if taken.get(symbol, number) == number
            and self._number_of.get(symbol, number) == number
            and names.get(number) not in self._configured
        }
