"""Accounts that reconcile: three views of a hedge, the venues' own books, statements."""

import itertools
import random
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from adapters.sandbox.engine import funding
from adapters.sandbox.engine.account_types import PaymentView
from adapters.sandbox.engine.market_types import FundingRow
from adapters.sandbox.engine.state import VenueState
from hedger import accounts
from hedger.audit.statement import By
from hedger.domain.hedge import Hedge, State
from hedger.domain.ids import Symbol, VenueId
from hedger.domain.market import Fees
from hedger.domain.money import ZERO
from hedger.errors import UnavailableError
from hedger.ledger import accounts as kept
from hedger.ledger.statements import Query
from tests.desk import Desk
from tests.scenarios import facts
from tests.scenarios.books import (
    assert_all_agree,
    assert_statement_is_the_balance,
    legs,
    read_books,
    stated,
)
from tests.world import LIGHTER, X10

either_venue = pytest.mark.parametrize("venue", [X10, LIGHTER])
SYMBOLS = ("ETH", "SOL", "BNB", "XRP", "DOGE", "AVAX")
FOR_EVER: dict[str, Any] = {"times": 0}


async def held_for(desk: Desk, hours: int, symbol: str = "ETH") -> Hedge:
    """A hedge that lived through some settlements, closed and read."""
    await desk.trader.accounts.run()
    hedge = await desk.open(symbol, 300)
    for _ in range(hours):
        desk.world.advance_market(hours=1.05)
        await read_books(desk)
    hedge = await desk.close(hedge)
    await read_books(desk)
    return hedge


def alerts(desk: Desk) -> list[str]:
    return [alert.text for alert in desk.store.unacknowledged()]


def cash(desk: Desk, venue: str) -> Decimal:
    return Decimal(desk.world.state()[venue]["balance"]["collateral"])


async def test_a_hedge_is_worth_the_same_by_fills_by_history_and_by_balance(desk: Desk) -> None:
    before = cash(desk, X10) + cash(desk, LIGHTER)

    await held_for(desk, hours=3)

    assert_all_agree(desk)
    assert_statement_is_the_balance(desk)
    change = cash(desk, X10) + cash(desk, LIGHTER) - before
    assert sum((Decimal(row["fills_usd"]) for row in legs(desk)), ZERO) == change
    assert len(stated(desk, By.ENTRY)) >= 4 + 2 + 6  # fees, results, payments
    assert alerts(desk) == []


async def test_positions_that_were_averaged_and_given_back_in_parts_agree(desk: Desk) -> None:
    """Leg B fills by a part, leg A is reduced to it: averages and shares are rounded twice."""
    await desk.trader.accounts.run()
    for number, symbol in enumerate(("ETH", "SOL", "XRP")):
        desk.world.fault(LIGHTER, "partial_fill", fraction=f"0.{3 + number}7", reduce_only=False)
        hedge = await desk.open(symbol, 700)
        desk.world.advance_market(hours=1.05)
        await read_books(desk)
        if hedge.state is State.OPEN:
            await desk.close(hedge)
    await read_books(desk)

    assert_all_agree(desk)
    assert_statement_is_the_balance(desk)
    assert facts.total(desk.rows("pnl"), "rollback_cost_usd") < ZERO


@pytest.mark.sandbox(hour_s=10)
async def test_48_market_hours_end_with_three_views_in_agreement_and_a_true_statement(
    desk: Desk,
) -> None:
    """Done-when 3: hedges side by side and in a row, good ones and such that are rolled back."""
    chance = random.Random(48)
    began_ms = desk.world.state()["market_ms"]
    live: list[tuple[Hedge, int]] = []
    hours = 0
    await desk.trader.accounts.run()
    while hours < 48:
        for hedge, until in list(live):
            if hours >= until:
                live.remove((hedge, until))
                assert (await desk.close(hedge)).state is State.CLOSED
        free = [symbol for symbol in SYMBOLS if symbol not in {h.symbol for h, _ in live}]
        if len(live) < 3 and chance.random() < 0.7:
            if chance.random() < 0.2:
                desk.world.fault(LIGHTER, "refuse", code=21733, reduce_only=False)
            elif chance.random() < 0.3:
                desk.world.fault(LIGHTER, "partial_fill", fraction="0.55", reduce_only=False)
            hedge = await desk.open(chance.choice(free), chance.choice([150, 333, 900]))
            desk.world.no_faults()
            desk.trader.opening.breaker.succeeded()  # faults are the test's doing
            if hedge.state is State.OPEN:
                live.append((hedge, hours + chance.randrange(1, 9)))
        await desk.world.pass_time(10)
        await desk.trader.accruals.run()
        await desk.trader.accounts.run()
        hours = (desk.world.state()["market_ms"] - began_ms) // 3_600_000
    for hedge, _ in live:
        await desk.close(hedge)
    await read_books(desk)

    assert len(desk.rows("hedges")) >= 12
    assert len(desk.rows("funding")) >= 60
    assert _computed(desk) >= 60  # payments, from our own fills and the public lists
    assert any(Decimal(row["rollback_cost_usd"]) < 0 for row in desk.rows("pnl"))
    assert_all_agree(desk)
    assert_statement_is_the_balance(desk)
    desk.assert_ledger_is_true()
    assert alerts(desk) == []


@either_venue
async def test_money_that_no_list_explains_is_waited_for_then_alerted_and_stated(
    desk: Desk, venue: str
) -> None:
    await held_for(desk, hours=1)
    exchange = desk.world.exchange(venue)
    exchange.deposit(desk.world.account(venue), Decimal("-12.345678"))

    await read_books(desk)
    assert alerts(desk) == []
    (row,) = [row for row in stated(desk, By.VENUE) if row["venue"] == venue]
    assert Decimal(row["difference_usd"]) == Decimal("-12.345678")

    for _ in range(2):
        await desk.world.pass_time(desk.config.accounts.difference_s)
        await desk.trader.accounts.run()

    (text,) = alerts(desk)
    assert f"{venue}: the cash changed by -12.345678 USD" in text
    assert_statement_is_the_balance(desk)
    (row,) = [row for row in legs(desk) if row["hedge_id"] is None]
    assert (row["state"], row["history_usd"]) == ("differ", "-12.345678")
    assert {row["state"] for row in legs(desk) if row["hedge_id"]} == {"agree"}


async def test_money_that_goes_while_a_hedge_lives_shows_in_its_balance_view(desk: Desk) -> None:
    """The balance is a view of its own: it sees what neither fills nor history do."""
    await desk.trader.accounts.run()
    hedge = await desk.open("ETH", 300)
    desk.world.exchange(X10).deposit(desk.world.account(X10), Decimal("-0.000001"))
    await desk.close(hedge)
    for _ in range(2):
        await read_books(desk)
        await desk.world.pass_time(desk.config.accounts.difference_s)
    await read_books(desk)

    by_venue = {row["venue"]: row for row in legs(desk, hedge=hedge.id)}
    assert by_venue[LIGHTER]["state"] == "agree"
    assert by_venue[X10]["state"] == "differ"
    assert "the cash changed by" in by_venue[X10]["why"]
    assert any(f"the books of hedge {hedge.id} differ" in text for text in alerts(desk))


@pytest.mark.parametrize(
    ("sql", "told"),
    [
        ("UPDATE fills SET fee_usd = '0.074' WHERE venue = 'x10'", "fee of trade"),
        (
            "UPDATE fills SET price = price + 1 WHERE venue = 'lighter' AND side = 'buy'",
            "result of trade",
        ),
        ("UPDATE fills SET price = price + 1 WHERE venue = 'x10' AND side = 'buy'", "realised is"),
        ("UPDATE funding_payments SET amount_usd = '0.000001' WHERE venue = 'x10'", "payment"),
        ("UPDATE funding_payments SET size = '7' WHERE venue = 'lighter'", "never held"),
        ("DELETE FROM account_entries WHERE kind = 'fee' AND venue = 'x10'", "lacks trade"),
        ("UPDATE account_entries SET amount_usd = '1' WHERE kind = 'funding'", "payment"),
        ("UPDATE fee_rates SET taker = '0.00026' WHERE venue = 'x10'", "at our rates"),
        ("UPDATE fee_rates SET taker = '0.000281' WHERE venue = 'lighter'", "at our rates"),
        ("UPDATE settled_rates SET rate_1h = rate_1h * 2 WHERE venue = 'x10'", "by our position"),
        (
            "UPDATE settled_rates SET per_coin_usd = per_coin_usd * 2 WHERE venue = 'lighter'",
            "by our position",
        ),
        ("UPDATE funding_payments SET mark_price = mark_price * 2", "by our position"),
    ],
)
async def test_a_single_wrong_line_makes_the_views_differ(desk: Desk, sql: str, told: str) -> None:
    await held_for(desk, hours=1)
    assert_all_agree(desk)

    with desk.store._writing("set_meta") as session:
        session.conn.execute(sql)

    assert any(row["state"] == "differ" and told in row["why"] for row in legs(desk))


@either_venue
async def test_a_venue_that_charges_another_fee_than_the_account_was_told_is_found_out(
    desk: Desk, venue: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The trade and the venue's list say the same: only our own computation knows better."""
    exchange = desk.world.exchange(venue)
    params = exchange.params
    dearer = replace(params, taker_fee=params.taker_fee + Decimal("0.000001"))
    monkeypatch.setattr(exchange._state, "params", dearer)  # what is charged
    if venue == LIGHTER:
        monkeypatch.setattr(exchange, "params", dearer)  # X10 compares this with the signed fee

    async def told(_: Symbol, **_how: float) -> Fees:
        return Fees(maker=params.maker_fee, taker=params.taker_fee)

    monkeypatch.setattr(desk._venues[VenueId(venue)], "fees", told)

    await held_for(desk, hours=1)

    assert_only_our_view_differs(desk, venue, "fee of trade")


@either_venue
async def test_a_venue_that_settles_at_another_rate_than_it_publishes_is_found_out(
    desk: Desk, venue: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Payment and list agree, and the cash, too; the public rate and our position do not."""

    def dearer(state: VenueState, number: int, row: FundingRow) -> PaymentView:
        return pay(state, number, replace(row, rate=row.rate * (2 if state.venue == venue else 1)))

    pay = funding._pay
    monkeypatch.setattr(funding, "_pay", dearer)

    await held_for(desk, hours=2)

    assert_only_our_view_differs(desk, venue, "by our position")


def assert_only_our_view_differs(desk: Desk, venue: str, told: str) -> None:
    """The venue's list and the change of the cash say one thing, what we compute another."""
    by_venue = {row["venue"]: row for row in legs(desk)}
    wrong = by_venue.pop(venue)
    assert (wrong["state"], told in wrong["why"]) == ("differ", True), wrong
    assert wrong["history_usd"] == wrong["balance_usd"] != wrong["fills_usd"]
    assert {row["state"] for row in by_venue.values()} == {"agree"}
    assert any("the books of hedge" in text for text in alerts(desk))


@either_venue
@pytest.mark.parametrize("missing", ["fees", "settled_rates"])
async def test_what_our_view_is_computed_with_is_waited_for_and_never_taken_for_zero(
    desk: Desk, venue: str, missing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await desk.trader.accounts.run()
    hedge = await desk.open("ETH", 300)
    desk.world.advance_market(hours=1.05)
    await read_books(desk)
    source = desk._venues[VenueId(venue)] if missing == "fees" else desk._quotes[VenueId(venue)]
    with monkeypatch.context() as patch:
        patch.setattr(source, missing, unreadable)
        await desk.close(hedge)
        await read_books(desk)

        row = {row["venue"]: row for row in legs(desk)}[venue]
        assert (row["state"], row["fills_usd"]) == ("unknown", None)
        part = "fee" if missing == "fees" else "funding"
        assert row[f"{part}_fills_usd"] is None
        assert "not known yet" in row["why"]

    await read_books(desk)
    assert_all_agree(desk)
    assert alerts(desk) == []


async def test_books_that_cannot_be_known_keep_no_other_hedge_waiting(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A soak left 365 legs unknown: the oldest fifty were asked for at every turn, and no other."""
    two = Query(kept._UNCHECKED._declared.limit(2))
    monkeypatch.setattr(kept, "_UNCHECKED", two)
    monkeypatch.setattr(accounts, "CHECKS_AT_ONCE", 2)
    await desk.trader.accounts.run()
    stuck = [await desk.close(await desk.open("ETH", 300)) for _ in range(2)]
    later = await desk.close(await desk.open("SOL", 300))
    source = desk._venues[X10]
    read = source.fees

    async def but_of_eth(symbol: Symbol) -> Fees:
        return await (unreadable() if symbol == "ETH" else read(symbol))

    with monkeypatch.context() as patch:
        patch.setattr(source, "fees", but_of_eth)
        await read_books(desk)
        await read_books(desk)

        known = {row["hedge_id"]: row["state"] for row in legs(desk, venue=X10)}
        assert known == {stuck[0].id: "unknown", stuck[1].id: "unknown", later.id: "agree"}
        unchecked = desk.store.unchecked(desk.world.clock.now())
        assert [hedge for _, hedge in unchecked] == [hedge.id for hedge in stuck]

    for _ in range(2):  # their turn comes again
        await read_books(desk)
    assert_all_agree(desk)
    assert desk.store.unchecked(desk.world.clock.now()) == []


async def test_a_leg_that_is_not_judged_yet_tells_what_is_waited_for(desk: Desk) -> None:
    await desk.trader.accounts.run()
    await desk.close(await desk.open("ETH", 300))

    waited = {row["why"] for row in legs(desk)}
    await read_books(desk)

    awaited = "fee rates, all of its funding payments, a reading of the cash after it"
    assert waited == {f"{awaited}: not known yet"}
    assert_all_agree(desk)


async def unreadable(*_: Any, **_how: Any) -> Any:
    """A read that fails."""
    raise UnavailableError(X10, "no answer")


async def test_what_somebody_else_traded_on_our_account_is_listed_as_nobodys(desk: Desk) -> None:
    from tests.scenarios.test_reconciling import foreign_order

    await desk.trader.accounts.run()
    foreign_order(desk, X10, Decimal("0.5"))
    await read_books(desk)

    odd = [row for row in legs(desk) if row["hedge_id"] is None]
    assert {(row["venue"], row["symbol"], row["state"]) for row in odd} == {(X10, "ETH", "differ")}
    assert all("no hedge of ours" in row["why"] for row in odd)
    assert_statement_is_the_balance(desk)


@either_venue
async def test_s38_a_ledger_of_payments_that_cannot_be_read_leaves_the_hedge_unknown(
    desk: Desk, venue: str
) -> None:
    """Neither of our books nor of the venue's is a zero made: the leg waits, and is complete."""
    await desk.trader.accounts.run()
    hedge = await desk.open("ETH", 300)
    desk.world.advance_market(hours=1.05)
    await desk.close(hedge)
    desk.world.fault(venue, "bad_reads", what=["public"], **FOR_EVER)
    await read_books(desk)

    row = {row["venue"]: row for row in legs(desk)}[venue]
    assert row["state"] == "unknown"
    assert row["funding_fills_usd"] is None
    assert row["fills_usd"] is None

    desk.world.no_faults()
    await read_books(desk)
    await read_books(desk)
    assert_all_agree(desk)


async def test_s38_payments_of_both_legs_stand_under_their_settlement_and_their_leg(
    desk: Desk,
) -> None:
    hedge = await held_for(desk, hours=4)

    rows = desk.rows("funding", hedge=hedge.id)
    by_leg = {v: [r["settlement_at"] for r in rows if r["venue"] == v] for v in (X10, LIGHTER)}
    assert by_leg[X10] == by_leg[LIGHTER]
    assert len(by_leg[X10]) == len(set(by_leg[X10])) == 4
    truth = desk.world.state()
    for venue in (X10, LIGHTER):
        paid = [Decimal(payment["amount"]) for payment in truth[venue]["payments"]]
        assert [Decimal(r["amount_usd"]) for r in rows if r["venue"] == venue] == paid


@either_venue
async def test_s39_a_profit_that_the_venue_does_not_list_yet_is_unknown_and_never_zero(
    desk: Desk, venue: str
) -> None:
    """One leg's profit endpoint answered nothing for a while: no view may count that as a zero."""
    await desk.trader.accounts.run()
    hedge = await desk.open("ETH", 300)
    desk.world.advance_market(hours=1.05)
    await read_books(desk)
    desk.world.fault(venue, "empty_reads", what=["positions", "orders"], **FOR_EVER)
    desk.world.no_faults()
    await desk.close(hedge)
    desk.world.fault(venue, "empty_reads", what=["positions", "orders"], **FOR_EVER)
    await desk.trader.accounts.run()

    row = {row["venue"]: row for row in legs(desk)}[venue]
    assert row["state"] == "unknown"
    assert row["history_usd"] is None
    assert row["balance_usd"] is None

    desk.world.no_faults()
    await read_books(desk)
    assert_all_agree(desk)
    assert alerts(desk) == []


async def test_s59_stamps_off_the_hour_are_booked_at_their_hour_in_both_books(desk: Desk) -> None:
    """The sandbox's Lighter stamps payments from a second early to 41 s late, X10 41 s late."""
    await held_for(desk, hours=5)

    for rows in (
        desk.rows("funding"),
        [r for r in stated(desk, By.ENTRY) if r["type"] == "funding"],
    ):
        for venue in (X10, LIGHTER):
            at = [
                datetime.fromisoformat(row.get("settlement_at") or row["at"])
                for row in rows
                if row["venue"] == venue
            ]
            assert len(at) == 5
            assert {later - sooner for sooner, later in itertools.pairwise(at)} == {
                timedelta(hours=1)
            }
            assert {(moment.minute, moment.second) for moment in at} == {(0, 0)}
    assert_all_agree(desk)


async def test_s60_a_leg_that_filled_after_a_stop_is_in_all_books_and_costs_what_it_cost(
    desk: Desk,
) -> None:
    """The process ended with an order working at the venue; it filled, and nobody counted it."""
    await desk.trader.accounts.run()
    desk.world.fault(LIGHTER, "keep_working", fraction="0.3", seconds=4, reduce_only=False)
    hedge = await desk.open("ETH", 300)
    await desk.restart()
    await desk.world.pass_time(30)
    await desk.trader.late.run()
    hedge = desk.store.find(hedge.id)
    if hedge.state is State.OPEN:
        hedge = await desk.close(hedge)
    await read_books(desk)
    await read_books(desk)

    assert hedge.state is State.CLOSED
    desk.assert_flat()
    assert_all_agree(desk)
    assert_statement_is_the_balance(desk)


async def test_lists_of_many_pages_are_read_in_bounded_runs_and_taken_up_after_a_restart(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("adapters.x10.books.LIMIT", ("limit", "2"))
    monkeypatch.setattr("adapters.lighter.books.PAGE", 2)
    await desk.trader.accounts.run()
    for _ in range(3):
        await desk.close(await desk.open("ETH", 300))
    desk.trader.accounts._pages = 1
    seen = []
    for _ in range(12):
        await desk.world.pass_time(6)
        await desk.trader.accounts.run()
        seen.append(len(stated(desk, By.ENTRY)))
        await desk.restart()
        desk.trader.accounts._pages = 1
    desk.trader.accounts._pages = desk.config.accounts.pages_per_run
    await read_books(desk)

    assert seen[0] < seen[-1]
    assert_all_agree(desk)
    assert_statement_is_the_balance(desk)


async def test_reading_again_and_again_books_nothing_twice(desk: Desk) -> None:
    await held_for(desk, hours=2)
    entries, readings = len(stated(desk, By.ENTRY)), _readings(desk)

    for _ in range(3):
        await desk.restart()
        await desk.trader.accounts.run()

    assert len(stated(desk, By.ENTRY)) == entries
    assert _readings(desk) == readings  # the same cash is the same row
    assert_all_agree(desk)


def _computed(desk: Desk) -> int:
    """For how many payments of ours a settled rate is kept."""
    sql = (
        "SELECT count(*) FROM funding_payments p JOIN settled_rates s ON s.venue = p.venue"
        " AND s.symbol = p.symbol AND s.settlement_at = p.settlement_at"
        " WHERE p.hedge_id IS NOT NULL"
    )
    with desk.store._reading() as conn:
        return int(conn.execute(sql).fetchone()[0])


def _readings(desk: Desk) -> int:
    with desk.store._reading() as conn:
        return int(conn.execute("SELECT count(*) FROM balance_readings").fetchone()[0])
