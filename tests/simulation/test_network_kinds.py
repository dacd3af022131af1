"""Doors that are shut and odd payments: they bite, are counted, and the program stands them."""

from decimal import Decimal

import pytest

from adapters.sandbox.engine.account_types import PaymentView
from adapters.sandbox.engine.paying import Paying, Twice
from tests.simulation.doors import ENDPOINTS, LOOK_UPS, SENDING, endpoint
from tests.simulation.exchange import _LIGHTER, _X10_EXACT
from tests.simulation.faults import Ill, Plan
from tests.simulation.kinds import network, payments
from tests.simulation.run import simulate
from tests.simulation.setup import Setup

KINDS = sorted([*network.STROKES, *payments.STROKES])
WORLDS = 8
ORDER_BOOK, ORDER = "/info/markets/ETH-USD/orderbook", "/user/orders/external/x"


@pytest.mark.parametrize("ill", KINDS)
def test_each_kind_changes_an_answer_or_a_decision_and_breaks_no_promise(ill: Ill):
    told = 0
    for seed in range(1, WORLDS + 1):
        result = simulate(Setup(seed=seed, hours=0.2, plan=Plan(frozenset({ill}), 4.0)))
        assert result.violations == []
        told += result.told[ill]
        if told:
            break
    assert told > 0


def test_every_endpoint_that_may_be_down_is_one_that_is_asked():
    asked = {"lighter": set(_LIGHTER), "x10": {path for _, path in _X10_EXACT}}
    asked["x10"] |= {ORDER_BOOK, ORDER}
    for venue, names in ENDPOINTS.items():
        assert set(names) <= {endpoint(venue, path) for path in asked[venue]}
        assert {SENDING[venue], *LOOK_UPS[venue]} <= set(names)


def payment(number: int) -> PaymentView:
    one = Decimal(1)
    return PaymentView(
        id=number, account=1, symbol="ETH", settlement_ms=0, amount=one, rate=one, size=one,
        mark=one, position_id=1, at_ms=0,
    )  # fmt: skip


@pytest.mark.parametrize(("how", "numbers"), [(Twice.SAME_ID, [1, 1]), (Twice.OTHER_ID, [1, 9])])
def test_a_payment_may_stand_twice_in_the_list(how: Twice, numbers: list[int]):
    paying, noticed = Paying(twice=how), []
    paying.noticed = lambda: noticed.append(True)
    paying.made(payment(1), 0, lambda: 9)
    paying.twice = None
    paying.made(payment(2), 0, lambda: 9)
    assert [one.id for one in paying.listed([payment(1), payment(2)], 0)] == [*numbers, 2]
    assert noticed == [True]


def test_a_late_payment_is_not_in_the_list_until_its_time():
    paying = Paying(late_ms=500)
    paying.made(payment(1), 100, lambda: 9)
    assert paying.listed([payment(1)], 599) == []
    assert paying.listed([payment(1)], 600) == [payment(1)]
