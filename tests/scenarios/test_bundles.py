"""What the whole program leaves in its ledger for a bundle, and what a replay makes of it."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hedger.audit import bundle
from hedger.domain.hedge import Hedge, State
from hedger.ledger.records import OrderState
from tests.desk import Desk
from tests.scenarios.forgetful import turn
from tests.scenarios.scenes import a_pair_at_rest

ROOT = Path(__file__).resolve().parents[2]
LONG = 6
PLAIN = re.compile(r"[A-Z]+(?:-[A-Z]+)?|-?\d+\.\d+|premium|lighter")
"""No ids: words of the protocol, names of markets, amounts."""


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


@pytest.mark.sandbox(tier="premium")
async def test_no_id_key_or_address_of_a_real_run_is_in_its_bundle(desk: Desk) -> None:
    desk.world.fault("lighter", "refuse", code=21739, message="account 65 at lighter", times=1)
    desk.world.fault("x10", "drop_answer", when="before", reduce_only=True)
    hedge = await desk.open("ETH", 300)
    second = await desk.open("SOL", 300)
    await desk.close(second)
    told = json.dumps(bundled(desk, hedge)) + json.dumps(bundled(desk, second))
    line = desk.world.line
    ours = {str(value) for venue in ("x10", "lighter") for value in leaves(line[venue])}
    for one in (hedge, second):
        ours |= {one.id, *(str(f["trade_id"]) for f in desk.rows("fills", hedge=one.id))}
        for record in desk.orders(one):
            prepared = record.prepared
            body = json.loads(prepared.payload)
            ours |= {prepared.order.id, prepared.client_id, prepared.account, str(prepared.lane)}
            ours |= {str(prepared.tx_hash), str(record.venue_order_id), *map(str, leaves(body))}

    ids = {text for text in ours if len(text) >= LONG and not PLAIN.fullmatch(text)}
    assert len(ids) > 30
    assert [text for text in sorted(ids) if text in told] == []
    assert "127.0.0.1" not in told


def leaves(value: Any) -> Iterator[Any]:
    """Every text and number in a structure, also in JSON within JSON."""
    if isinstance(value, dict):
        for part in value.values():
            yield from leaves(part)
    elif isinstance(value, list):
        for part in value:
            yield from leaves(part)
    elif isinstance(value, str) and value.startswith("{"):
        yield from leaves(json.loads(value))
    elif value is not None:
        yield value
