"""
Judges of what the program promises about a market's rules: they are told, and leverage is proven.

Both read the engines and the committed ledger only.
"""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from tests.simulation.process import now_s

if TYPE_CHECKING:
    from tests.simulation.world import World

TOLD = "4 change told"
TOLD_WITHIN_S = 120.0
"""
Seconds in which both venues answer, the one that changed lists its markets, and a process runs its
jobs, which begin after its recovery, on a ledger that it can write.
Rules are read when they are 45 s old, by a job that runs every 10 s; a process may die before it
reads them, and a reading may fail.
"""
LOOK_S = 5.0

FACTS = frozenset(
    {"listed", "active", "reduce_only", "name", "market_id", "synthetic_id", "size_step",
     "price_tick", "min_size", "max_leverage"}
)  # fmt: skip
"""Rules whose change is told, as an alert, while a hedge lives on the market."""

LEVERAGE = "4 leverage"
LEVERAGE_WANTED = Decimal(5)  # ``trading.leverage`` of the configuration that runs here
PROVEN_FOR_S = 340.0
"""A reading of the leverage proves it for 300 s; it may have been made for something before."""

_LIVE = (
    "SELECT id FROM hedges WHERE symbol = :symbol"
    " AND state NOT IN ('refused','closed_flat','closed') ORDER BY id LIMIT 1"
)
_KNOWN = "SELECT value FROM meta WHERE key = :key"
_MARK = "SELECT max(seq) FROM alerts"
_ALERTED = """
    SELECT 1 FROM alerts WHERE seq > :mark AND (
        text LIKE :venue || ' changed ' || :symbol || ':%'
        OR text LIKE '%the rules of ' || :symbol || ' are not fresh, ' || :venue || ':%'
    ) LIMIT 1
"""


@dataclass(slots=True, eq=False)
class _Change:
    """
    One that has to be told: of which hedge's market, and since which alert. ``served_s`` are the
    seconds of it in which it could be read by a process that ran its jobs.
    """

    venue: str
    symbol: str
    hedge: str
    lasts: Callable[[], bool]
    mark: int
    served_s: float = 0.0


class ChangeTold:
    """A change that lasts while a hedge lives on its market comes to a person."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self._owed: list[_Change] = []

    def changed(self, venue: str, symbol: str, lasts: Callable[[], bool]) -> None:
        """
        Rules of a market are others from now on, as long as ``lasts`` says so.

        Where another ledger stands in the place of one that knew them as they were, the first
        reading after it shows no change.
        """
        oracle = self._world.oracle
        hedge = oracle.one(_LIVE, symbol=symbol)
        if hedge is None or (oracle.ledgers > 1 and not self._knows(venue, symbol)):
            return
        change = _Change(venue, symbol, str(hedge), lasts, self._mark())
        self._owed.append(change)
        self._world.loop.after(LOOK_S, self._look, change)

    def leave_ledger(self) -> None:
        """Another one is about to be read: what was told by this one was told."""
        self._owed = [change for change in self._owed if not self._is_told(change)]

    def begin_anew(self) -> None:
        """
        Another ledger is read: its alerts are counted from its own last one, in a time of its own.
        """
        self._owed = [one for one in self._owed if self._knows(one.venue, one.symbol)]
        for change in self._owed:
            change.mark, change.served_s = self._mark(), 0.0

    def _look(self, change: _Change) -> None:
        world, oracle = self._world, self._world.oracle
        if change not in self._owed:
            return
        lives = change.lasts() and oracle.one(_LIVE, symbol=change.symbol) == change.hedge
        if not lives or self._is_told(change):  # though an older copy may not know of it later
            self._owed.remove(change)
            return
        if self._can_be_told(change.venue):
            change.served_s += LOOK_S
        if change.served_s <= TOLD_WITHIN_S:
            world.loop.after(LOOK_S, self._look, change)
            return
        self._owed.remove(change)
        oracle.broken(
            TOLD,
            f"the rules of {change.symbol} are others for {TOLD_WITHIN_S:g} s of service,"
            f" {change.hedge} lives on it, and no alert says so",
        )

    def _can_be_told(self, venue: str) -> bool:
        world = self._world
        listed = world.doors.lists_markets(venue) and world.is_up()
        return listed and world.seen.serves() and world.recovering is None

    def _knows(self, venue: str, symbol: str) -> bool:
        """Whether the ledger has rules of a market, which others can be held against."""
        return bool(self._world.oracle.one(_KNOWN, key=f"facts:{venue}:{symbol}"))

    def _is_told(self, change: _Change) -> bool:
        asked = {"mark": change.mark, "venue": change.venue, "symbol": change.symbol}
        return self._world.oracle.one(_ALERTED, **asked) is not None

    def _mark(self) -> int:
        return int(self._world.oracle.one(_MARK) or 0)


class LeverageProven:
    """No leg opens at a leverage that the program could have known to be wrong."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self._lowered_s: dict[tuple[str, str], float] = {}

    def lowered(self, venue: str, symbol: str) -> None:
        """The venue has just changed it by itself."""
        self._lowered_s[venue, symbol] = now_s()

    def traded(self, venue: str, symbol: str, client_id: str) -> None:
        """
        A trade in our account, of one of our orders or of somebody else's. What could be known is
        what was so as the order was made: a venue may fill it minutes after.
        """
        world = self._world
        if world.oracle.purpose_of(venue, client_id) != "open":
            return
        found = world.venues.exchange(venue).leverage(world.venues.account(venue), symbol)
        made_s = world.oracle.intended_s(venue, client_id)
        since_s = made_s - self._lowered_s.get((venue, symbol), -PROVEN_FOR_S)
        if found != LEVERAGE_WANTED and since_s >= PROVEN_FOR_S:
            world.oracle.broken(
                LEVERAGE,
                f"{venue} {client_id} opened {symbol} at a leverage of {found}, which is so"
                f" for {since_s:.0f} s",
            )
