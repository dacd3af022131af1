"""
Strokes that wait for their moment in the life of a hedge, and what of them was noticed.

A change of a market matters between the two orders of an opening or of a closing, or while the
hedge is held: seconds that chance alone seldom finds.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING, Any

from adapters.sandbox.engine.market_types import Rules
from adapters.sandbox.engine.types import NewOrder, TradeKind, TradeMade
from tests.simulation.exchange import HEDGED
from tests.simulation.faults import Ill
from tests.simulation.process import now_s
from tests.simulation.promisedrules import FACTS, ChangeTold, LeverageProven
from tests.simulation.scenarios import Change

if TYPE_CHECKING:
    from tests.simulation.world import World

VENUES = ("x10", "lighter")
ZERO = Decimal(0)
NEXT_SHARE = 0.7  # how often the venue is struck whose order comes next
WAITING_MAX = 6
KNOWN_AFTER_S = 60.0
AGAIN_S = 5.0
NUMBERS = frozenset({"market_id", "synthetic_id"})
_LIVE_ON = (
    "SELECT 1 FROM hedges WHERE symbol = :symbol"
    " AND state NOT IN ('refused','closed_flat','closed')"
)


class Moment(StrEnum):
    """When a stroke falls."""

    OPENING = "between leg A and leg B"
    HELD = "while both legs stand"
    CLOSING = "between the first and the second closing order"


Blow = Callable[["World", str, str], bool]
"""Does it to a market of a venue; whether anything happened at all."""

AFTER_S = {Moment.OPENING: (0.05, 1.1), Moment.HELD: (2.0, 12.0), Moment.CLOSING: (0.05, 0.9)}
"""How long after the order that tells of a moment the stroke falls."""


@dataclass(frozen=True, slots=True)
class _Aim:
    """A stroke that waits."""

    ill: Ill
    moment: Moment
    blow: Blow


@dataclass(frozen=True, slots=True)
class _Untold:
    """A stroke that no answer has shown yet: it shows in one to a request that has this in it."""

    ill: Ill
    venue: str
    symbol: str
    shows: Callable[[str, Sequence[Any]], bool]


class MarketAims:
    """The strokes of one world that wait, and those that nobody has noticed yet."""

    def __init__(self, world: "World") -> None:
        self.untold: list[_Untold] = []
        self._world = world
        self._waiting: list[_Aim] = []
        self._first: dict[tuple[str, str], Rules] = {}  # of what was changed: as it was
        self._opened: dict[tuple[str, str], Rules] = {}  # as our last opening order met it
        self._moved: dict[str, set[Ill]] = {}  # by symbol: what may end in a forced trade
        self._named: dict[str, str] = {}  # markets by other names that they had
        self._arrived = 0  # orders so far
        self._of_story = None if world.setup.story is None else world.setup.story.change
        self.told = ChangeTold(world)
        self.leverage = LeverageProven(world)
        for venue in VENUES:
            world.venues.exchange(venue).subscribe(partial(self._traded, venue), TradeMade)

    def wait(self, ill: Ill, blow: Blow) -> bool:
        """Let it strike at a moment drawn now; False: it counts when it does."""
        if len(self._waiting) < WAITING_MAX:
            moment = self._world.chance.source.choice(list(Moment))
            self._waiting.append(_Aim(ill, moment, blow))
        return False

    def on_order(self, venue: str, new: NewOrder, *, closes: bool) -> None:
        """An order was just taken: the moment of at most one of those that wait has come."""
        world, symbol = self._world, new.symbol
        self._arrived += 1
        if not closes:
            self._opened[venue, symbol] = world.venues.exchange(venue).rules_of(symbol)
        if self._of_story is not None and self._of_story.after == self._arrived:
            self._tell(self._of_story, symbol)
        if not self._waiting or symbol not in HEDGED:
            return
        if closes:
            whole = all(world.truth.ours(v, symbol) != ZERO for v in VENUES)
            moment = Moment.CLOSING if whole and world.truth.naked(symbol) == ZERO else None
        else:
            moment = Moment.OPENING if venue == "x10" else Moment.HELD
        aim = next((one for one in self._waiting if one.moment is moment), None)
        if aim is None or moment is None:
            return
        self._waiting.remove(aim)
        world.loop.call_later(
            world.chance.between(*AFTER_S[moment]), self._strike, aim, _other(venue), symbol
        )

    def _tell(self, given: Change, symbol: str) -> None:
        """What a story says of the market of its hedge."""
        self._world.loop.call_later(
            given.delay_s,
            lambda: self.change(given.ill, given.venue, symbol, given.seconds, **given.rules),
        )

    def _strike(self, aim: _Aim, following: str, symbol: str) -> None:
        world = self._world
        if world.chance.quiet:
            return
        venue = following
        if aim.moment is Moment.HELD:
            if any(world.truth.ours(v, symbol) == ZERO for v in VENUES):
                self._waiting.append(aim)  # it was gone already
                return
            venue = world.chance.source.choice(VENUES)
        elif world.chance.source.random() >= NEXT_SHARE:
            venue = _other(following)
        if aim.blow(world, venue, symbol):
            world.chance.fired[aim.ill] += 1
            world.trace(f"{aim.ill} {venue} {symbol} {aim.moment}")

    # -- what is otherwise for a while ----------------------------------------------------------

    def first(self, venue: str, symbol: str) -> Rules:
        """The rules of a market as they were before anything was changed."""
        now = self._world.venues.exchange(venue).rules_of(symbol)
        return self._first.get((venue, symbol), now)

    def opened(self, venue: str, symbol: str) -> Rules:
        """
        The rules of a market as our leg there was opened under them: a ledger that was lost may
        have been begun anew under a number that is not the first.
        """
        return self._opened.get((venue, symbol)) or self.first(venue, symbol)

    def change(self, ill: Ill, venue: str, symbol: str, seconds: float, **rules: Any) -> bool:
        """A market's rules are others for so long, and then as they were at first."""
        exchange = self._world.venues.exchange(venue)
        now = exchange.rules_of(symbol)
        if all(getattr(now, name) == value for name, value in rules.items()):
            return False
        if "name" in rules:
            self._named[rules["name"].removesuffix("-USD")] = symbol
        self._first.setdefault((venue, symbol), now)
        before = {name: getattr(self._first[venue, symbol], name) for name in rules}

        def set_to(values: dict[str, Any]) -> None:
            step = exchange.rules_of(symbol).size_step
            exchange.change_rules(symbol, **values)
            if exchange.rules_of(symbol).size_step < step:
                self._finer((venue, symbol), step)
            if "size_decimals" in values:  # an order that is signed means another size now
                self._world.oracle.disturbed_s[symbol] = now_s()
            self._world.truth.look(symbol)  # what is less than a step may be another thing now

        def end() -> None:
            # a number that a hedge was opened under binds it, and what was traded in finer steps
            # can be sold in no others where orders are not clipped: a person would be needed
            finer = "size_step" in rules and rules["size_step"] < before["size_step"]
            opened = self.opened(venue, symbol)
            binding = finer or any(getattr(opened, n) == rules[n] for n in NUMBERS & rules.keys())
            if binding and self._world.oracle.one(_LIVE_ON, symbol=symbol):
                self._world.loop.call_later(AGAIN_S, end)
            else:
                set_to(before)

        begun = self._world.last(ill, f"{venue} {symbol}", seconds, lambda: set_to(rules), end)
        if begun:
            self.until_seen(ill, venue, symbol, in_list)
            if rules.keys() & FACTS:
                lasting, key = self._world.lasting, (ill, f"{venue} {symbol}")
                mine = lasting[key]
                self.told.changed(venue, symbol, lambda: lasting.get(key) is mine)
        return begun

    def meant(self, symbol: str) -> str:
        """
        The market that the program means: under another name it is another one to a program
        whose ledger was lost.
        """
        return self._named.get(symbol, symbol)

    def _finer(self, market: tuple[str, str], step: Decimal) -> None:
        """
        What was less than a step may be more now. The program reads rules again when they are a
        minute old (docs/markets.md): until then it may not know.
        """
        truth = self._world.truth
        truth.former_steps[market] = step
        self._world.loop.call_later(KNOWN_AFTER_S, self._known, market, step)

    def _known(self, market: tuple[str, str], step: Decimal) -> None:
        truth = self._world.truth
        if truth.former_steps.get(market) == step:
            del truth.former_steps[market]
            truth.look(market[1])

    # -- what was noticed -----------------------------------------------------------------------

    def until_seen(
        self, ill: Ill, venue: str, symbol: str, shows: Callable[[str, Sequence[Any]], bool]
    ) -> None:
        """Count it once an answer shows it while a hedge of this market lives."""
        self.untold = [u for u in self.untold if (u.ill, u.venue, u.symbol) != (ill, venue, symbol)]
        self.untold.append(_Untold(ill, venue, symbol, shows))

    def answered(self, venue: str, what: str, words: Sequence[Any], *, refused: bool) -> None:
        """The venue has just answered a request, or refused one of our orders."""
        for one in tuple(self.untold):
            seen = one.venue == venue and (refused or one.shows(what, words))
            if seen and self._world.oracle.one(_LIVE_ON, symbol=one.symbol):
                self.untold.remove(one)
                self._world.chance.tell(one.ill)

    def until_forced(self, ill: Ill, symbol: str) -> None:
        """Count it once the venue trades by force in our account on that market."""
        self._moved.setdefault(symbol, set()).add(ill)

    def _traded(self, venue: str, event: object) -> None:
        assert isinstance(event, TradeMade)
        symbol = event.trade.symbol
        if event.trade.kind is TradeKind.TRADE:
            self.leverage.traded(venue, symbol, event.trade.client_id)
            return
        self._world.oracle.disturbed_s[symbol] = now_s()
        for ill in sorted(self._moved.pop(symbol, ())):
            self._world.chance.tell(ill)


def in_list(what: str, _words: Sequence[Any]) -> bool:
    """The answer is a venue's list of markets."""
    return what in {"/info/markets", "orderBookDetails"}


def in_positions(what: str, _words: Sequence[Any]) -> bool:
    """The answer tells what our account holds."""
    return what in {"/user/positions", "account"}


def in_book(world: "World", symbol: str) -> Callable[[str, Sequence[Any]], bool]:
    """The answer is the book of one market, on either venue."""

    def shows(what: str, words: Sequence[Any]) -> bool:
        if what.endswith("/orderbook"):
            return world.venues.x10.rules_of(symbol).name in what
        number = str(world.venues.lighter.rules_of(symbol).market_id)
        return what == "orderBookOrders" and ("market_id", number) in words[1]

    return shows


def _other(venue: str) -> str:
    return "lighter" if venue == "x10" else "x10"
