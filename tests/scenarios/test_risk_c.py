"""
What stands between a plan and its first order, and what watches afterwards (issue C, §1 and §3).

S27, S28 (units), S42 (churn), S47 (leverage), S48 (a leg that the venue took), S51 (no limit
stops an exit).
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from adapters.lighter import units as lighter_units
from adapters.sandbox.engine.types import TradeKind
from hedger import risk, switches
from hedger.daemon import Daemon
from hedger.domain.hedge import State
from hedger.domain.ids import Symbol, VenueId
from hedger.domain.market import Balance, FundingQuote, Position
from hedger.domain.money import ZERO
from hedger.domain.order import Purpose
from hedger.errors import UsageError
from hedger.funds import EquityBook
from hedger.guard import HELD_FOR_S, QUIET_S, QUIET_TURNS
from hedger.home import Home
from hedger.standing import sentences, standing
from hedger.units import QUORUM
from tests.desk import Desk
from tests.scenarios import facts
from tests.scenarios.scenes import (
    FOR_EVER,
    LAG_PASSED_S,
    a_pair_at_rest,
    either_venue,
)
from tests.scenarios.test_reconciling import foreign_order
from tests.world import LIGHTER, X10

ETH = Symbol("ETH")
with_leverage = pytest.mark.config(trading={"manage_leverage": True})


async def check_units(desk: Desk) -> None:
    await desk.trader.riskdesk.units.run(first=True)


def told(desk: Desk) -> str:
    """What ``hedger status`` says is the matter."""
    return "\n".join(sentences(standing(desk.store)))


# -- S27, S28: units ----------------------------------------------------------------------------


@contextmanager
def misread(monkeypatch: pytest.MonkeyPatch, name: str, factor: int) -> Iterator[None]:
    """One of Lighter's endpoints changes its unit, and our adapter does not know it."""
    right = getattr(lighter_units, name)
    with monkeypatch.context() as patch:
        patch.setattr(lighter_units, name, lambda *values: right(*values) * factor)
        yield


async def test_s27_units_that_are_right_open_and_say_nothing(desk: Desk) -> None:
    await check_units(desk)

    assert desk.trader.riskdesk.units.in_doubt == {}
    assert desk.trader.riskdesk.units.out == {}
    assert (await desk.open("ETH", 300)).state is State.OPEN
    assert desk.store.unacknowledged() == []


@pytest.mark.parametrize("endpoint", ["rate_1h_of_funding_rates", "rate_1h_of_fundings"])
@pytest.mark.parametrize("factor", [8, 100, -1])
async def test_s27_a_unit_error_at_either_endpoint_blocks_openings_and_no_exit(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, endpoint: str, factor: int
) -> None:
    """Five bots traded the wrong way for months; two endpoints of the venue could tell."""
    hedge = await desk.open("ETH", 300)
    with misread(monkeypatch, endpoint, factor):
        await check_units(desk)

    with pytest.raises(UsageError, match="the rates of lighter are in doubt"):
        await desk.open("BTC", 300)
    assert "the rates of lighter are in doubt since" in told(desk)
    (alert,) = desk.store.unacknowledged()
    assert "no hedge is left for its rates, urgent exits go on" in alert.text
    assert (await desk.close(hedge)).state is State.CLOSED

    await desk.restart()  # what was found is not forgotten
    with pytest.raises(UsageError, match="the rates of lighter are in doubt"):
        await desk.open("BTC", 300)
    for _ in range(8):  # until every symbol was compared anew
        await check_units(desk)
    assert "in doubt since" not in told(desk)  # the alert stays: only a person takes it away
    assert (await desk.open("BTC", 300)).state is State.OPEN


AT_ONCE: dict[str, Any] = {
    "hysteresis_settlements": 0,
    "min_margin_ratio": 0,
    "basis_profit_bps": None,
    "max_hold_h": 1,
}


@pytest.mark.config(exit=AT_ONCE)
@pytest.mark.parametrize("doubted", [True, False])
async def test_s27_no_hedge_is_left_for_what_doubted_rates_say(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *, doubted: bool
) -> None:
    """A spread with the wrong sign sold a good hedge; the longest hold needs no rate."""
    daemon = Daemon(desk.trader, Home(tmp_path))
    hedge = await desk.open("GRASS", 300)
    with misread(monkeypatch, "rate_1h_of_funding_rates", -100):
        if doubted:
            await check_units(desk)
        await daemon.rates()
        assert desk.store.hedge(hedge.id).state is (State.OPEN if doubted else State.CLOSED)

        desk.world.advance_market(hours=2.05)
        await daemon.rates()

    assert desk.store.hedge(hedge.id).state is State.CLOSED
    exits = {row["code"] for row in desk.rows("decisions") if row["about"] == "exit"}
    assert ("held_long_enough" in exits, "value_negative" in exits) == (doubted, not doubted)


async def test_s28_units_that_cannot_be_checked_are_not_believed(desk: Desk) -> None:
    """A failed read is unknown: neither a unit error nor a reason to trade."""
    desk.world.fault(LIGHTER, "bad_reads", what=["public"], **FOR_EVER)

    await check_units(desk)

    assert "could not be checked" in desk.trader.riskdesk.units.in_doubt[LIGHTER]
    desk.world.no_faults()
    await desk.world.pass_time(1)
    await check_units(desk)
    assert desk.trader.riskdesk.units.in_doubt == {}


async def test_s28_a_venue_that_had_settled_nothing_yet_is_judged_by_enough_symbols_later(
    desk: Desk,
) -> None:
    """The first turn finds nothing to compare; the next one must not judge by a handful."""
    units = desk.trader.riskdesk.units
    await check_units(desk)
    desk.world.advance_market(1.02)

    await units.run()

    assert units.in_doubt == {}
    assert all(len(venue.compared) >= QUORUM for venue in units._venues.values())


async def test_s28_a_symbol_is_taken_out_for_its_own_factor_and_for_no_change(
    desk: Desk,
) -> None:
    """The estimate of ETH is told in another unit; BTC's merely falls by a half and turns."""
    units = desk.trader.riskdesk.units
    source = desk.trader.quotes[LIGHTER]
    right = await source.funding()
    factors = {"ETH": Decimal(8), "BTC": Decimal("-0.5")}
    changed = {
        symbol: _times(quote, factors.get(symbol, Decimal(1))) for symbol, quote in right.items()
    }
    units.saw({LIGHTER: changed})
    desk.world.advance_market(hours=1.05)

    for _ in range(8):
        await check_units(desk)

    assert list(units.out) == [(LIGHTER, ETH)]
    with pytest.raises(UsageError, match=r"ETH is taken out on lighter: .*a unit error of 8"):
        await desk.open("ETH", 300)
    assert "lighter:ETH is taken out" in told(desk)
    assert (await desk.open("BTC", 300)).state is State.OPEN


def _times(quote: FundingQuote, factor: Decimal) -> FundingQuote:
    return replace(quote, rate_1h=quote.rate_1h * factor)


# -- S42: churn ---------------------------------------------------------------------------------


@pytest.mark.config(risk={"rollback_cooldown_s": 30, "rollback_cooldown_s_per_usd": 1000})
async def test_s42_a_market_is_left_alone_for_what_its_rollback_cost(desk: Desk) -> None:
    """Opening and unwinding went round for ever, and nobody had booked what it cost."""
    desk.world.fault(LIGHTER, "no_fill", reduce_only=False)
    assert (await desk.open("ETH", 300)).state is State.CLOSED
    (row,) = desk.rows("pnl")
    cost = -Decimal(row["net_usd"] or row["rollback_cost_usd"])
    assert cost > ZERO
    wait_s = 30 + float(cost) * 1000

    with pytest.raises(UsageError, match=r"ETH is left alone until .*: 1 rollbacks in 24 h cost"):
        await desk.open("ETH", 300)
    assert (await desk.open("BTC", 300)).state is State.OPEN  # the others are not to blame
    closed_at = desk.store.find("eth").updated_at
    await desk.world.pass_time(wait_s - (desk.world.clock.now() - closed_at).total_seconds() - 1)
    with pytest.raises(UsageError, match="left alone"):
        await desk.open("ETH", 300)
    await desk.world.pass_time(1.5)
    assert (await desk.open("ETH", 300)).state is State.OPEN


# -- S47: leverage ------------------------------------------------------------------------------


@with_leverage
async def test_s47_leverage_is_set_and_read_back_on_both_venues_before_the_first_order(
    desk: Desk,
) -> None:
    """A change of leverage failed unseen, and the bot traded at ten times instead of once."""
    before = {venue: leverage(desk, venue) for venue in (X10, LIGHTER)}
    assert all(value != 5 for value in before.values())

    hedge = await desk.open("ETH", 300)

    assert hedge.state is State.OPEN
    assert {leverage(desk, venue) for venue in (X10, LIGHTER)} == {Decimal(5)}
    assert leverage(desk, X10, "BTC") == before[X10]
    sent = desk.store.orders_since(desk.world.clock.now() - timedelta(minutes=1))
    assert sent == {X10: 1, LIGHTER: 2}  # a change that takes a nonce counts like an order
    (change,) = [e for e in desk.events("filler") if "leverage" in e["text"]]
    assert change["level"] == "info"
    await desk.close(hedge)
    assert (await desk.open("ETH", 300)).state is State.OPEN  # proven already
    assert len([e for e in desk.events("filler") if "leverage" in e["text"]]) == 1
    desk.assert_ledger_is_true()


@pytest.mark.config(trading={"manage_leverage": True, "leverage": 27})
async def test_s47_leverage_that_no_whole_basis_point_says_is_set_no_riskier_and_opens(
    desk: Desk,
) -> None:
    """10,000 bps / 27 are 370.37: cut off it was more than 27 times, and never proven."""
    assert (await desk.open("ETH", 300)).state is State.OPEN

    assert leverage(desk, X10) == 27
    assert leverage(desk, LIGHTER) == Decimal(10_000) / 371
    desk.assert_ledger_is_true()


@with_leverage
@either_venue
@pytest.mark.parametrize(("after_s", "then"), [(290, 20), (310, 5)])
async def test_s47_leverage_is_read_again_after_five_minutes(
    desk: Desk, venue: str, after_s: float, then: int
) -> None:
    """A person changes it in the venue's own window while the program runs."""
    await desk.trader.riskdesk.leverage.doubts(ETH, desk.config.venues.order)
    assert leverage(desk, venue) == 5
    account = desk.world.account(venue)
    assert desk.world.exchange(venue).set_leverage(account, "ETH", Decimal(20)) is None
    await desk.world.pass_time(after_s)

    assert (await desk.trader.riskdesk.leverage.doubts(ETH, desk.config.venues.order)) == {}

    assert leverage(desk, venue) == then


async def test_quotes_that_age_while_leverage_is_proven_are_too_old(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their age was that of the plan, whatever was awaited between it and the first order."""
    most_s = desk.config.scan.max_age_s

    async def slowly(*_: object) -> dict[VenueId, str]:
        await desk.world.pass_time(most_s + 1)
        return {}

    leverage = desk.trader.riskdesk.leverage
    monkeypatch.setattr(leverage, "proven", lambda *_: False)
    monkeypatch.setattr(leverage, "doubts", slowly)

    (objection,) = await objections(desk)

    assert objection.code == "data_age"


@contextmanager
def deaf(desk: Desk, venue: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The venue takes a change of leverage, says yes, and nothing comes of it."""
    with monkeypatch.context() as patch:
        patch.setattr(desk.world.exchange(venue), "set_leverage", lambda *_: None)
        yield


async def objections(desk: Desk) -> list[risk.Objection]:
    """To a hedge on ETH, with the leverage proven or not."""
    plan = await desk.trader.opening.plan(await desk.trader.opening.pair(ETH), Decimal(300))
    verdict = await desk.trader.opening.judge(plan)
    return list(verdict.objections) if isinstance(verdict, risk.Objected) else []


@with_leverage
@either_venue
async def test_s47_leverage_that_the_venue_does_not_read_back_opens_nothing(
    desk: Desk, venue: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with deaf(desk, venue, monkeypatch):
        (objection,) = await objections(desk)

    assert objection.code == "leverage"
    assert f"the leverage of ETH on {venue} is not 5: the venue says" in objection.text
    assert desk.rows("hedges") == desk.rows("orders") == []
    hedge = await desk.open("ETH", 300)  # it is tried again, with the lane in step
    assert hedge.state is State.OPEN
    assert {leverage(desk, name) for name in (X10, LIGHTER)} == {Decimal(5)}
    desk.assert_ledger_is_true()


@with_leverage
@pytest.mark.parametrize(
    ("venue", "fault"),
    [
        (X10, {"what": ["public"]}),
        (LIGHTER, {"what": ["positions", "balance"]}),
        (LIGHTER, {"what": ["nonce"]}),
    ],
)
async def test_s47_leverage_that_cannot_be_read_or_set_opens_nothing(
    desk: Desk, venue: str, fault: dict[str, Any]
) -> None:
    plan = await desk.trader.opening.plan(await desk.trader.opening.pair(ETH), Decimal(300))
    desk.world.fault(venue, "bad_reads", **fault, **FOR_EVER)

    doubts = await desk.trader.riskdesk.leverage.doubts(ETH, plan.venues)

    assert list(doubts) == [venue]
    assert "is not proven" in doubts[desk.trader.venues[X10].id if venue == X10 else plan.venues[1]]
    desk.world.no_faults()
    await desk.world.pass_time(LAG_PASSED_S)
    assert (await desk.open("ETH", 300)).state is State.OPEN


@pytest.mark.config(trading={"manage_leverage": True, "leverage": 50})
async def test_s47_a_market_that_does_not_allow_the_leverage_is_not_opened(desk: Desk) -> None:
    with pytest.raises(UsageError, match=r"allows a leverage of \d+ at most"):
        await desk.open("GRASS", 100)

    assert desk.rows("hedges") == []


@with_leverage
async def test_s47_a_change_that_was_cut_off_is_taken_up_by_the_next_process(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process dies with the change committed and not read back: the lane comes into step."""
    with deaf(desk, LIGHTER, monkeypatch), pytest.raises(TimeoutError):
        await asyncio.wait_for(desk.open("ETH", 300), 1.5)
    assert desk.rows("hedges") == []

    await desk.restart()

    assert (await desk.open("ETH", 300)).state is State.OPEN
    assert leverage(desk, LIGHTER) == 5
    desk.assert_ledger_is_true()


def leverage(desk: Desk, venue: str, symbol: str = "ETH") -> Decimal:
    return desk.world.exchange(venue).leverage(desk.world.account(venue), symbol)


# -- S48: a leg that the venue took -------------------------------------------------------------


@either_venue
@pytest.mark.parametrize("share", ["0.4", "1"])
async def test_s48_a_deleveraged_leg_is_trimmed_on_the_other_side_at_once(
    desk: Desk, venue: str, share: str
) -> None:
    """Auto-deleveraging took a part or all of one leg, and the other rode naked."""
    hedge = await a_pair_at_rest(desk)
    desk.world.exchange(venue).liquidate(
        desk.world.account(venue), "ETH", Decimal(share), kind=TradeKind.DELEVERAGE
    )
    await desk.world.pass_time(0.5)
    began = desk.world.clock.now()

    await desk.trader.reconcile(desk.said.append)

    assert desk.naked() == ZERO
    (trim,) = desk.orders(hedge, Purpose.ROLLBACK)
    assert trim.prepared.order.reduce_only
    assert trim.prepared_at - began < timedelta(seconds=4)
    ended = desk.store.hedge(hedge.id)
    assert ended.state is (State.CLOSED if share == "1" else State.OPEN)
    assert "liquidated or deleveraged" in desk.events("forced")[0]["text"]
    assert desk.store.unacknowledged()
    await desk.trader.reconcile(desk.said.append)
    with pytest.raises(UsageError, match="left alone for a while"):
        await desk.open("ETH", 300)
    facts.assert_orders_are_ours(desk)


@pytest.mark.sandbox(balance_usd=Decimal(150))
@pytest.mark.config(risk={"min_liquidation_distance_bps": 1000, "min_free_margin_share": 0})
async def test_s48_a_leg_too_near_to_its_liquidation_is_closed_before_the_venue_does_it(
    desk: Desk,
) -> None:
    """Both halves, in sequence: one leg alone is what liquidation would leave."""
    hedge = await desk.open("ETH", 500)
    await desk.trader.guard.run()
    assert desk.store.hedge(hedge.id).state is State.OPEN
    distances = dict(desk.trader.guard.distances_bps)
    assert min(distances.values()) > 1000
    for venue in (X10, LIGHTER):
        desk.world.exchange(venue).deposit(desk.world.account(venue), Decimal(-110))

    await desk.world.pass_time(HELD_FOR_S)
    await desk.trader.guard.run()

    ended = desk.store.hedge(hedge.id)
    assert ended.state is State.CLOSED
    assert "liquidation_distance" in {row["code"] for row in desk.rows("decisions")}
    assert any("bps from liquidation" in event["text"] for event in desk.events("transition"))
    assert "move money to that venue" in desk.store.unacknowledged()[-1].text
    desk.assert_flat()
    desk.assert_ledger_is_true()


@pytest.mark.parametrize(("limit_above", "state"), [(0, State.OPEN), (1, State.CLOSED)])
async def test_a_leg_just_as_far_from_liquidation_as_the_limit_stays(
    desk: Desk, limit_above: int, state: State
) -> None:
    hedge = await desk.open("ETH", 300)
    guard = desk.trader.guard
    await guard.run()
    guard._exit_distance_bps = min(guard.distances_bps.values()) + limit_above

    await guard.run()

    assert desk.store.hedge(hedge.id).state is state


async def test_a_guard_that_cannot_read_changes_nothing(desk: Desk) -> None:
    hedge = await desk.open("ETH", 300)
    before = desk.trader.riskdesk.equity.track()
    desk.world.fault(X10, "bad_reads", what=["balance", "positions"], **FOR_EVER)

    await desk.trader.guard.run()

    assert desk.trader.riskdesk.equity.track() == before
    assert desk.store.hedge(hedge.id).state is State.OPEN


# -- accounts and losses ------------------------------------------------------------------------


SHARED: dict[str, Any] = {"dedicated": False}
THEIRS = Decimal("0.02")  # BTC: 1,500 USD and more


async def hold_theirs(desk: Desk, venue: str) -> None:
    """Somebody else buys on our account, so long ago that every reading shows it."""
    foreign_order(desk, venue, THEIRS, symbol="BTC")
    await desk.world.pass_time(LAG_PASSED_S)


async def why_refused(desk: Desk, usd: int, *codes: str) -> str:
    """Why no hedge of that size on ETH is opened; ``codes`` are all objections to it."""
    hedge = await desk.open("ETH", usd)
    assert hedge.state is State.REFUSED
    assert desk.events("objected")[0]["data"]["codes"] == [*codes]
    return hedge.reason


@pytest.mark.sandbox(balance_usd=Decimal(150))
@pytest.mark.config(risk={"min_liquidation_distance_bps": 2800, "min_free_margin_share": 0})
async def test_a_hedge_that_would_be_too_near_to_liquidation_is_refused(desk: Desk) -> None:
    """150 USD carry 500 at 30 % less maintenance, and not 520."""
    why = await why_refused(desk, 540, "liquidation_distance", "liquidation_distance")
    assert "bps from liquidation, risk.min_liquidation_distance_bps is 2800" in why
    assert (await desk.open("ETH", 480)).state is State.OPEN


@pytest.mark.sandbox(balance_usd=Decimal(500))
@pytest.mark.config(account=SHARED, risk={"min_liquidation_distance_bps": 2800})
@either_venue
async def test_positions_of_somebody_else_count_in_the_distance_from_liquidation(
    desk: Desk, venue: str
) -> None:
    """Only our own rows were counted: 500 USD behind 300, while they stood behind 2,000."""
    await hold_theirs(desk, venue)
    assert f"{venue} would be" in await why_refused(desk, 300, "liquidation_distance")


@pytest.mark.sandbox(balance_usd=Decimal(300))
@pytest.mark.config(risk={"min_liquidation_distance_bps": 2800, "min_free_margin_share": 0})
@pytest.mark.parametrize("at_rest", [True, False])
async def test_our_own_legs_count_before_the_venue_shows_them(desk: Desk, *, at_rest: bool) -> None:
    """One is being sent, or filled a moment ago: a reading that lags knows of neither."""
    desk.world.fault(X10, "lag", what=["balance"], seconds=8, **FOR_EVER)
    desk.world.fault(LIGHTER, "lag", what=["positions", "balance"], seconds=8, **FOR_EVER)
    if not at_rest:
        desk.world.fault(X10, "slow_match", seconds=3, market="BTC")
    first = asyncio.create_task(desk.open("BTC", 700))
    if at_rest:
        await first
    else:
        await desk.world.pass_time(1)

    await why_refused(desk, 400, "liquidation_distance", "liquidation_distance")
    await first


@pytest.mark.config(account=SHARED, risk={"max_venue_usd": 1000})
@either_venue
async def test_positions_of_somebody_else_count_against_the_value_on_a_venue(
    desk: Desk, venue: str
) -> None:
    await hold_theirs(desk, venue)
    why = await why_refused(desk, 300, "max_venue_usd")
    assert f"USD are held on {venue}; with 300 more" in why


@pytest.mark.config(account=SHARED)
@either_venue
@pytest.mark.parametrize("priced", [True, False])
async def test_what_a_balance_does_not_tell_is_asked_of_the_positions_or_unknown(
    desk: Desk, venue: str, monkeypatch: pytest.MonkeyPatch, *, priced: bool
) -> None:
    """Unknown is never zero: nothing is opened beside a position that has no price."""
    await hold_theirs(desk, venue)
    port = next(port for id_, port in desk.trader.venues.items() if id_ == venue)
    balance, positions = port.balance, port.positions

    async def silent() -> Balance:
        return replace(await balance(), held_usd=None)

    async def bare() -> dict[Symbol, Position]:
        return {s: replace(p, mark_price=None) for s, p in (await positions()).items()}

    monkeypatch.setattr(port, "balance", silent)
    if not priced:
        monkeypatch.setattr(port, "positions", bare)

    hedge = await desk.open("ETH", 300)

    assert hedge.state is (State.OPEN if priced else State.REFUSED)
    assert priced or "from liquidation is unknown" in hedge.reason


@pytest.mark.sandbox(balance_usd=Decimal(150))
@pytest.mark.config(risk={"min_free_margin_share": 0.5})
async def test_a_hedge_that_leaves_too_little_free_is_refused(desk: Desk) -> None:
    refused = await desk.open("ETH", 400)

    assert refused.state is State.REFUSED
    assert "have to stay (risk.min_free_margin_share 0.5)" in refused.reason
    assert (await desk.open("ETH", 300)).state is State.OPEN


@pytest.mark.config(risk={"max_day_loss_usd": 50, "max_drawdown_usd": 80})
async def test_losses_stop_new_hedges_and_a_person_lets_them_go_on(desk: Desk) -> None:
    """What the accounts say they are worth counts: a liquidation, a fee, a basis that runs."""
    hedge = await desk.open("ETH", 300)
    desk.world.exchange(X10).deposit(desk.world.account(X10), Decimal(-60))

    await desk.trader.guard.run()

    with pytest.raises(UsageError, match=r"60\.\d\d USD were lost today"):
        await desk.open("BTC", 300)
    assert "no new hedges: 60." in told(desk)
    assert "max_day_loss_usd" in desk.store.unacknowledged()[0].text
    assert (await desk.close(hedge)).state is State.CLOSED
    await desk.restart()
    with pytest.raises(UsageError, match="lost today"):  # a restart forgets no loss
        await desk.open("BTC", 300)
    await desk.trader.resume(None, losses=True, who="me", progress=desk.said.append)
    await desk.trader.guard.run()
    assert (await desk.open("BTC", 300)).state is State.OPEN
    assert "no new hedges" not in told(desk).partition("alert")[0]


async def test_accounts_that_hold_nothing_are_read_every_five_minutes(desk: Desk) -> None:
    """Money that a person moves is seen then; what a hedge lost is seen at once."""
    guard = desk.trader.guard
    for _ in range(QUIET_TURNS):
        await guard.run()
    lost = desk.trader.riskdesk.equity.track
    before = lost()
    desk.world.exchange(X10).deposit(desk.world.account(X10), Decimal(-60))

    await desk.world.pass_time(QUIET_S - 1)
    await guard.run()
    assert lost() == before
    await desk.world.pass_time(1)
    await guard.run()
    seen = lost()
    assert before is not None
    assert seen is not None
    assert seen.now_usd == before.now_usd - 60

    await desk.close(await desk.open("ETH", 300))
    await guard.run()
    ended = lost()
    assert ended is not None
    assert ended.now_usd < seen.now_usd


# -- switches -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("scope", "stopped", "open_still"),
    [
        ("all", ("ETH", "BTC"), ()),
        ("stablecoin", ("ETH", "BTC"), ()),
        ("venue:lighter", ("ETH", "BTC"), ()),
        ("market:ETH", ("ETH",), ("BTC",)),
    ],
)
async def test_what_a_person_switched_off_stays_off_until_it_is_switched_on(
    desk: Desk, scope: str, stopped: tuple[str, ...], open_still: tuple[str, ...]
) -> None:
    await desk.trader.pause(scope, who="me", reason="maintenance", progress=desk.said.append)
    await desk.restart()

    for symbol in stopped:
        with pytest.raises(UsageError, match="by me: maintenance"):
            await desk.open(symbol, 300)
    for symbol in open_still:
        assert (await desk.open(symbol, 300)).state is State.OPEN
    assert "by me: maintenance" in told(desk)
    await desk.trader.resume(None, losses=False, who="me", progress=desk.said.append)
    for symbol in stopped:
        assert (await desk.open(symbol, 300)).state is State.OPEN


async def test_a_kill_file_stops_new_hedges_for_as_long_as_it_is_there(
    desk: Desk, tmp_path: Path
) -> None:
    kill = tmp_path / "KILL"
    desk.trader.riskdesk._kill_file = kill
    hedge = await desk.open("ETH", 300)
    kill.write_text("the watchdog\nsays so", encoding="utf-8")

    with pytest.raises(UsageError, match="the kill file KILL is there: the watchdog says so"):
        await desk.open("BTC", 300)
    assert (await desk.close(hedge)).state is State.CLOSED
    kill.unlink()
    assert (await desk.open("BTC", 300)).state is State.OPEN


@pytest.mark.parametrize(("by", "doubted"), [("1.01", False), ("1.0101", True), ("0.9899", True)])
@pytest.mark.config(risk={"max_stablecoin_gap_bps": 100})
async def test_a_venue_that_prices_everything_otherwise_has_other_money(
    desk: Desk, by: str, *, doubted: bool
) -> None:
    """A single basis is a market's own; the middle of all of them is the collateral's."""
    theirs = await desk.trader.quotes[LIGHTER].funding()
    ours = {s: replace(q, mark_price=q.mark_price * Decimal(by)) for s, q in theirs.items()}
    desk.trader.riskdesk.saw({X10: ours, LIGHTER: theirs})

    found = desk.trader.riskdesk.book(desk.trader.situation, []).stablecoin

    assert found.startswith("the stable coin is in doubt: x10 prices everything") is doubted
    if doubted:
        with pytest.raises(UsageError, match="the stable coin is in doubt"):
            await desk.open("ETH", 300)


# -- S51: no limit stops an exit ----------------------------------------------------------------


async def everything_is_against_us(desk: Desk) -> None:
    """Every limit is reached at once, every switch is off, and every doubt there is holds."""
    trader, store = desk.trader, desk.store
    for scope in ("all", "stablecoin", "venue:x10", "venue:lighter", "market:ETH"):
        switches.switch_off(store, desk.world.clock, scope, who="me", why="drill")
    equity = EquityBook(store, desk.world.clock)
    equity.note({X10: Decimal(10) ** 6, LIGHTER: ZERO})
    equity.begin_anew()  # the day begins at a million
    trader.riskdesk.units.in_doubt = {X10: "8 times", LIGHTER: "8 times"}
    trader.riskdesk.units.out = {(X10, ETH): "8 times"}
    trader.situation.in_doubt = frozenset({X10, LIGHTER})
    trader.situation.cooling = frozenset({ETH})
    trader.situation.blocked = frozenset({(X10, ETH)})
    trader.situation.stopped["drill"] = "drill"
    await trader.guard.run()


@pytest.mark.parametrize("way", ["close", "rollback", "guard"])
@pytest.mark.config(risk={"max_orders_per_minute": 1, "max_day_hedges": 1, "max_day_usd": 400})
async def test_s51_with_every_limit_reached_every_exit_goes_on(desk: Desk, way: str) -> None:
    """Limits are about new risk; none may keep what is there."""
    hedge = await desk.open("ETH", 300)
    await everything_is_against_us(desk)
    with pytest.raises(UsageError) as refused:
        await desk.open("ETH", 1100)
    for word in ("drill", "8 times", "max_orders_per_minute", "max_day_hedges", "lost today"):
        assert word in str(refused.value)

    if way == "close":
        hedge = await desk.close(hedge)
    elif way == "rollback":
        await desk.trader.rollback(
            hedge=hedge.id, market=None, everything=False, progress=desk.said.append
        )
    else:
        desk.trader.guard._exit_distance_bps = Decimal(10) ** 9
        await desk.trader.guard.run()

    assert desk.store.hedge(hedge.id).state is State.CLOSED
    desk.assert_flat()
    desk.assert_ledger_is_true()


@pytest.mark.config(risk={"max_orders_per_minute": 1})
async def test_s51_a_leg_that_must_come_off_is_not_held_back_by_the_orders_of_a_minute(
    desk: Desk,
) -> None:
    """The second leg is refused in the same minute: its way back is an order beyond the limit."""
    desk.world.fault(LIGHTER, "refuse", code=21739, reduce_only=False)

    hedge = await desk.open("ETH", 300)

    assert hedge.state is State.CLOSED
    assert len(desk.orders(hedge, Purpose.ROLLBACK)) == 1
    desk.assert_flat()
    with pytest.raises(UsageError, match="max_orders_per_minute"):
        await desk.open("BTC", 300)


# -- together -----------------------------------------------------------------------------------


@pytest.mark.config(trading={"max_open_hedges": 1})
async def test_two_hedges_that_are_asked_for_at_once_do_not_break_a_limit_together(
    desk: Desk,
) -> None:
    both = await asyncio.gather(
        desk.open("ETH", 300), desk.open("BTC", 300), return_exceptions=True
    )

    assert sum(isinstance(one, UsageError) for one in both) == 1
    assert len(desk.rows("hedges")) == 1
