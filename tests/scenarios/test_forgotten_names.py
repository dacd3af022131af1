"""A market is renamed or leaves the list while the ledger forgets the hedge that stands on it."""

import pytest

from hedger.daemon import Daemon
from hedger.domain.hedge import State
from hedger.domain.ids import Symbol
from hedger.home import Home
from hedger.ledger import migrate
from tests.desk import Desk
from tests.scenarios.test_ledger_behind import BOTH, put_back, remove
from tests.scenarios.test_restarting import between, make_every_request_slow, stopped_after
from tests.world import LIGHTER, X10

ETH = Symbol("ETH")
RENAMED = pytest.mark.parametrize(("venue", "name"), [(LIGHTER, "WETH"), (X10, "WETH-USD")])


async def lose_the_ledger(desk: Desk) -> None:
    desk.store.close()
    remove(desk.path)
    migrate.upgrade(desk.path, desk.world.clock)
    await desk.reborn()


async def again(desk: Desk) -> None:
    """The daemon's own next looks."""
    daemon = Daemon(desk.trader, Home(desk.path.parent))
    for _ in range(3):
        await desk.world.pass_time(60)
        await daemon.monitor()
        await daemon.returns()
        await daemon.reconcile()


def symbols(desk: Desk) -> set[str]:
    return {row["symbol"] for row in desk.rows("hedges")}


@BOTH
@RENAMED
async def test_an_older_copy_still_knows_which_market_a_new_name_is(
    desk: Desk,
    venue: str,
    name: str,
    kind: str,  # noqa: ARG001 - of account: the mark has configured the desk
) -> None:
    """The forgotten hedge is one hedge on one market, whatever that is called by now."""
    await desk.trader.facts.look()
    await desk.trader.facts.before(await desk.open("SOL", 300))
    with put_back(desk):
        forgotten = await desk.open("ETH", 300)
    desk.world.change_market(venue, "ETH", name=name)

    await desk.reborn()
    await desk.trader.reconcile(desk.said.append)

    assert symbols(desk) == {"SOL", "ETH"}
    assert desk.store.hedge(forgotten.id).state is State.CLOSED
    assert desk.position(X10) == desk.position(LIGHTER) == 0
    desk.assert_ledger_is_true()


@RENAMED
@pytest.mark.config(account={"dedicated": True})
async def test_a_lost_ledger_and_a_new_name_end_flat(desk: Desk, venue: str, name: str) -> None:
    """
    Nobody knows that the two names are one market: each venue's leg is taken off by itself, and
    on the venue that has no such market there is nothing.
    """
    await desk.open("ETH", 300)
    desk.world.change_market(venue, "ETH", name=name)

    await lose_the_ledger(desk)
    await desk.trader.reconcile(desk.said.append)
    await desk.world.pass_time(60)
    await again(desk)

    desk.assert_flat()
    assert desk.store.live() == []


@BOTH
@pytest.mark.parametrize("stop_s", between(1.6, 2.6))
async def test_a_name_under_which_a_lost_leg_was_taken_up_is_its_market_s_for_good(
    desk: Desk,
    stop_s: float,
    kind: str,  # noqa: ARG001 - of account: the mark has configured the desk
) -> None:
    """The process that took it up ended, and the market was given its old name back meanwhile."""
    await desk.open("ETH", 300)
    before = desk.world.exchange(X10).rules["ETH"].name
    desk.world.change_market(X10, "ETH", name="WETH-USD")
    make_every_request_slow(desk)

    await stopped_after(lose_the_ledger(desk), stop_s)
    desk.world.change_market(X10, "ETH", name=before)
    await desk.reborn()
    await desk.trader.reconcile(desk.said.append)
    await again(desk)

    assert not desk.store.open_intents()
    assert desk.store.live() == []
    desk.assert_flat()
    desk.assert_ledger_is_true()


@BOTH
async def test_a_hedge_of_a_name_that_no_venue_has_any_more_is_over_where_nothing_is_held(
    desk: Desk,
    kind: str,  # noqa: ARG001 - of account: the mark has configured the desk
) -> None:
    """A lost ledger took a name that did not last for a market, and what it held is flat."""
    await desk.open("ETH", 300)

    orphan = await desk.trader.reconciler.take_off(Symbol("GONE"), "nothing explains it")

    assert orphan is not None
    assert desk.store.hedge(orphan.id).state is State.CLOSED
    assert desk.position(X10) == -desk.position(LIGHTER) != 0


@pytest.mark.parametrize("venue", [LIGHTER, X10])
@pytest.mark.config(account={"dedicated": True})
async def test_a_lost_ledger_and_a_market_that_left_the_list_are_one_symbol(
    desk: Desk, venue: str
) -> None:
    """Orders name it by its number there, positions by its name."""
    await desk.open("ETH", 300)
    desk.world.change_market(venue, "ETH", listed=False)

    await lose_the_ledger(desk)
    await desk.trader.reconcile(desk.said.append)
    assert symbols(desk) == {"ETH"}
    desk.world.change_market(venue, "ETH", listed=True)
    await again(desk)

    desk.assert_flat()
    assert desk.store.live() == []
