"""Numbers that commands are given reach the program within bounds, or one sentence goes back."""

import time
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest

from hedger.domain.money import plain
from hedger.errors import UsageError
from hedger.handlers import handlers


def said(_sentence: str) -> None:
    """Progress that nobody reads."""


@pytest.mark.parametrize(
    "usd",
    ["1e999999999999", "1e999999", "-1", "0", "1e-999999", "9" * 100_000, "NaN", "inf", "1e13"],
)
async def test_security_f2_an_absurd_amount_is_refused_in_one_sentence(usd: str) -> None:
    desk: Any = SimpleNamespace(open_hedge=None)  # is never called
    began = time.perf_counter()

    with pytest.raises(UsageError) as told:
        await handlers(desk)["open"]({"symbol": "ETH", "usd": usd}, said)

    assert told.value.exit_code == 2
    assert "usd is" in str(told.value)
    assert len(str(told.value)) < 250
    assert time.perf_counter() - began < 1


@pytest.mark.parametrize("numbers", [[10**400], ["x" * 10_000], list(range(20_000)), [{}]])
async def test_absurd_numbers_of_alerts_are_refused_in_one_sentence(numbers: list[Any]) -> None:
    class Desk:
        async def acknowledge(self, *_: Any, **__: Any) -> list[Any]:
            raise UsageError("alerts: there is none")

    desk: Any = Desk()
    with pytest.raises(UsageError) as told:
        await handlers(desk)["acknowledge"]({"alerts": numbers, "who": "me"}, said)

    assert len(str(told.value)) < 250


def test_an_absurd_number_is_not_written_out() -> None:
    assert len(plain(Decimal("1e9999"))) < 20
    assert len(plain(Decimal("1e-9999"))) < 20
    assert plain(Decimal("7.726E+4")) == "77260"
