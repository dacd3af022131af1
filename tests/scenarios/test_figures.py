"""Figures are shown as a person writes them, never with an exponent."""

import re
from decimal import Decimal

import pytest
from loguru import logger

from hedger.domain.money import rounded
from hedger.errors import UsageError
from tests.desk import Desk

EXPONENT = re.compile(r"\d[eE][+-]?\d")


@pytest.mark.config(trading={"manage_leverage": True, "leverage": 5})
async def test_b22_a_leverage_of_ten_is_not_written_as_1e_plus_1(desk: Desk) -> None:
    said: list[str] = []
    sink = logger.add(said.append, format="{message}")
    try:
        for symbol in ("SUI", "1000PEPE"):
            await desk.close(await desk.open(symbol, 100))
    finally:
        logger.remove(sink)

    told = [line for line in said if "leverage of SUI on " in line and " to 5" in line]
    assert told
    assert [line for line in said + desk.said if EXPONENT.search(line)] == []
    texts = [row["text"] for row in desk.rows("events")]
    assert [text for text in texts if EXPONENT.search(text)] == []


@pytest.mark.parametrize("usd", ["1e-9", "1E+3"])
@pytest.mark.config(trading={"max_position_size_usd": 0.0000000001}, risk={"max_day_usd": 1e-10})
async def test_b22_an_absurd_amount_is_refused_in_plain_figures(desk: Desk, usd: str) -> None:
    with pytest.raises(UsageError) as caught:
        await desk.open("BTC", usd)

    assert not EXPONENT.search(str(caught.value))
    assert "max_position_size_usd (0.0000000001)" in str(caught.value)


def test_rounded_figures_have_no_exponent() -> None:
    assert rounded(Decimal(10), 4) == "10"
    assert rounded(Decimal("1234567890.123")) == "1234567900"
    assert rounded(Decimal("0.00000000123456789012")) == "0.0000000012345679"
