"""
Fills that a venue tells after the order's end, and a process that dies while they are booked.

Whatever is on the disk at that moment, the next process takes the leg off: on a shared account
too, where nobody else would, because what no hedge explains there is somebody else's (promise 5).
"""

import contextlib
from collections.abc import Awaitable, Callable, Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from hedger.daemon import Daemon
from hedger.domain.hedge import Hedge, State
from hedger.domain.ids import VenueId
from hedger.domain.money import ZERO
from hedger.domain.order import Purpose
from hedger.errors import UsageError
from hedger.home import Home
from hedger.ledger.records import OrderState
from hedger.ledger.store import Store
from hedger.legs import LegReader
from hedger.reduction import Legs
from hedger.settling import LEFT, HandSettlement, left_key
from tests.desk import Desk
from tests.scenarios.scenes import (
    FOR_EVER,
    a_working_order_believed_dead,
    either_account,
    reconcile,
)
from tests.scenarios.test_reconciling import foreign_order
from tests.scenarios.test_restarting import stopped_after
from tests.world import LIGHTER, X10


class Killed(BaseException):
    """The process is gone: no ``except Exception`` of it runs."""


@contextlib.contextmanager
def killed_after_commit(number: int) -> Iterator[None]:
    """The process dies as soon as its ``number``-th transaction from now on is on the disk."""
    left = [number]

    def committed(_: Store) -> None:
        left[0] -= 1
        if left[0] <= 0:
            raise Killed

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Store, "_committed", committed)
        with contextlib.suppress(Killed):
            yield
            pytest.fail(f"it did not come to its transaction {number}")


async def a_late_fill(desk: Desk) -> Hedge:
    """It was dead behind its fence, and X10 has filled it all the same."""
    hedge = await a_working_order_believed_dead(desk, seconds=40)
    await desk.world.pass_time(30)
    desk.world.no_faults()
    assert desk.naked() != ZERO
    return hedge


async def a_late_fill_of_a_hedge_settled_by_hand(desk: Desk) -> Hedge:
    """A person settled it while nobody knew what became of its order, which X10 has filled."""
    desk.world.fault(X10, "bad_reads", what=["orders"], **FOR_EVER)
    hedge = await desk.open("ETH", 300)
    assert hedge.state is State.ESCALATED
    await settle(desk, hedge.id)
    desk.world.no_faults()
    assert desk.naked() != ZERO
    return hedge


async def settle(desk: Desk, name: str) -> None:
    await desk.trader.settle_hedge(
        name, who="ann", reason="cannot wait", force=True, progress=desk.said.append
    )


async def test_a_late_fill_whose_trades_are_not_listed_yet_is_looked_up_again_at_once(
    desk: Desk,
) -> None:
    """Its next look would have come as late as that of an order of which nothing is known."""
    hedge = await a_late_fill(desk)
    body = '{"status": "OK", "data": [], "pagination": {"cursor": null, "count": 0}}'
    desk.world.rewrite(X10, "/user/trades", body=body, times=0)
    for _ in range(3):
        await desk.trader.late.run()
        await desk.world.pass_time(1)
    assert desk.orders(hedge)[0].state is OrderState.DEAD
    desk.world.no_rewrites()
    await desk.trader.late.run()
    assert desk.orders(hedge)[0].state is OrderState.FILLED


async def run_after_run(desk: Desk) -> None:
    """What the daemon does again and again."""
    for _ in range(6):
        await desk.trader.late.run()
        await reconcile(desk)
        await desk.world.pass_time(30)


WRITTEN = {1: "the fill", 4: "an order to take it off", 5: "the end of that order", 8: "all"}
"""What is on the disk when the process dies, by the number of its transactions."""


@either_account
@pytest.mark.parametrize("commit", WRITTEN, ids=WRITTEN.values())
@pytest.mark.parametrize("late", [a_late_fill, a_late_fill_of_a_hedge_settled_by_hand])
async def test_a_late_fill_is_taken_off_by_the_next_process_wherever_this_one_died(
    desk: Desk, late: Callable[[Desk], Awaitable[Hedge]], commit: int, dedicated: bool
) -> None:
    """Booked and not taken up again, it was naked for ever: its order counted as dead no more."""
    assert desk.config.account.dedicated is dedicated
    hedge = await late(desk)
    with killed_after_commit(commit):
        await desk.trader.late.run()
    assert desk.orders(hedge)[0].state is OrderState.FILLED

    await desk.restart()

    assert desk.store.hedge(hedge.id).state is State.CLOSED
    desk.assert_flat()
    desk.assert_ledger_is_true()
    told = [alert.text for alert in desk.store.unacknowledged()]
    assert len([text for text in told if text.endswith("filled 0.095 ETH late on x10")]) == 1
    await run_after_run(desk)
    assert len(desk.rows("hedges")) == 1  # nobody adopted it as an orphan
    desk.assert_flat()


@either_account
async def test_a_late_fill_whose_market_is_taken_is_off_when_that_hedge_is_over(
    desk: Desk, tmp_path: Path, dedicated: bool
) -> None:
    """On a shared account the leg stayed for good: the other hedge takes only its own off."""
    assert desk.config.account.dedicated is dedicated
    hedge = await a_working_order_believed_dead(desk, seconds=40)
    desk.world.no_faults()
    other = await desk.open("ETH", 300)
    await desk.world.pass_time(60)
    await desk.trader.late.run()
    assert (other.state, desk.store.hedge(hedge.id).state) == (State.OPEN, State.CLOSED_FLAT)
    assert desk.naked() != ZERO
    await desk.restart()

    await desk.close(other)
    await Daemon(desk.trader, Home(tmp_path / "home")).monitor()

    assert desk.store.hedge(hedge.id).state is State.CLOSED
    desk.assert_flat()
    desk.assert_ledger_is_true()


@either_account
async def test_a_late_fill_whose_market_is_free_only_after_a_restart_is_off_before_new_business(
    desk: Desk, tmp_path: Path, dedicated: bool
) -> None:
    """The first look at the open hedges ended the other one, and nobody went on with this one."""
    assert desk.config.account.dedicated is dedicated
    hedge = await a_working_order_believed_dead(desk, seconds=40)
    desk.world.no_faults()
    other = await desk.open("ETH", 300)
    await desk.world.pass_time(60)
    await desk.trader.late.run()
    desk.world.fault(LIGHTER, "liquidate", market="ETH")
    await desk.world.pass_time(1)

    await Daemon(desk.reboot(), Home(tmp_path / "home")).recover()

    assert desk.store.hedge(other.id).state is State.CLOSED
    assert desk.store.hedge(hedge.id).state is State.CLOSED
    desk.assert_flat()


async def test_what_nothing_explains_is_off_while_recovery_brings_another_hedge_to_rest(
    desk: Desk, tmp_path: Path
) -> None:
    """One hedge may take minutes, and at the next start again (seed 18422)."""
    sol = await desk.open("SOL", 300)
    for each in (X10, LIGHTER):
        desk.world.fault(each, "no_fill", market="SOL", **FOR_EVER)
    await stopped_after(desk.close(sol), 5)
    foreign_order(desk, X10, Decimal("0.1"))
    await desk.world.pass_time(1)
    daemon = Daemon(desk.reboot(), Home(tmp_path))
    assert desk.position(X10) != 0

    await stopped_after(daemon.recover(), 15)

    assert desk.store.hedge(sol.id).state is State.CLOSING
    assert desk.position(X10) == 0


@either_account
async def test_a_hedge_that_recovery_brought_to_rest_is_taken_up_again_before_new_business(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, dedicated: bool
) -> None:
    """More of what a venue had forgotten came back when recovery was done with it (seed 17004)."""
    assert desk.config.account.dedicated is dedicated
    hedge = await desk.close(await desk.open("ETH", 300))

    def comes_back(ended: Hedge) -> None:
        desk.store.lose(ended, VenueId(LIGHTER), Decimal(1), text="forgotten", data={})
        desk.store.give_back(ended, VenueId(LIGHTER), Decimal(1), "and back")

    comes_back(hedge)
    trader = desk.reboot()
    resume, ends = trader.executor.resume, []

    async def noted(taken_up: Hedge) -> Hedge:
        ended = await resume(taken_up)
        ends.append(ended.state)
        if len(ends) == 1:
            comes_back(ended)
        return ended

    monkeypatch.setattr(trader.executor, "resume", noted)

    await trader.recover(desk.said.append)

    assert ends == [State.CLOSED, State.CLOSED]
    assert desk.store.hedge(hedge.id).state is State.CLOSED
    desk.assert_flat()


@either_account
async def test_a_late_fill_that_is_booked_while_both_legs_are_read_is_not_missed(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, dedicated: bool
) -> None:
    """The hedge was on its way, so nobody took it up; then it ended by what was read before."""
    assert desk.config.account.dedicated is dedicated
    desk.world.fault(LIGHTER, "rate_limit", status=429, reduce_only=False)
    read = LegReader.read
    readings: list[Legs] = []

    async def then_a_copy_fills(self: LegReader, hedge: Hedge, gone: VenueId | None = None) -> Legs:
        legs = await read(self, hedge, gone)
        if legs.a == legs.b == ZERO and gone is None:
            readings.append(legs)
            if len(readings) == 1:
                _, leg_b = desk.orders(hedge, Purpose.OPEN)
                await desk.trader.venues[LIGHTER].submit(leg_b.prepared)
                await desk.world.pass_time(6)
                await desk.trader.late.run()
                assert desk.orders(hedge)[1].state is OrderState.FILLED
        return legs

    monkeypatch.setattr(LegReader, "read", then_a_copy_fills)
    hedge = await desk.open("ETH", 300)

    assert (hedge.state, len(readings)) == (State.CLOSED, 2)
    desk.assert_flat()
    desk.assert_ledger_is_true()
    assert len(desk.rows("hedges")) == 1


async def test_a_hedge_of_which_an_order_fills_late_while_a_person_settles_it_is_not_settled(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the venues showed was older than the fill, and nobody would have looked again."""
    desk.world.fault(LIGHTER, "rate_limit", status=429, reduce_only=False)
    desk.world.fault(X10, "refuse", code=1140, reduce_only=True, **FOR_EVER)
    hedge = await desk.open("ETH", 300)
    shown = HandSettlement._shown

    async def then_a_copy_fills(
        self: HandSettlement, hedge: Hedge
    ) -> dict[VenueId, Decimal | None]:
        found = await shown(self, hedge)
        _, leg_b = desk.orders(hedge, Purpose.OPEN)
        await desk.trader.venues[LIGHTER].submit(leg_b.prepared)
        await desk.world.pass_time(6)
        await desk.trader.late.run()
        return found

    monkeypatch.setattr(HandSettlement, "_shown", then_a_copy_fills)
    with pytest.raises(UsageError, match=r"filled late .* ask again"):
        await settle(desk, hedge.id)

    assert desk.store.hedge(hedge.id).state is State.ESCALATED
    assert desk.store.metas(LEFT) == {}


async def test_who_dies_while_a_hedge_is_settled_by_hand_has_taken_nothing_over(desk: Desk) -> None:
    """Else a position of that size that appears there later would be left alone."""
    desk.world.fault(X10, "refuse", code=1140, reduce_only=True, **FOR_EVER)
    desk.world.fault(LIGHTER, "refuse", code=21739, reduce_only=False)
    hedge = await desk.open("ETH", 300)

    with killed_after_commit(1):
        await settle(desk, hedge.id)

    assert desk.store.hedge(hedge.id).state is State.ESCALATED
    assert desk.store.metas(LEFT) == {}


async def test_settling_forgets_what_a_person_took_over_before_and_is_there_no_longer(
    desk: Desk,
) -> None:
    desk.world.fault(X10, "bad_reads", what=["orders"], **FOR_EVER)
    hedge = await desk.open("ETH", 300)
    desk.store.set_meta(left_key(LIGHTER, hedge.symbol), "-0.5")

    await settle(desk, hedge.id)

    assert list(desk.store.metas(LEFT)) == [left_key(X10, hedge.symbol)]
