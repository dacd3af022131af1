"""
What hedges cost and earned, where the public bots' books were wrong.

S41 is in ``test_break_even.py``, S47 in ``test_risk_c.py``.
"""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest

from hedger.domain.hedge import Hedge, State
from hedger.domain.ids import VenueId
from hedger.domain.market import FundingPayment
from hedger.domain.money import ZERO
from hedger.errors import UsageError
from tests.desk import Desk
from tests.scenarios import facts
from tests.scenarios.test_reconciling import foreign_order
from tests.world import LIGHTER, X10

FOR_EVER: dict[str, Any] = {"times": 0}
LISTED_S = 6.0  # funding.payment_lag_s of the sandbox's configuration is 5
either_venue = pytest.mark.parametrize("venue", [X10, LIGHTER])


def pnl(desk: Desk) -> dict[str, Any]:
    (row,) = desk.rows("pnl")
    return row


async def settlement(desk: Desk) -> None:
    """One funding settlement passes, and its payments are listed."""
    await desk.trader.accruals.run()
    desk.world.advance_market(hours=1.05)  # X10 lists a payment some minutes after its hour
    await desk.world.pass_time(LISTED_S)
    await desk.trader.accruals.run()
    await desk.world.pass_time(LISTED_S)
    await desk.trader.accruals.run()


@either_venue
async def test_a_payment_is_that_of_the_newest_hedge_though_it_ended_while_the_list_was_read(
    desk: Desk, venue: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both were opened in the same hour; the end of the newest is noted a moment after it."""
    await desk.close(await desk.open("ETH", 300))
    newest = await desk.open("ETH", 300)
    await desk.trader.accruals.run()
    desk.world.advance_market(hours=1.05)
    await desk.world.pass_time(LISTED_S)
    port, executor = desk.trader.venues[VenueId(venue)], desk.trader.executor
    read = port.funding_payments

    async def meanwhile_closed(since: datetime) -> Sequence[FundingPayment]:
        found = await read(since)
        if desk.store.hedge(newest.id).state is State.OPEN:
            await desk.close(newest)
        return found

    async def later(hedge: Hedge) -> Hedge:
        return hedge

    monkeypatch.setattr(port, "funding_payments", meanwhile_closed)
    monkeypatch.setattr(executor, "_mark_end", later)

    await desk.trader.accruals.run()

    paid = [row for row in desk.rows("funding") if row["venue"] == venue]
    assert paid
    assert {row["hedge_id"] for row in paid} == {newest.id}


@either_venue
async def test_s38_funding_of_which_one_leg_cannot_be_read_is_unknown_and_not_zero(
    desk: Desk, venue: str
) -> None:
    """The fetch covered one leg only, and its sum was stored as the truth."""
    hedge = await desk.open("ETH", 300)
    desk.world.fault(venue, "bad_reads", what=["public"], **FOR_EVER)
    await settlement(desk)
    desk.world.no_faults()
    hedge = await desk.close(hedge)

    assert hedge.state is State.CLOSED
    assert pnl(desk)["funding_usd"] is None
    assert pnl(desk)["net_usd"] is None
    await settlement(desk)
    assert Decimal(pnl(desk)["funding_usd"]) == facts.total(desk.rows("funding"), "amount_usd")
    assert {row["venue"] for row in desk.rows("funding")} == {X10, LIGHTER}
    desk.assert_ledger_is_true()


async def test_s38_without_a_settlement_there_is_nothing_to_wait_for(desk: Desk) -> None:
    """A hedge that is over before its first settlement has a funding of zero, and knows it."""
    await desk.close(await desk.open("ETH", 300))

    await settlement(desk)

    assert desk.rows("funding") == []
    assert Decimal(pnl(desk)["funding_usd"]) == ZERO


async def test_s38_a_hedge_that_ends_later_in_the_same_hour_need_not_wait_for_the_next(
    desk: Desk,
) -> None:
    """As many hedges waited as at the reading before, so they were taken for the same ones."""
    await desk.trader.accruals.run()
    for symbol in ("ETH", "SOL", "BNB"):
        hedge = await desk.close(await desk.open(symbol, 300))
        await desk.trader.accruals.run()
        await desk.world.pass_time(LISTED_S)

        await desk.trader.accruals.run()

        (row,) = desk.rows("pnl", hedge=hedge.id)
        assert (symbol, row["funding_usd"]) == (symbol, "0")


@either_venue
async def test_s39_a_loss_is_what_the_fills_say_while_the_venue_lists_nothing(
    desk: Desk, venue: str
) -> None:
    """One leg's profit endpoint answered 0 for "not yet", and the loss was told 17 times over."""
    hedge = await desk.open("ETH", 300)
    hedge = await desk.close(hedge)
    desk.world.fault(venue, "empty_reads", what=["positions", "balance"], **FOR_EVER)

    trades = [t for name in (X10, LIGHTER) for t in desk.world.state()[name]["trades"]]
    sign = {"buy": -1, "sell": 1}
    cash = sum((sign[t["side"]] * Decimal(t["size"]) * Decimal(t["price"]) for t in trades), ZERO)
    fees = sum((Decimal(t["fee"]) for t in trades), ZERO)

    assert Decimal(pnl(desk)["price_usd"]) == cash
    assert Decimal(pnl(desk)["fees_usd"]) in {fees, -fees}
    desk.assert_ledger_is_true()


async def test_s40_a_result_is_the_whole_round_trip_and_what_both_accounts_changed_by(
    desk: Desk,
) -> None:
    """The bot closed on the price alone, and booked the fees of both ends as losses later."""

    def worth() -> Decimal:
        equity = (desk.world.state()[venue]["balance"]["equity"] for venue in (X10, LIGHTER))
        return sum((Decimal(value) for value in equity), ZERO)

    before = worth()
    hedge = await desk.open("GRASS", 300)
    await settlement(desk)
    await desk.close(hedge)
    await settlement(desk)

    row = pnl(desk)
    parts = [Decimal(row[f"{name}_usd"]) for name in ("price", "fees", "funding", "rollback_cost")]
    assert Decimal(row["net_usd"]) == sum(parts, ZERO)
    fees = facts.total(desk.rows("fills"), "fee_usd")
    assert len(desk.rows("fills")) == 4  # in and out, on both venues
    assert Decimal(row["fees_usd"]) == -fees < ZERO
    assert parts[2] != ZERO
    assert abs(Decimal(row["net_usd"]) - (worth() - before)) < Decimal("0.0001")


async def test_s42_a_second_leg_that_never_fills_stops_new_hedges_and_its_cost_is_booked(
    desk: Desk,
) -> None:
    """Opening and unwinding went round for ever, and the fees were in nobody's books."""
    desk.world.fault(LIGHTER, "no_fill", reduce_only=False, **FOR_EVER)
    limit = desk.config.circuit_breaker.consecutive_failures_threshold

    for _ in range(limit):
        assert (await desk.open("ETH", 300)).state is State.CLOSED
    with pytest.raises(UsageError, match=f"{limit} hedges failed in a row"):
        await desk.open("ETH", 300)

    assert len(desk.rows("hedges")) == limit
    for row in desk.rows("pnl"):
        assert Decimal(row["rollback_cost_usd"]) != ZERO
    desk.assert_flat()
    desk.assert_ledger_is_true()


async def test_s55_an_imported_position_is_managed_at_once_and_alerted(desk: Desk) -> None:
    """A ghost trade was imported as "pending" with an average of two rates; nothing managed it."""
    foreign_order(desk, X10, Decimal("0.5"))
    await desk.world.pass_time(6)

    await desk.trader.reconcile(desk.said.append)

    (row,) = desk.rows("hedges")
    assert facts.states(desk)[0] == "orphan"
    assert (row["state"], row["expected_net_bps"]) == ("closed", None)  # no rate is made up
    assert "no hedge explains it" in desk.store.unacknowledged()[0].text
    desk.assert_flat()


async def test_s59_a_settlement_is_booked_once_at_its_hour_however_often_it_is_read(
    desk: Desk,
) -> None:
    """Stamps of s, ms and local time, a second or two off: booked twice or at another hour."""
    hedge = await desk.open("ETH", 300)
    for _ in range(3):
        await settlement(desk)
        await desk.restart()
        await desk.trader.accruals.run()

    rows = desk.rows("funding")
    at = [(row["venue"], row["settlement_at"]) for row in rows]
    assert len(at) == len(set(at)) == 6
    for _, text in at:
        instant = datetime.fromisoformat(text)
        assert (instant.minute, instant.second, instant.microsecond) == (0, 0, 0)
    assert {row["hedge_id"] for row in rows} == {hedge.id}
    desk.assert_ledger_is_true()
