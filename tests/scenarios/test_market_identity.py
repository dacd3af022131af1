"""A market is the venue's number, whatever it is called, and there is one row of it."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from hedger.daemon import Daemon
from hedger.domain.hedge import State
from hedger.domain.ids import Symbol, VenueId
from hedger.domain.order import Found
from hedger.errors import DriftError, UnwritableError, UsageError, VenueError
from hedger.home import Home
from tests.desk import Desk
from tests.disk import without_room
from tests.scenarios.scenes import a_pair_at_rest, other
from tests.world import LIGHTER, X10

ETH = Symbol("ETH")
X10_STEP = Decimal("0.001")


def alerts(desk: Desk) -> str:
    return "; ".join(alert.text for alert in desk.store.alerts_after(0))


@pytest.mark.parametrize(("venue", "name"), [(LIGHTER, "WETH"), (X10, "WETH-USD")])
@pytest.mark.parametrize("again", [False, True])
async def test_b06_a_renamed_market_is_the_same_hedge_s_market(
    desk: Desk, venue: str, name: str, *, again: bool
) -> None:
    hedge = await desk.open("ETH", 300)
    desk.world.change_market(venue, "ETH", name=name)
    if again:
        await desk.reborn()

    report = await desk.trader.hold_against_accounts()

    assert report.differences == []
    assert desk.store.hedge(hedge.id).state is State.OPEN
    await desk.world.pass_time(50)
    await desk.trader.facts.look()
    assert f"{venue} changed ETH: name " in alerts(desk)
    assert (await desk.close(hedge)).state is State.CLOSED
    desk.assert_flat()


@pytest.mark.parametrize(("venue", "name"), [(LIGHTER, "WETH"), (X10, "WETH-USD")])
async def test_b06_a_market_that_was_renamed_a_moment_ago_is_not_flat(
    desk: Desk, venue: str, name: str
) -> None:
    """Nothing is listed under the name that was known: that is no zero."""
    hedge = await a_pair_at_rest(desk)
    desk.world.change_market(venue, "ETH", name=name)
    port = desk.trader.venues[VenueId(venue)]

    assert (await port.traded(ETH, hedge.created_at)).net == desk.position(venue)
    desk.world.change_market(venue, "ETH", name=f"W{name}")
    assert (await port.position(ETH)).size == desk.position(venue) != 0
    desk.world.change_market(venue, "ETH", name=f"WW{name}")
    assert (await desk.close(hedge)).state is State.CLOSED
    desk.assert_flat()
    desk.assert_ledger_is_true()


@pytest.mark.parametrize(("venue", "name"), [(LIGHTER, "WETH"), (X10, "WETH-USD")])
async def test_a_name_that_comes_a_second_time_is_no_unexplained_position(
    desk: Desk, venue: str, name: str
) -> None:
    """The list was read for a new name once: what is held under it later was a stranger's."""
    hedge = await a_pair_at_rest(desk)
    before = desk.world.exchange(venue).rules["ETH"].name
    desk.world.change_market(venue, "ETH", name=name)
    assert (await desk.trader.hold_against_accounts()).differences == []
    desk.world.change_market(venue, "ETH", name=before)
    await desk.world.pass_time(50)
    await desk.trader.facts.look()
    desk.world.change_market(venue, "ETH", name=name)
    assert (await desk.trader.hold_against_accounts()).differences == []

    assert [each.id for each in desk.store.live()] == [hedge.id]
    assert (await desk.close(hedge)).state is State.CLOSED
    desk.assert_flat()


@pytest.mark.parametrize(("venue", "name"), [(LIGHTER, "WETH"), (X10, "WETH-USD")])
async def test_b06_an_order_under_a_name_that_is_heard_no_more_is_no_contradiction(
    desk: Desk, venue: str, name: str
) -> None:
    """The market has its first name again, and a process begins that never heard the other one."""
    before = desk.world.exchange(venue).rules["ETH"].name
    hedge = await a_pair_at_rest(desk)
    desk.world.change_market(venue, "ETH", name=name)
    await desk.trader.hold_against_accounts()
    await desk.close(hedge)
    desk.world.change_market(venue, "ETH", name=before)
    await desk.reborn()

    for record in desk.orders(hedge):
        found = await desk.trader.venues[record.prepared.order.venue].find(record.prepared)
        assert isinstance(found, Found)
        assert (found.final, found.filled) == (True, record.filled_size)
        assert sum(fill.size for fill in found.fills) == found.filled


@pytest.mark.parametrize(("venue", "name"), [(LIGHTER, "WETH"), (X10, "WETH-USD")])
async def test_b06_orders_of_a_market_that_was_renamed_since_are_no_contradiction(
    desk: Desk, venue: str, name: str
) -> None:
    hedge = await a_pair_at_rest(desk)
    placed = [each.prepared for each in desk.store.orders_of(hedge.id)]
    (prepared,) = [each for each in placed if each.order.venue == venue]
    desk.world.change_market(venue, "ETH", name=name)
    await desk.world.pass_time(60)
    await desk.trader.facts.look()

    found = await desk.trader.venues[VenueId(venue)].find(prepared)

    assert isinstance(found, Found)
    assert (found.final, found.filled) == (True, prepared.order.size)
    assert sum(fill.size for fill in found.fills) == found.filled


@pytest.mark.parametrize(("venue", "name"), [(LIGHTER, "WETH"), (X10, "WETH-USD")])
async def test_b06_what_was_paid_on_a_market_that_was_renamed_a_moment_ago_is_its_payment(
    desk: Desk, venue: str, name: str
) -> None:
    hedge = await desk.open("ETH", 300)
    upcoming = await desk.trader.quotes[VenueId(venue)].next_settlement()
    desk.world.advance_market(hours=1.05)
    await desk.world.pass_time(60)
    desk.world.change_market(venue, "ETH", name=name)
    port = desk.trader.venues[VenueId(venue)]

    paid = await port.funding_payments(upcoming)
    pages = [await port.history(s, hedge.created_at, None) for s in port.capabilities.books.streams]

    assert {one.symbol for one in paid} == {ETH}
    assert {entry.symbol for page in pages for entry in page.entries} == {ETH}


async def test_b06_another_number_under_the_same_name_opens_nothing_and_breaks_nothing(
    desk: Desk,
) -> None:
    hedge = await desk.open("ETH", 300)
    desk.world.change_market(LIGHTER, "ETH", number=177)

    report = await desk.trader.hold_against_accounts()

    assert LIGHTER in report.in_doubt
    assert "has the number 177, and ETH is number 0" in report.in_doubt[VenueId(LIGHTER)]
    assert desk.store.hedge(hedge.id).state is State.OPEN
    assert desk.position(X10) == -desk.position(LIGHTER) != 0
    await desk.world.pass_time(50)
    await desk.trader.facts.look()
    assert "ETH is number 0" in alerts(desk)


@pytest.mark.parametrize("site", ["event", "alert"])
async def test_b06_another_number_is_told_once_when_the_full_disk_has_room_again(
    desk: Desk, site: str
) -> None:
    await desk.open("ETH", 300)
    desk.world.change_market(LIGHTER, "ETH", number=177)
    await desk.world.pass_time(61)
    with without_room(desk.store, site=site), pytest.raises(UnwritableError):
        await desk.trader.facts.look()
    assert "ETH is number 0" not in alerts(desk)

    for _ in range(2):
        await desk.world.pass_time(61)
        await desk.trader.facts.look()

    assert alerts(desk).count("ETH is number 0") == 1


async def test_b06_two_markets_of_one_name_are_not_opened(desk: Desk) -> None:
    _doubled(desk, "order_book_details")
    with pytest.raises((UsageError, VenueError), match=r"no active market|twice"):
        await desk.open("ETH", 300)
    desk.assert_flat()


async def test_b06_two_positions_of_one_market_are_drift_for_that_market_alone(
    desk: Desk,
) -> None:
    """The last of two rows won, and half of a position was never looked at."""
    await desk.open("ETH", 300)
    await desk.open("SOL", 300)
    _doubled(desk, "positions")
    venue = desk.trader.venues[VenueId(LIGHTER)]

    with pytest.raises(DriftError, match="two positions of ETH"):
        await venue.position(ETH)
    with pytest.raises(DriftError, match="two positions of ETH"):
        await venue.positions()
    assert (await venue.position(Symbol("SOL"))).size != 0


async def test_b06_while_positions_are_doubled_no_leg_is_touched(desk: Desk) -> None:
    hedge = await desk.open("ETH", 300)
    _doubled(desk, "positions")

    report = await desk.trader.hold_against_accounts()

    assert LIGHTER in report.in_doubt
    assert desk.store.hedge(hedge.id).state is State.OPEN
    assert desk.naked() == 0
    assert desk.position(X10) != 0


def _doubled(desk: Desk, key: str) -> None:
    """Lighter's answers list the ETH row of ``key`` twice."""
    path = "/orderBookDetails" if key == "order_book_details" else "/account"
    client: Any = desk.world
    client.rewrite(
        LIGHTER,
        path,
        times=0,
        replace=[{"find": f'"{key}": [', "with": f'"{key}": [{ROWS[key]}, '}],
    )


ROWS = {
    "order_book_details": (
        '{"symbol": "ETH", "market_id": 0, "market_type": "perp", "status": "active",'
        ' "supported_size_decimals": 3, "supported_price_decimals": 2,'
        ' "min_base_amount": "0.01", "min_quote_amount": "10", "mark_price": "1",'
        ' "index_price": "1", "open_interest": 1}'
    ),
    "positions": (
        '{"symbol": "ETH", "market_id": 0, "sign": 1, "position": "1.5", "avg_entry_price": "1",'
        ' "initial_margin_fraction": "20.00", "open_order_count": 0, "pending_order_count": 0}'
    ),
}


async def test_b06_another_asset_under_the_same_name_on_x10_opens_nothing(desk: Desk) -> None:
    hedge = await desk.open("ETH", 300)
    desk.world.change_market(X10, "ETH", synthetic_id="0x7777")
    await desk.world.pass_time(50)
    await desk.trader.facts.look()
    assert "has the number 0x7777" in alerts(desk)
    assert desk.store.hedge(hedge.id).state is State.OPEN
    assert desk.naked() == 0
    with pytest.raises(UsageError, match="no active market on x10"):
        await desk.open("ETH", 300)


@pytest.mark.parametrize("venue", [X10, LIGHTER])
async def test_a_leg_comes_down_to_what_is_left_on_a_market_that_is_not_listed_any_more(
    desk: Desk, venue: str
) -> None:
    """The new process has read the rules of that market nowhere: the ledger has kept them."""
    hedge = await desk.open("ETH", 300)
    desk.world.fault(venue, "liquidate", market="ETH", fraction="0.5")
    desk.world.change_market(venue, "ETH", listed=False)
    await desk.reborn()

    for _ in range(3):
        await desk.trader.reconcile(desk.said.append)
        await desk.world.pass_time(20)

    assert abs(desk.naked()) < X10_STEP
    assert desk.position(venue) != 0
    desk.world.change_market(venue, "ETH", listed=True)
    await desk.world.pass_time(60)
    assert (await desk.close(desk.store.hedge(hedge.id))).state is State.CLOSED
    desk.assert_flat()


@pytest.mark.parametrize("venue", [X10, LIGHTER])
async def test_a_leg_alone_on_a_market_that_is_not_listed_goes_as_soon_as_it_is(
    desk: Desk, tmp_path: Path, venue: str
) -> None:
    """Trying it twelve times would tell nothing: a person is told, and the list is watched."""
    hedge = await desk.open("ETH", 300)
    desk.world.fault(other(venue), "liquidate", market="ETH")
    desk.world.change_market(venue, "ETH", listed=False)
    await desk.reborn()
    began_s = desk.world.clock.monotonic_s()

    await desk.trader.reconcile(desk.said.append)

    escalated = desk.store.hedge(hedge.id)
    assert escalated.state is State.ESCALATED
    assert f"{venue}: market ETH is not listed there" in escalated.reason
    assert desk.world.clock.monotonic_s() - began_s < 20
    daemon = Daemon(desk.trader, Home(tmp_path))
    await daemon.returns()
    desk.world.change_market(venue, "ETH", listed=True)
    await daemon.returns()
    desk.assert_flat()


@pytest.mark.parametrize("venue", [X10, LIGHTER])
async def test_a_market_that_is_in_drift_hides_no_other_hedge(desk: Desk, venue: str) -> None:
    """A leg that was taken by force was not seen while another market had a new number (26008)."""
    eth, sol = await desk.open("ETH", 300), await desk.open("SOL", 300)
    again: dict[str, Any] = {"number": 77} if venue == LIGHTER else {"synthetic_id": "0x7777"}
    desk.world.change_market(venue, "ETH", **again)
    desk.world.fault(venue, "liquidate", market="SOL")
    await desk.world.pass_time(60)

    await desk.trader.reconciler.glance()

    assert desk.position(X10, "SOL") == desk.position(LIGHTER, "SOL") == 0
    assert desk.store.hedge(sol.id).state is State.CLOSED
    assert desk.store.hedge(eth.id).state is State.OPEN
