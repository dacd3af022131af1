"""What counts as an effect of a fault, and what the venues are remembered to have been."""

import asyncio
import json
import random
from collections.abc import Sequence

import pytest

from adapters.sandbox.faults import Kind, Op
from tests.simulation.effects import DISK, SIGNED, Effects, differs
from tests.simulation.faults import Chance, Ill, Plan
from tests.simulation.loop import SimLoop
from tests.simulation.past import Clocks
from tests.simulation.process import Process
from tests.simulation.run import simulate
from tests.simulation.setup import Setup
from tests.simulation.venuefaults import SimFaults
from tests.simulation.world import VenueClock


def chance(*ills: Ill, lives: bool = True) -> Chance:
    made = Chance(Plan(frozenset(ills), intensity=1_000.0), random.Random(1))
    made.busy = lambda: lives
    return made


def nothing(_process: Process, _label: str) -> None:
    pass


def test_nothing_counts_while_no_hedge_lives():
    idle = chance(lives=False)
    assert not idle.tell(Ill.KILL)
    assert not idle.told


def test_what_lasts_counts_once_when_somebody_meets_it_and_not_after_its_end():
    drawn = chance()
    effects = Effects(drawn)
    effects.wait(Ill.OUTAGE, "x10")
    effects.met("lighter")
    assert not drawn.told
    for _ in range(3):
        effects.met("x10")
    effects.wait(Ill.DISK_FULL, DISK)
    effects.over(Ill.DISK_FULL, DISK)
    effects.met(DISK)
    assert drawn.told == {Ill.OUTAGE: 1}


def test_what_is_met_while_no_hedge_lives_waits_for_one():
    drawn = chance(lives=False)
    effects = Effects(drawn)
    effects.wait(Ill.OUTAGE, "x10")
    effects.met("x10")
    drawn.busy = lambda: True
    effects.met("x10")
    assert drawn.told == {Ill.OUTAGE: 1}


def nonce(key: int, shown: int) -> tuple[Sequence[object], str]:
    return ("nextNonce", [("api_key_index", str(key))], None), json.dumps({"nonce": shown})


def test_a_stolen_nonce_counts_when_the_venue_first_shows_it_or_refuses_it():
    drawn = chance()
    effects = Effects(drawn)
    effects.taken(3, 7)
    effects.answered("nextNonce", *nonce(4, 9))
    effects.answered("nextNonce", *nonce(3, 7))
    assert not drawn.told
    effects.answered("nextNonce", *nonce(3, 8))
    effects.answered("nextNonce", *nonce(3, 9))
    effects.taken(3, 9)
    sent: Sequence[object] = ("sendTx", [], {"tx_info": json.dumps({"ApiKeyIndex": 3})})
    effects.answered("sendTx", sent, '{"code": 21104}')
    assert drawn.told == {Ill.NONCE_AHEAD: 2}


@pytest.mark.parametrize("hostile", ["null", "[]", "{", '{"nonce": "9"}', "{}"])
def test_an_answer_that_says_no_nonce_shows_none(hostile: str):
    drawn = chance()
    effects = Effects(drawn)
    effects.taken(3, 7)
    effects.answered("nextNonce", nonce(3, 8)[0], hostile)
    assert not drawn.told


def test_a_clock_that_is_off_counts_for_the_first_order_of_a_life():
    drawn = chance(Ill.SKEW)
    effects = Effects(drawn)
    for _ in range(2):
        effects.signed(Process(1, nothing))
        effects.signed(Process(2, nothing, skew_s=1.0))
    effects.wait(Ill.VENUE_OFF, SIGNED)
    effects.signed(Process(2, nothing, skew_s=1.0))
    assert drawn.told == {Ill.SKEW: 1, Ill.VENUE_OFF: 1}


def held(size: str, mark: str) -> tuple[int, str]:
    return 200, json.dumps(
        {"data": [{"market": "ETH-USD", "side": "LONG", "size": size, "markPrice": mark}]}
    )


def test_a_late_reading_differs_by_what_it_was_asked_for():
    assert not differs(Ill.STALE_POSITION, held("1", "3000"), held("1", "3001"))
    assert differs(Ill.STALE_POSITION, held("1", "3000"), held("2", "3000"))
    assert differs(Ill.STALE_POSITION, held("1", "3000"), (404, ""))
    assert differs(Ill.STALE_ORDER, (200, "a"), (200, "b"))


@pytest.mark.parametrize("lives", [True, False])
@pytest.mark.parametrize("same", [True, False])
def test_a_late_answer_counts_where_one_in_time_would_have_been_another(*, lives: bool, same: bool):
    loop = SimLoop()

    async def ask_twice() -> list[list[Kind]]:
        drawn = chance(Ill.STALE_ORDER, lives=lives)
        faults = SimFaults(VenueClock(0.0), drawn)
        asked: list[list[Kind]] = []

        def venue(word: str) -> tuple[int, str]:
            taken = faults.take("x10", Op.ORDERS)
            asked.append([fault.kind for fault in taken])
            return 200, "" if same else f"{word} {len(asked)}"

        assert faults.asked(venue, ["orders"], heard=True)[1] == ("" if same else "orders 1")
        assert drawn.told == ({Ill.STALE_ORDER: 1} if lives and not same else {})
        drawn.told.clear()
        faults.asked(venue, ["orders"], heard=False)
        assert not drawn.told
        return asked

    asked = loop.run_until_complete(ask_twice())
    loop.close()
    assert asked == [[Kind.LAG], [], [Kind.LAG]] if lives else [[Kind.LAG], [Kind.LAG]]


def test_what_a_clock_was_within_a_time():
    loop = SimLoop()
    found: list[tuple[float, float]] = []

    async def story() -> None:
        clocks = Clocks()
        await asyncio.sleep(10)
        clocks.note(2.0)
        await asyncio.sleep(10)
        clocks.note(1.0)
        await asyncio.sleep(10)
        found.extend(clocks.since(at_s) for at_s in (0.0, 15.0, 25.0))

    loop.run_until_complete(story())
    loop.close()
    assert found == [(0.0, 2.0), (1.0, 2.0), (1.0, 1.0)]


def test_a_kind_has_its_effects_in_a_world_and_none_where_it_is_not():
    result = simulate(Setup(seed=1, hours=0.2, plan=Plan(frozenset({Ill.PARTIAL}))))
    assert result.told[Ill.PARTIAL] > 0
    assert set(result.told) == {Ill.PARTIAL}
