"""An older copy of the ledger is put back, or the ledger is lost, while the venues know more."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from adapters.x10.venue import XVenue
from hedger import standing
from hedger.daemon import Daemon
from hedger.domain.hedge import Hedge, State
from hedger.domain.ids import HedgeId, Symbol, VenueId
from hedger.domain.order import Prepared, Purpose, Sighting
from hedger.errors import UnavailableError, UsageError
from hedger.home import Home
from hedger.ledger import migrate, sqlite
from hedger.ledger.records import earlier_key
from hedger.ledger.starts import StartFile, same_ledger
from hedger.ledger.store import Store
from tests.desk import Desk
from tests.scenarios.scenes import FOR_EVER
from tests.scenarios.test_reconciling import foreign_order
from tests.scenarios.test_restarting import stopped_after
from tests.world import LIGHTER, X10

BOTH = pytest.mark.parametrize(
    "kind",
    [
        pytest.param("dedicated", marks=pytest.mark.config(account={"dedicated": True})),
        pytest.param("shared", marks=pytest.mark.config(account={"dedicated": False})),
    ],
)


def remove(path: Path) -> None:
    for name in (path.name, f"{path.name}-wal", f"{path.name}-shm"):
        path.with_name(name).unlink(missing_ok=True)


@contextmanager
def put_back(desk: Desk) -> Iterator[None]:
    """What happens in between is forgotten: the copy from before is the ledger afterwards."""
    copy = desk.path.with_name("older.db")
    sqlite.copy(desk.path, copy)
    yield
    desk.store.close()
    remove(desk.path)
    copy.rename(desk.path)


def assert_no_id_twice(desk: Desk) -> None:
    for venue in (X10, LIGHTER):
        ids = [order["client_id"] for order in desk.world.orders(venue)]
        assert len(ids) == len(set(ids))


@BOTH
async def test_f5_a_copy_from_before_the_opening_takes_the_forgotten_hedge_off(
    desk: Desk,
    kind: str,  # noqa: ARG001 - of account: the mark has configured the desk
) -> None:
    await desk.open("SOL", 300)
    with put_back(desk):
        forgotten = await desk.open("ETH", 300)

    await desk.restart()
    await desk.trader.reconcile(desk.said.append)

    told = [alert.text for alert in desk.store.unacknowledged()]
    assert any("older copy" in text for text in told) is False  # the same start: no way to tell
    assert any("behind the venues" in text and "1 on x10 and 1 on lighter" in text for text in told)
    assert not any("somebody else" in text for text in told)  # its nonces were ours
    assert desk.store.hedge(forgotten.id).state is State.CLOSED
    assert desk.naked() == 0
    assert desk.position(X10, "SOL") + desk.position(LIGHTER, "SOL") == 0
    assert desk.position(X10, "SOL") != 0  # the hedge that the copy knew stands
    assert_no_id_twice(desk)
    desk.assert_ledger_is_true()


@BOTH
async def test_f5_a_forgotten_hedge_is_taken_off_though_its_positions_cannot_be_read(
    desk: Desk,
    kind: str,  # noqa: ARG001 - of account: the mark has configured the desk
) -> None:
    """Its orders are booked, and the trades since its first fill make the leg."""
    await desk.open("SOL", 300)
    with put_back(desk):
        forgotten = await desk.open("ETH", 300)
    desk.world.rewrite(X10, "/user/positions", status=503, times=0)

    await desk.restart()
    await desk.trader.reconcile(desk.said.append)

    assert desk.position(X10) == desk.position(LIGHTER) == 0
    assert desk.store.hedge(forgotten.id).state is State.ESCALATED  # nothing is concluded from it
    desk.world.no_rewrites()
    await desk.trader.executor.resume(desk.store.hedge(forgotten.id))
    assert desk.store.hedge(forgotten.id).state is State.CLOSED
    assert_no_id_twice(desk)
    desk.assert_ledger_is_true()


@pytest.mark.config(account={"dedicated": False})
async def test_f5_of_a_forgotten_leg_that_somebody_cut_down_no_more_is_taken_than_is_left(
    desk: Desk,
) -> None:
    await desk.open("SOL", 300)
    with put_back(desk):
        forgotten = await desk.open("ETH", 300)
        foreign_order(desk, X10, -desk.position(X10) / 5)
    desk.world.rewrite(X10, "/user/positions", status=503, times=0)

    await desk.restart()
    await desk.trader.reconcile(desk.said.append)

    assert desk.position(X10) == desk.position(LIGHTER) == 0
    assert desk.store.hedge(forgotten.id).state is State.ESCALATED


async def test_f5_while_orders_are_booked_it_is_said_that_hedges_are_not_whole(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    await desk.open("SOL", 300)
    with put_back(desk):
        await desk.open("ETH", 300)
    said: list[list[str]] = []
    book_past = Store.book_past

    def booked(store: Store, *what: Any) -> None:
        book_past(store, *what)
        said.append(standing.standing(store)["behind"])

    monkeypatch.setattr(Store, "book_past", booked)

    await desk.restart()

    assert len(said) == 2
    assert all("2 orders of ours are being booked" in text for (text,) in said)
    assert standing.standing(desk.store)["behind"] == []


@BOTH
async def test_f5_a_copy_from_before_the_closing_books_it_and_makes_no_id_twice(
    desk: Desk,
    kind: str,  # noqa: ARG001 - of account: the mark has configured the desk
) -> None:
    hedge = await desk.open("ETH", 300)
    with put_back(desk):
        assert (await desk.close(hedge)).state is State.CLOSED

    await desk.restart()
    await desk.trader.reconcile(desk.said.append)

    assert desk.store.hedge(hedge.id).state is State.CLOSED
    assert len(desk.orders(hedge, Purpose.CLOSE)) == 2
    desk.assert_flat()
    assert_no_id_twice(desk)
    desk.assert_ledger_is_true()

    again = await desk.open("ETH", 300)  # the market is free, and trading goes on
    assert again.state is State.OPEN
    assert (await desk.close(again)).state is State.CLOSED
    assert_no_id_twice(desk)


@BOTH
async def test_f5_a_copy_from_between_the_legs_ends_flat_or_whole(
    desk: Desk,
    kind: str,  # noqa: ARG001 - of account: the mark has configured the desk
) -> None:
    hedge = await desk.open("ETH", 300)
    desk.world.fault(LIGHTER, "refuse", code=21739, reduce_only=True, times=2)
    with put_back(desk):
        await desk.close(hedge)

    await desk.restart()
    await desk.trader.reconcile(desk.said.append)

    assert desk.naked() == 0
    assert desk.store.hedge(hedge.id).state in {State.OPEN, State.CLOSED}
    assert_no_id_twice(desk)
    desk.assert_ledger_is_true()


@BOTH
async def test_f5_a_copy_from_before_the_first_order_of_a_hedge_keeps_its_legs(
    desk: Desk,
    kind: str,  # noqa: ARG001 - of account: the mark has configured the desk
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It knew the hedge as planned, with nothing sent, and dropped it (seed 40356)."""
    await desk.restart()
    older, plan = desk.path.with_name("older.db"), desk.store.plan

    def then_a_copy(hedge: Hedge) -> None:
        plan(hedge)
        sqlite.copy(desk.path, older)

    monkeypatch.setattr(desk.store, "plan", then_a_copy)
    hedge = await desk.open("ETH", 300)
    desk.store.close()
    remove(desk.path)
    older.rename(desk.path)

    await desk.restart()

    assert desk.store.hedge(hedge.id).state is State.OPEN
    assert desk.naked() == 0 != desk.position(X10)
    await desk.close(desk.store.hedge(hedge.id))
    desk.assert_flat()
    desk.assert_ledger_is_true()


@BOTH
async def test_f5_a_lost_ledger_is_told_and_its_orders_are_looked_for(
    desk: Desk,
    kind: str,  # noqa: ARG001 - of account: the mark has configured the desk
) -> None:
    start = desk.store.start
    forgotten = await desk.open("ETH", 300)
    desk.store.close()
    remove(desk.path)
    migrate.upgrade(desk.path, desk.world.clock)

    await desk.restart()
    await desk.trader.reconcile(desk.said.append)

    told = [alert.text for alert in desk.store.unacknowledged()]
    assert any("does not know the starts of the ledger that worked here" in t for t in told)
    assert any("behind the venues" in text for text in told)
    assert same_ledger(desk.store.start, start)
    assert desk.store.start > start
    assert desk.store.hedge(forgotten.id).state is State.CLOSED
    desk.assert_flat()
    assert_no_id_twice(desk)
    desk.assert_ledger_is_true()


async def test_f5_an_older_copy_is_recognised_by_its_start(desk: Desk) -> None:
    with put_back(desk):
        desk.store.close()
        await desk.restart()
        later = desk.store.start

    await desk.restart()

    (alert,) = desk.store.unacknowledged()
    assert "is an older copy of the ledger that worked here before" in alert.text
    assert desk.store.start > later


async def test_f5_nothing_is_opened_before_the_venues_have_told_their_past_orders(
    desk: Desk,
) -> None:
    hedge = await desk.open("SOL", 300)
    with put_back(desk):
        await desk.close(hedge)
    desk.world.rewrite(X10, path="/user/orders/history", status=503)

    await desk.restart()

    with pytest.raises(UsageError, match=r"behind the venues is not known yet \(x10"):
        await desk.open("ETH", 300)
    (told,) = standing.standing(desk.store)["behind"]
    assert "whether the ledger is behind the venues is not known yet (x10" in told
    desk.world.no_rewrites()
    await desk.trader.reconcile(desk.said.append)
    assert standing.standing(desk.store)["behind"] == []
    assert (await desk.open("ETH", 300)).state is State.OPEN
    desk.assert_ledger_is_true()


@pytest.mark.config(account={"dedicated": False})
async def test_a_leg_whose_venue_told_its_orders_late_waits_for_no_other_hedge(
    desk: Desk, tmp_path: Path
) -> None:
    """
    X10 had told in time, and its leg came off; Lighter was asked again only when every other
    hedge was at rest, and its leg stood alone for so long (seed 96).
    """
    sol = await desk.open("SOL", 300)
    for each in (X10, LIGHTER):
        desk.world.fault(each, "no_fill", market="SOL", **FOR_EVER)
    await stopped_after(desk.close(sol), 5)
    with put_back(desk):
        await desk.open("ETH", 300)
    desk.world.rewrite(LIGHTER, path="accountInactiveOrders", status=503, times=0)
    trader = desk.reboot()
    await trader.catch_up(desk.said.append)
    daemon = Daemon(trader, Home(tmp_path))
    recovering = asyncio.create_task(stopped_after(daemon.recover(), 12))
    await desk.world.pass_time(6)
    assert desk.position(X10, "ETH") == 0 != desk.position(LIGHTER, "ETH")

    desk.world.no_rewrites()
    await recovering

    assert desk.position(X10, "ETH") == desk.position(LIGHTER, "ETH") == 0
    assert desk.store.hedge(sol.id).state is State.CLOSING
    assert standing.standing(desk.store)["behind"] == []


@pytest.mark.parametrize("lost", [False, True], ids=["copy", "lost"])
async def test_a_start_that_ends_before_all_is_booked_leaves_the_rest_to_the_next(
    desk: Desk, lost: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the first start writes is later than the orders: it is not where the next begins."""
    await desk.restart()
    await desk.open("SOL", 300)
    begun = desk.world.clock.now()
    with put_back(desk):
        assert (await desk.close(await desk.open("ETH", 300))).state is State.CLOSED
    asked: list[datetime] = []
    past_orders = XVenue.past_orders

    def noted(venue: XVenue, since: datetime) -> Any:
        asked.append(since)
        return past_orders(venue, since)

    monkeypatch.setattr(XVenue, "past_orders", noted)
    if lost:
        remove(desk.path)
        migrate.upgrade(desk.path, desk.world.clock)
    await desk.world.pass_time(300)
    desk.world.rewrite(X10, path="/user/orders/history", status=503)
    await desk.restart()
    assert "x10" in standing.standing(desk.store)["behind"][0]
    await desk.world.pass_time(300)
    desk.store.event("note", "the process works until it ends")
    sent = [order["client_id"] for order in desk.world.orders(X10)]
    assert not all(desk.store.order_known_as(X10, each) for each in sent)
    desk.world.no_rewrites()

    await desk.restart()

    assert max(asked) < begun
    assert standing.standing(desk.store)["behind"] == []
    assert all(desk.store.order_known_as(X10, each) for each in sent)
    assert desk.naked() == desk.position(X10) == 0
    desk.assert_ledger_is_true()


@pytest.mark.config(account={"dedicated": False})
async def test_orders_of_a_market_that_are_booked_in_two_passes_make_one_hedge(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the second pass books is part of the sum, though the first hedge seemed to be over."""
    await desk.open("SOL", 300)
    unreadable = set()
    with put_back(desk):
        await desk.close(await desk.open("ETH", 300))
        second = await desk.close(await desk.open("ETH", 500))
        await desk.close(await desk.open("ETH", 300))
        last = await desk.open("ETH", 300)
        for hedge, purpose in ((second, Purpose.CLOSE), (last, Purpose.OPEN)):
            orders = desk.orders(hedge, purpose)
            unreadable |= {o.prepared.client_id for o in orders if o.prepared.order.venue == X10}
    find = XVenue.find

    async def fails(venue: XVenue, prepared: Prepared) -> Sighting:
        if prepared.client_id in unreadable:
            raise UnavailableError(X10, "it does not answer")
        return await find(venue, prepared)

    monkeypatch.setattr(XVenue, "find", fails)
    await desk.restart()
    await desk.trader.reconcile(desk.said.append)
    assert desk.position(X10, "ETH") != 0  # its opening is not booked yet

    unreadable.clear()
    await desk.trader.reconcile(desk.said.append)
    await Daemon(desk.trader, Home(tmp_path)).monitor()

    assert desk.position(X10, "ETH") == desk.position(LIGHTER, "ETH") == 0
    assert_no_id_twice(desk)


async def test_f5_a_clock_that_went_back_makes_no_start_twice(desk: Desk) -> None:
    """The file of starts is gone as well: only the venue knows that later ones were given."""
    hedge = await desk.open("ETH", 300)
    with put_back(desk):
        desk.store.overtake(desk.store.start + 10)
        await desk.close(hedge)
        given = desk.store.start
    StartFile(desk.path).path.unlink()

    await desk.restart()

    assert desk.store.start > given
    assert_no_id_twice(desk)
    desk.assert_ledger_is_true()


@BOTH
async def test_an_order_that_comes_to_the_venue_after_the_start_is_booked_and_taken_off(
    desk: Desk,
    kind: str,  # noqa: ARG001 - of account: the mark has configured the desk
    tmp_path: Path,
) -> None:
    """It was on its way when its process ended, and the copy does not know of it."""
    await desk.open("SOL", 300)
    with put_back(desk):
        desk.world.fault(LIGHTER, "drop_answer", when="before", op="order", times=0)
        await stopped_after(desk.open("ETH", 300), 1.0)
        hedge = desk.store.live_on(Symbol("ETH"))
        assert hedge is not None
        late = desk.orders(hedge, Purpose.OPEN)[-1].prepared
        assert late.order.venue == LIGHTER
    desk.world.no_faults()
    await desk.restart()
    await desk.trader.hold_against_accounts()
    await desk.world.pass_time(3)
    await desk.trader.venues[LIGHTER].submit(late)
    await desk.world.pass_time(2)
    assert desk.position(LIGHTER) != 0

    await desk.trader.hold_against_accounts()
    await Daemon(desk.trader, Home(tmp_path)).monitor()

    assert desk.position(LIGHTER) == desk.position(X10) == 0
    assert desk.store.order_known_as(LIGHTER, late.client_id) is not None
    assert_no_id_twice(desk)
    desk.assert_ledger_is_true()


@pytest.mark.config(account={"dedicated": False})
async def test_f5_of_a_lost_ledger_what_an_earlier_hedge_lost_by_force_is_no_part_of_the_last(
    desk: Desk,
) -> None:
    """Both are booked into one, and its leg would have been somebody else's."""
    await desk.restart()
    first = await desk.open("ETH", 300)
    desk.world.fault(X10, "liquidate", market="ETH", fraction="0.4")
    await desk.trader.hold_against_accounts()
    await desk.close(desk.store.hedge(first.id))
    desk.assert_flat()
    await desk.open("ETH", 300)
    remove(desk.path)
    migrate.upgrade(desk.path, desk.world.clock)

    await desk.restart()
    await desk.trader.reconcile(desk.said.append)

    desk.assert_flat()
    texts = [alert.text for alert in desk.store.alerts_after(0)]
    assert not any("somebody else" in text for text in texts)
    (booked,) = desk.rows("hedges")
    assert booked["state"] == State.CLOSED
    assert desk.store.meta(earlier_key(HedgeId(booked["id"]), VenueId(X10))) == "0.038"
    assert_no_id_twice(desk)


async def test_f5_catching_up_lasts_no_longer_than_the_slower_venue_takes(desk: Desk) -> None:
    """A leg may stand alone meanwhile, and both venues were asked for one order after the other."""
    await desk.open("SOL", 300)
    with put_back(desk):
        for symbol in ("ETH", "BNB", "DOGE"):
            await desk.open(symbol, 300)
    trader = desk.reboot()
    slow: dict[str, Any] = {"forward": True, "status": 200, "delay_s": 2, "times": 0}
    desk.world.rewrite(X10, "/user/orders/external", **slow)
    desk.world.rewrite(LIGHTER, "accountOrders", **slow)
    began_s = desk.world.clock.monotonic_s()

    await trader.catch_up(desk.said.append)

    took_s = desk.world.clock.monotonic_s() - began_s
    assert 6.0 <= took_s < 8.0
    assert len(desk.store.live()) == 4
