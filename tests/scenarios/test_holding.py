"""
Holding and leaving over both venues: every look values a hedge anew, every reason is counted.

S53 is the public bot that closed on a book 2.3 % wide and sold for 369.64 what was worth 378.12.
"""

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from hedger.daemon import Daemon
from hedger.domain.hedge import Hedge, State, Target
from hedger.domain.ids import Symbol
from hedger.domain.market import FundingQuote, Instrument, MarketStatus
from hedger.domain.order import Purpose
from hedger.entry import Code as EntryCode
from hedger.holding import Action, Judgement
from hedger.holding import Code as ExitCode
from hedger.home import Home
from hedger.ledger.store import Store
from hedger.opportunity import Pair
from hedger.ports import QuoteSource
from hedger.standing import BY_RATES, worth
from tests.desk import Desk
from tests.world import LIGHTER, X10

WIDE = Decimal(230)  # 2.3 %


def daemon_of(desk: Desk, folder: Path) -> Daemon:
    return Daemon(desk.trader, Home(folder))


def widen(desk: Desk, venue: str, spread_bps: Decimal) -> None:
    """Every book of a venue is so wide from now on."""
    state = desk.world.exchange(venue)._state
    state.params = replace(state.params, spread_bps=spread_bps)
    state._ladders.clear()
    for book in state.books.values():
        book.touched()  # what was shown of it holds no more


def off_mid_bps(desk: Desk, hedge: Hedge, venue: str) -> Decimal:
    """How far from the mark a leg went off."""
    (order,) = [o for o in desk.orders(hedge, Purpose.CLOSE) if o.prepared.order.venue == venue]
    assert order.avg_price is not None
    mark = desk.world.exchange(venue).mark("ETH")
    return abs(order.avg_price - mark) / mark * 10_000


# -- S53: a wide book ---------------------------------------------------------------------------


@pytest.mark.parametrize("venue", [X10, LIGHTER])
@pytest.mark.config(execution={"close_patience_s": 60})
async def test_s53_closing_waits_for_a_wide_book_with_both_legs_on(desk: Desk, venue: str) -> None:
    hedge = await desk.open("ETH", 300)
    widen(desk, venue, WIDE)
    began_s = desk.world.clock.monotonic_s()

    async with asyncio.TaskGroup() as tasks:
        closing = tasks.create_task(desk.close(hedge))
        await desk.world.pass_time(30)
        assert desk.store.hedge(hedge.id).state is State.CLOSING
        assert desk.naked() == 0 != desk.position(X10)  # nothing is at risk meanwhile
        assert desk.orders(hedge, Purpose.CLOSE) == []
        widen(desk, venue, Decimal(2))

    assert closing.result().state is State.CLOSED
    assert 30 < desk.world.clock.monotonic_s() - began_s < 45
    assert off_mid_bps(desk, hedge, venue) < 30  # and not the 115 of the wide book
    (event,) = desk.events("closing_waits")
    assert venue in event["text"]
    desk.assert_flat()
    desk.assert_ledger_is_true()


@pytest.mark.config(execution={"close_patience_s": 40})
async def test_s53_patience_has_a_deadline(desk: Desk) -> None:
    """A book that stays wide is taken in the end, in sequence and reduce-only, as any other."""
    hedge = await desk.open("ETH", 300)
    widen(desk, LIGHTER, WIDE)
    began_s = desk.world.clock.monotonic_s()

    hedge = await desk.close(hedge)

    assert hedge.state is State.CLOSED
    assert 40 <= desk.world.clock.monotonic_s() - began_s < 55
    assert [o.prepared.order.venue for o in desk.orders(hedge, Purpose.CLOSE)] == [X10, LIGHTER]
    desk.assert_flat()
    desk.assert_ledger_is_true()


@pytest.mark.config(execution={"close_patience_s": 300})
async def test_s53_a_leg_that_is_seen_to_be_gone_ends_the_patience(desk: Desk) -> None:
    """Its venue has closed it meanwhile: what stands alone waits for no better price."""
    hedge = await desk.open("ETH", 300)
    widen(desk, X10, WIDE)

    async with asyncio.TaskGroup() as tasks:
        closing = tasks.create_task(desk.close(hedge))
        await desk.world.pass_time(30)
        desk.world.fault(X10, "liquidate", market="ETH")
        await desk.world.pass_time(10)
        await desk.trader.hold_against_accounts()
        began_s = desk.world.clock.monotonic_s()

    assert closing.result().state is State.CLOSED
    assert desk.world.clock.monotonic_s() - began_s < 30
    desk.assert_flat()


@pytest.mark.config(execution={"close_patience_s": 300})
async def test_s53_an_urgent_exit_does_not_wait_behind_a_patient_one(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    daemon, look = daemon_of(desk, tmp_path), desk.trader.holdings.look
    patient, urgent = await desk.open("ETH", 300), await desk.open("BTC", 300)
    held = await look([patient, urgent], [])
    why = (ExitCode.HELD, ExitCode.LEAVING_MARKET)
    judged = [
        (hedge, replace(found, action=Action.LEAVE, code=code))
        for (hedge, found), code in zip(held, why, strict=True)
    ]

    async def told(*_: object) -> list[tuple[Hedge, Judgement]]:
        return judged

    monkeypatch.setattr(desk.trader.holdings, "look", told)
    widen(desk, LIGHTER, WIDE)

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(daemon.rates())
        await desk.world.pass_time(30)
        states = [desk.store.hedge(hedge.id).state for hedge in (patient, urgent)]
        widen(desk, LIGHTER, Decimal(2))

    assert states == [State.CLOSING, State.CLOSED]
    desk.assert_flat()


@pytest.mark.config(execution={"close_patience_s": 300})
async def test_s53_while_one_close_waits_the_other_hedges_are_judged_at_every_turn(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    daemon, look = daemon_of(desk, tmp_path), desk.trader.holdings.look
    patient, other = await desk.open("ETH", 300), await desk.open("BTC", 300)
    seen: list[set[str]] = []

    async def told(held: Sequence[Hedge], *rest: Any) -> list[tuple[Hedge, Judgement]]:
        seen.append({hedge.symbol for hedge in held})
        return [
            (hedge, replace(found, action=Action.LEAVE, code=ExitCode.HELD))
            if hedge.id == patient.id
            else (hedge, found)
            for hedge, found in await look(held, *rest)
        ]

    monkeypatch.setattr(desk.trader.holdings, "look", told)
    widen(desk, LIGHTER, WIDE)

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(daemon.rates())
        await desk.world.pass_time(30)
        await daemon.rates()
        assert desk.store.hedge(patient.id).state is State.CLOSING  # it was not waited for
        widen(desk, LIGHTER, Decimal(2))

    assert seen == [{"ETH", "BTC"}, {"BTC"}]
    states = [desk.store.hedge(hedge.id).state for hedge in (patient, other)]
    assert states == [State.CLOSED, State.OPEN]


@pytest.mark.config(execution={"close_patience_s": 300})
async def test_s53_a_rollback_does_not_wait_and_ends_the_waiting(desk: Desk) -> None:
    hedge = await desk.open("ETH", 300)
    widen(desk, LIGHTER, WIDE)
    began_s = desk.world.clock.monotonic_s()

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(desk.close(hedge))
        await desk.world.pass_time(10)
        await desk.trader.rollback(
            hedge=hedge.id, market=None, everything=False, progress=desk.said.append
        )

    assert desk.world.clock.monotonic_s() - began_s < 30
    assert desk.store.hedge(hedge.id).state is State.CLOSED
    desk.assert_flat()


@pytest.mark.config(execution={"close_patience_s": 60})
async def test_s53_the_deadline_outlives_the_process(desk: Desk) -> None:
    """It is counted from the persisted decision to close, not from the restart."""
    hedge = await desk.open("ETH", 300)
    widen(desk, X10, WIDE)
    desk.store.move(desk.store.hedge(hedge.id), State.CLOSING, "by hand", target=Target.FLAT)
    await desk.world.pass_time(50)
    began_s = desk.world.clock.monotonic_s()

    await desk.restart()

    assert desk.world.clock.monotonic_s() - began_s < 25
    assert desk.store.hedge(hedge.id).state is State.CLOSED
    desk.assert_flat()


# -- the monitor --------------------------------------------------------------------------------


async def test_every_look_values_an_open_hedge_for_the_status(desk: Desk, tmp_path: Path) -> None:
    hedge = await desk.open("GRASS", 300)
    daemon = daemon_of(desk, tmp_path)

    await daemon.rates()

    kept = json.loads(desk.store.meta(f"holding:{hedge.id}") or "")
    assert kept["action"] == "hold"
    assert Decimal(kept["stay_usd"]) > 0
    assert Decimal(kept["leave_usd"]) > 0
    assert Decimal(kept["naive_apy"]) > 1  # 158 % as other tools would show it
    await desk.close(hedge)
    (row,) = desk.rows("decisions")
    assert (row["about"], row["code"]) == ("exit", ExitCode.OPERATOR)
    await daemon.rates()
    assert await _kept_by(daemon, desk) == {}


async def test_s27_what_doubted_rates_make_of_a_hedge_is_not_shown(
    desk: Desk, tmp_path: Path
) -> None:
    """Unknown as soon as the rates are in doubt, and known again when they are not."""
    daemon, units = daemon_of(desk, tmp_path), desk.trader.riskdesk.units
    hedge = await desk.open("GRASS", 300)
    await daemon.rates()
    believed = worth(desk.store)[hedge.id]

    units.in_doubt = {LIGHTER: "8 times too high"}
    await daemon.rates()
    doubted = worth(desk.store)[hedge.id]
    units.in_doubt = {}
    await daemon.rates()

    assert doubted["rates_in_doubt"] == "8 times too high"
    assert [doubted[name] for name in BY_RATES] == [None] * 3
    assert Decimal(doubted["leave_usd"]) > 0
    assert worth(desk.store)[hedge.id].keys() == believed.keys()
    assert Decimal(worth(desk.store)[hedge.id]["stay_usd"]) > 0


async def _kept_by(daemon: Daemon, desk: Desk) -> dict[str, str]:
    """What is remembered of hedges once another one is looked at."""
    other = await desk.open("ETH", 100)
    await daemon.rates()
    kept = desk.store.metas("holding:")
    return {key: text for key, text in kept.items() if other.id not in key}


@pytest.mark.config(exit={"basis_profit_bps": None, "max_hold_h": 2, "wait_s": 0})
async def test_the_longest_hold_closes_a_hedge_and_is_counted_once(
    desk: Desk, tmp_path: Path
) -> None:
    hedge = await desk.open("GRASS", 300)
    daemon = daemon_of(desk, tmp_path)
    await daemon.rates()
    assert desk.store.hedge(hedge.id).state is State.OPEN

    desk.world.advance_market(hours=2)
    await desk.world.pass_time(2)
    await desk.restart()  # the opening is known from the ledger
    daemon = daemon_of(desk, tmp_path)
    await daemon.rates()

    assert desk.store.hedge(hedge.id).state is State.CLOSED
    (row,) = [r for r in desk.rows("decisions") if r["about"] == "exit"]
    assert (row["code"], row["times"]) == (ExitCode.HELD, 1)
    desk.assert_flat()
    desk.assert_ledger_is_true()


@pytest.mark.config(exit={"min_margin_ratio": 1000, "basis_profit_bps": None})
async def test_eroded_margin_is_left_and_the_amount_to_move_is_told(
    desk: Desk, tmp_path: Path
) -> None:
    hedge = await desk.open("ETH", 300)

    await daemon_of(desk, tmp_path).rates()

    assert desk.store.hedge(hedge.id).state is State.CLOSED
    (alert,) = desk.store.unacknowledged()
    assert "times what the position needs" in alert.text
    assert "move " in alert.text
    desk.assert_flat()


@pytest.mark.parametrize("venue", [X10, LIGHTER])
async def test_books_and_balances_that_cannot_be_read_are_no_reason_to_leave(
    desk: Desk, tmp_path: Path, venue: str
) -> None:
    hedge = await desk.open("GRASS", 300)
    desk.world.fault(venue, "bad_reads", what="balance", times=0)

    await daemon_of(desk, tmp_path).rates()

    assert desk.store.hedge(hedge.id).state is State.OPEN


async def test_a_hedge_of_an_earlier_version_goes_on_with_its_flip(
    desk: Desk, tmp_path: Path
) -> None:
    """Its flip was kept under another key; it counts on from there."""
    hedge = await desk.open("GRASS", 300)
    first = desk.store.hedge(hedge.id).first_settlement_a
    assert first is not None
    desk.store.set_meta(f"flipped_since:{hedge.id}", first.isoformat())

    memory = desk.trader.holdings._memory(hedge.id, None)

    assert memory.flipped_since == first
    await daemon_of(desk, tmp_path).rates()
    assert desk.store.hedge(hedge.id).state is State.OPEN


# -- entering -----------------------------------------------------------------------------------


async def test_every_refusal_is_counted_by_market_and_reason(desk: Desk, tmp_path: Path) -> None:
    daemon = daemon_of(desk, tmp_path)

    await daemon.scan()
    await daemon.scan()

    rows = desk.rows("decisions")
    by_symbol = {row["symbol"] for row in rows}
    assert len(by_symbol) >= 60  # whoever comes after the one that was opened waits
    assert {row["code"] for row in rows} >= {EntryCode.VALUE, "open"}
    assert sum(row["times"] for row in rows if row["code"] == EntryCode.VALUE) > 64
    assert len(rows) == len({(r["hour"], r["symbol"], r["code"]) for r in rows})


@pytest.mark.config(risk={"max_day_hedges": 1, "max_orders_per_minute": 1})
async def test_what_risk_objects_to_is_counted_under_its_own_codes(
    desk: Desk, tmp_path: Path
) -> None:
    await desk.open("ETH", 300)

    await daemon_of(desk, tmp_path).scan()

    assert len(desk.rows("hedges")) == 1
    codes = {row["code"] for row in desk.rows("decisions") if row["about"] == "entry"}
    assert codes >= {"max_day_hedges", "max_orders_per_minute"}
    assert "risk" not in codes


@pytest.mark.config(risk={"max_venue_usd": 460, "market_usd": {"GRASS": 40}})
async def test_the_best_size_stays_within_what_risk_leaves(desk: Desk) -> None:
    """A smaller hedge is proposed rather than a larger one that is refused again and again."""
    pair = await _pair(desk, "GRASS")
    by_market = await desk.trader.opening.entering.propose(pair)
    await desk.open("ETH", 440)
    by_venue = await desk.trader.opening.entering.propose(pair)

    assert by_market.size * pair.a.mark_price <= 40
    assert by_market.bound_by == "risk.market_usd of GRASS"
    assert by_venue.size * pair.a.mark_price <= 20
    assert by_venue.bound_by.startswith("risk.max_venue_usd")


@pytest.mark.parametrize(
    ("opened", "key"),
    [
        pytest.param(opened, key, marks=pytest.mark.config(risk={key: 460}))
        for opened, key in (("ETH", "max_day_usd"), ("GRASS", "max_market_day_usd"))
    ],
)
async def test_the_best_size_stays_within_what_is_left_of_the_day(
    desk: Desk, opened: str, key: str
) -> None:
    pair = await _pair(desk, "GRASS")
    before = await desk.trader.opening.entering.propose(pair)
    await desk.open(opened, 440)
    after = await desk.trader.opening.entering.propose(pair)

    assert before.size * pair.a.mark_price > 20
    assert 0 < after.size * pair.a.mark_price <= 20
    assert after.bound_by == f"risk.{key}"


@pytest.mark.config(exit={"min_margin_ratio": 0, "basis_profit_bps": None})
async def test_no_hedge_is_left_for_a_rate_that_cannot_be_true(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """90 % an hour is what no venue charges; if it were true, the hedge would go at once."""
    hedge = await desk.open("GRASS", 300)
    quotes = desk.trader.quotes[X10]
    right = quotes.funding

    sign = hedge.side_a.sign  # a positive rate is paid by longs

    async def absurd() -> Mapping[Symbol, FundingQuote]:
        found = await right()
        quote = found[hedge.symbol]
        return {**found, hedge.symbol: replace(quote, rate_1h=sign * Decimal("0.9"))}

    monkeypatch.setattr(quotes, "funding", absurd)
    await daemon_of(desk, tmp_path).rates()

    assert desk.store.hedge(hedge.id).state is State.OPEN
    assert [row for row in desk.rows("decisions") if row["about"] == "exit"] == []


async def test_the_daemon_opens_the_best_size_and_nothing_at_a_negative_value(
    desk: Desk, tmp_path: Path
) -> None:
    await daemon_of(desk, tmp_path).scan()

    (row,) = desk.rows("hedges")
    assert Decimal(row["expected_net_bps"]) > 0
    proposal = await desk.trader.opening.entering.propose(_found(desk, row["symbol"]))
    value_usd = Decimal(row["planned_size"]) * proposal.pair.a.mark_price
    assert value_usd <= desk.config.trading.max_position_size_usd
    assert proposal.bound_by


def _found(desk: Desk, symbol: str) -> Pair:
    return next(o.pair for o in desk.trader.situation.found if o.pair.symbol == symbol)


@pytest.mark.config(entry={"persistence_settlements": 2, "min_net_bps": 0})
async def test_a_spread_must_have_paid_before_it_is_believed(desk: Desk, tmp_path: Path) -> None:
    daemon = daemon_of(desk, tmp_path)
    await daemon.scan()
    assert desk.rows("hedges") == []
    assert EntryCode.PERSISTENCE in {row["code"] for row in desk.rows("decisions")}

    desk.world.advance_market(hours=1.01)
    await desk.world.pass_time(2)
    await daemon.scan()

    found = {o.pair.symbol: o for o in desk.trader.situation.found}
    proposals = [
        await desk.trader.opening.entering.propose(o.pair) for o in found.values() if o.priced
    ]
    codes = [o.code for p in proposals for o in p.objections]
    assert codes.count(EntryCode.PERSISTENCE) < len(proposals)


@pytest.mark.config(entry={"min_net_bps": 500})
async def test_a_person_may_open_what_economics_refuses_but_not_what_risk_refuses(
    desk: Desk, tmp_path: Path
) -> None:
    await daemon_of(desk, tmp_path).scan()
    assert desk.rows("hedges") == []

    hedge = await desk.open("ETH", 300)

    assert hedge.state is State.OPEN
    with pytest.raises(Exception, match="max_position_size_usd"):
        await desk.open("SOL", 3000)


async def test_a_rolled_back_hedge_makes_the_next_one_dearer(desk: Desk) -> None:
    before = (await desk.trader.opening.entering.terms(await _pair(desk, "GRASS"))).rollback_bps
    desk.world.fault(LIGHTER, "refuse", code=21739, reduce_only=False)

    hedge = await desk.open("SOL", 300)

    assert hedge.state is State.CLOSED
    after = (await desk.trader.opening.entering.terms(await _pair(desk, "GRASS"))).rollback_bps
    measured = desk.store.rollbacks()
    assert (measured.attempts, measured.rollbacks) == (1, 1)
    assert measured.cost_bps > 0
    assert after > before


async def _pair(desk: Desk, symbol: str) -> Pair:
    await desk.trader.look_around()
    return _found(desk, symbol)


@pytest.mark.config(
    trading={"max_position_size_usd": 500_000}, scan={"size_usd": 10}, entry={"min_net_bps": 10}
)
async def test_the_best_size_keeps_every_rule_that_a_smaller_one_would_keep(desk: Desk) -> None:
    """With deep pockets the books bound the size: the last coin still leaves what entry asks."""
    proposal = await desk.trader.opening.entering.propose(await _pair(desk, "GRASS"))

    assert proposal.objections == ()
    assert proposal.bound_by in {
        "the books cost more than a larger hedge brings",
        "the free margin on x10",
        "the free margin on lighter",
    }
    assert proposal.worth.value_bps >= 10
    assert proposal.worth.value_usd > 1


def test_decisions_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from hedger.ledger import decisions, events, migrate
    from hedger.ledger.records import Decision
    from hedger.ledger.store import open_store
    from tests.clocks import ManualClock

    monkeypatch.setattr(decisions, "DECISIONS_MAX", 3)
    monkeypatch.setattr(events, "PRUNE_EVERY", 3)
    clock = ManualClock()
    path = tmp_path / "ledger.db"
    migrate.upgrade(path, clock)
    store: Store
    with open_store(path, clock) as store:
        for n in range(9):
            store.decide([Decision(symbol=Symbol(f"M{n}"), about="entry", code="v", text="t")])
        from hedger import audit

        assert [row["symbol"] for row in audit.rows(path, "decisions")] == ["M6", "M7", "M8"]


class Closing:
    """A quote source whose market has become reduce-only: no rate, and a status that says so."""

    def __init__(self, source: QuoteSource, status: MarketStatus | None) -> None:
        self._source = source
        self._status = status

    async def funding(self) -> Mapping[Symbol, FundingQuote]:
        return {s: q for s, q in (await self._source.funding()).items() if s != "ETH"}

    async def instruments(self, *, urgent: bool = False) -> Mapping[Symbol, Instrument]:
        found = dict(await self._source.instruments(urgent=urgent))
        eth = found.pop(Symbol("ETH"))
        if self._status is not None:
            found[Symbol("ETH")] = replace(eth, status=self._status)
        return found


@pytest.mark.parametrize(
    ("status", "state"),
    [
        (MarketStatus.REDUCE_ONLY, State.CLOSED),
        (MarketStatus.CLOSED, State.OPEN),  # no leg could come off there: both stand
        (MarketStatus.ACTIVE, State.OPEN),
        (None, State.OPEN),  # a row that cannot be read is unknown, not delisted
    ],
)
async def test_a_market_that_a_venue_closes_is_left_while_it_takes_orders(
    desk: Desk, tmp_path: Path, status: MarketStatus | None, state: State
) -> None:
    hedge = await desk.open("ETH", 300)
    watch = desk.trader.holdings
    closing = Closing(desk.trader.quotes[LIGHTER], status)
    watch._quotes = {X10: desk.trader.quotes[X10], LIGHTER: closing}  # type: ignore[dict-item]

    await daemon_of(desk, tmp_path).rates()

    assert desk.store.hedge(hedge.id).state is state
    codes = [r["code"] for r in desk.rows("decisions") if r["about"] == "exit"]
    told = {
        MarketStatus.REDUCE_ONLY: [ExitCode.LEAVING_MARKET],
        MarketStatus.CLOSED: [ExitCode.CLOSED_MARKET],
    }
    assert codes == (told.get(status, []) if status else [])
    alerts = [a.text for a in desk.store.unacknowledged() if "that is no reason to close" in a.text]
    assert len(alerts) == (status is MarketStatus.CLOSED)


@pytest.mark.config(
    exit={"rotation_gain_usd": 0.01, "basis_profit_bps": None, "wait_s": 0},
    trading={"max_open_hedges": 1},
)
async def test_without_room_for_both_a_hedge_is_left_for_a_better_one(
    desk: Desk, tmp_path: Path
) -> None:
    hedge = await desk.open("ETH", 100)
    daemon = daemon_of(desk, tmp_path)

    await daemon.scan()
    await daemon.rates()

    assert desk.store.hedge(hedge.id).state is State.CLOSED
    (row,) = [r for r in desk.rows("decisions") if r["about"] == "exit"]
    assert row["code"] == ExitCode.ROTATION
    assert "two costs" in row["text"]


@pytest.mark.parametrize(("scanned_usd", "usd"), [(1000, 100), (50, 50)])
@pytest.mark.config(trading={"max_open_hedges": 1})
async def test_another_hedge_is_valued_no_larger_than_the_one_that_would_make_room_for_it(
    desk: Desk, tmp_path: Path, scanned_usd: int, usd: int
) -> None:
    """What 1,000 USD earn elsewhere is no reason to leave 100 that earn the same."""
    hedge = await desk.open("ETH", 100)
    await daemon_of(desk, tmp_path).scan()
    best = next(o for o in desk.trader.situation.found if o.priced and o.pair.symbol != "ETH")
    worth = replace(best.worth, size_usd=Decimal(scanned_usd))

    found = desk.trader.holdings._alternative(hedge, Decimal(100), [replace(best, worth=worth)])

    assert found is not None
    assert found.value_usd == worth.value_usd * usd / scanned_usd
    assert found.cost_usd == worth.cost_usd * usd / scanned_usd
