"""Kinds of fault that change a market: each strikes, is noticed, and is judged fairly."""

from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest

from tests.simulation import ability
from tests.simulation.faults import Ill, Plan
from tests.simulation.kinds.market import BLOWS
from tests.simulation.kinds.marketaims import MarketAims
from tests.simulation.run import simulate
from tests.simulation.scenarios import Change, Story
from tests.simulation.setup import Result, Setup

RETURNS_S = 5.0  # a leg alone goes within so long of the return of its market
BETWEEN_S = 2.0  # and stands alone as long as this where nothing is in the way


def world(seed: int, hours: float, *ills: Ill, intensity: float = 10.0) -> Result:
    """One of nothing but these kinds."""
    plan = Plan(frozenset(ills), intensity)
    return simulate(Setup(seed=seed, hours=hours, plan=plan, dedicated=True))


@pytest.mark.parametrize("ill", BLOWS, ids=lambda ill: ill.name)
def test_a_kind_strikes_and_is_noticed_and_everything_comes_to_rest(ill: Ill) -> None:
    result = world(2, 0.15, ill)
    assert result.violations == []
    assert 0 < result.told[ill] <= result.fired[ill]


@pytest.mark.parametrize("rules", [{"active": False}, {"listed": False}], ids=str)
@pytest.mark.parametrize("seconds", [10.0, 100.0])
def test_a_leg_alone_goes_within_5_s_of_the_return_of_its_market(
    rules: dict[str, bool], seconds: float
) -> None:
    """One leg has come off when the other one's market closes."""
    story = Story("", change=Change(3, "lighter", rules, seconds))
    setup = Setup(seed=7, hours=150 / 3600, plan=story.plan, dedicated=True, story=story)
    result = simulate(setup)
    assert result.violations == []
    (last,) = [span for span in result.spans if span.raw_s > seconds]
    assert last.available_s <= RETURNS_S + BETWEEN_S


class Renumbered:
    """A world of two exchanges whose market gets another number."""

    def __init__(self) -> None:
        self.setup = SimpleNamespace(story=None)
        self.oracle = SimpleNamespace(one=lambda *_, **__: None)
        self.truth = SimpleNamespace(look=lambda _: None, ours=lambda *_: Decimal(1))
        self.rules: Any = SimpleNamespace(market_id=1, synthetic_id="", size_step=Decimal(1))
        self.venues = SimpleNamespace(exchange=lambda _: self)
        self.lasting: dict[Any, Any] = {}
        self.market_aims = MarketAims(self)  # type: ignore[arg-type]

    def subscribe(self, *_: object) -> None:
        pass

    def rules_of(self, _: str) -> Any:
        return self.rules

    def change_rules(self, _: str, **rules: Any) -> None:
        self.rules = SimpleNamespace(**{**vars(self.rules), **rules})

    def last(self, ill: Ill, where: str, _: float, begin: Any, __: Any) -> bool:
        self.lasting[ill, where] = object()
        begin()
        return True

    def opens(self) -> None:
        self.market_aims.on_order("lighter", SimpleNamespace(symbol="ETH"), closes=False)  # type: ignore[arg-type]

    def told(self) -> bool:
        return ability.told(self, "ETH")  # type: ignore[arg-type]


def test_a_market_is_known_by_the_number_that_its_leg_was_opened_under() -> None:
    """A ledger that is begun anew takes the market for what it is then, whatever it was before."""
    world = Renumbered()
    assert world.told()
    world.opens()
    world.market_aims.change(Ill.RENUMBERED, "lighter", "ETH", 60.0, market_id=1000)
    assert not world.told()
    world.opens()
    assert world.told()


def test_a_plan_without_them_changes_no_market() -> None:
    result = world(1, 0.05)
    assert sum(result.fired.values()) == 0
    assert max(span.raw_s for span in result.spans) < RETURNS_S
    assert {span.size for span in result.spans} == {Decimal(0)}
