"""
Doors of a venue that are shut for long: one endpoint that is down, a path or a venue that bans us.

What a door that is shut answers is what stands before the venue answers there: nothing, a page of
its proxy, 429 in the venue's words, or the page of a firewall. Nothing gets through to the venue.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from adapters.sandbox.reply import json_text
from adapters.sandbox.x10_face.errors import html_page
from tests.simulation.faults import Ill
from tests.simulation.scenarios import Shut

if TYPE_CHECKING:
    from tests.simulation.world import World

Answer = tuple[int, str]
TOO_MANY = 429
LISTED_S = 5.0  # within that a process has read the market lists
WHOLE = ""
"""The name of all of a venue's doors together."""

SENDING = {"x10": "order", "lighter": "sendTx"}
LOOK_UPS = {
    "x10": frozenset({"orders", "trades"}),
    "lighter": frozenset({"orders", "trades", "tx", "nextNonce"}),
}
"""What tells the end of an order; a second one is never sent beside one whose end is unknown."""

LANES = frozenset({"sendTx", "accountTxs", WHOLE, *LOOK_UPS["lighter"]})
"""What a nonce lane of Lighter needs to come into step again."""

_X10: Mapping[str, str] = {
    "/info/markets": "markets",
    "/user/account/info": "account",
    "/user/balance": "balance",
    "/user/positions": "positions",
    "/user/trades": "trades",
    "/user/fees": "fees",
    "/user/leverage": "leverage",
    "/user/funding/history": "payments",
    "/user/order": "order",
}
_LIGHTER: Mapping[str, str] = {
    "account": "positions",  # the balance as well: one answer has both
    "accountOrders": "orders",
    "accountActiveOrders": "orders",
    "accountInactiveOrders": "orders",
    "orderBookDetails": "markets",
    "orderBookOrders": "book",
    "accountLimits": "account",
    "positionFunding": "payments",
}
ENDPOINTS: Mapping[str, tuple[str, ...]] = {
    "x10": (
        "order", "orders", "positions", "trades", "balance", "markets", "book", "account", "fees",
        "payments",
    ),
    "lighter": (
        "sendTx", "orders", "positions", "trades", "nextNonce", "tx", "markets", "book", "account",
        "payments",
    ),
}  # fmt: skip


def endpoint(venue: str, path: str) -> str:
    """What a request is about: a name of ``ENDPOINTS``, or another that nothing happens to."""
    if venue == "lighter":
        return _LIGHTER.get(path, path)
    if path.startswith("/user/orders"):
        return "orders"
    return _X10.get(path) or ("book" if path.endswith("/orderbook") else path)


@dataclass(slots=True)
class Door:
    """One that is shut. ``answer`` is None where nobody answers there at all."""

    ill: Ill
    answer: Answer | None
    refused: bool = False  # the connection is
    told: bool = False
    since_s: float = 0.0


class Doors:
    """Which doors of which venue are shut."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self.shut: dict[tuple[str, str], Door] = {}
        self._told = False
        self.outage: dict[str, Door] = {}  # outages of minutes, whose messages are counted here

    def close(self, venue: str, name: str, door: Door, seconds: float) -> bool:
        """Shut one for so long; False where it is shut already."""

        def begin() -> None:
            self.shut[venue, name] = door
            door.since_s = self._world.loop.now_s
            if name == WHOLE:
                self._world.parked.watch()

        def end() -> None:
            self.shut.pop((venue, name), None)

        where = f"{venue} {name}".strip()
        return self._world.last(door.ill, where, seconds, begin, end)

    def close_after(self, shut: Shut, orders: int) -> None:
        """What a story has shut after one of its orders; once."""
        if orders < shut.after or self._told:
            return
        self._told = True
        answer = None
        if shut.status is not None:
            answer = too_many(shut.venue) if shut.status == TOO_MANY else page(shut.status)("")
        ill = Ill.BANNED if shut.status == TOO_MANY else Ill.ENDPOINT_DOWN
        self.close(shut.venue, shut.name, Door(ill, answer), shut.seconds)

    def met(self, venue: str, path: str) -> Door | None:
        """The door that a request finds shut; counted when that matters to a hedge."""
        door = self.shut.get((venue, WHOLE)) or self.shut.get((venue, endpoint(venue, path)))
        if door is not None:
            self.count(door)
        return door

    def count(self, door: Door | None) -> None:
        """A request has met it: its effect is told once, while a hedge lives."""
        chance = self._world.chance
        if door is not None and not door.told and chance.busy():
            door.told = True
            chance.tell(door.ill)

    def answers(self, venue: str) -> bool:
        """Whether a venue answers anything at all."""
        return (venue, WHOLE) not in self.shut

    def takes_orders(self, venue: str) -> bool:
        """Whether an order gets through to a venue."""
        return self.answers(venue) and (venue, SENDING[venue]) not in self.shut

    def tells_ends(self, venue: str) -> bool:
        """Whether a venue tells what became of an order."""
        return not any(v == venue and name in LOOK_UPS[venue] for v, name in self.shut)

    def lists_markets(self, venue: str) -> bool:
        """Whether a venue tells the rules of its markets."""
        return self.answers(venue) and (venue, "markets") not in self.shut

    def shows(self, symbol: str) -> bool:
        """
        Whether what is needed to act on a market can be known to the process that runs.

        Where positions cannot be read, what somebody else does to one since then is not seen; and
        a process that began without a venue's market list has no rules to make an order by.
        """
        disturbed_s = self._world.oracle.disturbed_s.get(symbol, -1.0)
        for (_, name), door in self.shut.items():
            if name == "positions" and disturbed_s >= door.since_s:
                return False
            if name == "markets" and self._world.born_s + LISTED_S >= door.since_s:
                return False
        return True

    def lanes_open(self) -> bool:
        """Whether everything that a nonce lane needs is there."""
        return not any(venue == "lighter" and name in LANES for venue, name in self.shut)


def too_many(venue: str) -> Answer:
    """429 in the words of a venue."""
    if venue == "x10":
        error = {"code": 429, "message": "Rate limit exceeded"}
        return TOO_MANY, json_text({"status": "ERROR", "error": error})
    return TOO_MANY, json_text({"code": 23000, "message": "Too Many Requests!"})


def page(status: int) -> Callable[[str], Answer]:
    """What a proxy or a firewall in front of a venue says."""

    def of(_venue: str) -> Answer:
        return status, html_page(status).text

    return of
