"""What `hedger status` shows of legs, and a leg whose other venue tells a new process nothing."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from hedger import standing
from hedger.domain.hedge import Hedge, State
from hedger.domain.money import plain
from tests.desk import Desk
from tests.scenarios.scenes import FOR_EVER, a_pair_at_rest, either_account, reconcile
from tests.scenarios.test_reconciling import foreign_order
from tests.world import LIGHTER, X10

LONG_S = 600.0
SOON_S = 5.0


def shown(desk: Desk, hedge: Hedge) -> dict[str, Any]:
    """Its row in `hedger status`."""
    ours_alone = desk.config.account.dedicated
    return standing.held(desk.store, desk.world.clock.now(), dedicated=ours_alone)[hedge.id]


# -- legs as they are held -----------------------------------------------------------------------


@either_account
async def test_legs_that_came_down_are_shown_as_they_are_held_and_not_as_they_were_filled(
    desk: Desk, *, dedicated: bool
) -> None:
    """A part of leg A was taken and leg B came down to it: the fills of leg A show the whole."""
    assert desk.config.account.dedicated is dedicated
    hedge = await a_pair_at_rest(desk)
    filled = desk.position(X10)
    foreign_order(desk, X10, -filled / 5)
    await desk.world.pass_time(1)
    await reconcile(desk)
    assert desk.store.hedge(hedge.id).state is State.OPEN
    assert desk.naked() == 0

    row = shown(desk, hedge)

    held = desk.position(X10), desk.position(LIGHTER)
    assert (row["size_a"], row["size_b"]) == (plain(held[0]), plain(held[1]))
    assert (row["fills_a"], row["fills_b"]) == (plain(filled), plain(held[1]))
    assert f"{X10} holds {plain(held[0])} ETH of hedge {hedge.id}" in row["differs"]
    assert row["unread"] is None


async def test_a_whole_hedge_says_nothing_besides_its_legs(desk: Desk) -> None:
    hedge = await a_pair_at_rest(desk)
    await reconcile(desk)
    row = shown(desk, hedge)
    assert (row["size_a"], row["size_b"]) == (
        plain(desk.position(X10)),
        plain(desk.position(LIGHTER)),
    )
    assert (row["differs"], row["unread"]) == (None, None)


async def test_a_leg_that_was_not_read_for_a_minute_is_said_to_be_unread(desk: Desk) -> None:
    """While a recovery waits for a silent venue, nothing holds the open hedges against it."""
    hedge = await a_pair_at_rest(desk)
    await reconcile(desk)
    desk.world.fault(LIGHTER, "outage", seconds=LONG_S)
    await desk.world.pass_time(standing.UNREAD_S + 1)
    await desk.trader.reconciler.look()

    row = shown(desk, hedge)

    assert f"the leg of hedge {hedge.id} on {LIGHTER} was last read at" in row["unread"]
    assert f"on {X10} was last" not in row["unread"]


# -- a leg that waited for what nobody needs -------------------------------------------------------


async def test_a_lone_leg_comes_off_though_a_new_process_cannot_ask_the_other_venue_anything(
    desk: Desk,
) -> None:
    """
    A new process knows no market of a silent venue. Its rules are for rounding what is there, and
    the ledger proves that nothing is: the leg on the other venue does not wait for them.
    """
    desk.world.fault(LIGHTER, "refuse", code=21739, reduce_only=False)
    desk.world.fault(X10, "refuse", code=1140, reduce_only=True, **FOR_EVER)
    hedge = await desk.open("ETH", 300)
    assert hedge.state is State.ESCALATED
    assert abs(desk.position(X10)) > Decimal(0) == desk.position(LIGHTER)

    desk.world.no_faults()
    desk._venues = {**desk._venues, LIGHTER: await desk.world.lighter()}
    desk.world.fault(LIGHTER, "outage", seconds=LONG_S)
    began = desk.world.clock.now()
    await desk.restart()

    desk.assert_flat()
    (order,) = [row for row in desk.rows("orders", venue=X10, state="filled") if row["reduce_only"]]
    assert datetime.fromisoformat(order["prepared_at"]) - began < timedelta(seconds=SOON_S)
    assert desk.store.hedge(hedge.id).state is State.ESCALATED  # nothing is over before both say so
