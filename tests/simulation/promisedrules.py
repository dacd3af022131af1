"""
Judges of what the program promises about a market's rules: they are told, and leverage is proven.

Both read the engines and the committed ledger only.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING

from tests.simulation.process import now_s

if TYPE_CHECKING:
    from tests.simulation.world import World

TOLD = "4 change told"
TOLD_WITHIN_S = 120.0
"""
Seconds in which both venues answer, the one that changed lists its markets, and a process runs its
jobs, which begin after its recovery.
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
_ALERTED = """
    SELECT 1 FROM alerts WHERE seq > :mark AND (
        text LIKE '% changed ' || :symbol || ':%'
        OR text LIKE '%the rules of ' || :symbol || ' are not fresh%'
    ) LIMIT 1
"""


class ChangeTold:
    """A change that lasts while a hedge lives on its market comes to a person."""

    def __init__(self, world: "World") -> None:
        self._world = world

    def changed(self, venue: str, symbol: str, lasts: Callable[[], bool]) -> None:
        """
        Rules of a market are others from now on, as long as ``lasts`` says so.

        Where another ledger stands in the place of one that knew them as they were, the first
        reading after it shows no change.
        """
        oracle = self._world.oracle
        hedge = oracle.one(_LIVE, symbol=symbol)
        if hedge is None or (oracle.ledgers > 1 and not self._is_known(venue, symbol)):
            return
        change = _Change(venue, symbol, str(hedge), self._last(), lasts, oracle.ledgers)
        self._world.loop.after(LOOK_S, self._look, change, 0.0)

    def _is_known(self, venue: str, symbol: str) -> bool:
        return bool(self._world.oracle.one(_KNOWN, key=f"facts:{venue}:{symbol}"))

    def _last(self) -> int:
        """The number of the last alert in the ledger that is in use."""
        return int(self._world.oracle.one("SELECT max(seq) FROM alerts") or 0)

    def _look(self, change: "_Change", served_s: float) -> None:
        """``served_s``: seconds of it in which it could be read by a process that ran its jobs."""
        world, oracle = self._world, self._world.oracle
        if not change.lasts() or oracle.one(_LIVE, symbol=change.symbol) != change.hedge:
            return
        if oracle.ledgers != change.ledgers:  # alerts are counted from its own last one
            if not self._is_known(change.venue, change.symbol):
                return
            mark = min(change.mark, self._last())
            change, served_s = replace(change, mark=mark, ledgers=oracle.ledgers), 0.0
        if oracle.one(_ALERTED, mark=change.mark, symbol=change.symbol) is not None:
            return  # told, though an older copy of the ledger may not know of it later
        listed = world.doors.lists_markets(change.venue)
        if listed and world.is_up() and world.recovering is None:
            served_s += LOOK_S
        if served_s <= TOLD_WITHIN_S:
            world.loop.after(LOOK_S, self._look, change, served_s)
        else:
            oracle.broken(
                TOLD,
                f"the rules of {change.symbol} are others for {TOLD_WITHIN_S:g} s of service,"
                f" {change.hedge} lives on it, and no alert says so",
            )


@dataclass(frozen=True, slots=True)
class _Change:
    """One that has to be told: of which hedge's market, and since which alert."""

    venue: str
    symbol: str
    hedge: str
    mark: int
    lasts: Callable[[], bool]
    ledgers: int  # how many were in use by then


class LeverageProven:
    """No leg opens at a leverage that the program could have known to be wrong."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self._lowered_s: dict[tuple[str, str], float] = {}

    def lowered(self, venue: str, symbol: str) -> None:
        """The venue has just changed it by itself."""
        self._lowered_s[venue, symbol] = now_s()

    def traded(self, venue: str, symbol: str, client_id: str) -> None:
        """A trade in our account, of one of our orders or of somebody else's."""
        world = self._world
        if world.oracle.purpose_of(venue, client_id) != "open":
            return
        found = world.venues.exchange(venue).leverage(world.venues.account(venue), symbol)
        since_s = now_s() - self._lowered_s.get((venue, symbol), -PROVEN_FOR_S)
        if found != LEVERAGE_WANTED and since_s >= PROVEN_FOR_S:
            world.oracle.broken(
                LEVERAGE,
                f"{venue} {client_id} opened {symbol} at a leverage of {found}, which is so"
                f" for {since_s:.0f} s",
            )
