"""What a full disk could not take is told as soon as there is room, and then once."""

import json
from collections.abc import Awaitable, Callable
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from hedger.clockwatch import CLOCK, ClockWatch
from hedger.daemon import Daemon
from hedger.domain.hedge import State
from hedger.domain.ids import VenueId
from hedger.errors import UnwritableError
from hedger.home import Home
from hedger.settings_recovery import Recovery
from hedger.venueclock import Offset
from tests.desk import Desk
from tests.disk import without_room
from tests.scenarios.test_deleveraging import glances, move_price, near, reductions, small
from tests.scenarios.test_risk_c import check_units, misread, told
from tests.scenarios.test_signed_bytes import lighter_signs
from tests.unit.ledger.build import a_store
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


def test_a_clock_that_has_run_off(tmp_path: Path) -> None:
    """`hedger status` reads what is kept of it."""
    store = a_store(tmp_path)
    lighter: Any = SimpleNamespace(offset=Offset(low_s=60.0, high_s=61.0, measured_at=store.now()))
    watch = ClockWatch(venues={VenueId(LIGHTER): lighter}, store=store, rules=Recovery())
    with without_room(store), pytest.raises(UnwritableError):
        watch.look()
    for _ in range(2):
        watch.look()
    assert json.loads(store.meta(CLOCK + LIGHTER) or "{}")["beyond"] is True
    assert [alert.text for alert in store.unacknowledged()] == watch.held_back()


@pytest.mark.config(exit={"min_margin_ratio": 1000, "basis_profit_bps": None})
@pytest.mark.parametrize("site", ["decide", "alert"])
async def test_why_a_hedge_is_left(desk: Desk, tmp_path: Path, site: str) -> None:
    hedge = await desk.open("ETH", 300)
    daemon = Daemon(desk.trader, Home(tmp_path))
    with without_room(desk.store, site=site):
        await refused(daemon.rates)
    await daemon.rates()
    assert desk.store.hedge(hedge.id).state is State.CLOSED
    assert alerts(desk, "times what the position needs") == 1
    assert any(row["about"] == "exit" for row in desk.rows("decisions"))
