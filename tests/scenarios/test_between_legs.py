"""
What may stand between an order's end and the next order while a leg is unhedged: next to nothing.

Each fault here is one that an operator can post to the sandbox's control API; how long a leg was
alone is read from the venues' own trades.
"""

import asyncio
from dataclasses import dataclass
from datetime import datetime
from random import Random
from typing import Any

import pytest

from adapters.x10.reads import Reads
from hedger.domain.hedge import Hedge, State
from hedger.domain.ids import Symbol, VenueId
from hedger.domain.market import Fees
from hedger.domain.order import Answer, Prepared, Purpose
from hedger.errors import UnavailableError, UsageError
from hedger.ledger.records import OrderState
from tests.desk import Desk
from tests.scenarios.facts import assert_orders_are_ours, longest_naked_s
from tests.world import LIGHTER, X10

REFUSED = {"code": 21739, "reduce_only": False}  # not enough margin
REQUESTS = ("order", "cancel", "positions", "orders", "nonce", "balance", "public")
LIGHTER_FIRST = {"order": ["lighter", "x10"]}
HELD_S = 0.6  # nothing else is wrong: until X10's first look, and the orders themselves


@pytest.fixture
async def traded(desk: Desk) -> Desk:
    """A desk that has opened a hedge before: nothing is asked for the first time."""
    await desk.open("SOL", 300)
    return desk


def hang(desk: Desk, venue: str, *op: str, times: int = 20, skip: int = 0) -> None:
    desk.world.fault(venue, "hang", op=list(op), seconds=10, times=times, skip=skip)


def once_leg_a_is_sent(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, venue: VenueId, *op: str, on: VenueId
) -> None:
    """Requests to ``venue`` hang from the moment at which leg A's order was answered."""
    sender = desk.trader.venues[on]
    submit = sender.submit

    async def submitted(prepared: Prepared) -> Answer:
        answer = await submit(prepared)
        if prepared.order.purpose is Purpose.OPEN:
            hang(desk, venue, *op)
        return answer

    monkeypatch.setattr(sender, "submit", submitted)


def in_order(desk: Desk, hedge: Hedge) -> None:
    """Equal legs or none, the ledger is the venues' truth, and every order was an intent first."""
    assert desk.naked(hedge.symbol) == 0
    assert (desk.position(X10, hedge.symbol) != 0) == (hedge.state is State.OPEN)
    desk.assert_ledger_is_true()
    assert_orders_are_ours(desk)


def fillers(desk: Desk) -> list[dict[str, Any]]:
    return desk.events("filler")


# -- a refused leg B ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "beside",
    [
        {"kind": "hang", "op": "nonce", "seconds": 10, "times": 20},
        {"kind": "bad_reads", "what": ["nonce"], "status": 503, "times": 20},
    ],
    ids=["hangs", "503"],
)
async def test_f1_next_nonce_does_not_stand_between_a_refused_leg_b_and_the_rollback(
    traded: Desk, beside: dict[str, Any]
) -> None:
    traded.world.fault(LIGHTER, "refuse", market="ETH", **REFUSED)
    traded.world.fault(LIGHTER, **beside)

    hedge = await traded.open("ETH", 300)

    assert hedge.state is State.CLOSED
    assert longest_naked_s(traded, hedge) <= HELD_S
    in_order(traded, hedge)


@pytest.mark.config(venues=LIGHTER_FIRST)
async def test_f1_next_nonce_does_not_stand_before_the_rollback_on_its_own_venue(
    traded: Desk,
) -> None:
    """Lighter first: the key that takes leg A back was made ready before leg A."""
    traded.world.fault(X10, "refuse", code=1140, reduce_only=False)
    hang(traded, LIGHTER, "nonce")

    hedge = await traded.open("ETH", 300)

    assert hedge.state is State.CLOSED
    assert longest_naked_s(traded, hedge) <= 2.0
    in_order(traded, hedge)


@pytest.mark.config(venues=LIGHTER_FIRST)
async def test_f1_next_nonce_does_not_stand_between_the_legs_of_a_closing(traded: Desk) -> None:
    await traded.close(await traded.open("BTC", 300))  # the key for closing was used before
    hedge = await traded.open("ETH", 300)
    hang(traded, LIGHTER, "nonce")

    hedge = await traded.close(hedge)

    assert hedge.state is State.CLOSED
    assert longest_naked_s(traded, hedge) <= 2.0
    in_order(traded, hedge)


@pytest.mark.config(venues=LIGHTER_FIRST)
async def test_a_fee_that_is_not_told_does_not_stand_between_the_legs_of_a_closing(
    traded: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a restart no fee is known; the order would be expired when it is sent at last."""
    hedge = await traded.open("ETH", 300)
    await traded.reborn()

    async def told_late(reads: Reads, symbol: Symbol, max_age_s: float) -> Fees:
        await asyncio.sleep(10)
        raise UnavailableError(X10, f"fees of {symbol}, {max_age_s:g} s: no answer from {reads}")

    monkeypatch.setattr(Reads, "fees", told_late)

    hedge = await traded.close(hedge)

    assert hedge.state is State.CLOSED
    assert longest_naked_s(traded, hedge) <= 2.0
    in_order(traded, hedge)


async def test_f1_a_check_of_the_lanes_does_not_keep_an_order_from_its_lane(
    traded: Desk,
) -> None:
    """The regular check held the lane while it waited for ``nextNonce``."""
    hang(traded, LIGHTER, "nonce")
    lanes = traded.trader.lanes
    checking = traded.world.clock.monotonic_s()

    async with asyncio.TaskGroup() as group:
        check = group.create_task(lanes.check(now=True))
        await traded.world.pass_time(0.1)
        lane = traded.trader.venues[LIGHTER].lane(Purpose.ROLLBACK)
        async with lanes.hold(lane, urgent=True):
            waited_s = traded.world.clock.monotonic_s() - checking
        assert not check.done()
    assert waited_s <= 0.2


# -- reads while a leg is unhedged --------------------------------------------------------------


@pytest.mark.parametrize(("op", "skip"), [(("positions", "balance"), 2), (("balance",), 1)])
async def test_f1_a_balance_that_hangs_before_leg_b_is_given_up_after_a_second(
    traded: Desk, op: tuple[str, ...], skip: int
) -> None:
    hang(traded, LIGHTER, *op, skip=skip)

    hedge = await traded.open("ETH", 300)
    traded.world.no_faults()
    if not hedge.state.at_rest:
        hedge = await traded.trader.executor.resume(hedge)

    assert hedge.state is State.CLOSED
    assert longest_naked_s(traded, hedge) <= 2.5
    in_order(traded, hedge)


@dataclass(frozen=True)
class Hanging:
    """Requests that hang from leg A's answer on; ``refused``: leg B is, and the way back hangs."""

    venue: VenueId
    op: str
    refused: bool
    most_s: float


X10_FIRST_READS = {
    "book of leg B": Hanging(LIGHTER, "public", refused=False, most_s=2.0),
    "balance before leg B": Hanging(LIGHTER, "balance", refused=False, most_s=2.5),
    "book of the rollback": Hanging(X10, "public", refused=True, most_s=2.5),
}
LIGHTER_FIRST_READS = {
    "book of leg B": Hanging(X10, "public", refused=False, most_s=3.0),
    "balance before leg B": Hanging(X10, "balance", refused=False, most_s=3.0),
    "book of the rollback": Hanging(LIGHTER, "public", refused=True, most_s=3.0),
}


@pytest.mark.parametrize("which", X10_FIRST_READS)
async def test_f1_reads_while_x10s_leg_is_alone_have_a_second(
    traded: Desk, monkeypatch: pytest.MonkeyPatch, which: str
) -> None:
    await _alone(traded, monkeypatch, X10, X10_FIRST_READS[which])


@pytest.mark.config(venues=LIGHTER_FIRST)
@pytest.mark.parametrize("which", LIGHTER_FIRST_READS)
async def test_f1_reads_while_lighters_leg_is_alone_have_a_second(
    traded: Desk, monkeypatch: pytest.MonkeyPatch, which: str
) -> None:
    await _alone(traded, monkeypatch, LIGHTER, LIGHTER_FIRST_READS[which])


async def _alone(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, first: VenueId, hanging: Hanging
) -> None:
    if hanging.refused:
        second, code = (LIGHTER, 21739) if first == X10 else (X10, 1140)
        desk.world.fault(second, "refuse", code=code, reduce_only=False)
    once_leg_a_is_sent(desk, monkeypatch, hanging.venue, hanging.op, on=first)

    hedge = await desk.open("ETH", 300)
    desk.world.no_faults()
    if not hedge.state.at_rest:
        hedge = await desk.trader.executor.resume(hedge)

    assert hedge.state is State.CLOSED
    assert longest_naked_s(desk, hedge) <= hanging.most_s
    in_order(desk, hedge)


async def test_f1_positions_of_leg_a_that_hang_cost_a_second_each_and_not_the_hedge(
    traded: Desk,
) -> None:
    hang(traded, X10, "positions", skip=1, times=3)

    hedge = await traded.open("ETH", 300)

    assert hedge.state is State.OPEN
    assert longest_naked_s(traded, hedge) <= 2.5


# -- refused nonces -----------------------------------------------------------------------------


@pytest.mark.parametrize("settled", [True, False], ids=["at rest", "at the latest"])
async def test_f2_a_refused_nonce_is_used_up_before_leg_a_of_the_next_hedge(
    traded: Desk, monkeypatch: pytest.MonkeyPatch, *, settled: bool
) -> None:
    async def nothing(_venues: object) -> None:
        return None

    if not settled:
        monkeypatch.setattr(traded.trader.lanes, "settle", nothing)
    traded.world.fault(LIGHTER, "refuse", market="ETH", **REFUSED)
    assert (await traded.open("ETH", 300)).state is State.CLOSED
    assert len(fillers(traded)) == int(settled)

    hedge = await traded.open("BTC", 300)

    assert hedge.state is State.OPEN
    (filler,) = fillers(traded)
    leg_a, leg_b = traded.orders(hedge)
    assert datetime.fromisoformat(filler["at"]) <= leg_a.prepared_at
    assert leg_b.prepared.nonce == filler["data"]["nonce"] + 1
    traded.assert_ledger_is_true()


async def test_f2_no_leg_a_is_sent_while_a_refused_nonce_cannot_be_used_up(traded: Desk) -> None:
    traded.world.fault(LIGHTER, "refuse", market="ETH", **REFUSED)
    traded.world.fault(LIGHTER, "server_error", op="cancel", status=503, when="before", times=0)
    assert (await traded.open("ETH", 300)).state is State.CLOSED

    with pytest.raises(UsageError, match="lane"):
        await traded.open("BTC", 300)

    assert traded.rows("hedges", market="BTC") == []
    traded.world.no_faults()
    await traded.trader.lanes.check()
    assert (await traded.open("BTC", 300)).state is State.OPEN
    traded.assert_ledger_is_true()


async def test_f8_the_nonce_of_a_refused_closing_order_is_used_up_before_it_is_tried_again(
    traded: Desk,
) -> None:
    """By the regular check, so that the filler is not in the way of the next attempt."""
    hedge = await traded.open("ETH", 300)
    traded.world.fault(LIGHTER, "refuse", code=21605, reduce_only=True)
    closing = asyncio.create_task(traded.close(hedge))
    while not traded.rows("orders", state="refused"):
        await traded.world.pass_time(0.05)

    await traded.trader.lanes.check()
    proof, filler = fillers(traded)  # the first one proved the key before the exit began
    hedge = await closing

    assert hedge.state is State.CLOSED
    assert fillers(traded) == [proof, filler]
    refused, filled = [
        o for o in traded.orders(hedge, Purpose.CLOSE) if o.prepared.lane is not None
    ]
    assert filled.prepared.nonce == filler["data"]["nonce"] + 1 == (refused.prepared.nonce or 0) + 1
    in_order(traded, hedge)


# -- leg B refused for its nonce ----------------------------------------------------------------


@pytest.mark.parametrize("seed", range(20))
async def test_r3_leg_b_whose_nonce_was_stolen_is_carried_on_within_the_shipped_settings(
    desk: Desk, seed: int
) -> None:
    chance = Random(seed)
    slow_s = chance.choice((0.0, 0.05, 0.1, 0.2, 0.3, 0.4))
    for venue in (X10, LIGHTER):
        desk.world.fault(venue, "hang", op=list(REQUESTS), seconds=slow_s, times=0)
    desk.world.fault(LIGHTER, "lag", what=["nonce"], seconds=chance.uniform(0.3, 0.9), times=0)
    desk.world.fault(LIGHTER, "steal_nonce", reduce_only=False)

    hedge = await desk.open(chance.choice(("ETH", "BTC", "SOL", "LINK")), chance.randint(100, 400))

    assert hedge.state is State.OPEN, hedge.reason
    (event,) = desk.events("carried_on")
    dead, filled = [o for o in desk.orders(hedge) if o.prepared.lane is not None]
    assert event["data"]["before"] == dead.prepared.order.id
    assert (dead.state, filled.state) == (OrderState.DEAD, OrderState.FILLED)
    assert longest_naked_s(desk, hedge) <= 2.0 + 13 * slow_s
    in_order(desk, hedge)


async def test_r3_a_refusal_that_answers_our_own_bytes_again_is_no_death(
    traded: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy delivered the order twice, and what came back is the answer to the second copy."""
    venue = traded.trader.venues[LIGHTER]
    submit = venue.submit

    async def twice(prepared: Prepared) -> Answer:
        await submit(prepared)
        return await submit(prepared)

    traded.world.fault(LIGHTER, "lag", what=["orders"], seconds=2, times=0)
    monkeypatch.setattr(venue, "submit", twice)

    hedge = await traded.open("ETH", 300)

    assert hedge.state is State.OPEN
    assert traded.events("carried_on") == []
    (leg_b,) = [o for o in traded.orders(hedge) if o.prepared.lane is not None]
    assert leg_b.state is OrderState.FILLED
    in_order(traded, hedge)


@pytest.fixture
def no_list(traded: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The venue does not say which transaction used a nonce."""

    async def unknown(_prepared: Prepared) -> str | None:
        raise UnavailableError(LIGHTER, "GET /accountTxs: HTTP 503")

    monkeypatch.setattr(traded.trader.venues[LIGHTER], "nonce_used_by", unknown)


@pytest.mark.usefixtures("no_list")
async def test_r3_without_the_list_of_transactions_the_read_lag_proves_it(traded: Desk) -> None:
    traded.world.fault(LIGHTER, "steal_nonce", reduce_only=False)

    hedge = await traded.open("ETH", 300)

    assert hedge.state is State.OPEN
    assert longest_naked_s(traded, hedge) <= 7
    in_order(traded, hedge)


@pytest.mark.usefixtures("no_list")
@pytest.mark.config(execution={"carry_on_s": 5})
async def test_r3_what_takes_longer_than_it_is_carried_on_for_is_taken_back(traded: Desk) -> None:
    traded.world.fault(LIGHTER, "steal_nonce", reduce_only=False)

    hedge = await traded.open("ETH", 300)

    assert hedge.state is State.CLOSED
    assert traded.events("carried_on") == []
    assert longest_naked_s(traded, hedge) <= 7
    in_order(traded, hedge)
