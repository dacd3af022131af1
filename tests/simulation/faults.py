"""
What goes wrong in a simulated world: the kinds, and which of them a seed switches on.

A seed enables a random half of the kinds, each with its rate. What strikes single requests is
drawn here, and done to the venues in ``venuefaults``; what strikes at a moment or aims at a
state is in ``nemesis``.
"""

import random
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Ill(StrEnum):
    """Every kind of fault."""

    __hash__ = str.__hash__  # asked for a hundred thousand times an hour; the enum's is slow

    # messages, both ways
    REQUEST_LOST = "request lost"
    REQUEST_LATE = "request late (up to 40 s)"
    REQUEST_DOUBLED = "request duplicated"
    RESPONSE_LOST = "response lost"
    RESPONSE_LATE = "response late"
    NOT_CONNECTED = "connection refused"
    CUT_BEFORE = "connection cut before the effect"
    CUT_AFTER = "connection cut after the effect"
    SLOW_NET = "slow network"
    # what the venue answers and does
    ERROR_BEFORE = "5xx before the effect"
    ERROR_AFTER = "5xx after the effect"
    RATE_LIMIT = "429"
    GARBLED = "unreadable answer"
    REFUSED = "order refused at the door"
    PARTIAL = "partial fill"
    ZERO = "zero fill"
    SLOW_MATCH = "slow match"
    REJECTED = "accepted, then rejected"
    DROPPED = "reduce-only dropped by the sequencer"
    STALE_POSITION = "stale positions"
    STALE_ORDER = "stale orders"
    STALE_NONCE = "stale nonce (behind)"
    STALE_BALANCE = "stale balance"
    READ_FAILED = "failed read"
    NONCE_STOLEN = "nonce stolen"
    # at a moment, or aimed at a state
    NONCE_AHEAD = "nonce used by somebody else (ahead)"
    OUTAGE = "outage"
    OUTAGE_AIMED = "outage while leg 2 is in flight"
    LIQUIDATION = "liquidation"
    MANUAL = "manual close"
    RACING = "external close between read and close"
    NO_LIQUIDITY = "no liquidity"
    KILL = "kill -9"
    KILL_IN_RECOVERY = "kill -9 in recovery"
    POWER = "power cut"
    STALL = "process stands still"
    STALL_AT_COMMIT = "process stands still after an intent"
    SKEW = "our clock is off"
    DB_BUSY = "database busy"
    DISK_FULL = "disk full"
    TWO_DAEMONS = "two daemons"
    VENUE_OFF = "venue clock off by 1 to 20 s"
    # a market changes (``kinds.market``)
    HALTED = "market halted"
    REDUCE_ONLY = "market takes reductions only"
    DELISTED = "market delisted and back"
    STEPS = "size step and minimum change"
    TICKS = "price tick changes"
    DECIMALS = "decimals change"
    RENAMED = "market renamed"
    RENUMBERED = "market renumbered"
    LEVERAGE_CAP = "leverage cap changes"
    DRY_LONG = "dry book for minutes"
    PRICE_MOVE = "price move that liquidates"
    LIQUIDATION_PART = "partial liquidation"
    DELEVERAGED = "auto-deleveraging"
    # a venue's keys, doors and payments (``kinds.venue``, ``kinds.network``, ``kinds.payments``)
    KEY_REVOKED = "key revoked and registered anew"
    HOSTILE = "hostile numbers and shapes"
    OUTAGE_LONG = "outage of minutes"
    ENDPOINT_DOWN = "one endpoint down for long"
    BANNED = "banned (429 with Retry-After, or HTML)"
    FUNDING_STOPS = "settlements stop"
    FUNDING_TWICE = "a settlement comes twice"
    FUNDING_LATE = "funding pays a hedge already closed"
    # our own machine (``kinds.machine``)
    LEDGER_GONE = "ledger file deleted"
    LEDGER_REPLACED = "ledger file replaced"
    LEDGER_RESTORED = "ledger restored from an older copy"
    LEDGER_DAMAGED = "ledger file damaged"
    CLOCK_BACK = "our clock set back by minutes"
    PAUSED = "process stands still between commit and send"
    # outside of what a venue declares
    LAG_BROKEN = "read lag beyond its bound"
    VENUE_CLOCK = "venue clock jumps (up to 30 s)"
    FORGETS = "venue forgets a batch"
    NONCE_BACK = "nonces go back"
    LATE_FINAL = "final answer that fills later"
    OVERFILL = "more filled than asked"
    OTHER_ACCOUNT = "answer of another account"
    OTHER_MARKET = "answer of another market"


REQUESTS: Mapping[Ill, float] = {
    Ill.REQUEST_LOST: 0.0023,
    Ill.REQUEST_LATE: 0.0023,
    Ill.REQUEST_DOUBLED: 0.0023,
    Ill.RESPONSE_LOST: 0.0023,
    Ill.RESPONSE_LATE: 0.0023,
    Ill.NOT_CONNECTED: 0.0023,
    Ill.CUT_BEFORE: 0.0023,
    Ill.CUT_AFTER: 0.0023,
    Ill.SLOW_NET: 0.02,
}
"""How likely each is for one message. An order counts as ``ORDER_WEIGHT`` messages."""

ORDER_WEIGHT = 13.0

ORDERS: Mapping[Ill, float] = {
    Ill.ERROR_BEFORE: 0.03,
    Ill.ERROR_AFTER: 0.03,
    Ill.RATE_LIMIT: 0.03,
    Ill.REFUSED: 0.03,
    Ill.PARTIAL: 0.22,
    Ill.ZERO: 0.05,
    Ill.SLOW_MATCH: 0.04,
    Ill.REJECTED: 0.04,
    Ill.DROPPED: 0.04,
    Ill.NONCE_STOLEN: 0.03,
}
"""How likely each is for one order."""

READS: Mapping[Ill, float] = {
    Ill.STALE_POSITION: 0.10,
    Ill.STALE_ORDER: 0.10,
    Ill.STALE_NONCE: 0.30,
    Ill.STALE_BALANCE: 0.10,
    Ill.READ_FAILED: 0.02,
}
"""How likely each is for one read of its kind."""

MOMENTS: Mapping[Ill, float] = {
    Ill.NONCE_AHEAD: 1.8,
    Ill.OUTAGE: 1.5,
    Ill.LIQUIDATION: 4.0,
    Ill.MANUAL: 4.2,
    Ill.NO_LIQUIDITY: 2.5,
    Ill.KILL: 11.5,
    Ill.POWER: 2.0,
    Ill.STALL: 4.0,
    Ill.SKEW: 0.0,
    Ill.DB_BUSY: 4.0,
    Ill.DISK_FULL: 2.5,
    Ill.TWO_DAEMONS: 1.6,
    Ill.VENUE_OFF: 6.0,
}
"""How often each happens in an hour."""

AIMED: Mapping[Ill, float] = {
    Ill.OUTAGE_AIMED: 0.05,
    Ill.RACING: 0.15,
    Ill.KILL_IN_RECOVERY: 0.003,
    Ill.STALL_AT_COMMIT: 0.002,
    Ill.KEY_REVOKED: 0.05,
}
"""How likely each is when its state has come."""

BEYOND: frozenset[Ill] = frozenset(
    {
        Ill.LAG_BROKEN,
        Ill.VENUE_CLOCK,
        Ill.FORGETS,
        Ill.NONCE_BACK,
        Ill.LATE_FINAL,
        Ill.OVERFILL,
        Ill.OTHER_ACCOUNT,
        Ill.OTHER_MARKET,
    }
)
"""Outside of what a venue declares: told apart, alarmed, and bounded once it is true again."""

NO_LEDGER: frozenset[Ill] = frozenset(
    {Ill.LEDGER_GONE, Ill.LEDGER_REPLACED, Ill.LEDGER_RESTORED, Ill.LEDGER_DAMAGED}
)
"""While one of them lasts, nothing can be told in the ledger."""

UNREADABLE: frozenset[Ill] = (
    BEYOND | NO_LEDGER | {Ill.KEY_REVOKED, Ill.HOSTILE, Ill.ENDPOINT_DOWN, Ill.BANNED}
)
"""While one of them lasts, a venue or the ledger does not tell what is so."""

BEYOND_SHARE = 0.14
BEYOND_AT_ONCE = 3

RARE: frozenset[Ill] = frozenset(list(Ill)[list(Ill).index(Ill.HALTED) :]) - BEYOND
"""Kinds that change a world for long: each is in fewer worlds, or nothing else would happen."""

RARE_SHARE = 0.15
OFF_SHARE = 0.12
DRIFTS_SHARE = 0.85
OFF_S = (1.0, 20.0)
"""
A venue's clock may be off by so much, fast or slow, in so many worlds: to be measured and coped
with, so these are judged like any other. It is off from the first moment on or comes to be so
while hedges are open, by a second in twenty; a clock that jumps is beyond.
"""

STALE_S = (0.5, 4.0)
STALE_BROKEN_S = (6.0, 12.0)


@dataclass(frozen=True)
class Plan:
    """What a seed switches on, and how much of it."""

    ills: frozenset[Ill]
    intensity: float = 1.0
    orders: Mapping[int, Ill] = field(default_factory=dict)  # what the n-th order meets
    venue_off_s: float = 0.0  # how far the venues' clock is ahead of true time
    venue_drifts: bool = False  # it was right, and comes to be so far ahead

    @property
    def beyond(self) -> bool:
        """Whether a venue breaks what it declares."""
        return bool((self.ills | set(self.orders.values())) & BEYOND)


NOTHING = Plan(frozenset())


def drawn(chance: random.Random, without: frozenset[Ill] = frozenset()) -> Plan:
    """
    The plan of one seed: about half of the kinds, and rarely one beyond the declared bounds.

    ``without`` is taken out at last, so that the others are those of the seed.
    """
    usual = [ill for ill in Ill if ill not in BEYOND | RARE and ill is not Ill.VENUE_OFF]
    ills: set[Ill] = {ill for ill in usual if chance.random() < 0.5}
    ills.add(Ill.KILL)  # every seed has some: half of the promise is about them
    ills |= {ill for ill in Ill if ill in RARE and chance.random() < RARE_SHARE}
    if chance.random() < BEYOND_SHARE:
        ills |= set(chance.sample(sorted(BEYOND), BEYOND_AT_ONCE))
    off_s = chance.choice((-1, 1)) * chance.uniform(*OFF_S)
    drifts = chance.random() < DRIFTS_SHARE
    if chance.random() < OFF_SHARE:
        ills |= {Ill.VENUE_OFF, Ill.REQUEST_LATE}
    left = frozenset(ills) - without
    return Plan(
        left,
        chance.choice((0.5, 0.8, 1.1)),
        venue_off_s=off_s if Ill.VENUE_OFF in left else 0.0,
        venue_drifts=drifts and Ill.VENUE_OFF in left,
    )


Steps = list[tuple[float, Ill | None]]


class Chance:
    """
    Draws for one world, and two counts: what ``fired``, and what had an effect (``told``) while
    a hedge was being opened, held or closed: it changed an answer or a decision.
    """

    def __init__(self, plan: Plan, source: random.Random) -> None:
        self.plan = plan
        self.source = source
        self.fired: Counter[Ill] = Counter()
        self.told: Counter[Ill] = Counter()
        self.busy: Callable[[], bool] = bool  # the world says whether a hedge lives
        self.quiet = False  # nothing is drawn any more: the world comes to rest
        self._orders = 0
        self._steps: dict[tuple[int, float], Steps] = {}

    def strikes(self, ill: Ill, likely: float) -> bool:
        """Whether it happens now; counted if it does."""
        if self.quiet or ill not in self.plan.ills:
            return False
        if self.source.random() >= likely * self.plan.intensity:
            return False
        self.fired[ill] += 1
        return True

    def tell(self, ill: Ill) -> bool:
        """It has just changed an answer or a decision; whether that counts: a hedge lives."""
        if not self.busy():
            return False
        self.told[ill] += 1
        return True

    def between(self, least: float, most: float) -> float:
        """Seconds."""
        return least + (most - least) * self.source.random()

    @property
    def sent(self) -> int:
        """Orders so far."""
        return self._orders

    def next_order(self) -> None:
        """Another order was sent; a plan may say what it meets."""
        self._orders += 1

    def first_of(
        self, table: Mapping[Ill, float], weight: float = 1.0, *, order: bool = False
    ) -> Ill | None:
        """At most one of a table: what the plan says of an order, or the first that strikes."""
        said = self.plan.orders.get(self._orders) if order else None
        if said is not None and said in table:
            self.fired[said] += 1
            return said
        if self.quiet:
            return None
        steps = self._steps.get((id(table), weight)) or self._stepped(table, weight)
        drawn = self.source.random()
        if drawn >= steps[-1][0]:
            return None
        ill = next(one for upto, one in steps if drawn < upto)
        assert ill is not None
        self.fired[ill] += 1
        return ill

    def _stepped(self, table: Mapping[Ill, float], weight: float) -> Steps:
        """Where each of a table that is switched on ends between 0 and 1: one draw tells."""
        steps: Steps = []
        upto = 0.0
        for ill, likely in table.items():
            if ill in self.plan.ills:
                upto += likely * weight * self.plan.intensity
                steps.append((upto, ill))
        self._steps[id(table), weight] = steps = steps or [(0.0, None)]
        return steps
