"""What the whole program leaves in its ledger for a bundle, and what a replay makes of it."""

import subprocess
import sys
from pathlib import Path
from typing import Any

from hedger.audit import bundle
from hedger.domain.hedge import Hedge, State
from hedger.ledger.records import OrderState
from tests.desk import Desk
from tests.scenarios.forgetful import turn
from tests.scenarios.scenes import a_pair_at_rest

ROOT = Path(__file__).resolve().parents[2]


def bundled(desk: Desk, hedge: Hedge) -> dict[str, Any]:
    return bundle.gathered(
        desk.path, hedge.id, settings=desk.config.model_dump(mode="json"), environment="sandbox",
        now=desk.world.clock.now(),
    )  # fmt: skip


def replayed(desk: Desk, hedge: Hedge, folder: Path) -> str:
    """In a process of its own: this one's loop is running."""
    to = folder / "bundle.json"
    bundle.written(bundled(desk, hedge), to)
    done = subprocess.run(
        [sys.executable, "-m", "tests.simulation", "--replay", str(to)],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


async def test_every_order_keeps_the_rules_that_it_was_made_by(desk: Desk) -> None:
    """Also of a market that changes while the hedge is open."""
    hedge = await a_pair_at_rest(desk)
    desk.world.change_market("x10", "ETH", min_size="0.02")
    await desk.world.pass_time(70)
    await desk.trader.facts.look()
    hedge = await desk.close(hedge)
    assert hedge.state is State.CLOSED

    found = bundled(desk, hedge)

    told = {(row["venue"], row["purpose"]): row["rules"]["min_size"] for row in found["orders"]}
    assert told["x10", "open"] == "0.01"
    assert told["x10", "close"] == "0.02"
    assert found["markets"]["lighter"]["known_from"] == "its first order"
    assert any(row["kind"] == "market_changed" for row in found["events"])


async def test_an_end_that_was_none_happens_again(desk: Desk, tmp_path: Path) -> None:
    """The venue broke its word then, and does in the replay: that is no fault of the program."""
    desk.world.fault("x10", "late_rest", fraction="0.4", seconds=30, reduce_only=False)
    hedge = await desk.open("ETH", 300)
    await desk.world.pass_time(35)
    for _ in range(4):
        await turn(desk)
    (first, *_) = desk.orders(hedge)
    assert first.state is OrderState.FILLED

    told = replayed(desk, hedge, tmp_path)

    assert "order 1 meets: filled 0.400 of it, the rest" in told
    assert "violations: 0" in told


async def test_a_venue_that_was_not_reached_between_the_legs_is_not_reached_again(
    desk: Desk, tmp_path: Path
) -> None:
    desk.world.rewrite("lighter", "orderBookOrders", skip=1, times=0, status=502, body="<html>")
    hedge = await desk.open("ETH", 300)
    assert hedge.state is State.CLOSED
    assert "leg B was not sent: lighter: " in hedge.reason
    told = replayed(desk, hedge, tmp_path)

    assert "nobody reaches lighter until the hedge is converging" in told
    assert "does not part" in told
