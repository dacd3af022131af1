"""
No sequence of events exceeds what the accounts carry: margin, liquidation, value on a venue, loss.

The real gate and the real ledger. Beside them stands a plain list of what both accounts hold, from
which every limit is counted again after each approval; the venues show it late.
"""

import asyncio
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from hedger import audit, risk
from hedger.domain.hedge import State, Target
from hedger.domain.ids import Symbol, VenueId
from hedger.domain.market import Instrument
from hedger.funds import EquityBook, FundsGate
from hedger.ledger.store import Store
from hedger.ports import Margin
from hedger.risk.money import FUNDS_RULES
from tests.builders import an_instrument
from tests.clocks import ManualClock
from tests.unit.ledger.build import LIGHTER, X10, a_hedge, a_store, an_order

VENUES = (X10, LIGHTER)
LEVERAGE = {X10: 5, LIGHTER: 10}  # margin binds on the one, liquidation on the other
LAG_S = 5.0
MAINTENANCE = Decimal("0.05")
LIMITS = risk.Limits(
    max_position_usd=Decimal(9999),
    max_open_hedges=99,
    max_price_gap_bps=Decimal(100),
    max_venue_usd=Decimal(700),
    min_free_margin_share=Decimal("0.4"),
    min_liquidation_distance_bps=Decimal(2500),
    max_day_loss_usd=Decimal(40),
    max_drawdown_usd=Decimal(60),
)


@dataclass
class AVenue:
    """What the gate asks a venue beside the balances that it is given."""

    async def instrument(self, symbol: Symbol) -> Instrument:
        return replace(an_instrument(), symbol=symbol, maintenance=MAINTENANCE)


class Accounts:
    """Both accounts as they truly are, and the gate in front of them."""

    def __init__(self, folder: Path, equity_usd: Decimal, theirs_usd: Decimal) -> None:
        self.clock = ManualClock()
        self.store: Store = a_store(folder, self.clock)
        equity = EquityBook(self.store, self.clock)
        venues: Mapping[VenueId, AVenue] = {venue: AVenue() for venue in VENUES}
        self.gate = FundsGate(
            venues=venues,  # type: ignore[arg-type]  # all of a venue that it asks
            store=self.store,
            equity=equity,
            limits=LIMITS,
            clock=self.clock,
            unseen_s=lambda _: LAG_S,
        )
        self.equity = dict.fromkeys(VENUES, equity_usd)
        self.theirs = dict.fromkeys(VENUES, theirs_usd)
        self.held: dict[str, Decimal] = {}  # legs that are filled on both venues
        self.opened: dict[str, datetime] = {}
        self.coming: dict[str, Decimal] = {}  # margin is reserved, the first order is out
        self.readings: list[tuple[object, Decimal]] = []
        self.number = 0

    def needs(self, usd: Decimal, *, late: bool) -> list[Margin]:
        """What both venues would say; ``late``: they do not show our newest legs yet."""
        since = self.clock.now() - timedelta(seconds=LAG_S)
        seen = [
            held for name, held in self.held.items() if not (late and self.opened[name] > since)
        ]
        return [
            Margin(
                venue=venue,
                available_usd=self.equity[venue] - self.used(venue),
                needed_usd=usd / LEVERAGE[venue],
                equity_usd=self.equity[venue],
                value_usd=usd,
                held_usd=sum(seen, self.theirs[venue]),
            )
            for venue in VENUES
        ]

    def used(self, venue: VenueId) -> Decimal:
        return sum(self.held.values(), self.theirs[venue]) / LEVERAGE[venue]

    async def ask(self, usd: Decimal, *, late: bool, fills: bool) -> None:
        self.number += 1
        name, symbol = f"h-{self.number}", f"S{self.number}"
        hedge = a_hedge(name, symbol, requested_usd=usd)
        self.store.plan(hedge)
        needs = self.needs(usd, late=late)
        refused = await self.gate.against(hedge, needs)
        self.readings.append((self.clock.now().date(), sum(self.equity.values(), Decimal(0))))
        if refused:
            self.store.move(hedge, State.REFUSED, refused)
            return
        order = an_order(name, venue=X10, symbol=symbol)
        self.store.intend(order, margins=needs, move_to=(State.OPENING_A, "leg A"))
        self.coming[name] = usd
        self.assert_within_every_limit()
        if fills:
            self.fill()

    def fill(self) -> None:
        """All that is under way gets both legs; the reservation goes with the state."""
        for name in list(self.coming):
            hedge = self.store.move(self.store.find(name), State.OPENING_B, "leg B")
            self.store.move(hedge, State.OPEN, "equal", opened_at=self.clock.now())
            self.held[name] = self.coming.pop(name)
            self.opened[name] = self.clock.now()

    def close(self) -> None:
        for name in list(self.held)[:1]:
            hedge = self.store.find(name)
            hedge = self.store.move(hedge, State.CLOSING, "asked", target=Target.FLAT)
            self.store.move(hedge, State.CLOSED, "flat")
            del self.held[name]

    def assert_within_every_limit(self) -> None:
        ours = sum([*self.held.values(), *self.coming.values()], Decimal(0))
        for venue in VENUES:
            equity, value = self.equity[venue], self.theirs[venue] + ours
            assert value <= LIMITS.max_venue_usd
            assert equity - value / LEVERAGE[venue] >= LIMITS.min_free_margin_share * equity
            move = LIMITS.min_liquidation_distance_bps / 10_000
            assert equity - value * move >= value * (1 + move) * MAINTENANCE
        now = self.readings[-1][1]
        before = [usd for day, usd in self.readings if day != self.readings[-1][0]]
        began = before[-1] if before else self.readings[0][1]
        assert began - now <= LIMITS.max_day_loss_usd
        assert max(usd for _, usd in self.readings) - now <= LIMITS.max_drawdown_usd


amounts = st.sampled_from([20, 50, 150, 250, 400]).map(Decimal)
asked = st.tuples(st.just("ask"), amounts, st.booleans(), st.booleans())
events = st.one_of(
    asked,
    asked,
    st.tuples(
        st.just("equity"), st.sampled_from([-50, -20, 20, 50]).map(Decimal), st.sampled_from(VENUES)
    ),
    st.tuples(
        st.just("theirs"), st.sampled_from([0, 150, 400]).map(Decimal), st.sampled_from(VENUES)
    ),
    st.tuples(st.sampled_from(["fill", "close"])),
    st.tuples(st.just("time"), st.sampled_from([LAG_S - 1, LAG_S + 1, 86_400.0])),
)


async def happen(accounts: Accounts, what: str, how: Sequence[Any]) -> None:
    if what == "ask":
        await accounts.ask(how[0], late=how[1], fills=how[2])
    elif what == "fill":
        accounts.fill()
    elif what == "close":
        accounts.close()
    elif what == "time":
        accounts.clock.advance(how[0])
    else:
        changed = accounts.equity if what == "equity" else accounts.theirs
        changed[how[1]] = how[0] + (changed[how[1]] if what == "equity" else 0)


def test_no_sequence_of_events_exceeds_what_the_accounts_carry() -> None:
    reached: set[str] = set()

    @settings(
        max_examples=40,
        deadline=None,
        phases=[Phase.generate],  # each example is a real ledger
        suppress_health_check=[HealthCheck.too_slow],
    )
    @given(
        equity=st.sampled_from([200, 300, 900]).map(Decimal),
        theirs=st.sampled_from([0, 150]).map(Decimal),
        happened=st.lists(events, min_size=20, max_size=40),
    )
    def try_it(equity: Decimal, theirs: Decimal, happened: list[tuple[Any, ...]]) -> None:
        with tempfile.TemporaryDirectory() as folder:
            accounts = Accounts(Path(folder), equity, theirs)
            for what, *how in happened:
                asyncio.run(happen(accounts, what, how))
            found = audit.rows(accounts.store.path, "decisions", audit.Filters(limit=0))
            reached.update(row["code"] for row in found)
            accounts.store.close()

    try_it()
    assert reached == {code for code, _ in FUNDS_RULES} | {"day_loss", "drawdown"}
