"""
Short stories for the crash matrix: one hedge is opened and closed, and one thing goes wrong.

Orders are counted over the whole story: 1 is leg A, 2 is leg B, 3 and 4 close them.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from tests.simulation.faults import Ill, Plan


@dataclass(frozen=True)
class Shut:
    """
    A door of a venue (``doors.ENDPOINTS``) that is shut once an order has arrived.

    ``status`` is that of the page which it answers, 429 is the venue's own word; None: silence.
    """

    after: int
    venue: str
    name: str
    status: int | None
    seconds: float = 20.0


@dataclass(frozen=True)
class Change:
    """Rules of a market are others from a moment after the n-th order has arrived, for a while."""

    after: int
    venue: str
    rules: Mapping[str, Any]
    seconds: float
    ill: Ill = Ill.HALTED
    delay_s: float = 0.3


@dataclass(frozen=True)
class Story:
    """
    ``orders``: what the n-th order meets; ``strike``: what happens while the hedge is open;
    ``step``: what its person does, again and again (None: open one hedge and close it);
    ``shut``: what is not answered; ``change``: what becomes of the hedge's market; ``seconds``:
    how long it lasts, which has to be so long that it comes to its end.
    """

    name: str
    orders: Mapping[int, Ill] = field(default_factory=dict)
    strike: str | None = None
    dedicated: bool = True
    step: Callable[[Any, Any, Any, "Story"], Awaitable[None]] | None = None
    shut: Shut | None = None
    change: Change | None = None
    seconds: float = 45.0

    @property
    def plan(self) -> Plan:
        """Nothing by chance."""
        return Plan(frozenset(), 1.0, self.orders)


STORIES = (
    Story("nothing goes wrong"),
    Story("the answer to leg B is lost", {2: Ill.RESPONSE_LOST}),
    Story("leg B fills in part", {2: Ill.PARTIAL}),
    Story("leg A is lost on its way", {1: Ill.REQUEST_LOST}),
    Story("somebody steals leg B's nonce", {2: Ill.NONCE_STOLEN}),
    Story("the answer to leg A is lost", {1: Ill.RESPONSE_LOST}),
    Story("leg A fills in part", {1: Ill.PARTIAL}),
    Story("leg A fills nothing", {1: Ill.ZERO}),
    Story("leg A is refused", {1: Ill.REFUSED}),
    Story("leg A ends in a 504 after its effect", {1: Ill.ERROR_AFTER}),
    Story("leg A is matched late", {1: Ill.SLOW_MATCH}),
    Story("leg B fills nothing", {2: Ill.ZERO}),
    Story("leg B is refused", {2: Ill.REFUSED}),
    Story("leg B is lost on its way", {2: Ill.REQUEST_LOST}),
    Story("leg B arrives late", {2: Ill.REQUEST_LATE}),
    Story(
        "leg B is accepted and then rejected, and leg A comes off in two parts",
        {2: Ill.REJECTED, 3: Ill.PARTIAL},
    ),
    Story("leg B meets a rate limit", {2: Ill.RATE_LIMIT}),
    Story("leg B's connection is cut after its effect", {2: Ill.CUT_AFTER}),
    Story("the first closing order fills in part", {3: Ill.PARTIAL}),
    Story("the answer to the second closing order is lost", {4: Ill.RESPONSE_LOST}),
    Story("the sequencer drops the second closing order", {4: Ill.DROPPED}),
    Story("leg B is delivered twice", {2: Ill.REQUEST_DOUBLED}),
    Story("the first closing order is delivered twice", {3: Ill.REQUEST_DOUBLED}),
    Story("leg A is liquidated while the hedge is open", strike="liquidation"),
    Story("leg B is closed by hand while the hedge is open", strike="manual"),
    Story("the venue forgets leg B while the hedge is open", strike="leg B is forgotten"),
    Story(
        "the keys of leg B's venue are revoked while the hedge is open, and registered anew",
        strike="the keys of leg B's venue are revoked",
        seconds=75.0,
    ),
    Story("leg B is called final, and fills its rest later", {2: Ill.LATE_FINAL}, seconds=135.0),
    Story(
        "the first closing order is called final, and fills its rest later",
        {3: Ill.LATE_FINAL},
        seconds=165.0,
    ),
    Story("both closing orders are lost", {3: Ill.REQUEST_LOST, 4: Ill.REQUEST_LOST}),
    Story("a shared account, and leg B fills in part", {2: Ill.PARTIAL}, dedicated=False),
    Story("Lighter bans us for 20 s after leg A", shut=Shut(1, "lighter", "", 429)),
    Story(
        "leg B is refused, and X10's positions cannot be read",
        {2: Ill.REFUSED},
        shut=Shut(2, "x10", "positions", None),
    ),
    Story(
        "X10's orders cannot be looked up after the first closing order",
        shut=Shut(3, "x10", "orders", 503),
    ),
    Story(
        "Lighter is halted between the legs, for 10 s",
        change=Change(1, "lighter", {"active": False}, 10.0),
    ),
    Story(
        "Lighter is halted between the closing orders, for 10 s",
        change=Change(3, "lighter", {"active": False}, 10.0),
    ),
    Story(
        "Lighter's size decimals change while the hedge is open",
        change=Change(
            2,
            "lighter",
            {"size_decimals": 5, "size_step": Decimal("0.00001")},
            60.0,
            Ill.DECIMALS,
            1.0,
        ),
    ),
    Story(
        "Lighter's tick changes between the closing orders",
        change=Change(
            3, "lighter", {"price_decimals": 3, "price_tick": Decimal("0.001")}, 60.0, Ill.TICKS
        ),
    ),
    Story("an older ledger is put in place while the hedge is open", strike="restored"),
    Story("the ledger is damaged while the hedge is open", strike="damaged"),
    Story(
        "a shared account, and an older ledger between two lives", strike="older", dedicated=False
    ),
    Story(
        "the process stands still between intent and send of leg B",
        {2: Ill.PAUSED},
        seconds=90.0,
    ),
)
