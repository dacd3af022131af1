"""
What is really so: exposure without a second leg, second by second, from the engines alone.

Two clocks run: all the time, and the time in which a process runs and both venues answer. A
naked span is measured on both (reliability.md §1.2, P4).
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial

from adapters.sandbox.engine.types import PositionChanged
from tests.simulation.beyond import TRUE_AGAIN_S
from tests.simulation.exchange import MARKETS, Venues
from tests.simulation.process import now_s

ZERO = Decimal(0)
MINIMA_BIND_TAKERS = frozenset({"x10"})


@dataclass(frozen=True, slots=True)
class Span:
    """
    One time in which a market was not hedged.

    ``raw_s`` are all of its seconds; ``available_s`` those in which a process ran, both venues
    answered and the venue of what stood alone would have taken it off; ``true_s`` the
    longest run of them in which no venue broke what it declares. For ``stuck_s`` of the available
    seconds what was left was less than an order may be, beside what somebody else held: nobody
    could have taken it off. ``untrue``: a venue broke what it declares in that time, or so lately
    that it was not believed again when it began.
    """

    symbol: str
    began_s: float
    available_s: float
    raw_s: float
    size: Decimal
    stuck_s: float = 0.0
    true_s: float = 0.0
    untrue: bool = False


@dataclass(slots=True)
class Availability:
    """Seconds in which the promise counts."""

    is_up: Callable[[], bool]
    _sum_s: float = 0.0
    _at_s: float = 0.0
    _up: bool = False

    def look(self) -> float:
        """The sum so far; to be called whenever something may have changed."""
        now = now_s()
        if self._up:
            self._sum_s += now - self._at_s
        self._at_s, self._up = now, self.is_up()
        return self._sum_s


@dataclass(slots=True)
class Truth:
    """
    Watches both accounts. ``foreign`` is what others hold in them, by venue and market;
    ``former_steps`` are size steps that were coarser less than a minute ago; ``able``
    says whether a venue would take off what we hold there of a market, ``honest`` whether every
    venue keeps what it declares.
    """

    venues: Venues
    availability: Availability
    able: Callable[[str, str], bool]
    honest: Callable[[], bool]
    ended: Callable[[Span], None]
    began: Callable[[str], None]
    foreign: dict[tuple[str, str], Decimal] = field(default_factory=dict)
    former_steps: dict[tuple[str, str], Decimal] = field(default_factory=dict)
    spans: list[Span] = field(default_factory=list)
    besides: list[Callable[[], object]] = field(default_factory=list)  # who else looks then
    _since: dict[str, tuple[float, float, float]] = field(default_factory=dict)
    _on: dict[str, tuple[Availability, Availability]] = field(default_factory=dict)
    _numbers: Counter[str] = field(default_factory=Counter)
    _was_honest: bool = True
    _untrue_s: float = float("-inf")  # when a venue last broke what it declares
    _untrue_at: float = float("-inf")  # the same in available seconds of the world
    _began_at: dict[str, float] = field(default_factory=dict)
    _true_s: dict[str, float] = field(default_factory=dict)
    _stuck_since: dict[str, float] = field(default_factory=dict)
    _stuck_s: dict[str, float] = field(default_factory=dict)

    def watch(self) -> None:
        """Be told of every change of a position."""
        self._on = {
            symbol: (
                Availability(partial(self._can_come_off, symbol)),
                Availability(partial(self._can_and_is_true, symbol)),
            )
            for symbol in MARKETS
        }
        for name in ("x10", "lighter"):
            self.venues.exchange(name).subscribe(self._event, PositionChanged)

    def changed(self) -> None:
        """What is available may have changed: look, before it and after."""
        self.availability.look()
        for look in self.besides:
            look()
        for symbol in self._on:
            self._look_on(symbol)
        if self.honest() is not self._was_honest:
            self._turned()

    def _turned(self) -> None:
        """A venue breaks what it declares from now on, or all are true again."""
        self._was_honest = not self._was_honest
        self._untrue_s = now_s()
        self._untrue_at = self.available_s()
        for symbol, (began_s, available_s, _) in tuple(self._since.items()):
            self._true_s[symbol] = self._true_for_s(symbol)
            self._since[symbol] = (began_s, available_s, self._look_on(symbol)[1])

    def _true_for_s(self, symbol: str) -> float:
        """The longest time without untruth in the span that goes on."""
        true_s = self._look_on(symbol)[1] - self._since[symbol][2]
        return max(true_s, self._true_s.get(symbol, 0.0))

    def untrue_since(self, at_s: float) -> bool:
        """Whether a venue has broken what it declares at or after an instant of the loop."""
        return not self._was_honest or self._untrue_s >= at_s

    def available_s(self) -> float:
        """Seconds so far in which a process ran and both venues answered."""
        return self.availability.look()

    def disbelieved(self, available_s: float) -> bool:
        """
        Whether a venue has broken what it declares since a moment, or so shortly before that it
        was not believed again by then: belief takes time in which it can be asked.
        """
        return not self._was_honest or self._untrue_at >= available_s - TRUE_AGAIN_S

    def _look_on(self, symbol: str) -> tuple[float, float]:
        available, true = self._on[symbol]
        return available.look(), true.look()

    def _can_come_off(self, symbol: str) -> bool:
        """Whether what stands alone on a market can be taken off now."""
        if not self.availability.is_up():
            return False
        net = self.naked(symbol)
        return all(
            self.able(venue, symbol)
            for venue in ("x10", "lighter")
            if self.ours(venue, symbol) * net > ZERO
        )

    def _can_and_is_true(self, symbol: str) -> bool:
        return self.honest() and self._can_come_off(symbol)

    def ours(self, venue: str, symbol: str) -> Decimal:
        """The part of a position that is not somebody else's."""
        position = self.venues.exchange(venue).position(self.venues.account(venue), symbol)
        size = ZERO if position is None else position.size
        return size - self.foreign.get((venue, symbol), ZERO)

    def naked(self, symbol: str) -> Decimal:
        """Net exposure; less than one step of the venue where it stands is none."""
        legs = {venue: self.ours(venue, symbol) for venue in ("x10", "lighter")}
        net = sum(legs.values(), ZERO)
        steps = (self.step(venue, symbol) for venue, size in legs.items() if size * net > ZERO)
        return net if net != ZERO and abs(net) >= max(steps) else ZERO

    def step(self, venue: str, symbol: str) -> Decimal:
        """The size step there, or the coarser one that the program may still know."""
        step = self.venues.exchange(venue).rules_of(symbol).size_step
        return max(step, self.former_steps.get((venue, symbol), ZERO))

    def _event(self, event: object) -> None:
        if isinstance(event, PositionChanged):
            self.look(event.position.symbol)

    def look(self, symbol: str) -> None:
        """Something changed on a market: begin or end a naked span."""
        net = self.naked(symbol)
        if net == ZERO:
            self._end(symbol)
        elif symbol not in self._since:
            self._since[symbol] = (now_s(), *self._look_on(symbol))
            self._began_at[symbol] = self.available_s()
            self._numbers[symbol] += 1
            self.began(symbol)
        self._look_on(symbol)  # another leg may be the one that stands alone
        self._measure_stuck(symbol)

    def stuck(self, symbol: str) -> bool:
        """
        Whether no order may take off what is left of us.

        A venue takes less than its smallest order only where that closes a whole position.
        """
        legs = [venue for venue in ("x10", "lighter") if self.ours(venue, symbol) != ZERO]
        return bool(legs) and all(
            venue in MINIMA_BIND_TAKERS
            and abs(self.ours(venue, symbol))
            < self.venues.exchange(venue).rules_of(symbol).min_size
            and bool(self.foreign.get((venue, symbol)))
            for venue in legs
        )

    def _measure_stuck(self, symbol: str) -> None:
        now, _ = self._look_on(symbol)
        if symbol in self._stuck_since:
            spent = now - self._stuck_since.pop(symbol)
            self._stuck_s[symbol] = self._stuck_s.get(symbol, 0.0) + spent
        if symbol in self._since and self.stuck(symbol):
            self._stuck_since[symbol] = now

    def holds(self, venue: str, symbol: str | None) -> bool:
        """Whether anything is held on a market."""
        return symbol is None or self.venues.position(venue, symbol) != ZERO

    def finish(self) -> None:
        """The run is over: what is naked now is naked for ever."""
        for symbol in MARKETS:
            self._end(symbol)

    def number(self, symbol: str) -> int:
        """Counts the spans of a market."""
        return self._numbers[symbol]

    def open_s(self, symbol: str) -> float | None:
        """Available seconds of the span that goes on now; None when there is none."""
        began = self._since.get(symbol)
        return None if began is None else self._look_on(symbol)[0] - began[1]

    def stands_alone(self, symbol: str) -> bool:
        """Whether a span goes on now."""
        return symbol in self._since

    def longest_open_s(self) -> float:
        """Available seconds of the longest span that goes on now."""
        return max((self.open_s(symbol) or 0.0 for symbol in self._since), default=0.0)

    def _end(self, symbol: str) -> None:
        began = self._since.get(symbol)
        if began is None:
            return
        self._measure_stuck(symbol)
        true_s = self._true_for_s(symbol)
        self._true_s.pop(symbol, None)
        self._since.pop(symbol)
        self._stuck_since.pop(symbol, None)
        available_s, _ = self._look_on(symbol)
        span = Span(
            symbol,
            began[0],
            available_s - began[1],
            now_s() - began[0],
            ZERO,
            self._stuck_s.pop(symbol, 0.0),
            true_s,
            self.disbelieved(self._began_at.pop(symbol)),
        )
        self.spans.append(span)
        self.ended(span)
