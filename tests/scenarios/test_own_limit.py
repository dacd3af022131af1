"""
Our own share of a venue's request limit is used up (issue C, §1 and §3).

What we did not ask says nothing about the venue: its rates are not doubted for it. But what is
never checked is not believed for ever either.
"""

import pytest

from adapters.budget import WINDOW_S, Budget
from hedger.domain.hedge import State
from hedger.domain.ids import VenueId
from hedger.errors import KeptBackError, UsageError
from hedger.ledger.store import Store
from hedger.standing import standing
from hedger.unitcheck import TURNS_MISSED, UnitCheck
from tests.desk import Desk
from tests.world import LIGHTER, X10

PER_MINUTE = 100
PACE_S = 60.0  # jobs.units of the sandbox's configuration


def limited(desk: Desk, monkeypatch: pytest.MonkeyPatch, venue: VenueId = X10) -> Budget:
    """The public endpoints of a venue get a request limit."""
    budget = Budget(venue, desk.world.clock, PER_MINUTE)
    monkeypatch.setattr(desk.trader.quotes[venue]._http, "_budget", budget)  # type: ignore[attr-defined]  # of the adapter, not the port
    return budget


def use_up(budget: Budget) -> None:
    """As orders and exits do: nothing else gets a request for a minute."""
    for _ in range(PER_MINUTE):
        budget.spend("orders", urgent=True)


def units_of(desk: Desk) -> UnitCheck:
    return desk.trader.riskdesk.units


def alerts(store: Store) -> list[str]:
    return [alert.text for alert in store.unacknowledged()]


async def test_s28_our_own_request_limit_puts_no_venue_in_doubt(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not checked now is no unit error: nobody is called, and what was judged stands."""
    budget, units = limited(desk, monkeypatch), units_of(desk)
    await units.run(first=True)
    for _ in range(TURNS_MISSED):
        use_up(budget)
        await units.run()
        assert (units.in_doubt, alerts(desk.store)) == ({}, [])
        await desk.world.pass_time(PACE_S)

    await units.run()  # the limit is free again
    use_up(budget)
    await units.run()

    assert (units.in_doubt, alerts(desk.store)) == ({}, [])  # counted anew


async def test_s28_what_our_own_limit_keeps_from_being_checked_is_doubted_in_the_end(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Five turns without an answer: then nothing is opened, until one is answered."""
    budget, units = limited(desk, monkeypatch), units_of(desk)
    await units.run(first=True)
    for _ in range(TURNS_MISSED + 1):
        use_up(budget)
        await units.run()
        await desk.world.pass_time(PACE_S)

    assert "could not be checked for 300 s, for our own request limit" in units.in_doubt[X10]
    assert [row["venue"] for row in standing(desk.store)["units"]] == [X10]
    (alert,) = alerts(desk.store)
    assert "the rates of x10 are in doubt" in alert
    await units.run()
    assert units.in_doubt == {}
    assert standing(desk.store)["units"] == []


async def test_s28_a_venue_that_was_never_looked_at_opens_nothing_and_nobody_is_called(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Units that nobody has checked are not believed, whoever kept them from being checked."""
    budget, units = limited(desk, monkeypatch), units_of(desk)
    use_up(budget)

    await units.run(first=True)

    assert "could not be checked yet" in units.in_doubt[X10]
    assert LIGHTER not in units.in_doubt
    assert alerts(desk.store) == []
    await desk.world.pass_time(WINDOW_S)
    with pytest.raises(UsageError, match="the rates of x10 are in doubt"):
        await desk.open("ETH", 300)
    await units.run(first=True)
    assert (await desk.open("ETH", 300)).state is State.OPEN
    assert alerts(desk.store) == []


async def test_s28_half_a_first_turn_is_no_check(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The limit ends after a few symbols, which judge nothing: the next turn asks enough."""
    desk.world.advance_market(hours=1.02)
    budget, units = limited(desk, monkeypatch), units_of(desk)
    for _ in range(int(PER_MINUTE * 0.7) - 4):
        budget.spend("orders", urgent=True)

    await units.run(first=True)

    assert "could not be checked yet" in units.in_doubt[X10]
    assert alerts(desk.store) == []
    await desk.world.pass_time(WINDOW_S)
    await units.run()
    assert units.in_doubt == {}


async def test_who_opens_without_a_daemon_checks_once_per_turn_and_not_per_hedge(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Thirty hedges a minute asked for the units each time, and used the whole limit up."""
    budget, units = limited(desk, monkeypatch), units_of(desk)
    await units.fresh()
    used = budget._sum
    assert used > 10

    await units.fresh()
    assert budget._sum == used

    await desk.world.pass_time(PACE_S)
    await units.fresh()
    assert budget._sum > 10


async def test_what_the_limit_keeps_back_names_how_long_to_wait(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    budget = limited(desk, monkeypatch)
    budget.spend("orders", urgent=True)
    await desk.world.pass_time(20)
    use_up(budget)

    with pytest.raises(KeptBackError) as refused:
        await desk.trader.quotes[X10].funding()

    assert refused.value.wait_s == pytest.approx(WINDOW_S)  # 31 of them have to be forgotten
    await desk.world.pass_time(refused.value.wait_s)
    assert await desk.trader.quotes[X10].funding()


@pytest.mark.parametrize("venue", [X10, LIGHTER])
async def test_our_own_limit_holds_back_no_read_that_an_exit_is_proven_by(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, venue: VenueId
) -> None:
    """What is kept back is kept for exits, and the look at the market is part of one."""
    hedge = await desk.open("ETH", 300)
    use_up(limited(desk, monkeypatch, venue))

    assert (await desk.close(hedge)).state is State.CLOSED
