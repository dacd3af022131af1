"""
The daemon killed at five labels, each time in the recovery from the time before (S1, S2, S30).

``bin/crash`` walks all labels; this is the short way through the ones that matter most.
"""

import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from hedger import log
from tests.crash import scenes
from tests.crash.rig import STOP_S, Rig


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    umask = os.umask(0o022)
    rig = Rig(tmp_path)
    await rig.begin()
    try:
        yield rig
    finally:
        await rig.end()
        os.umask(umask)
        log.configure()


def command(rig: Rig, *words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "hedger", *words, "--config", str(rig.config)],
        env={**os.environ, "HEDGER_HOME": str(rig.home.root)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


async def killed_at(rig: Rig, label: str) -> None:
    """One life that ends there, at work or before that in recovery."""
    rig.start(f"{label}:1")
    if await rig.ready():
        await scenes.plain(rig, random.Random(5))
    assert await rig.died(20), f"{label} was not passed"
    assert rig.exit_code == -signal.SIGKILL
    await rig.intents_come_first()


async def test_killed_in_recovery_after_recovery_it_accounts_for_all_and_says_so(rig: Rig) -> None:
    await killed_at(rig, "submit_open.after")  # leg 1 is out, its answer read and not recorded
    seen = command(rig, "status")
    assert "no daemon is running" in seen.stderr
    assert "opening_a" in seen.stdout
    await killed_at(rig, "settle.before")  # its fill is known, and not yet on the disk
    await killed_at(rig, "move_converging.after")  # too late for leg 2: on the way back
    await killed_at(rig, "prepare.after")  # signed, and neither committed nor sent
    await killed_at(rig, "submit_rollback.after")  # the order that takes leg 1 off is out

    rig.start()
    assert await rig.ready()
    await rig.at_rest()
    await rig.compare(flat=True)
    assert [row["purpose"] for row in rig.rows("orders")] == ["open", "rollback"]  # once each
    (hedge,) = rig.rows("hedges")
    assert_told(rig, hedge, rig.rows("orders")[1])
    assert await rig.stop() < STOP_S


def assert_told(rig: Rig, hedge: dict[str, Any], order: dict[str, Any]) -> None:
    """In plain words: what was unfinished, what was done about it, and the whole story."""
    whole = json.loads(command(rig, "status", "--format", "json").stdout)
    text = command(rig, "status").stderr
    assert "ended without a goodbye" in whole["recovery"]["crash"]
    (taken_up,) = whole["recovery"]["hedges"]
    assert taken_up["hedge"] == hedge["id"]
    assert taken_up["unknown_orders"] == [order["id"]]
    assert f"nobody knew what became of {order['id']} (reducing: " in text
    assert f"Order {order['id']} had filled {order['filled_size']}" in text
    assert "the hedge is closed" in text

    events = command(rig, "audit", "events", "--hedge", hedge["id"], "--format", "json")
    story = [row["text"] for row in json.loads(events.stdout)]
    assert "approved" in story[0]
    assert any("filled" in line for line in story)
    assert sum("taken up after the process had ended" in line for line in story) == 5
    assert "the hedge is closed" in story[-1]


async def test_sigterm_in_a_recovery_that_waits_ends_in_time(rig: Rig) -> None:
    """Leg 1 never reached the venue, so its fence holds recovery up for twenty seconds."""
    rig.start("submit_open.before:1")
    assert await rig.ready()
    await scenes.plain(rig, random.Random(5))
    assert await rig.died(20)
    rig.start()
    await rig.recovering()

    took_s = await rig.stop()

    assert took_s < STOP_S
    assert {row["state"] for row in rig.rows("orders")} <= {"prepared", "dead"}
