"""What a full disk could not take is told as soon as there is room, and then once."""

from collections.abc import Awaitable, Callable
from decimal import Decimal

import pytest

from hedger.errors import UnwritableError
from tests.desk import Desk
from tests.disk import without_room
from tests.scenarios.test_deleveraging import glances, move_price, near, reductions, small
from tests.scenarios.test_risk_c import check_units, misread, told
from tests.scenarios.test_signed_bytes import lighter_signs
from tests.world import LIGHTER, X10


async def refused(work: Callable[[], Awaitable[object]]) -> None:
    """The disk is full, and the work says so or goes on without."""
    try:
        await work()
    except* UnwritableError:
        pass


def alerts(desk: Desk, words: str) -> int:
    return sum(words in alert.text for alert in desk.store.alerts_after(0))


async def test_rates_in_doubt(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    units = desk.trader.riskdesk.units
    with misread(monkeypatch, "rate_1h_of_fundings", 8):
        with without_room(desk.store, site="alert"):
            await refused(lambda: check_units(desk))
        assert "lighter" in units.in_doubt  # nothing is opened meanwhile
        for _ in range(2):
            await check_units(desk)
    assert alerts(desk, "the rates of lighter are in doubt") == 1
    assert "the rates of lighter are in doubt since" in told(desk)


async def test_rates_that_are_right_again(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    with misread(monkeypatch, "rate_1h_of_fundings", 8):
        await check_units(desk)
    for _ in range(8):
        with without_room(desk.store, site="event"):
            await refused(lambda: check_units(desk))
    assert "the rates of lighter are in doubt since" in told(desk)
    await check_units(desk)
    assert "in doubt since" not in told(desk)


@pytest.mark.config(risk={"max_day_loss_usd": 50, "max_drawdown_usd": 80})
async def test_a_loss_that_stops_new_hedges(desk: Desk) -> None:
    await desk.open("ETH", 300)
    desk.world.exchange(X10).deposit(desk.world.account(X10), Decimal(-60))
    with without_room(desk.store, site="alert"):
        await refused(desk.trader.guard.run)
    for _ in range(2):
        await desk.trader.guard.run()
    assert alerts(desk, "no new hedges: 60.") == 1


@small
@pytest.mark.config(
    risk={"min_free_margin_share": 0, "reduce_max_steps": 1, "reduce_share": "0.05"}
)
async def test_the_limit_of_reductions(desk: Desk) -> None:
    await desk.open("ETH", 500)
    move_price(desk, near(desk, LIGHTER))
    with without_room(desk.store, site="alert", after=1):  # that both legs were reduced
        await refused(lambda: glances(desk, 2))
    assert reductions(desk)
    assert alerts(desk, "risk.reduce_max_steps") == 0
    await glances(desk, 3)
    assert alerts(desk, "risk.reduce_max_steps") == 1


async def test_a_signer_that_signs_another_order(desk: Desk) -> None:
    hedge = await desk.open("ETH", 300)
    lighter_signs(desk, "size", lambda size: size - 1)
    with without_room(desk.store, site="alert"):
        await refused(lambda: desk.close(hedge))
    await refused(lambda: desk.close(desk.store.hedge(hedge.id)))
    assert alerts(desk, "it was not sent") == 1
