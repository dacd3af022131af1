"""
An answer that cannot be read comes between the legs: what it was about is looked up and ended.

The answers are made by the sandbox in the place of the venue's, as a proxy before it would.
"""

import asyncio
import json
from decimal import Decimal
from typing import Any

import pytest

from hedger.domain.hedge import State
from hedger.domain.order import Purpose
from tests.contract import hostile
from tests.desk import Desk
from tests.world import LIGHTER, X10

SENDS = {X10: "/user/order$", LIGHTER: "/sendTx$"}
PRIVATE = {X10: r"/user/positions", LIGHTER: r"/account\?"}
LIGHTER_ORDER = "tx_type=14"
DEEP: dict[str, Any] = {"body": hostile.deep()}
HUGE: dict[str, Any] = {"body_parts": [{"text": " ", "times": 9_000_000}]}

either = pytest.mark.parametrize("answer", [DEEP, HUGE], ids=["deep", "huge"])


@either
@pytest.mark.parametrize("arrives", [True, False], ids=["taken", "not taken"])
async def test_security_f1_an_unreadable_answer_to_leg_b_leaves_no_leg(
    desk: Desk, answer: dict[str, Any], arrives: bool
) -> None:
    desk.world.rewrite(
        LIGHTER,
        SENDS[LIGHTER],
        method="POST",
        request_body=LIGHTER_ORDER,
        forward=arrives,
        **answer,
    )

    hedge = await desk.open("ETH", 300)

    assert hedge.state is (State.OPEN if arrives else hedge.state)
    if hedge.state is not State.OPEN:
        assert hedge.state.terminal
        desk.assert_flat()
    assert desk.naked() == 0
    desk.assert_ledger_is_true()


@either
async def test_security_f1_an_unreadable_answer_to_leg_a_leaves_no_leg(
    desk: Desk, answer: dict[str, Any]
) -> None:
    desk.world.rewrite(X10, SENDS[X10], method="POST", forward=True, **answer)

    hedge = await desk.open("ETH", 300)

    assert hedge.state is State.OPEN
    assert desk.naked() == 0
    desk.assert_ledger_is_true()


@either
async def test_security_f1_recovery_outlives_unreadable_accounts(
    desk: Desk, answer: dict[str, Any]
) -> None:
    """The leg stood alone while every start died of the same answer."""
    desk.world.rewrite(
        LIGHTER,
        SENDS[LIGHTER],
        method="POST",
        request_body=LIGHTER_ORDER,
        delay_s=60,
        **answer,
    )
    opening = asyncio.ensure_future(desk.open("ETH", 300))
    while desk.position(X10) == 0:
        await desk.world.pass_time(0.1)
    await desk.world.pass_time(1)
    opening.cancel()  # as a crash does, with leg B on its way
    await asyncio.gather(opening, return_exceptions=True)
    assert desk.naked() != 0
    (hedge,) = desk.store.live()
    for venue in (X10, LIGHTER):
        desk.world.rewrite(venue, PRIVATE[venue], times=12, **answer)

    await desk.restart()

    assert met(desk) > 1
    for _ in range(60):
        if desk.store.find(hedge.id).state.terminal:
            break
        await desk.world.pass_time(10)
        await desk.trader.executor.resume(desk.store.find(hedge.id))
    assert desk.naked() == 0
    desk.assert_flat()
    desk.assert_ledger_is_true()


@pytest.mark.parametrize("put", ["1e999999", '"1e999999"', "[[]]", '"\\ud800"'])
async def test_security_f2_a_hostile_sign_of_a_position_is_unknown_and_never_flat(
    desk: Desk, put: str
) -> None:
    hedge = await desk.open("ETH", 300)
    for sign in ("1", "-1"):
        desk.world.rewrite(
            LIGHTER,
            PRIVATE[LIGHTER],
            times=3,
            replace=[{"find": f'"sign": {sign}', "with": f'"sign": {put}'}],
        )

    await desk.trader.reconcile(desk.said.append)

    assert met(desk)
    assert desk.store.find(hedge.id).state is State.OPEN
    assert desk.naked() == 0
    closed = await desk.close(desk.store.find(hedge.id))
    for _ in range(10):
        if closed.state.terminal:
            break
        await desk.world.pass_time(10)
        closed = await desk.trader.executor.resume(closed)
    desk.assert_flat()
    desk.assert_ledger_is_true()


async def test_bugs_b14_a_venues_escapes_reach_neither_ledger_nor_what_is_said(desk: Desk) -> None:
    said = "\u001b[2J\u001b[31mPWNED\u009b5m\r\n2026-11-30T00:00:00.000Z INFO    forged\u202e" * 50
    desk.world.rewrite(
        LIGHTER,
        SENDS[LIGHTER],
        method="POST",
        request_body=LIGHTER_ORDER,
        status=400,
        body=_refusal(said),
    )

    hedge = await desk.open("ETH", 300)

    assert hedge.state is State.CLOSED
    assert desk.naked() == Decimal(0)
    (order,) = [o for o in desk.orders(hedge, Purpose.OPEN) if o.prepared.order.venue == LIGHTER]
    texts = [hedge.reason, order.detail or "", *desk.said]
    texts += [row["text"] for row in desk.rows("events")]
    assert any("PWNED" in text for text in texts)
    assert all(text.isprintable() for text in texts)
    assert all(len(text) < 1_500 for text in texts)


def met(desk: Desk) -> int:
    """How often an answer was another one than the venue's; a rewrite that is spent counts once."""
    waiting = desk.world.sandbox.controls.rewrites.listing()
    return 2 - len(waiting) + sum(int(rewrite["done"]) for rewrite in waiting)


def _refusal(said: str) -> str:
    return json.dumps({"code": 21739, "message": said})
