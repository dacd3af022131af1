"""
The ledger against the accounts: what counts as a difference, and what follows from one.

The public bots took one empty answer for "flat", hid half an ether behind a tolerance in coins,
and forgot positions whose symbol had left the configuration.
"""

from decimal import Decimal

import pytest

from adapters.sandbox.engine.types import NewOrder, Tif
from hedger.domain.hedge import State
from hedger.domain.money import ZERO, plain
from hedger.domain.order import Purpose
from hedger.errors import UsageError
from hedger.ledger.records import OrderState
from tests.desk import Desk, configured
from tests.world import LIGHTER, X10

LAG_PASSED_S = 12.0  # later than any reading may be, also against our own fills
SHARED = pytest.mark.config(account={"dedicated": False})

# -- differences in coins -----------------------------------------------------------------------


@pytest.mark.parametrize(("gone", "kept"), [(LIGHTER, X10), (X10, LIGHTER)])
async def test_s6_a_leg_that_is_gone_is_found_however_few_coins_are_left(
    desk: Desk, gone: str, kept: str
) -> None:
    """The bot compared coins with a tolerance of five: half an ether stayed, unhedged."""
    hedge = await desk.open("ETH", 300)
    held = desk.position(kept)
    assert ZERO < abs(held) < 1
    desk.world.fault(gone, "liquidate", market="ETH")
    await desk.world.pass_time(LAG_PASSED_S)

    row = await desk.trader.reconcile(desk.said.append)

    (found,) = row["differences"]
    assert (found["venue"], found["hedge"]) == (gone, hedge.id)
    assert (Decimal(found["booked"]), Decimal(found["read"])) == (-held, ZERO)
    assert desk.store.hedge(hedge.id).state is State.CLOSED
    desk.assert_flat()
    assert desk.orders(hedge, Purpose.ROLLBACK)[-1].filled_size == abs(held)
    assert desk.store.unacknowledged()[0].hedge == hedge.id


@pytest.mark.parametrize("venue", [X10, LIGHTER])
async def test_s6_what_one_leg_lost_is_taken_off_the_other(desk: Desk, venue: str) -> None:
    """A fiftieth of an ether; an order may be so small, so the hedge goes on with the rest."""
    hedge = await desk.open("ETH", 300)
    lost = Decimal("0.02")
    foreign_order(desk, venue, -lost if desk.position(venue) > ZERO else lost, reduce_only=True)
    await desk.world.pass_time(LAG_PASSED_S)

    await desk.trader.reconcile(desk.said.append)

    assert desk.naked() == ZERO
    assert abs(desk.position(X10)) == hedge.planned_size - lost
    (trim,) = desk.orders(hedge, Purpose.ROLLBACK)
    assert (trim.prepared.order.venue == venue, trim.filled_size) == (False, lost)
    assert desk.store.hedge(hedge.id).state is State.OPEN


@pytest.mark.parametrize("venue", [X10, LIGHTER])
async def test_s6_a_difference_of_one_step_is_a_difference(desk: Desk, venue: str) -> None:
    """
    The same with the smallest difference that there is: one step of the coarser venue.

    No order may be so small that it leaves something, so the whole hedge is taken off.
    """
    hedge = await desk.open("ETH", 300)
    step = Decimal("0.001")
    foreign_order(desk, venue, -step if desk.position(venue) > ZERO else step, reduce_only=True)
    assert abs(desk.naked()) == step
    await desk.world.pass_time(LAG_PASSED_S)

    row = await desk.trader.reconcile(desk.said.append)

    (found,) = row["differences"]
    assert found["venue"] == venue
    assert abs(Decimal(found["booked"])) - abs(Decimal(found["read"])) == step
    assert desk.store.hedge(hedge.id).state is State.CLOSED
    desk.assert_flat()


async def test_s6_less_than_a_step_of_the_smaller_leg_is_a_difference(desk: Desk) -> None:
    """Both legs were cut down; the one on Lighter has half a step of X10 too much, or five own."""
    hedge = await desk.open("ETH", 300)
    for venue, cut in ((X10, Decimal("0.02")), (LIGHTER, Decimal("0.0195"))):
        size = -cut if desk.position(venue) > ZERO else cut
        foreign_order(desk, venue, size, reduce_only=True)
    assert abs(desk.naked()) == Decimal("0.0005")
    await desk.world.pass_time(LAG_PASSED_S)

    await desk.trader.reconcile(desk.said.append)

    assert desk.store.hedge(hedge.id).state is State.CLOSED
    desk.assert_flat()


async def test_s6_equal_legs_are_no_difference(desk: Desk) -> None:
    """A check that always finds something would be as useless as one that never does."""
    hedge = await desk.open("ETH", 300)

    row = await desk.trader.reconcile(desk.said.append)

    assert (row["differences"], row["in_doubt"], row["blocked"]) == ([], {}, [])
    assert len(desk.orders(hedge)) == 2
    desk.assert_ledger_is_true()


# -- reads that are not the truth ---------------------------------------------------------------


@pytest.mark.parametrize("venue", [X10, LIGHTER])
async def test_s37_one_empty_answer_does_not_end_a_hedge(desk: Desk, venue: str) -> None:
    """The position endpoint returned 0 once, and the bot closed the other leg."""
    hedge = await desk.open("ETH", 300)
    await desk.world.pass_time(LAG_PASSED_S)
    before = desk.world.state()
    desk.world.fault(venue, "empty_reads", what=["positions"])

    row = await desk.trader.reconcile(desk.said.append)

    assert row["differences"] == []
    assert desk.store.hedge(hedge.id).state is State.OPEN
    for name in (X10, LIGHTER):
        assert desk.world.state()[name]["positions"] == before[name]["positions"]
    assert len(desk.orders(hedge)) == 2
    assert desk.store.unacknowledged() == []
    desk.assert_ledger_is_true()


async def test_s37_one_empty_answer_of_each_venue_does_not_end_a_close(desk: Desk) -> None:
    """The same in a close: "flat already", and both legs stay."""
    hedge = await desk.open("ETH", 300)
    await desk.world.pass_time(LAG_PASSED_S)
    for venue in (X10, LIGHTER):
        desk.world.fault(venue, "empty_reads", what=["positions"])

    hedge = await desk.close(hedge)

    assert hedge.state is State.CLOSED
    assert [order.filled_size for order in desk.orders(hedge)] == [hedge.planned_size] * 4
    desk.assert_flat()
    desk.assert_ledger_is_true()


@pytest.mark.parametrize("venue", [X10, LIGHTER])
async def test_s37_a_reading_older_than_the_hedge_is_outwaited(desk: Desk, venue: str) -> None:
    """The same with an endpoint that lags behind the fill: flat, as it was before."""
    hedge = await desk.open("ETH", 300)
    desk.world.fault(venue, "lag", what=["positions"], seconds=4, times=0)

    row = await desk.trader.reconcile(desk.said.append)

    assert row["differences"] == []
    assert desk.store.hedge(hedge.id).state is State.OPEN
    assert len(desk.orders(hedge)) == 2
    desk.assert_ledger_is_true()


@pytest.mark.parametrize(("silent", "other"), [(X10, LIGHTER), (LIGHTER, X10)])
async def test_a_venue_that_cannot_be_read_is_in_doubt_and_not_flat(
    desk: Desk, silent: str, other: str
) -> None:
    """The bot took a 503 for an empty list and closed every trade in its database."""
    hedge = await desk.open("ETH", 300)
    await desk.world.pass_time(LAG_PASSED_S)
    held = desk.position(other)
    desk.world.fault(silent, "bad_reads", what=["positions"], times=0)

    row = await desk.trader.reconcile(desk.said.append)

    assert list(row["in_doubt"]) == [silent]
    assert row["differences"] == []
    assert desk.store.hedge(hedge.id).state is State.OPEN
    assert desk.position(other) == held
    with pytest.raises(UsageError, match=f"{silent} in doubt: it could not be read"):
        await desk.open("BTC", 300)
    assert desk.position(X10, "BTC") == ZERO
    (event,) = desk.events("venue_in_doubt")
    assert event["text"].startswith(f"{silent} is in doubt: ")


@pytest.mark.parametrize("venue", [X10, LIGHTER])
async def test_a_venue_that_does_not_answer_once_is_asked_again(desk: Desk, venue: str) -> None:
    """One lost answer is no doubt yet."""
    desk.world.fault(venue, "bad_reads", what=["positions"], times=2)

    row = await desk.trader.reconcile(desk.said.append)

    assert row["in_doubt"] == {}
    assert desk.events("venue_in_doubt") == []


async def test_exits_go_on_while_a_venue_is_in_doubt(desk: Desk) -> None:
    """The bot's pause stopped everything, its exits too; here only new hedges wait."""
    hedge = await desk.open("ETH", 300)
    await desk.world.pass_time(LAG_PASSED_S)
    desk.world.fault(X10, "bad_reads", what=["positions"], times=0)
    await desk.trader.reconcile(desk.said.append)
    desk.world.no_faults()
    desk.world.fault(X10, "bad_reads", what=["positions"], times=2)
    assert desk.trader.situation.in_doubt == {X10}

    hedge = await desk.close(hedge)  # whose own first reads fail as well

    assert hedge.state is State.CLOSED
    desk.assert_flat()
    desk.assert_ledger_is_true()
    await desk.trader.reconcile(desk.said.append)
    assert desk.trader.situation.in_doubt == frozenset()
    assert (await desk.open("BTC", 300)).state is State.OPEN


# -- positions that no hedge explains -----------------------------------------------------------


@SHARED
@pytest.mark.parametrize("venue", [X10, LIGHTER])
async def test_a_foreign_position_on_a_shared_account_is_left_alone_and_blocks_its_market(
    desk: Desk, venue: str
) -> None:
    """The bot took every position on the account for its own, and closed what it did not know."""
    foreign_order(desk, venue, Decimal("0.5"))
    await desk.world.pass_time(LAG_PASSED_S)

    row = await desk.trader.reconcile(desk.said.append)

    assert row["blocked"] == [f"{venue}:ETH"]
    with pytest.raises(UsageError, match=f"ETH is blocked: a position on {venue} that no hedge"):
        await desk.open("ETH", 300)
    with pytest.raises(UsageError, match=r"account\.dedicated is false, so they are not touched"):
        await desk.trader.rollback(
            hedge=None, market=None, everything=True, progress=desk.said.append
        )
    assert desk.position(venue) == Decimal("0.5")
    assert desk.rows("orders") == desk.rows("hedges") == []
    assert (await desk.open("BTC", 300)).state is State.OPEN
    (alert,) = desk.store.unacknowledged()
    assert alert.text == f"{venue} holds 0.5 ETH, and no hedge explains it"


@SHARED
@pytest.mark.parametrize("venue", [X10, LIGHTER])
async def test_a_foreign_position_is_seen_before_leg_1_even_without_a_reconciliation(
    desk: Desk, venue: str
) -> None:
    """A bot that only reconciles now and then opens onto the position in between."""
    foreign_order(desk, venue, Decimal("0.5"))
    await desk.world.pass_time(LAG_PASSED_S)

    hedge = await desk.open("ETH", 300)

    assert hedge.state is State.REFUSED
    assert f"{venue} already holds 0.5 ETH that no hedge explains" in hedge.reason
    assert desk.position(venue) == Decimal("0.5")
    assert desk.rows("orders") == []


@SHARED
async def test_only_our_own_coins_are_closed_on_a_shared_account(desk: Desk) -> None:
    """Somebody adds to the position while our hedge is open; theirs stays."""
    hedge = await desk.open("ETH", 300)
    sign = 1 if desk.position(X10) > ZERO else -1
    foreign_order(desk, X10, sign * Decimal("0.5"))
    await desk.world.pass_time(LAG_PASSED_S)

    await desk.trader.reconcile(desk.said.append)
    hedge = await desk.close(hedge)

    assert hedge.state is State.CLOSED
    assert desk.position(X10) == sign * Decimal("0.5")
    assert desk.position(LIGHTER) == ZERO


@SHARED
@pytest.mark.parametrize("venue", [X10, LIGHTER])
async def test_s6_what_appears_on_a_leg_that_was_cut_down_is_not_closed_as_ours(
    desk: Desk, venue: str
) -> None:
    """
    Our fills would have room for it: it was closed with ours, and came back as a leg alone.

    While it is there a person is told, for nobody can tell whose it is.
    """
    hedge = await desk.open("ETH", 300)
    part = Decimal("0.02").copy_sign(desk.position(venue))
    foreign_order(desk, venue, -part, reduce_only=True)
    await desk.world.pass_time(LAG_PASSED_S)
    await desk.trader.reconcile(desk.said.append)
    assert desk.naked() == ZERO
    kept = desk.position(venue)
    assert desk.store.hedge(hedge.id).state is State.OPEN
    foreign_order(desk, venue, part)
    await desk.world.pass_time(LAG_PASSED_S)
    await desk.trader.reconcile(desk.said.append)
    assert (desk.position(venue), len(desk.orders(hedge))) == (kept + part, 3)
    for _ in range(13):
        desk.trader.naked.look()
        await desk.world.pass_time(5)

    hedge = await desk.close(hedge)

    texts = alerts(desk)
    assert hedge.state is State.CLOSED
    assert (desk.position(venue), desk.naked()) == (part, part)
    assert any(f"somebody else took {plain(part)} ETH of hedge {hedge.id}" in t for t in texts)
    assert any("exposed for 60 s" in t and "whose the rest is cannot be told" in t for t in texts)
    foreign_order(desk, venue, -part, reduce_only=True)
    desk.assert_flat()


@SHARED
async def test_a_person_is_told_of_a_cut_that_could_be_proven_only_when_closing(
    desk: Desk,
) -> None:
    """
    Until then what somebody added meanwhile could not be told from ours, and was closed with it.

    The account is flat, and whoever added it has lost it: only a person can put that right.
    """
    hedge = await desk.open("ETH", 300)
    part = Decimal("0.02").copy_sign(desk.position(LIGHTER))
    foreign_order(desk, LIGHTER, -part, reduce_only=True)
    foreign_order(desk, LIGHTER, part / 2)
    desk.world.fault(LIGHTER, "bad_reads", what=["orders"], times=0)
    await desk.world.pass_time(LAG_PASSED_S)
    await desk.trader.reconcile(desk.said.append)
    desk.world.no_faults()
    assert not [t for t in alerts(desk) if "somebody else took" in t]

    hedge = await desk.close(hedge)

    assert hedge.state is State.CLOSED
    desk.assert_flat()
    (told,) = [t for t in alerts(desk) if "somebody else took" in t]
    assert f"took {plain(part / 2)} ETH of hedge {hedge.id} on lighter" in told


@SHARED
async def test_a_remainder_that_no_order_may_take_is_told_at_once_and_taken_when_they_go(
    desk: Desk,
) -> None:
    """X10 takes less than its smallest order only where that closes the whole position."""
    hedge = await desk.open("ETH", 300)
    theirs = Decimal("0.5").copy_sign(desk.position(X10))
    foreign_order(desk, X10, theirs)
    await desk.world.pass_time(LAG_PASSED_S)
    desk.world.fault(X10, "partial_fill", fraction="0.95", reduce_only=True)
    began_s = desk.world.clock.monotonic_s()

    hedge = await desk.close(hedge)

    left = desk.naked() - theirs
    assert ZERO < abs(left) < Decimal("0.01")
    assert (hedge.state, desk.position(LIGHTER)) == (State.ESCALATED, ZERO)
    assert "below what an order may be, and what x10 holds beside it is not ours" in hedge.reason
    assert desk.world.clock.monotonic_s() - began_s < 30
    assert not [o for o in desk.orders(hedge) if o.state is OrderState.REFUSED]
    (alert,) = desk.store.unacknowledged()
    assert alert.hedge == hedge.id
    desk.world.no_faults()
    foreign_order(desk, X10, -theirs, reduce_only=True)
    await desk.world.pass_time(LAG_PASSED_S)
    await desk.trader.rollback(
        hedge=hedge.id, market=None, everything=False, progress=desk.said.append
    )
    assert desk.store.hedge(hedge.id).state is State.CLOSED
    desk.assert_flat()


@pytest.mark.parametrize("venue", [X10, LIGHTER])
async def test_an_unexplained_position_on_a_dedicated_account_is_alerted_and_closed(
    desk: Desk, venue: str
) -> None:
    """The bot imported such a position as a trade that nothing ever managed."""
    foreign_order(desk, venue, Decimal("-0.5"))
    await desk.world.pass_time(LAG_PASSED_S)

    await desk.trader.reconcile(desk.said.append)

    desk.assert_flat()
    (alert,) = desk.store.unacknowledged()
    assert alert.text == f"{venue} holds -0.5 ETH, and no hedge explains it"
    (row,) = desk.rows("hedges")
    states = [e["to_state"] for e in desk.events("transition")]
    assert (row["state"], states) == ("closed", ["orphan", "converging", "closed"])
    (order,) = desk.rows("orders")
    assert (order["purpose"], order["reduce_only"], order["side"]) == ("rollback", True, "buy")


async def test_a_position_that_was_there_once_is_not_closed(desk: Desk) -> None:
    """One look is not enough to trade upon: at the second it is gone."""
    foreign_order(desk, X10, Decimal("0.5"))
    await desk.world.pass_time(1)
    foreign_order(desk, X10, Decimal("-0.5"))

    row = await desk.trader.reconcile(desk.said.append)

    assert Decimal(desk.rows("positions")[0]["size"]) == Decimal("0.5")  # reads lag by 0.3 s
    assert row["differences"] == []
    assert desk.rows("hedges") == []


# -- what is managed ----------------------------------------------------------------------------


async def test_s44_a_hedge_whose_symbol_left_the_configuration_is_still_managed(
    desk: Desk,
) -> None:
    """A symbol was taken out of the bot's configuration, and its open hedge became invisible."""
    hedge = await desk.open("ETH", 300)
    desk.config = configured(trading={"blocked_symbols": ["ETH"]})
    await desk.restart()
    desk.world.fault(LIGHTER, "liquidate", market="ETH", fraction="0.4")
    await desk.world.pass_time(LAG_PASSED_S)

    with pytest.raises(UsageError, match=r"ETH is in trading\.blocked_symbols"):
        await desk.open("ETH", 300)
    await desk.trader.reconcile(desk.said.append)

    assert desk.naked() == ZERO
    assert ZERO < abs(desk.position(X10)) < hedge.planned_size
    hedge = await desk.close(hedge)
    assert hedge.state is State.CLOSED
    desk.assert_flat()


async def test_s44_a_position_on_a_market_that_no_configuration_names_is_seen(desk: Desk) -> None:
    """The bot looked at the markets of its configuration only; the accounts are looked at here."""
    desk.config = configured(trading={"blocked_symbols": ["FARTCOIN"]})
    await desk.restart()
    foreign_order(desk, LIGHTER, Decimal(100), symbol="FARTCOIN")
    await desk.world.pass_time(LAG_PASSED_S)

    row = await desk.trader.reconcile(desk.said.append)

    assert [(d["venue"], d["symbol"]) for d in row["differences"]] == [(LIGHTER, "FARTCOIN")]
    desk.assert_flat()


def alerts(desk: Desk) -> list[str]:
    """What a person was told, oldest first."""
    return [alert.text for alert in desk.store.unacknowledged()]


def foreign_order(
    desk: Desk, venue: str, size: Decimal, *, symbol: str = "ETH", reduce_only: bool = False
) -> None:
    """An order on our account that did not come from us: a person, or another program."""
    exchange, account = desk.world.exchange(venue), desk.world.account(venue)
    bids, asks = exchange.book(symbol, 20)
    new = NewOrder(
        client_id=f"foreign-{len(desk.world.orders(venue))}",
        symbol=symbol,
        is_buy=size > ZERO,
        size=abs(size),
        price=asks[-1].price if size > ZERO else bids[-1].price,
        tif=Tif.IOC,
        reduce_only=reduce_only,
        expires_ms=None,
    )
    assert exchange.match(exchange.admit(account, new).id).filled == abs(size)


@pytest.mark.parametrize("venue", [X10, LIGHTER])
async def test_s48_a_leg_that_was_taken_just_after_our_own_order_is_matched_in_seconds(
    desk: Desk, venue: str
) -> None:
    """
    A reading that differs may be older than our last fill, for twice the read lag.

    The account's trades tell that it is not: they hold our own fill, and what came after it.
    """
    hedge = await desk.open("ETH", 300)
    desk.world.fault(venue, "liquidate", market="ETH", fraction="0.4")
    await desk.world.pass_time(0.5)
    began_s = desk.world.clock.monotonic_s()

    await desk.trader.reconciler.glance()

    assert desk.world.clock.monotonic_s() - began_s < 6
    assert abs(desk.naked()) < Decimal("0.001")
    assert desk.store.hedge(hedge.id).state is State.OPEN


async def test_a_glance_costs_one_reading_of_each_venue_and_says_nothing(desk: Desk) -> None:
    await desk.open("ETH", 300)
    await desk.world.pass_time(LAG_PASSED_S)
    before = len(desk.rows("events"))

    await desk.trader.reconciler.glance()

    assert len(desk.rows("events")) == before
