"""One endpoint of a venue is down for long while the others answer: no leg stands alone for it."""

import asyncio
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from adapters.sandbox.engine.paying import Twice
from hedger.daemon import Daemon
from hedger.domain.hedge import Hedge, State
from hedger.domain.ids import Symbol
from hedger.errors import DeniedError, UnavailableError
from hedger.home import Home
from tests.desk import Desk
from tests.scenarios import books, facts
from tests.scenarios.scenes import LAG_PASSED_S
from tests.scenarios.test_reconciling import foreign_order
from tests.scenarios.test_restarting import stopped_after
from tests.world import LIGHTER, X10, World

DOWN: dict[str, Any] = {"status": 503, "body": "<html>unavailable</html>", "times": 0}
LISTED_S = 6.0  # funding.payment_lag_s of the sandbox's configuration is 5
LATE_S = 200.0
ALONE_MAX_S = 82.0
"""
How long a leg stands alone whose counterpart has an order of unknown end: 25 s and one look more,
10 s to the next try, 15 s and one look more, and twice the trades that do not answer.
"""
either_venue = pytest.mark.parametrize("venue", [X10, LIGHTER])


async def test_a_leg_that_somebody_cut_down_comes_off_though_positions_cannot_be_read(
    desk: Desk,
) -> None:
    """Its size is told by the trades of the account, and is not what our fills make."""
    hedge = await desk.open("ETH", 300)
    held = desk.position(X10)
    foreign_order(desk, X10, -held / 5)
    desk.world.rewrite(X10, "/user/positions", **DOWN)

    await desk.trader.rollback(
        hedge=hedge.id, market=None, everything=False, progress=desk.said.append
    )

    desk.assert_flat()
    assert desk.store.hedge(hedge.id).state is State.ESCALATED  # nothing is concluded from it
    desk.world.no_rewrites()
    await desk.trader.executor.resume(desk.store.hedge(hedge.id))
    assert desk.store.hedge(hedge.id).state is State.CLOSED


@either_venue
async def test_a_leg_comes_off_though_neither_its_position_nor_its_book_can_be_read(
    desk: Desk, venue: str
) -> None:
    """Its size is told by trades, and its price by the other venue's book."""
    hedge = await desk.open("ETH", 300)
    await desk.world.pass_time(LAG_PASSED_S)
    for path in ("/user/positions|/account?", "orderbook|orderBookOrders"):
        desk.world.rewrite(venue, path, **DOWN)

    await desk.trader.rollback(
        hedge=hedge.id, market=None, everything=False, progress=desk.said.append
    )

    desk.assert_flat()


async def test_the_other_leg_comes_off_though_an_order_cannot_be_looked_up(desk: Desk) -> None:
    """X10 takes the closing order and tells nothing of it: its position and trades do."""
    hedge = await desk.open("ETH", 300)
    desk.world.rewrite(X10, "/user/orders", **DOWN)
    began_s = desk.world.clock.monotonic_s()

    await desk.close(hedge)
    while desk.position(LIGHTER) and desk.world.clock.monotonic_s() - began_s < 120:
        await desk.world.pass_time(10)
        await desk.trader.executor.resume(desk.store.hedge(hedge.id))

    desk.assert_flat()
    assert desk.world.clock.monotonic_s() - began_s < 90
    assert desk.store.unacknowledged()


async def test_a_restart_does_not_begin_the_search_for_an_order_anew(desk: Desk) -> None:
    """Lighter takes nothing in, and the first leg stands alone beside what was sent there."""
    desk.world.rewrite(LIGHTER, "sendTx", **DOWN)
    began_s = desk.world.clock.monotonic_s()
    await stopped_after(desk.open("ETH", 300), 50)
    assert desk.position(X10) != 0
    trader = desk.reboot()

    await trader.recover(desk.said.append)

    (hedge,) = desk.store.live()
    assert hedge.state is State.ESCALATED
    assert desk.world.clock.monotonic_s() - began_s < 75
    await trader.executor.resume(hedge)
    desk.assert_flat()


async def test_legs_do_not_wait_for_the_searches_of_one_another(desk: Desk) -> None:
    """Lighter closes its legs and tells no trades for minutes; both orders have one key."""
    world, executor = desk.world, desk.trader.executor
    hedges = [await desk.open(symbol, 300) for symbol in ("ETH", "SOL", "BNB")]
    await world.pass_time(LAG_PASSED_S)
    world.rewrite(LIGHTER, "trades", forward=True, status=200, delay_s=30, times=0)

    async def taken_off(hedge: Hedge) -> None:
        await executor.close(hedge, "asked for", hurry=True, first=LIGHTER)
        while desk.position(X10, hedge.symbol):
            await world.pass_time(10)
            await executor.resume(desk.store.hedge(hedge.id))

    await asyncio.gather(*map(taken_off, hedges))

    alone_s = {hedge.symbol: facts.longest_naked_s(desk, hedge) for hedge in hedges}
    assert max(alone_s.values()) < ALONE_MAX_S, alone_s
    for _ in range(2):
        await asyncio.gather(*(executor.resume(desk.store.hedge(hedge.id)) for hedge in hedges))
    sought = {row["hedge_id"] for row in desk.events("outcome") if "no proof" in row["text"]}
    assert sought == {hedge.id for hedge in hedges}  # none is passed over for ever


async def test_looks_after_what_is_over_do_not_wait_one_for_another(desk: Desk) -> None:
    """The next try to take a leg off comes only after them; each hangs as long as a request may."""
    for symbol in ("ETH", "SOL", "BNB"):
        desk.world.fault(X10, "no_fill")
        await desk.open(symbol, 300)
    desk.world.rewrite(X10, "/user/orders", forward=True, status=200, delay_s=30, times=0)
    await desk.world.pass_time(10)
    began_s = desk.world.clock.monotonic_s()

    await desk.trader.late.run()

    limit_s = desk.config.execution.order_timeout_s
    assert 0 < desk.world.clock.monotonic_s() - began_s < 2 * limit_s


@either_venue
async def test_an_account_is_confirmed_later_where_its_venue_does_not_answer(
    world: World, venue: str
) -> None:
    world.rewrite(venue, "/user/account/info|accountLimits|/info/markets", **DOWN)
    port = await (world.x10() if venue == X10 else world.lighter())

    with pytest.raises(UnavailableError):
        await port.balance()  # nothing is opened without it
    world.no_rewrites()
    assert (await port.balance()).equity_usd > 0


async def test_positions_of_an_account_that_x10_never_named_are_not_known(world: World) -> None:
    """They may be those of another one, and nothing of ours was opened before it is named."""
    world.rewrite(X10, "/user/account/info", **DOWN)
    port = await world.x10()

    with pytest.raises(UnavailableError, match="before the account is known"):
        await port.positions()
    world.no_rewrites()
    assert await port.positions() == {}


@pytest.mark.parametrize("key", ["l2Vault", "accountId"])
@pytest.mark.parametrize("text", ["[2J", "10 002"])
async def test_an_answer_whose_ids_are_no_numbers_names_no_account(
    world: World, key: str, text: str
) -> None:
    """
    The vault would have ended the start of the daemon, with a leg alone perhaps (seed 40282); the
    account would have made every later answer another one's.
    """
    vault = str(world.account(X10))
    data = {"status": "ACTIVE", "l2Key": "0x1", "l2Vault": vault, "accountId": 1, key: text}
    body = json.dumps({"status": "OK", "data": data})
    world.rewrite(X10, "/user/account/info", status=200, body=body, times=0)
    port = await world.x10()

    assert port.owner is None
    world.no_rewrites()
    assert await port.positions() == {}


@either_venue
async def test_an_account_that_proves_wrong_later_opens_nothing(world: World, venue: str) -> None:
    world.rewrite(venue, "/user/account/info|accountLimits|/info/markets", **DOWN)
    port = await (world.x10() if venue == X10 else world.lighter())
    world.no_rewrites()
    world.revoke_key(venue)

    with pytest.raises(DeniedError):
        await port.balance()


async def settled_late(desk: Desk, **how: Any) -> None:
    """A settlement passes, whose payments are listed otherwise."""
    await desk.trader.accruals.run()
    for venue in (X10, LIGHTER):
        desk.world.pay_otherwise(venue, **how)
    desk.world.advance_market(hours=1.05)
    desk.position(X10)
    await desk.world.pass_time(LISTED_S)
    await desk.trader.accruals.run()


async def test_a_payment_that_is_listed_after_its_hedge_was_closed_is_booked_to_it(
    desk: Desk,
) -> None:
    """Its books were taken to be complete, and nothing waits for payments any more."""
    hedge = await desk.open("ETH", 300)
    await settled_late(desk, late_s=LATE_S)
    await desk.close(hedge)
    await desk.world.pass_time(LISTED_S)
    await desk.trader.accruals.run()
    assert desk.rows("funding") == []

    for _ in range(5):
        await desk.world.pass_time(LATE_S / 2)
        await desk.trader.accruals.run()

    booked = desk.rows("funding")
    assert sorted(row["venue"] for row in booked) == sorted([X10, LIGHTER])
    assert {row["hedge_id"] for row in booked} == {hedge.id}
    (row,) = desk.rows("pnl")
    assert Decimal(row["funding_booked_usd"]) == facts.total(booked, "amount_usd")
    desk.assert_ledger_is_true()


@pytest.mark.parametrize("how", list(Twice))
async def test_a_payment_that_is_listed_twice_is_booked_once(desk: Desk, how: Twice) -> None:
    hedge = await desk.open("ETH", 300)
    await settled_late(desk, twice=how)
    for _ in range(3):
        await desk.world.pass_time(130)
        await desk.trader.accruals.run()

    booked = desk.rows("funding")
    assert sorted(row["venue"] for row in booked) == sorted([X10, LIGHTER])
    assert desk.store.hedge(hedge.id).state is State.OPEN
    desk.assert_ledger_is_true()


async def test_an_hour_without_a_settlement_is_known_to_have_paid_nothing(desk: Desk) -> None:
    hedge = await desk.open("ETH", 300)
    await settled_late(desk, stopped=True)
    await desk.close(hedge)
    for _ in range(2):
        await desk.world.pass_time(LISTED_S)
        await desk.trader.accruals.run()

    (row,) = desk.rows("pnl")
    assert Decimal(row["funding_usd"]) == 0
    assert desk.rows("funding") == []


async def books_after(desk: Desk, **how: Any) -> list[dict[str, Any]]:
    """Both legs in all views, some time after a settlement whose payments were listed so."""
    await desk.trader.accounts.run()
    hedge = await desk.open("ETH", 300)
    await desk.trader.accounts.run()
    await settled_late(desk, **how)
    await desk.close(hedge)
    for _ in range(14):
        await books.read_books(desk)
        await desk.world.pass_time(120)
    books.assert_statement_is_the_balance(desk)
    return [row for row in books.legs(desk) if row["hedge_id"] == hedge.id]


async def test_a_late_payment_is_in_all_views_in_the_end(desk: Desk) -> None:
    found = await books_after(desk, late_s=300)
    assert [(row["state"], row["why"]) for row in found] == [("agree", "")] * 2


async def test_a_second_row_of_a_payment_changes_no_result_and_is_told(desk: Desk) -> None:
    """The venue's list says what its cash does not: our fills and its cash make the result."""
    found = await books_after(desk, twice=Twice.OTHER_ID)
    assert [row["state"] for row in found] == ["differ"] * 2
    assert all(row["fills_usd"] == row["balance_usd"] for row in found)
    assert any("not in our books" in alert.text for alert in desk.store.unacknowledged())


@pytest.mark.parametrize("job", ["monitor", "ends"])
async def test_the_end_of_an_order_is_sought_though_the_other_legs_venue_is_away(
    desk: Desk, tmp_path: Path, job: str
) -> None:
    """The order is on the venue that answers again; nobody trades on the other one for minutes."""
    hedge = await desk.open("ETH", 300)
    first, other = (X10, LIGHTER) if job == "monitor" else (LIGHTER, X10)
    trades = "/user/trades" if first == X10 else "trades"
    desk.world.rewrite(first, trades, **DOWN)
    await desk.trader.executor.close(hedge, "asked for", hurry=True, first=first)
    desk.world.change_market(other, "ETH", liquidity={"depth_usd": 0})
    daemon = Daemon(desk.trader, Home(tmp_path))
    await desk.world.pass_time(LAG_PASSED_S)
    desk.store.observe([await desk.trader.venues[first].position(Symbol("ETH"))])
    await daemon.returns()
    assert desk.trader.returns.waits(desk.store.hedge(hedge.id))
    await daemon.ends()
    desk.world.no_rewrites()

    for _ in range(10):
        await desk.world.pass_time(10)
        await getattr(daemon, job)()

    assert desk.store.open_intents(hedge.id) == []
    assert desk.position(other) != 0
    desk.world.change_market(other, "ETH", liquidity=None)
    await daemon.returns()
    assert desk.store.hedge(hedge.id).state is State.CLOSED
    desk.assert_flat()
