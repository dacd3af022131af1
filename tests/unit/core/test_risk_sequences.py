"""
No sequence of events exceeds any limit; and none stops an exit (S51).

The real ledger, the real desk that counts from it, and the real rules. Beside them stands a
plain list of what was done, from which every limit is counted again.
"""

import tempfile
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from hedger import risk, switches
from hedger import settings as configuration
from hedger.domain.hedge import Hedge, State, Target
from hedger.domain.ids import HedgeId, Symbol, VenueId
from hedger.domain.order import Purpose, Side
from hedger.funds import EquityBook
from hedger.leverage import LeverageKeeper
from hedger.riskdesk import RiskDesk
from hedger.sequence import Lanes
from hedger.unitcheck import UnitCheck
from tests.builders import a_quote, an_instrument
from tests.clocks import ManualClock
from tests.unit.ledger.build import LIGHTER, X10, a_hedge, a_store, an_order, filled

FREE = ("ETH", "BTC", "XRP")
SYMBOLS = (*FREE, "SOL")
PRICE = Decimal(100)
CONFIG = configuration.parse(
    {
        "environment": "sandbox",
        "account": {"dedicated": True},
        "sandbox": {},
        "trading": {
            "max_position_size_usd": 300,
            "max_open_hedges": 2,
            "blocked_symbols": ["SOL"],
            "manage_leverage": False,
        },
        "risk": {
            "max_venue_usd": 500,
            "market_usd": {"BTC": 250},
            "max_day_usd": 1000,
            "max_day_hedges": 7,
            "max_market_day_usd": 600,
            "max_market_day_hedges": 4,
            "max_orders_per_minute": 4,
            "max_day_loss_usd": 20,
            "max_drawdown_usd": 30,
            "rollback_cooldown_s": 30,
            "rollback_cooldown_s_per_usd": 60,
        },
    },
    "test",
)


@dataclass
class Begun:
    """One hedge, as the list beside the ledger has it."""

    id: HedgeId
    symbol: str
    usd: Decimal
    at: datetime
    live: bool = True
    lost_at: datetime | None = None
    lost_usd: Decimal = Decimal(0)


@dataclass
class Nowhere:
    """A situation in which nothing is the matter."""

    in_doubt: frozenset[VenueId] = frozenset()
    blocked: frozenset[tuple[VenueId, Symbol]] = frozenset()
    cooling: frozenset[Symbol] = frozenset()
    stopped: dict[str, str] = field(default_factory=dict)


class Trading(RuleBasedStateMachine):
    """Opens whatever it can, and does to it whatever can happen."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.clock = ManualClock()
        self.store = a_store(Path(self.folder.name), self.clock)
        self.kill_file = Path(self.folder.name) / "KILL"
        rules = CONFIG.sequence
        lanes = Lanes(self.store, venues={}, clock=self.clock, rules=rules, lag_s=lambda _: 1.0)
        self.equity = EquityBook(self.store, self.clock)
        self.desk = RiskDesk(
            settings=CONFIG,
            store=self.store,
            clock=self.clock,
            units=UnitCheck(quotes={}, store=self.store, clock=self.clock, rules=CONFIG.units),
            leverage=LeverageKeeper(
                venues={},
                store=self.store,
                lanes=lanes,
                clock=self.clock,
                lag_s=lambda _: 1.0,
                leverage=Decimal(5),
                enabled=False,
            ),
            equity=self.equity,
            kill_file=self.kill_file,
        )
        self.situation = Nowhere()
        self.begun: list[Begun] = []
        self.opening_orders: list[tuple[VenueId, datetime]] = []
        self.readings: list[tuple[datetime, Decimal]] = []
        self.off: set[str] = set()
        self.number = 0

    def teardown(self) -> None:
        self.store.close()
        self.folder.cleanup()

    # -- what can happen --------------------------------------------------------------------

    @rule(symbol=st.sampled_from(FREE), usd=st.integers(220, 320))
    def somebody_wants_a_hedge(self, symbol: str, usd: int) -> None:
        self.ask(symbol, usd)

    @rule(
        symbol=st.sampled_from(SYMBOLS),
        age_s=st.sampled_from((1, 30, 31)),
        gap=st.sampled_from((5, 100, 101)),
    )
    def somebody_wants_an_odd_hedge(self, symbol: str, age_s: float, gap: int) -> None:
        self.ask(symbol, 50, quotes_age_s=age_s, price_gap_bps=Decimal(gap))

    @rule(
        symbol=st.sampled_from(FREE),
        usd=st.sampled_from((50, 120, 250)),
        times=st.integers(1, 6),
        pause_s=st.sampled_from((4, 61)),
    )
    def hedges_live_their_lives(self, symbol: str, usd: int, times: int, pause_s: float) -> None:
        """Opened and closed, one after the other; so that a day and a minute fill."""
        for _ in range(times):
            if not self.ask(symbol, usd):
                return
            self.leg_1_is_sent_and_fills()
            self.leg_2_is_sent_and_fills()
            self.a_hedge_is_closed()
            self.clock.advance(pause_s)

    @precondition(lambda self: self.of(State.PLANNED))
    @rule()
    def leg_1_is_sent_and_fills(self) -> None:
        hedge = self.of(State.PLANNED)[-1]
        self.send(hedge, X10, Purpose.OPEN, Side.BUY, (State.OPENING_A, "leg A"))

    @precondition(lambda self: self.of(State.OPENING_A))
    @rule()
    def leg_2_is_sent_and_fills(self) -> None:
        hedge = self.of(State.OPENING_A)[-1]
        self.send(hedge, LIGHTER, Purpose.OPEN, Side.SELL, (State.OPENING_B, "leg B"))
        hedge = self.store.hedge(hedge.id)
        self.store.move(hedge, State.OPEN, "equal", opened_at=self.clock.now())

    @precondition(lambda self: self.of(State.OPENING_A))
    @rule(lost=st.integers(-1, 5))
    def leg_1_is_taken_back(self, lost: int) -> None:
        """Whatever limit is reached: nothing asks before an order that takes exposure off."""
        hedge = self.of(State.OPENING_A)[0]
        hedge = self.store.move(hedge, State.CONVERGING, "no leg B", target=Target.FLAT)
        size = self.store.leg_size(hedge.id, X10)
        self.send(hedge, X10, Purpose.ROLLBACK, Side.SELL, price=PRICE - Decimal(lost) / size)
        hedge = self.store.move(self.store.hedge(hedge.id), State.CLOSED, "flat")
        begun = self.known(hedge)
        begun.live, begun.lost_at = False, hedge.updated_at
        begun.lost_usd = max(Decimal(lost) + Decimal("0.02"), Decimal(0))
        self.ask(hedge.symbol, 50)

    @precondition(lambda self: self.of(State.OPEN))
    @rule()
    def a_hedge_is_closed(self) -> None:
        hedge = self.of(State.OPEN)[-1]
        hedge = self.store.move(hedge, State.CLOSING, "asked", target=Target.FLAT)
        self.send(hedge, X10, Purpose.CLOSE, Side.SELL)
        self.send(hedge, LIGHTER, Purpose.CLOSE, Side.BUY)
        self.store.move(self.store.hedge(hedge.id), State.CLOSED, "flat")
        self.known(hedge).live = False

    @precondition(lambda self: self.of(State.PLANNED))
    @rule()
    def an_account_refuses(self) -> None:
        hedge = self.of(State.PLANNED)[0]
        self.store.move(hedge, State.REFUSED, "short of margin")
        self.begun.remove(self.known(hedge))

    @rule(usd=st.integers(960, 1000), seen=st.booleans())
    def the_accounts_are_read(self, usd: int, *, seen: bool) -> None:
        """A person may look at what was lost, and let it count anew."""
        self.equity.note({X10: Decimal(usd) / 2, LIGHTER: Decimal(usd) / 2})
        self.readings.append((self.clock.now(), Decimal(usd)))
        self.ask_everywhere()
        if seen:
            self.equity.begin_anew()
            self.readings = self.readings[-1:]

    @rule(seconds=st.sampled_from((1, 5, 20, 61, 61, 1_800, 86_400)))
    def time_passes(self, seconds: float) -> None:
        self.clock.advance(seconds)

    @rule(scope=st.sampled_from(("all", "KILL", "venue:x10", "market:ETH", "stablecoin")))
    def a_person_pauses_while_somebody_wants_a_hedge(self, scope: str) -> None:
        if scope == "KILL":
            self.kill_file.write_text("enough", encoding="utf-8")
        else:
            switches.switch_off(self.store, self.clock, scope, who="me", why="drill")
        self.off.add(scope)
        self.ask_everywhere()
        switches.switch_on(self.store, None, who="me")
        self.kill_file.unlink(missing_ok=True)
        self.off.clear()

    # -- how it is done ---------------------------------------------------------------------

    def ask(self, symbol: str, usd: int, **changes: Any) -> bool:
        """Open it if risk approves, and then count every limit anew."""
        plan = self.a_plan(symbol, Decimal(usd), **changes)
        book = self.desk.book(self.situation, list(self.situation.stopped.values()))
        if isinstance(risk.review(plan, self.desk.limits, book), risk.Objected):
            return False
        self.begin(plan)
        self.assert_within_every_limit(plan)
        return True

    def ask_everywhere(self) -> None:
        for symbol in FREE:
            if self.ask(symbol, 50):
                return

    def a_plan(self, symbol: str, usd: Decimal, **changes: Any) -> risk.Plan:
        changes = {"price_gap_bps": Decimal(5), **changes}
        return risk.Plan(
            symbol=Symbol(symbol),
            side_a=Side.BUY,
            usd=usd,
            price=PRICE,
            size=usd / PRICE,
            a=an_instrument(X10),
            b=an_instrument(LIGHTER),
            next_settlement_a=self.clock.now(),
            next_settlement_b=self.clock.now(),
            quotes=(a_quote(X10, "0.0001", cap_1h=Decimal("0.005")),),
            **changes,
        )

    def begin(self, plan: risk.Plan) -> None:
        self.number += 1
        now = self.clock.now()
        hedge = a_hedge(
            f"h-{self.number}",
            plan.symbol,
            requested_usd=plan.usd,
            planned_size=plan.size,
            created_at=now,
            updated_at=now,
        )
        self.store.plan(hedge)
        self.begun.append(Begun(hedge.id, plan.symbol, plan.usd, now))

    def send(
        self,
        hedge: Hedge,
        venue: VenueId,
        purpose: Purpose,
        side: Side,
        move_to: tuple[State, str] | None = None,
        *,
        price: Decimal = PRICE,
    ) -> None:
        number = len(self.store.orders_of(hedge.id)) + 1
        size = f"{hedge.planned_size:f}"
        prepared = an_order(
            hedge.id, number, venue=venue, purpose=purpose, side=side, size=size,
            symbol=hedge.symbol,
        )  # fmt: skip
        self.store.intend(prepared, move_to=move_to)
        self.store.settle(filled(prepared, (size, f"{price:f}")))
        if purpose is Purpose.OPEN:
            self.opening_orders.append((venue, self.clock.now()))

    def of(self, state: State) -> list[Hedge]:
        return [hedge for hedge in self.store.live() if hedge.state is state]

    def known(self, hedge: Hedge) -> Begun:
        return next(begun for begun in self.begun if begun.id == hedge.id)

    # -- every limit, counted anew ----------------------------------------------------------

    def assert_within_every_limit(self, plan: risk.Plan) -> None:
        now, limits = self.clock.now(), CONFIG.risk
        live = [one for one in self.begun if one.live]
        today = [one for one in self.begun if one.at.date() == now.date()]
        here = [one for one in today if one.symbol == plan.symbol]
        assert not self.off - {"market:ETH"}
        assert not (plan.symbol == "ETH" and "market:ETH" in self.off)
        assert plan.symbol != "SOL"
        assert plan.usd <= CONFIG.trading.max_position_size_usd
        assert plan.usd <= limits.market_usd.get(plan.symbol, plan.usd)
        assert plan.quotes_age_s <= CONFIG.scan.max_age_s
        assert plan.price_gap_bps <= CONFIG.trading.max_price_gap_bps
        assert len(live) == len({one.symbol for one in live}) <= CONFIG.trading.max_open_hedges
        assert sum(one.usd for one in live) <= limits.max_venue_usd
        assert len(today) <= limits.max_day_hedges
        assert sum(one.usd for one in today) <= limits.max_day_usd
        assert len(here) <= limits.max_market_day_hedges
        assert sum(one.usd for one in here) <= limits.max_market_day_usd
        self.assert_market_has_cooled_down(plan.symbol)
        self.assert_losses_are_borne()
        for venue in (X10, LIGHTER):  # an order that is still to come counts as one of now
            sent = [at for name, at in self.opening_orders if name == venue]
            sent = [at for at in sent if at >= now - timedelta(minutes=1)]
            due = {State.PLANNED} | ({State.OPENING_A} if venue == LIGHTER else set())
            to_come = [hedge for hedge in self.store.live() if hedge.state in due]
            assert len(sent) + len(to_come) <= limits.max_orders_per_minute

    def assert_market_has_cooled_down(self, symbol: str) -> None:
        now, limits = self.clock.now(), CONFIG.risk
        since = now - timedelta(hours=limits.rollback_window_h)
        lost = [o for o in self.begun if o.symbol == symbol and o.lost_at and o.lost_at >= since]
        if lost:
            cost = sum((one.lost_usd for one in lost), Decimal(0))
            wait_s = limits.rollback_cooldown_s * len(lost)
            wait_s += float(cost * limits.rollback_cooldown_s_per_usd)
            last = max(one.lost_at for one in lost if one.lost_at)
            assert now >= last + timedelta(seconds=wait_s)

    def assert_losses_are_borne(self) -> None:
        if not self.readings:
            return
        now = self.readings[-1][1]
        today = self.clock.now().date()
        before = [usd for at, usd in self.readings if at.date() < today]
        began = before[-1] if before else self.readings[0][1]
        limits = CONFIG.risk
        assert max(usd for _, usd in self.readings) - now <= limits.max_drawdown_usd
        assert began - now <= limits.max_day_loss_usd


TestNoSequenceOfEventsExceedsAnyLimit = Trading.TestCase
TestNoSequenceOfEventsExceedsAnyLimit.settings = settings(
    max_examples=20,
    stateful_step_count=40,
    deadline=None,
    phases=[Phase.generate],  # each example is a real ledger: shrinking one takes minutes
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
