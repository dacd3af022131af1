"""
A venue that loses a batch: position, orders and trades of ours are gone, and may come back.

Its position and its own trades agree with each other and not with our record. The other leg stands
unhedged meanwhile, so a person is told within a minute, and the venue is believed in the end.
"""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from hedger.domain.hedge import Hedge, State
from hedger.domain.ids import VenueId
from hedger.domain.money import ZERO, plain
from hedger.domain.order import Purpose
from hedger.errors import UsageError
from hedger.ledger import lost
from hedger.ledger.store import Store
from tests.desk import Desk
from tests.scenarios.forgetful import find_again, left_open, told, turn, turns_until
from tests.scenarios.scenes import a_pair_at_rest, either_account, either_venue, reconcile
from tests.scenarios.test_reconciling import SHARED, foreign_order
from tests.world import LIGHTER, X10


class Killed(BaseException):
    """The process is gone: no ``except Exception`` of it runs."""


def dying_after(method: Callable[..., None]) -> Callable[..., None]:
    """The process dies when it has done that."""

    def last(*args: Any, **kwargs: Any) -> None:
        method(*args, **kwargs)
        raise Killed

    return last


OTHER = {X10: LIGHTER, LIGHTER: X10}
TURNS_IN_A_MINUTE = 5


@either_account
@either_venue
async def test_f3_a_venue_that_forgets_is_believed_and_the_other_leg_is_taken_off(
    desk: Desk, venue: VenueId, dedicated: bool
) -> None:
    assert desk.config.account.dedicated is dedicated
    hedge = await a_pair_at_rest(desk)
    began_s = desk.world.clock.monotonic_s()
    desk.world.forget(venue, "ETH")

    await turn(desk, TURNS_IN_A_MINUTE)
    assert desk.store.hedge(hedge.id).state is State.OPEN
    assert desk.world.clock.monotonic_s() - began_s < 180
    (alone,) = [text for text in told(desk) if "stand alone" in text]
    assert f"{venue} 0" in alone
    assert OTHER[venue] in alone

    for _ in range(12):
        if desk.store.hedge(hedge.id).state is not State.OPEN:
            break
        await turn(desk)
    took_s = desk.world.clock.monotonic_s() - began_s

    assert desk.store.hedge(hedge.id).state is State.CLOSED
    assert 180 <= took_s < 240
    desk.assert_flat()
    (off,) = desk.orders(hedge, Purpose.ROLLBACK)
    assert off.prepared.order.venue == OTHER[venue]
    (event,) = desk.events(lost.FORGOT)
    assert venue in event["text"]
    assert event["text"] in told(desk)
    # our record is kept, the loss stands beside it
    booked = desk.store.leg_size(hedge.id, venue)
    assert abs(booked) == hedge.planned_size
    (row,) = desk.rows("pnl")
    name = "a" if venue == X10 else "b"
    assert Decimal(row[f"lost_{name}"]) == booked
    assert row["price_usd"] is not None
    assert not [text for text in told(desk) if "could not be read" in text]


@either_venue
async def test_f3_a_leg_that_goes_between_two_readings_is_told_a_minute_after_the_first(
    desk: Desk, venue: VenueId
) -> None:
    """Nobody knows when it went: not before the reading that shows both legs, maybe right after."""
    await a_pair_at_rest(desk)
    await reconcile(desk)
    desk.trader.naked.look()
    desk.world.forget(venue, "ETH")
    await desk.world.pass_time(9)
    await reconcile(desk)
    desk.trader.naked.look()
    assert not told(desk)

    await desk.world.pass_time(52)
    desk.trader.naked.look()

    (alone,) = told(desk)
    assert "stand alone" in alone


@either_account
@either_venue
async def test_f3_a_restart_does_not_begin_the_looks_anew(
    desk: Desk, venue: VenueId, dedicated: bool
) -> None:
    assert desk.config.account.dedicated is dedicated
    hedge = await a_pair_at_rest(desk)
    began_s = desk.world.clock.monotonic_s()
    desk.world.forget(venue, "ETH")
    await turn(desk, 6)
    await desk.restart()

    await turns_until(desk, left_open(desk, hedge), "believed")

    assert desk.world.clock.monotonic_s() - began_s < 260
    assert desk.store.hedge(hedge.id).state is State.CLOSED
    desk.assert_flat()


@either_account
@either_venue
async def test_f3_a_process_that_dies_once_the_loss_is_booked_leaves_it_to_the_next(
    desk: Desk, venue: VenueId, dedicated: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other leg was not touched yet, and our own record agrees with the venue by now."""
    assert desk.config.account.dedicated is dedicated
    hedge = await a_pair_at_rest(desk)
    desk.world.forget(venue, "ETH")
    with monkeypatch.context() as patched:
        patched.setattr(Store, "lose", dying_after(Store.lose))
        with pytest.raises(Killed):
            await turns_until(desk, left_open(desk, hedge), "believed")
    assert len(desk.events(lost.FORGOT)) == 1
    assert desk.naked() != ZERO
    await desk.restart()

    await turn(desk, 2)

    assert desk.store.hedge(hedge.id).state is State.CLOSED
    desk.assert_flat()
    assert len(desk.events(lost.FORGOT)) == 1


@either_venue
async def test_a_venue_that_forgets_for_two_minutes_is_not_believed(
    desk: Desk, venue: VenueId
) -> None:
    hedge = await a_pair_at_rest(desk)
    held = desk.position(venue)
    for _ in range(3):
        desk.world.forget(venue, "ETH")
        await turn(desk, 6)
        find_again(desk, venue)
        await turn(desk, 2)

    assert desk.store.hedge(hedge.id).state is State.OPEN
    assert len(desk.orders(hedge)) == 2
    assert (desk.position(venue), desk.naked()) == (held, ZERO)
    assert desk.events(lost.FORGOT) == []


@either_venue
async def test_a_venue_whose_margin_still_knows_the_leg_is_not_believed(
    desk: Desk, venue: VenueId
) -> None:
    """Both lists are empty by a fault of theirs; the margin tells that the position is there."""
    hedge = await a_pair_at_rest(desk)
    desk.world.fault(venue, "empty_reads", what=["positions"], times=0)
    desk.world.fault(venue, "empty_reads", what=["orders"], times=0)

    await turn(desk, 20)

    assert desk.store.hedge(hedge.id).state is State.OPEN
    assert desk.naked() == ZERO
    assert desk.events(lost.FORGOT) == []
    assert [text for text in told(desk) if "stand alone" in text]


@either_account
@either_venue
async def test_f3_a_close_while_the_venue_is_not_believed_yet_names_it_and_ends(
    desk: Desk, venue: VenueId, dedicated: bool
) -> None:
    """It named leg A's venue, took the other leg off, and only settling by hand ended it."""
    assert desk.config.account.dedicated is dedicated
    hedge = await a_pair_at_rest(desk)
    desk.world.forget(venue, "ETH")
    await desk.world.pass_time(20)

    hedge = await desk.close(hedge)

    assert hedge.state is State.OPEN
    assert desk.orders(hedge, Purpose.CLOSE) == []
    assert f"{venue}: it shows 0 ETH, and its own trades make 0" in hedge.reason
    assert f"{OTHER[venue]}:" not in hedge.reason
    for _ in range(16):
        if desk.store.hedge(hedge.id).state is not State.OPEN:
            break
        await turn(desk)
    assert desk.store.hedge(hedge.id).state is State.CLOSED
    desk.assert_flat()
    assert len(desk.events(lost.FORGOT)) == 1


@pytest.mark.parametrize("evidence", [True, False], ids=["with its trades", "without"])
@either_account
@either_venue
async def test_f3_a_lost_leg_that_comes_back_is_ours_and_is_taken_off(
    desk: Desk, venue: VenueId, dedicated: bool, evidence: bool
) -> None:
    """On a shared account nobody else would: what no hedge explains there is somebody else's."""
    assert desk.config.account.dedicated is dedicated
    hedge = await a_pair_at_rest(desk)
    desk.world.forget(venue, "ETH")
    await turns_until(desk, left_open(desk, hedge), "believed")
    desk.assert_flat()
    await desk.restart()
    find_again(desk, venue, trades=evidence)
    assert desk.naked() != ZERO
    began_s = desk.world.clock.monotonic_s()

    for _ in range(6):
        if desk.naked() == ZERO:
            break
        await turn(desk)

    assert desk.world.clock.monotonic_s() - began_s < 120
    desk.assert_flat()
    assert desk.store.hedge(hedge.id).state is State.CLOSED
    assert desk.store.leg_size(hedge.id, venue) == ZERO
    assert len(desk.rows("hedges")) == 1
    (row,) = desk.rows("pnl")
    assert (row["lost_a"], row["lost_b"]) == ("0", "0")
    assert row["price_usd"] is not None


@pytest.mark.parametrize("back", [1, 3])
async def test_f3_nonces_that_have_gone_back_are_used_up_and_none_is_used_twice(
    desk: Desk, back: int
) -> None:
    """A copy of a lost order could still come under its nonce: something harmless has it then."""
    earlier = []
    for _ in range(back):
        hedge = await desk.open("ETH", 300)
        await desk.close(hedge)
        earlier += [r.prepared for r in desk.orders(hedge) if r.prepared.lane is not None]
    for row in desk.rows("lanes"):
        expected = int(row["last_nonce"]) + 1
        desk.world.set_next_nonce(LIGHTER, int(row["lane"].rpartition(":")[2]), expected - back)
    await desk.world.pass_time(60)
    await desk.trader.lanes.check(now=True)

    again = await desk.open("ETH", 300)
    again = await desk.close(again)

    assert again.state is State.CLOSED
    desk.assert_flat()
    used = [r.prepared for r in desk.orders(again) if r.prepared.lane is not None]
    ids = [prepared.client_id for prepared in [*earlier, *used]]
    assert len(ids) == len(set(ids))
    for prepared in used:
        assert (prepared.nonce or 0) > max(p.nonce or 0 for p in earlier if p.lane == prepared.lane)
    rows = desk.rows("lanes")
    assert all(row["state"] == "ready" for row in rows)
    assert sum(int(row["filled_gaps"]) for row in rows) >= back * len(rows)


@SHARED
@either_venue
async def test_what_somebody_else_opens_where_a_leg_was_lost_is_theirs(
    desk: Desk, venue: VenueId
) -> None:
    """Same market, side and size: the venue's list of trades tells it from ours."""
    hedge = await a_pair_at_rest(desk)
    held = desk.position(venue)
    desk.world.forget(venue, "ETH")
    await turns_until(desk, left_open(desk, hedge), "believed")
    foreign_order(desk, venue, held)
    await desk.world.pass_time(12)

    await turn(desk, 4)

    assert desk.position(venue) == held
    assert desk.store.hedge(hedge.id).state is State.CLOSED
    assert desk.events(lost.GAVE_BACK) == []


async def ended_unexplained(desk: Desk, hedge: Hedge) -> None:
    """Both venues show nothing of a hedge, and tell no trades that could say why."""
    for venue in (X10, LIGHTER):
        desk.world.forget(venue, "ETH")
        desk.world.rewrite(venue, "/trades", status=503, body="<html>unavailable</html>", times=0)
    await desk.close(hedge)
    assert desk.store.hedge(hedge.id).state is State.CLOSED
    assert len(desk.events(lost.UNEXPLAINED)) == 2
    desk.world.no_rewrites()


@SHARED
@either_venue
async def test_a_leg_that_comes_back_after_both_were_gone_is_ours_and_is_taken_off(
    desk: Desk, venue: VenueId
) -> None:
    """Both read flat, so the hedge was over before a venue was believed; one leg came back."""
    hedge = await a_pair_at_rest(desk)
    await ended_unexplained(desk, hedge)

    find_again(desk, venue)
    await turn(desk, 4)

    desk.assert_flat()
    assert desk.store.hedge(hedge.id).state is State.CLOSED
    assert len(desk.events(lost.GAVE_BACK)) == 1


@SHARED
@either_venue
async def test_what_others_open_after_both_legs_were_gone_is_theirs(
    desk: Desk, venue: VenueId
) -> None:
    """Somebody took both off, and the venue's list of trades said it too late."""
    hedge = await a_pair_at_rest(desk)
    held = desk.position(venue)
    await ended_unexplained(desk, hedge)
    desk.world.remember(venue, "ETH")
    foreign_order(desk, venue, -held)
    await desk.world.pass_time(12)
    foreign_order(desk, venue, held / 2)
    await desk.world.pass_time(12)

    await turn(desk, 4)

    assert desk.position(venue) == held / 2
    assert desk.events(lost.GAVE_BACK) == []


@SHARED
@either_venue
async def test_what_others_left_of_a_leg_that_was_gone_without_opening_any_is_ours(
    desk: Desk, venue: VenueId
) -> None:
    """Others took a part of it and the venue lost the rest: the rest stood there for good."""
    hedge = await a_pair_at_rest(desk)
    held = desk.position(venue)
    await ended_unexplained(desk, hedge)
    desk.world.remember(venue, "ETH")
    foreign_order(desk, venue, Decimal("0.05").copy_sign(-held))
    await desk.world.pass_time(12)

    await turn(desk, 4)

    desk.assert_flat()
    assert desk.store.hedge(hedge.id).state is State.CLOSED
    assert len(desk.events(lost.GAVE_BACK)) == 1


@SHARED
async def test_a_shared_account_opens_nothing_where_a_lost_leg_may_come_back(desk: Desk) -> None:
    """A hedge there would hide it: what is more than ours on a leg is somebody else's."""
    hedge = await a_pair_at_rest(desk)
    desk.world.forget(LIGHTER, "ETH")
    await turns_until(desk, left_open(desk, hedge), "believed")
    desk.store.set_meta("cooling:ETH", "")
    await turn(desk)

    with pytest.raises(UsageError, match="ETH is blocked"):
        await desk.open("ETH", 300)


@either_account
@either_venue
async def test_a_lost_leg_that_comes_back_while_the_other_cannot_be_taken_off_is_matched(
    desk: Desk, venue: VenueId, dedicated: bool
) -> None:
    """The hedge is still under way then: both legs are real again, and both come off."""
    assert desk.config.account.dedicated is dedicated
    hedge = await a_pair_at_rest(desk)
    other = OTHER[venue]
    desk.world.fault(other, "no_fill", reduce_only=True, times=0)
    desk.world.forget(venue, "ETH")
    await turns_until(desk, left_open(desk, hedge), "believed")
    assert desk.store.hedge(hedge.id).state is State.ESCALATED
    find_again(desk, venue)
    desk.world.no_faults()

    for _ in range(6):
        await turn(desk)

    assert desk.naked() == ZERO
    desk.assert_ledger_is_true()
    (row,) = desk.rows("pnl")
    assert (row["lost_a"], row["lost_b"]) == ("0", "0")


@either_venue
async def test_a_part_that_is_forgotten_is_taken_off_the_other_leg(
    desk: Desk, venue: VenueId
) -> None:
    """The hedge goes on with what both venues know."""
    hedge = await a_pair_at_rest(desk)
    whole = desk.position(venue)
    rest = Decimal("0.05").copy_sign(whole)
    desk.world.forget(venue, "ETH")
    foreign_order(desk, venue, rest)  # stands for the part of the batch that is left

    await turns_until(desk, lambda: desk.naked() == ZERO, "matched")

    assert desk.store.hedge(hedge.id).state is State.OPEN
    assert desk.position(venue) == rest
    (event,) = desk.events(lost.FORGOT)
    assert f"has forgotten {plain(whole - rest)} ETH" in event["text"]
