"""The judges judge: each of them is shown what it has to notice, and what it must let pass."""

import asyncio
import random
import sqlite3
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field, replace
from decimal import Decimal
from types import SimpleNamespace
from typing import Any, cast

import pytest

from adapters.sandbox.engine.types import TradeKind
from hedger.domain.ids import LaneId, VenueId
from hedger.ledger.records import LaneNote, LaneState
from tests.simulation import alarms, beyond, daemon, oracle, payouts, report
from tests.simulation.alarms import ALERT_AFTER_S, GRACE_S, Alarms
from tests.simulation.beyond import Beyond
from tests.simulation.doors import Door, Doors
from tests.simulation.exchange import Venues
from tests.simulation.faults import NOTHING, Chance, Ill, Plan, drawn
from tests.simulation.lanefacts import LaneFacts, LaneWatch
from tests.simulation.loop import SimLoop
from tests.simulation.oracle import Violation
from tests.simulation.parked import Parked
from tests.simulation.process import now_s
from tests.simulation.promisedrules import ChangeTold, LeverageProven
from tests.simulation.run import simulate
from tests.simulation.setup import Result, Setup
from tests.simulation.shrink import shrunk
from tests.simulation.truth import Availability, Span, Truth
from tests.simulation.venuefaults import SimFaults
from tests.simulation.world import VenueClock

# -- promise 4: a leg alone while the other venue is away ---------------------------------------


class Away(Parked):
    """X10 is away, and a leg stands alone on Lighter; our ledger proves that nothing is on X10."""

    def __init__(self) -> None:
        self.looks: list[Any] = []
        self.broken: list[str] = []
        self.oracle = SimpleNamespace(
            ledgers=1, broken=lambda promise, _: self.broken.append(promise)
        )
        super().__init__(
            cast(
                "Any",
                SimpleNamespace(
                    oracle=self.oracle,
                    outages={"x10": "refused"},
                    doors=Doors(cast("Any", None)),
                    chance=SimpleNamespace(quiet=False),
                    loop=SimpleNamespace(after=lambda _, look: self.looks.append(look)),
                    runs=lambda: True,
                    trouble=lambda: None,
                ),
            )
        )
        self.watch()

    def _stands_alone(self, symbol: str, away: str) -> bool:
        return symbol == "ETH"

    def goes_on(self, seconds: float) -> list[str]:
        for _ in range(int(seconds // 5)):
            self.looks.pop()()
        return self.broken


def test_a_ledger_that_is_put_in_place_has_its_own_time_to_take_a_leg_off():
    away = Away()
    assert away.goes_on(100) == []
    away.oracle.ledgers += 1
    assert away.goes_on(120) == []
    assert away.goes_on(5) == ["4 parked"]


# -- promise 4: a change of a market's rules is told --------------------------------------------


class Changed:
    """
    A world in which Lighter has just changed ETH, its ledger, of seven alerts, and its judge.

    ``told``: numbers of the alerts that say so.
    """

    def __init__(self) -> None:
        self.looks: list[tuple[Any, ...]] = []
        self.broken: list[str] = []
        self.told: list[int] = []
        self.rows: dict[str, object] = {
            "SELECT id": "eth-1", "SELECT value": "{}", "SELECT max": 7
        }  # fmt: skip
        self.seen = SimpleNamespace(serves=lambda: True)
        self.recovering = None
        self.doors = Doors(cast("Any", None))
        self.loop = SimpleNamespace(after=lambda _, *look: self.looks.append(look))
        self.oracle = SimpleNamespace(
            ledgers=1, one=self.one, broken=lambda promise, _: self.broken.append(promise)
        )
        self.judge = ChangeTold(cast("Any", self))
        self.judge.changed("lighter", "ETH", lambda: True)

    def is_up(self) -> bool:
        return True

    def one(self, query: str, **values: Any) -> Any:
        if "mark" in values:
            return next((1 for number in self.told if number > values["mark"]), None)
        return next((self.rows[q] for q in self.rows if query.startswith(q)), None)

    def goes_on(self, seconds: float) -> list[str]:
        for _ in range(int(seconds // 5)):
            if self.looks:
                call, *given = self.looks.pop()
                call(*given)
        return self.broken


@pytest.mark.parametrize("shut", [("lighter", "markets"), ("x10", "markets")])
def test_a_change_is_owed_for_as_long_as_its_venue_lists_its_markets(shut: tuple[str, str]):
    """Nobody can read the rules of a venue whose list of markets is not answered."""
    world = Changed()
    world.doors.shut[shut] = Door(Ill.ENDPOINT_DOWN, None)

    assert world.goes_on(150) == ([] if shut[0] == "lighter" else ["4 change told"])


def test_a_change_is_owed_by_a_process_that_serves():
    world = Changed()
    world.seen.serves = lambda: False
    assert world.goes_on(150) == []

    world.seen.serves = lambda: True
    assert world.goes_on(150) == ["4 change told"]


@pytest.mark.parametrize(
    ("before", "rules", "after", "broken"),
    [
        (None, "{}", None, True),
        (None, "{}", 4, False),
        (8, "{}", None, False),  # it was told by the ledger that is no more
        (None, "", None, False),  # it shows no change to who knows no rules from before
    ],
)
def test_a_change_is_owed_anew_by_a_ledger_that_is_put_in_place(
    before: int | None, rules: str, after: int | None, *, broken: bool
):
    """It has three alerts of its own; numbers of the lost one's are nothing to it."""
    world = Changed()
    assert world.goes_on(100) == []
    world.told = [] if before is None else [before]
    world.judge.leave_ledger()
    world.rows |= {"SELECT max": 3, "SELECT value": rules}
    world.told = []
    world.judge.begin_anew()
    assert world.goes_on(100) == []

    world.told = [] if after is None else [after]
    assert world.goes_on(100) == (["4 change told"] if broken else [])


# -- promise 4: leverage is proven ----------------------------------------------------------------


@pytest.mark.parametrize(("made_s", "broken"), [(330.0, False), (350.0, True)])
def test_leverage_is_known_as_an_order_is_made_and_not_as_it_fills(made_s: float, *, broken: bool):
    found: list[str] = []
    exchange = SimpleNamespace(leverage=lambda *_: Decimal(3))
    world: Any = SimpleNamespace(
        oracle=SimpleNamespace(
            purpose_of=lambda *_: "open",
            intended_s=lambda *_: made_s,
            broken=lambda promise, _: found.append(promise),
        ),
        venues=SimpleNamespace(exchange=lambda _: exchange, account=lambda _: 1),
    )

    async def pass_by() -> None:
        judge = LeverageProven(world)
        judge.lowered("lighter", "ETH")
        await asyncio.sleep(400)
        judge.traded("lighter", "ETH", "7")

    loop = SimLoop()
    loop.run_until_complete(pass_by())
    loop.close()
    assert found == (["4 leverage"] if broken else [])


# -- promise 6: an order is priced by its own market --------------------------------------------


class Priced(oracle.Oracle):
    """An order at 100 on a market that is at 100 for 60 s, and then at 60 at once."""

    def __init__(self) -> None:
        self.violations = []
        self._marks_before = {}
        self._venues: Any = SimpleNamespace(exchange=lambda _: self)
        self._conn: Any = SimpleNamespace(execute=lambda *_: self)

    def fetchone(self) -> tuple[str]:
        return ("100",)

    def mark(self, _: str) -> Decimal:
        return Decimal(100 if now_s() < 60 else 60)

    def sent_after(self, seconds: float) -> list[Violation]:
        loop = SimLoop()

        async def sends() -> None:
            loop.call_at(59.9, self.price_moves, "ETH")
            await asyncio.sleep(60 + seconds)
            self._priced("lighter", "1", "ETH")

        loop.run_until_complete(sends())
        loop.close()
        return self.violations


@pytest.mark.parametrize("seconds", [-30.0, 0.2, 4.0])
def test_a_price_may_be_as_old_as_its_book(seconds: float) -> None:
    assert Priced().sent_after(seconds) == []


def test_a_price_of_a_minute_ago_is_not_of_this_market() -> None:
    assert [broken.promise for broken in Priced().sent_after(60.0)] == ["6 price"]


# -- promise 3: whose position a payment is on --------------------------------------------------


def held_after(*trades: tuple[str | None, int]) -> str | None:
    """Who holds a position of a shared account after trades: whose each is, and its size."""
    held, before = Decimal(0), None
    for owner, size in trades:
        trade: Any = SimpleNamespace(
            size=abs(Decimal(size)), is_buy=size > 0, size_before=held, kind=TradeKind.TRADE
        )
        before = payouts._holder(trade, before, owner, dedicated=False)
        held += size
    return before


def test_a_position_that_strangers_add_to_again_and_again_is_still_ours_in_part() -> None:
    """It was taken for nobody's, and our payment on it for one that is booked wrongly (seed 57)."""
    assert held_after(("ours", 209)) == "ours"
    assert held_after(("ours", 209), (None, 104)) is None
    assert held_after(("ours", 209), (None, 104), (None, -104), (None, 104)) is None


def test_a_position_that_strangers_made_alone_is_nobodys() -> None:
    assert held_after((None, 104)) == held_after((None, 104), (None, 50)) == ""


# -- promise 4: past a minute a person is alerted -----------------------------------------------


@dataclass
class OneLeg:
    """A leg that stands alone from 0 s until ``until_s``, and a ledger with or without alert."""

    until_s: float = 1e9
    down_s: float = 0.0  # of no process at all, from 10 s on
    alerted_at_s: float | None = None
    replaced_at_s: float | None = None  # the ledger; the other one has alerts of its own
    broken: list[str] = field(default_factory=list)

    def open_s(self, symbol: str) -> float | None:
        now = now_s()
        lost_s = min(max(now - 10.0, 0.0), self.down_s)
        return None if now >= self.until_s else now - lost_s

    def number(self, symbol: str) -> int:
        return 1

    def one(self, query: str, **values: object) -> int | None:
        replaced_s = -1.0 if self.replaced_at_s is None else self.replaced_at_s
        if self.alerted_at_s is None or self.alerted_at_s > now_s():
            return None
        here = self.alerted_at_s >= replaced_s or now_s() < replaced_s
        told = here and values.get("mark", 0) == 0
        return 1 if told else None

    def watched_for(self, seconds: float) -> list[str]:
        loop = SimLoop()

        async def watch() -> None:
            judge = Alarms(self, self, lambda promise, _: self.broken.append(promise))
            judge.began("ETH")
            if self.replaced_at_s is not None:
                await asyncio.sleep(self.replaced_at_s - 0.001)
                judge.leave_ledger()
                await asyncio.sleep(0.001)
                judge.begin_anew()
            await asyncio.sleep(seconds - now_s())

        loop.run_until_complete(watch())
        loop.close()
        return self.broken


def test_a_leg_alone_for_longer_than_a_minute_without_an_alert_breaks_promise_4():
    assert OneLeg().watched_for(200) == ["4 alert"]


def test_an_alert_in_time_keeps_it_and_one_that_comes_later_does_not():
    assert OneLeg(alerted_at_s=ALERT_AFTER_S).watched_for(200) == []
    late_s = ALERT_AFTER_S + GRACE_S + 1
    assert OneLeg(alerted_at_s=late_s).watched_for(200) == ["4 alert"]


def test_time_without_a_process_does_not_count_towards_the_minute():
    assert OneLeg(down_s=100.0).watched_for(120) == []
    assert OneLeg(down_s=100.0).watched_for(300) == ["4 alert"]


def test_a_leg_that_is_hedged_within_the_minute_owes_no_alert():
    assert OneLeg(until_s=59.0).watched_for(300) == []


@pytest.mark.parametrize(
    ("alerted_at_s", "broken"),
    [(30.0, []), (50.0, []), (105.0, []), (115.0, ["4 alert"]), (None, ["4 alert"])],
)
def test_another_ledger_has_a_minute_of_its_own_and_what_the_last_one_told_was_told(
    alerted_at_s: float | None, broken: list[str]
):
    """It is put in place at 40 s."""
    leg = OneLeg(alerted_at_s=alerted_at_s, replaced_at_s=40.0)
    assert leg.watched_for(300) == broken


@pytest.mark.parametrize("query", [alarms.TOLD, beyond._TOLD])
@pytest.mark.parametrize(("hedged", "told"), [("ETH", True), ("ETH2", True), ("SOL", False)])
def test_an_alert_may_name_a_market_as_its_venue_does_by_now(
    query: str, hedged: str, *, told: bool
):
    with closing(sqlite3.connect(":memory:")) as ledger:
        ledger.execute("CREATE TABLE hedges (id, symbol, state)")
        ledger.execute("CREATE TABLE alerts (seq, hedge_id, text)")
        ledger.execute("INSERT INTO hedges VALUES ('h-1', ?, 'converging')", (hedged,))
        ledger.execute("INSERT INTO alerts VALUES (8, 'h-1', 'it stands alone')")
        found = ledger.execute(query, {"mark": 7, "symbol": "ETH"}).fetchall()
    assert bool(found) is told


@dataclass
class Alone:
    """A leg that stood alone for long, as it ends."""

    symbol: str = "ETH"
    available_s: float = 200.0
    stuck_s: float = 0.0
    true_s: float = 0.0


@dataclass
class Alerts:
    """The numbers of the alerts of a ledger, all about ETH."""

    numbers: tuple[int, ...]

    def one(self, query: str, **values: int) -> int | None:
        return max((n for n in self.numbers if n > values.get("mark", 0)), default=None)


@pytest.mark.parametrize(
    ("before", "after", "broken"),
    [((), (), ["4 alert"]), ((), (1,), []), ((8,), (), []), ((8,), (1,), [])],
)
def test_alerts_of_a_ledger_that_is_put_in_place_count_from_its_own_last_one(
    before: tuple[int, ...], after: tuple[int, ...], broken: list[str]
) -> None:
    """``before``: what the lost one told of the leg, beside seven earlier alerts."""
    ledger, found = Alerts(tuple(range(8))), []
    judge = Beyond(ledger.one, lambda *what: found.append(what[0]))
    judge.began("ETH")
    ledger.numbers += before
    judge.leave_ledger()
    ledger.numbers = ()
    judge.begin_anew()
    ledger.numbers += after

    judge.ended(Alone())

    assert found == broken


def test_nobody_can_be_told_of_a_fill_that_its_venue_lost_unread():
    found: list[str] = []
    judge = Beyond(Alerts(()).one, lambda promise, _: found.append(promise))
    judge.odd("lighter", "7", "eth-1")
    judge.finish({"7"})
    assert found == []

    judge.finish(set())
    assert found == ["4 alert"]


# -- lanes ---------------------------------------------------------------------------------------


class Notes:
    """Stands for the store of one life."""

    def note_lane(self, note: LaneNote) -> None:
        """Written."""


def note(state: LaneState, text: str = "", *counted: str) -> LaneNote:
    return LaneNote(
        lane=LaneId("lighter:7:2"),
        venue=VenueId("lighter"),
        carries="all",
        state=state,
        reason=text,
        counted=counted,
        text=text,
    )


def lane_facts(*, stolen: bool) -> LaneFacts:
    """A lane whose first nonce is refused, and which is out of step for eight seconds."""
    loop = SimLoop()

    async def story() -> LaneFacts:
        clock, chance = VenueClock(0.0), Chance(NOTHING, random.Random(1))
        venues = Venues(clock, SimFaults(clock, chance), 1)
        key = min(venues.lighter_side.face.lanes)
        if stolen:
            venues.lighter_side.ingress.use_nonce(key)
        watch, store = LaneWatch(venues, now_s), Notes()
        watch.listen(store)  # type: ignore[arg-type]  # it has all that is listened to
        watch.sent("an order", order=True)
        watch.sent("an order", order=True)  # the identical bytes: no new send
        text = "lane is paused: lighter refused nonce 0"
        refused = replace(
            note(LaneState.PAUSED, text, "mismatches"), lane=LaneId(f"lighter:7:{key}")
        )
        store.note_lane(refused)
        await asyncio.sleep(3)
        store.note_lane(replace(refused, state=LaneState.SYNCING, counted=()))  # another life
        await asyncio.sleep(5)
        store.note_lane(replace(refused, state=LaneState.READY, counted=()))
        watch.finish()
        return watch.facts

    facts = loop.run_until_complete(story())
    loop.close()
    return facts


def test_a_refusal_is_explained_only_by_somebody_else_who_has_the_nonce():
    theft, own = lane_facts(stolen=True), lane_facts(stolen=False)
    assert (theft.sends, theft.stolen, theft.unexplained) == (1, 1, 0)
    assert (own.sends, own.stolen, own.unexplained) == (1, 0, 1)


def test_a_lane_is_out_of_step_until_values_are_given_again_also_over_a_death():
    assert lane_facts(stolen=True).repairs == [(8.0, 8.0)]


# -- the report ----------------------------------------------------------------------------------


def world(seed: int = 7, **changes: Any) -> Result:
    empty = Result(
        seed=seed, hours=1.0, violations=[], spans=[], fired=Counter(), told=Counter(), hedges=40,
        orders=140,
        alerts=0, kills=12, boundaries=Counter(), digest="", dedicated=True,
        plan=Plan(frozenset({Ill.KILL})), crash_at=frozenset(), story_boundaries=0,
        deaths=Counter(), lanes=LaneFacts(),
    )  # fmt: skip
    return replace(empty, **changes)


def totals(*results: Result) -> report.Totals:
    sums = report.Totals()
    for result in results:
        sums.add(result)
    return sums


def test_every_promise_has_its_line_and_every_violation_the_command_that_repeats_it():
    broken = world(violations=[Violation("4 alert", "ETH stood alone", 100.0)])
    shown = "\n".join(report.lines(totals(broken), 1.0))
    assert all(f"promise {number} " in shown for number in range(7))
    assert "bin/sim --seed 7 --hours 1" in shown
    assert "1 in    1 worlds  promise 4" in shown
    assert "0 in    0 worlds  promise 6" in shown


def test_a_target_is_missed_where_the_sample_suffices_and_not_judged_where_it_does_not():
    slow = LaneFacts(repairs=[(11.0, 11.0)] * 2, sends=20, unexplained=1)
    few = totals(world(lanes=slow))
    assert not any("lane" in text for text in report.missed(few, 1.0, speed=False))
    assert any("lane" in text for text in report.unjudged(few, 1.0, speed=False))
    many = totals(*(world(lanes=slow) for _ in range(50)))
    missed = report.missed(many, 1.0, speed=False)
    assert any("usable after 11.00 s" in text for text in missed)
    assert any("5.00% of sends" in text for text in missed)
    assert any("messages per hour" in text for text in missed)
    assert not any("kills" in text for text in missed)


def test_a_kind_of_fault_that_hardly_has_an_effect_is_a_missed_target_however_often_it_strikes():
    often = Counter(dict.fromkeys(Ill, 1))
    rare = Counter({**often, Ill.DISK_FULL: 0})
    long = totals(*(world(seed, fired=often, told=rare) for seed in range(1_000)))
    missed = report.missed(long, 1.0, speed=False)
    assert [text for text in missed if report.EFFECT in text] == [
        "disk full had an effect 0 times, at least 100"
    ]


def test_the_longest_naked_span_is_always_judged():
    span = Span("ETH", 0.0, 121.0, 130.0, Decimal(0))
    assert any("121.00" in t for t in report.missed(totals(world(spans=[span])), 1.0, speed=False))


def test_time_in_which_nobody_could_take_a_leg_off_is_told_apart():
    span = Span("ETH", 0.0, 121.0, 130.0, Decimal(0), stuck_s=100.0)
    found = totals(world(spans=[span]))
    assert not any("naked maximum" in t for t in report.missed(found, 1.0, speed=False))
    assert any("1 spans, at most 100.00 s" in line for line in report.lines(found, 1.0))


@dataclass
class Venue:
    """One venue of a market whose smallest order is 0.1."""

    name: str
    size: Decimal
    min_size: Decimal = Decimal("0.1")

    def position(self, account: str, symbol: str) -> "Venue":
        return self

    def rules_of(self, symbol: str) -> "Venue":
        return self


@dataclass
class TwoVenues:
    x10: Decimal
    lighter: Decimal

    def exchange(self, name: str) -> Venue:
        return Venue(name, getattr(self, name))

    def account(self, name: str) -> str:
        return name


@pytest.mark.parametrize(
    ("x10", "lighter", "foreign", "stuck"),
    [
        ("0.89", "0", {"x10": "0.85"}, True),
        ("0.95", "0", {"x10": "0.85"}, False),  # an order may be so small
        ("0.04", "0", {}, False),  # closes the whole position
        ("0.89", "-0.04", {"x10": "0.85"}, False),  # the other leg can be taken off
        ("0", "-0.89", {"lighter": "-0.85"}, False),  # its minima bind resting orders only
        ("0.85", "0", {"x10": "0.85"}, False),  # nothing is ours
    ],
)
def test_only_a_remainder_beside_others_that_no_order_may_take_is_stuck(
    x10: str, lighter: str, foreign: dict[str, str], *, stuck: bool
):
    truth = Truth(
        cast("Venues", TwoVenues(Decimal(x10), Decimal(lighter))),
        Availability(lambda: True),
        able=lambda _venue, _symbol: True,
        honest=lambda: True,
        ended=lambda _: None,
        began=lambda _: None,
        foreign={(venue, "SOL"): Decimal(size) for venue, size in foreign.items()},
    )
    assert truth.stuck("SOL") is stuck


@pytest.mark.parametrize(("asked_s", "disbelieved"), [(100.0, True), (400.0, False)])
def test_a_venue_that_was_untrue_is_believed_after_time_in_which_it_could_be_asked(
    asked_s: float, *, disbelieved: bool
):
    """It is away for long, and is asked so long before that."""
    state = {"up": True, "honest": False}
    truth = Truth(
        cast("Venues", TwoVenues(Decimal(0), Decimal(0))),
        Availability(lambda: state["up"]),
        able=lambda _venue, _symbol: True,
        honest=lambda: state["honest"],
        ended=lambda _: None,
        began=lambda _: None,
    )

    async def pass_by() -> bool:
        truth.changed()
        for seconds, now in ((10.0, {"honest": True}), (asked_s, {"up": False}), (900.0, {})):
            await asyncio.sleep(seconds)
            state.update(now)
            truth.changed()
        return truth.disbelieved(truth.available_s())

    loop = SimLoop()
    assert loop.run_until_complete(pass_by()) is disbelieved
    loop.close()


class Ended(oracle.Oracle):
    """At its end a hedge on ETH waits for a person, who was told."""

    def __init__(self, *, beyond: bool, stuck: bool) -> None:
        self._beyond = beyond
        self.truth: Any = SimpleNamespace(stuck=lambda _: stuck)
        self._conn: Any = SimpleNamespace(execute=lambda *_: [("ETH",)])


@pytest.mark.parametrize(
    ("beyond", "stuck", "handed_over"),
    [(False, False, set()), (False, True, {"ETH"}), (True, False, {"ETH"})],
)
def test_what_no_order_may_take_off_is_left_to_a_person_who_was_told(
    handed_over: set[str], *, beyond: bool, stuck: bool
):
    assert Ended(beyond=beyond, stuck=stuck)._handed_over() == handed_over


@pytest.mark.parametrize(
    ("ill", "calm"), [(Ill.FORGETS, False), (Ill.RENUMBERED, False), (Ill.RENAMED, True)]
)
def test_a_payment_is_owed_by_turns_in_which_its_list_is_whole(ill: Ill, *, calm: bool):
    world: Any = SimpleNamespace(
        lasting={(ill, "lighter ETH"): None}, trouble=lambda: None, machine_off_s=0.0
    )
    assert daemon._is_calm(world) is calm


# -- shrinking -----------------------------------------------------------------------------------


def test_a_failing_world_is_shrunk_to_the_kinds_that_break_it():
    needed = {Ill.PARTIAL, Ill.KILL}

    def run(setup: Setup) -> Result:
        plan = drawn(random.Random(setup.seed), setup.without)
        fails = needed <= plan.ills and setup.hours >= 0.05
        violations = [Violation("4 naked", "too long", 300.0)] if fails else []
        return world(setup.seed, hours=setup.hours, plan=plan, violations=violations)

    def plans(seed: int) -> Plan:
        return drawn(random.Random(seed))

    seed = next(seed for seed in range(99) if needed <= plans(seed).ills)
    small = shrunk(Setup(seed=seed), told=lambda _: None, run=run)
    assert small is not None
    assert small.result.plan.ills == needed
    assert 0.05 <= small.setup.hours < 0.1
    assert "--only KILL,PARTIAL" in small.command
    assert shrunk(Setup(seed=seed, hours=0.01), told=lambda _: None, run=run) is None


@pytest.mark.parametrize("off_s", [-18.0, 9.0])
def test_leaving_kinds_out_leaves_the_others_as_the_seed_has_them(off_s: float):
    whole, less = drawn(random.Random(5)), drawn(random.Random(5), frozenset({Ill.KILL}))
    assert less.ills == whole.ills - {Ill.KILL}
    assert less.intensity == whole.intensity
    plan = Plan(frozenset({Ill.VENUE_OFF}), venue_off_s=off_s)
    assert simulate(Setup(seed=1, hours=0.05, plan=plan)).violations == []
