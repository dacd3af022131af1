"""
What the next order of a rollback is: a pure function of the real sizes of both legs.

Nothing here knows what was planned: sizes and sides come from the positions alone (seed 004).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from hedger.domain.hedge import Target
from hedger.domain.ids import VenueId
from hedger.domain.market import Instrument
from hedger.domain.money import ZERO, ceil_to_step, floor_to_step
from hedger.domain.order import Side
from hedger.errors import VenueError


@dataclass(frozen=True, slots=True, kw_only=True)
class Legs:
    """
    Both signed sizes in coins, with the rules of their markets.

    ``doubts`` say which venue contradicts itself or our record, and how: what it shows may be
    taken off, and nothing may be concluded from it. The same goes for one that is ``unread``: its
    venue could not be asked, and our own record proves that nothing of this hedge is there. On the
    venues ``beside``, the position holds more than what is ours. Those that ``clips`` names cut a
    reduce-only order above the position to it. Of equal legs the one on ``first`` comes off first,
    else leg A.
    """

    a: Decimal
    b: Decimal
    rules_a: Instrument
    rules_b: Instrument
    doubts: Mapping[VenueId, str] = field(default_factory=dict)
    unread: VenueError | None = None
    beside: frozenset[VenueId] = frozenset()
    clips: frozenset[VenueId] = frozenset()
    first: VenueId | None = None

    @property
    def net(self) -> Decimal:
        """What is not hedged: zero when the legs are equal and opposite."""
        return self.a + self.b

    @property
    def flat(self) -> bool:
        """Nothing on either venue."""
        return self.a == ZERO and self.b == ZERO

    def leaves_other(self, step: "Reduction", filled: Decimal) -> bool:
        """Whether what was filled of a step is all that its leg was, and the other one is there."""
        first = step.venue == self.rules_a.venue
        size, other = (self.a, self.b) if first else (self.b, self.a)
        return filled == abs(size) and other != ZERO


@dataclass(frozen=True, slots=True, kw_only=True)
class Reduction:
    """Take ``size`` coins off the position on ``venue`` by an order on ``side``."""

    venue: VenueId
    side: Side
    size: Decimal


@dataclass(frozen=True, slots=True)
class Reached:
    """
    Nothing more to do. ``dust`` is what no order can take off, in coins of net exposure; it is
    ``stuck`` where one could, if nobody else held something beside it.
    """

    flat: bool
    dust: Decimal = ZERO
    stuck: bool = False


def next_reduction(legs: Legs, target: Target) -> Reduction | Reached:
    """
    The next order towards ``target``, from real sizes alone.

    To MATCH, the larger leg comes down by the difference. Where that is less than an order may
    be, or what would be left could not be closed later, the whole hedge goes: a hedge that
    cannot be managed is not kept.
    """
    if legs.flat:
        return Reached(flat=True)
    if target is Target.FLAT:
        return _towards_flat(legs)
    if not _worth_keeping(legs):
        return _towards_flat(legs)
    if legs.net == ZERO:
        return Reached(flat=False)
    size, rules = _larger(legs)
    wanted = floor_to_step(min(abs(size), abs(legs.net)), rules.size_step)
    if wanted == ZERO:
        return Reached(flat=False, dust=legs.net)
    if wanted < rules.min_size and wanted != abs(size):
        return _towards_flat(legs)
    return Reduction(venue=rules.venue, side=Side.closing(size), size=wanted)


def _larger(legs: Legs) -> tuple[Decimal, Instrument]:
    """The larger leg; leg A when both are equal, so that closing goes in the opening's order."""
    if abs(legs.a) >= abs(legs.b):
        return legs.a, legs.rules_a
    return legs.b, legs.rules_b


def _worth_keeping(legs: Legs) -> bool:
    """Opposite legs of which the smaller could still be closed by an ordinary order."""
    least = max(legs.rules_a.min_size, legs.rules_b.min_size)
    return legs.a * legs.b < ZERO and min(abs(legs.a), abs(legs.b)) >= least


def _towards_flat(legs: Legs) -> Reduction | Reached:
    """
    The larger leg first; the other one where no order may take the larger off.

    A venue whose minima bind takers, too, takes a smaller order only where it closes a whole
    position. What is ours and less, beside what somebody else holds, waits until they have gone.
    What is no whole number of steps (the venue has made them coarser since) goes as a whole where
    the venue clips: an order rounded up to a step is cut to just that.
    """
    both = [(legs.a, legs.rules_a), (legs.b, legs.rules_b)]
    stuck = False
    for size, rules in sorted(both, key=lambda leg: (-abs(leg[0]), leg[1].venue != legs.first)):
        alone = rules.venue not in legs.beside
        if rules.venue in legs.clips and alone:
            wanted = ceil_to_step(abs(size), rules.size_step)
        else:
            wanted = floor_to_step(abs(size), rules.size_step)
        if wanted == ZERO:
            continue
        too_small = rules.minima_bind_takers and wanted < rules.min_size
        if too_small and not alone:
            stuck = True
            continue
        return Reduction(venue=rules.venue, side=Side.closing(size), size=wanted)
    return Reached(flat=False, dust=legs.net, stuck=stuck)


def within_cap(reduction: Reduction, price: Decimal, rules: Instrument) -> Decimal:
    """The size an order may have at this price; the rest is for the next one."""
    cap = rules.max_order_value_usd
    if cap is None or reduction.size * price <= cap:
        return reduction.size
    return max(floor_to_step(cap / price, rules.size_step), rules.min_size)
