"""
A signer that signs something else than it was given (lighter-python #98 signed another market).

What was signed is read back out of the bytes and held against the order before they leave.
"""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from x10.models.order import OrderSide
from x10.signing.order_object import create_order_object

from adapters.x10 import signing
from hedger.domain.hedge import State
from hedger.domain.money import ZERO
from hedger.domain.order import Purpose
from tests.desk import Desk
from tests.world import LIGHTER, X10

FIELDS = ("market", "client id", "size", "price", "side", "type", "immediate", "reduce-only")


def lighter_signs(desk: Desk, field: str, changed: Callable[[int], int]) -> None:
    """From now on one of the values that are given to Lighter's signer is another one."""
    client: Any = desk.trader.venues[LIGHTER]._gateway._client  # type: ignore[attr-defined]
    sign = client.sign_create_order

    def otherwise(*values: int, **rest: int) -> Any:
        given = list(values)
        given[FIELDS.index(field)] = changed(given[FIELDS.index(field)])
        return sign(*given, **rest)

    client.sign_create_order = otherwise


@pytest.mark.parametrize(
    ("field", "changed"),
    [
        ("market", lambda _: 1),
        ("size", lambda size: size * 10),
        ("price", lambda price: price // 10),
        ("side", lambda side: 1 - side),
        ("client id", lambda index: index + 1),
        ("reduce-only", lambda flag: 1 - flag),
    ],
)
async def test_b05_what_lighter_s_signer_made_of_an_order_does_not_leave_if_it_is_another(
    desk: Desk, field: str, changed: Callable[[int], int]
) -> None:
    """Signed fields were not compared with the order."""
    lighter_signs(desk, field, changed)

    hedge = await desk.open("ETH", 300)

    assert hedge.state is State.CLOSED
    assert desk.world.orders(LIGHTER) == []
    desk.assert_flat()
    desk.assert_ledger_is_true()
    texts = " ".join(alert.text for alert in desk.store.alerts_after(0))
    assert f"are not the order: {field} " in texts
    assert "it was not sent" in texts


async def test_b05_nor_does_a_reducing_order(desk: Desk) -> None:
    hedge = await desk.open("ETH", 300)
    lighter_signs(desk, "size", lambda size: size - 1)

    hedge = await desk.close(hedge)

    sent = [o for o in desk.orders(hedge, Purpose.CLOSE) if o.prepared.order.venue == LIGHTER]
    assert sent == []
    assert hedge.state is State.ESCALATED
    assert "are not the order: size " in hedge.reason
    told = [alert.text for alert in desk.store.alerts_after(0)]
    assert len([text for text in told if "it was not sent" in text]) == 1


@pytest.mark.parametrize(
    ("name", "other", "said"),
    [
        ("amount_of_synthetic", Decimal("0.95"), "size 0.95 instead of"),
        ("price", Decimal(3300), "price 3300 instead of"),
        ("side", OrderSide.SELL, "side sell instead of buy"),
        ("reduce_only", True, "reduce-only True instead of False"),
        ("order_external_id", "another", "client id another instead of"),
    ],
)
async def test_b05_what_x10_s_signer_made_of_an_order_does_not_leave_if_it_is_another(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, name: str, other: object, said: str
) -> None:
    make = create_order_object

    def otherwise(**values: Any) -> Any:
        return make(**(values | {name: other}))

    monkeypatch.setattr(signing, "create_order_object", otherwise)

    hedge = await desk.open("ETH", 300)

    assert hedge.state is State.REFUSED
    assert said in hedge.reason
    assert desk.world.orders(X10) == []
    assert desk.naked() == ZERO


@pytest.mark.parametrize("name", ["amount_of_synthetic", "price"])
async def test_b05_a_signature_of_other_amounts_than_the_body_says_does_not_leave(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """The body tells what was ordered, and the signature beside it is of something else."""
    make = create_order_object

    def otherwise(**values: Any) -> Any:
        order = make(**values)
        other = make(**(values | {name: values[name] * 2}))
        return order.model_copy(update={"settlement": other.settlement})

    monkeypatch.setattr(signing, "create_order_object", otherwise)

    hedge = await desk.open("ETH", 300)

    assert hedge.state is State.REFUSED
    assert "is not one of the order's own values" in hedge.reason
    assert desk.world.orders(X10) == []
