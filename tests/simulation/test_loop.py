"""What the simulation's own event loop promises."""

import asyncio

import pytest

from tests.simulation import network
from tests.simulation.faults import NOTHING
from tests.simulation.loop import SimLoop
from tests.simulation.run import simulate
from tests.simulation.setup import Setup


def test_what_is_due_at_one_instant_runs_in_the_order_it_was_asked_for():
    loop, heard = SimLoop(), list[int]()
    for number in range(50):
        loop.call_at(1.0, heard.append, number)
    loop.call_at(1.0, loop.stop)
    loop.run_forever()
    loop.close()
    assert heard == list(range(50))


def test_a_timer_that_was_cancelled_does_not_run_and_holds_nothing():
    loop, heard = SimLoop(), list[str]()
    loop.call_later(1.0, heard.append, "cancelled").cancel()
    loop.call_later(2.0, heard.append, "run")
    loop.call_later(3.0, loop.stop)
    loop.run_forever()
    assert heard == ["run"]
    assert loop.time() == pytest.approx(3.0)
    loop.close()


def test_an_error_in_a_callback_of_the_loop_reaches_the_judge(monkeypatch):
    def broken(_self: network._Message, _back_s: float | None) -> None:
        raise ZeroDivisionError("a bug of the simulation")

    monkeypatch.setattr(network._Message, "_arrive", broken)
    result = simulate(Setup(seed=1, hours=0.001, plan=NOTHING))
    told = [v.text for v in result.violations if v.promise == "0 sound"]
    assert any("ZeroDivisionError: a bug of the simulation" in text for text in told)


def test_time_passes_at_once_only_where_nothing_else_happens_in_it():
    loop = SimLoop()
    loop.call_later(1.0, lambda: None).cancel()
    loop.call_later(2.0, lambda: None)
    assert loop.passes(1.5)
    assert loop.time() == pytest.approx(1.5)
    assert not loop.passes(0.5)
    loop.call_soon(lambda: None)
    assert not loop.passes(0.1)
    assert loop.time() == pytest.approx(1.5)
    loop.close()


def test_what_travels_at_once_comes_to_the_same_as_what_is_waited_for(monkeypatch):
    quick = simulate(Setup(seed=3004, hours=0.1))
    monkeypatch.setattr(SimLoop, "passes", lambda _self, _seconds: False)
    slow = simulate(Setup(seed=3004, hours=0.1))
    assert quick.orders > 0
    assert (quick.digest, quick.boundaries) == (slow.digest, slow.boundaries)


def test_tasks_stand_in_sets_alike_whatever_ran_before_their_loop():
    async def order() -> list[str]:
        made = [asyncio.create_task(asyncio.sleep(0), name=str(number)) for number in range(50)]
        try:
            return [task.get_name() for task in {*made}]
        finally:
            await asyncio.gather(*made)

    def run() -> list[str]:
        loop = SimLoop()
        try:
            return loop.run_until_complete(order())
        finally:
            loop.close()

    first = run()
    assert [run() for _ in range(3)] == [first] * 3
