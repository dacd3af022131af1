"""Every judge of what a person is owed, on one world: told of orders, of trades, and of time."""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING

from adapters.sandbox.engine.types import PositionChanged, TradeKind, TradeMade, TradeView
from tests.simulation import ability
from tests.simulation.exchange import HEDGED
from tests.simulation.faults import NO_LEDGER, UNREADABLE, Ill
from tests.simulation.kinds.venue import keyed
from tests.simulation.oracles.booked import Booked
from tests.simulation.oracles.heldback import HeldBack
from tests.simulation.oracles.ids import Ids
from tests.simulation.oracles.notbroken import NotBroken
from tests.simulation.oracles.overfilled import Overfilled
from tests.simulation.oracles.parts import VENUES, ZERO, Held, Sent, live
from tests.simulation.oracles.shown import Shown, Status
from tests.simulation.oracles.statusread import status
from tests.simulation.oracles.told import Told
from tests.simulation.process import SimClock, now_s

if TYPE_CHECKING:
    from tests.simulation.world import World

LOOK_S = 5.0
RENUMBERED = frozenset({Ill.RENUMBERED})
_SENT = """
    SELECT id, hedge_id, symbol, purpose, size FROM orders
    WHERE venue = :venue AND client_id = :client_id
"""


class Seen:
    """Looks at a world every few seconds, and at every order and trade of ours."""

    def __init__(self, world: "World") -> None:
        oracle = world.oracle
        broken = oracle.broken
        self._world = world
        self._orders: dict[tuple[str, str], Sent] = {}
        self._hedges: Sequence[Held] = ()
        self._read_at: tuple[int, int] | None = None  # of what was committed
        self.not_broken = NotBroken(
            partial(ability.shows, world), partial(keyed, world), self._matched, oracle, broken
        )
        world.truth.besides.append(lambda: self.not_broken.changed(now_s()))
        self.told = Told(self._alone, oracle, broken)
        self.overfilled = Overfilled(self._shown, world.truth.disbelieved, oracle, broken)
        self.ids = Ids(oracle, broken)
        self.booked = Booked(self._exists, world.truth.disbelieved, oracle, broken)
        self.held_back = HeldBack(self._could_come_off, broken)
        self.shown = Shown(
            self._legs,
            world.truth.naked,
            self._status,
            oracle,
            broken,
            told=partial(ability.told, world),
        )
        for venue in VENUES:
            exchange = world.venues.exchange(venue)
            exchange.subscribe(self._event, TradeMade)
            exchange.subscribe(self._changed, PositionChanged)

    def watch(self) -> None:
        """Look from now on, until the world is over."""
        self._world.loop.after(LOOK_S, self._look)

    # -- what happens -----------------------------------------------------------------------

    def leave_ledger(self) -> None:
        """Another ledger is about to be read."""
        self._world.market_aims.told.leave_ledger()

    def other_ledger(self) -> None:
        """Another ledger is read from now on."""
        self.told.begin_anew()
        self.overfilled.other_ledger()
        self.booked.other_ledger()
        self.held_back.other_ledger()
        self.shown.other_ledger()
        self._world.market_aims.told.begin_anew()

    def sent(self, venue: str, client_id: str, payload: str) -> None:
        """An order leaves, and its intent is committed."""
        rows = self._world.oracle.rows(_SENT, venue=venue, client_id=client_id)
        if not rows:
            return  # told elsewhere: nothing leaves without an intent
        order, hedge, symbol, purpose, size = rows[0]
        symbol = self._world.market_aims.meant(symbol)
        sent = Sent(venue, client_id, payload, order, hedge, symbol, purpose, Decimal(size))
        self._orders[venue, client_id] = sent
        self.ids.sent(sent)
        self.not_broken.sent(sent, now_s())
        self.overfilled.sent(sent)
        self.held_back.sent(sent, now_s())

    def _event(self, event: object) -> None:
        if not isinstance(event, TradeMade) or event.trade.kind is not TradeKind.TRADE:
            return
        trade = event.trade
        venue = "x10" if trade.account == self._world.venues.account("x10") else "lighter"
        sent = self._orders.get((venue, trade.client_id))
        if sent is None:
            return  # somebody else's
        at_s = self._world.truth.available_s()
        self.booked.traded(venue, trade.id, sent.order, at_s)
        self.overfilled.traded(venue, trade.client_id, trade.size, at_s)

    def _changed(self, event: object) -> None:
        if isinstance(event, PositionChanged):
            symbol = event.position.symbol
            x10, lighter = (self._world.venues.position(venue, symbol) for venue in VENUES)
            self.shown.changed(symbol, (x10, lighter))

    def _look(self) -> None:
        world, now = self._world, now_s()
        if world.over:
            return
        world.loop.after(LOOK_S, self._look)
        meant = world.market_aims.meant
        hedges = [replace(hedge, symbol=meant(hedge.symbol)) for hedge in self._live()]
        serves = self.serves()
        down = [v for v in VENUES if v in world.outages or not world.doors.answers(v)]
        available = serves and world.is_up()
        readable = available and not self._lasts(UNREADABLE)
        self.not_broken.look(hedges, now)
        self.told.look(hedges, now, serves=serves)
        # under another number a market's trades are not known to be ours, until it has its own
        listed = readable and not self._lasts(RENUMBERED)
        self.booked.look(now, counts=listed)
        # who died between booking and telling has the next one tell, by a job after its recovery
        self.overfilled.look(now, counts=listed and world.recovering is None)
        # beside a venue that is untrue, or was so lately, its belief is waited for first
        true = not world.truth.disbelieved(world.truth.available_s())
        self.held_back.look(
            HEDGED, hedges, now, serves=serves and true, up=world.is_up(), down=down
        )
        silent = down if hedges else []
        self.shown.look(self._busy(hedges), now, readable=readable, down=silent, serves=serves)

    def _live(self) -> Sequence[Held]:
        """Every hedge that is not over; read again only where something was committed since."""
        committed = self._world.oracle.committed()
        if committed != self._read_at:
            self._hedges, self._read_at = live(self._world.oracle), committed
        return self._hedges

    def owes(self) -> bool:
        """Whether a fill is neither booked nor late, or what was executed too much is not told."""
        return self.booked.owes() or self.overfilled.owes()

    def finish(self) -> None:
        """The world is at rest."""
        self.overfilled.finish()

    # -- what counts ------------------------------------------------------------------------

    def serves(self) -> bool:
        """Whether a daemon is at its work and can write."""
        process = self._world.processes[-1] if self._world.processes else None
        return (
            process is not None
            and process.serves
            and self._world.runs()
            and self._world.trouble() is None
            and not self._lasts(NO_LEDGER)
        )

    def _lasts(self, ills: frozenset[Ill]) -> bool:
        return any(ill in ills for ill, _ in self._world.lasting)

    # -- the truth --------------------------------------------------------------------------

    def _able(self, venue: str, symbol: str) -> bool:
        return ability.able(self._world, venue, symbol)

    def _legs(self, symbol: str) -> tuple[Decimal, Decimal]:
        x10, lighter = (self._world.truth.ours(venue, symbol) for venue in VENUES)
        return x10, lighter

    def _matched(self, symbol: str) -> bool:
        """Both legs are there and equal, to what no order could take off."""
        x10, lighter = self._legs(symbol)
        return x10 * lighter < ZERO and self._world.truth.naked(symbol) == ZERO

    def _alone(self, symbol: str) -> bool:
        return self._world.truth.stands_alone(symbol)

    def _could_come_off(self, symbol: str) -> bool:
        truth = self._world.truth
        if not self._alone(symbol):
            return False
        net = truth.naked(symbol)
        return (
            net != ZERO
            and not truth.stuck(symbol)
            and all(
                self._able(venue, symbol)
                for venue in VENUES
                if truth.ours(venue, symbol) * net > ZERO
            )
        )

    def _busy(self, hedges: Sequence[Held]) -> list[str]:
        """Markets on which a hedge lives or something is held."""
        found = {hedge.symbol for hedge in hedges}
        for venue in VENUES:
            positions = self._world.venues.exchange(venue).positions(
                self._world.venues.account(venue)
            )
            found |= {position.symbol for position in positions}
        return [symbol for symbol in HEDGED if symbol in found]

    def _exists(self, venue: str, trade: int) -> bool:
        return any(one.id == trade for one in self._trades(venue))

    def _shown(self, venue: str, client_id: str) -> Decimal:
        """How much of an order of ours was traded, by what a venue knows now."""
        found = (one.size for one in self._trades(venue) if one.client_id == client_id)
        return sum(found, ZERO)

    def _trades(self, venue: str) -> Sequence[TradeView]:
        return self._world.venues.exchange(venue).trades(self._world.venues.account(venue))

    def _status(self) -> Status:
        world = self._world
        clock = SimClock(world.epoch, world.processes[-1])
        shown = status(world.path, clock, dedicated=world.dedicated)
        meant = world.market_aims.meant
        rows = [{**row, "symbol": meant(row["symbol"])} for row in shown.hedges]
        return replace(shown, hedges=rows)
