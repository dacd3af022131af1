"""The decay models that come with hedger: where they come from, and that they are sober."""

import csv
import os
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from adapters.sandbox import data
from hedger import decayfile
from hedger.decayfit import PairRow, fit
from hedger.domain.ids import Symbol

REPEATS = 8
START = datetime(2026, 1, 2, 21, tzinfo=UTC)


def played() -> list[PairRow]:
    """The sandbox's ten hours, one after another and again and again."""
    path = Path(data.__file__).with_name("tape.csv")
    with path.open(encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    hours = sorted({line["hour_utc"] for line in lines})
    return [
        PairRow(
            source="the sandbox's tape",
            symbol=Symbol(line["symbol"]),
            hour=START + timedelta(hours=hours.index(line["hour_utc"]) + repeat * len(hours)),
            spread_1h=Decimal(line["x10_rate_1h"]) - Decimal(line["lighter_rate_1h"]),
        )
        for repeat in range(REPEATS)
        for line in lines
    ]


def test_the_model_of_the_sandbox_is_what_its_tape_says() -> None:
    found = fit(played(), origin=f"the sandbox's tape, {REPEATS} times")
    if os.environ.get("HEDGER_WRITE_DECAY"):
        decayfile.save(found, Path(decayfile.__file__).parent / "data" / "decay_sandbox.json")

    assert decayfile.named("sandbox") == found


def test_the_recorded_model_says_where_it_comes_from_and_is_sober() -> None:
    """A bot that took today's rate for 24 hours would count 27 bps; a third of it came."""
    model, spread = decayfile.named("recorded"), Decimal("0.000114")  # 100 % a year

    assert "S1" in model.origin
    assert model.pairs > 4000
    assert model.counts[Symbol("ETH")] > 0
    a_day = model.expected_sum(Symbol("ANY"), spread, 24)
    assert spread * 3 < a_day < spread * 24 / 3
    assert model.share(Symbol("ANY"), 40) < Decimal("0.15")
    assert model.form.excess < 0.6  # the larger a spread, the less of it stays


@pytest.mark.parametrize("name", sorted(decayfile.SHIPPED))
def test_a_shipped_model_reads_as_it_would_be_written(name: str) -> None:
    model = decayfile.shipped(name)

    assert decayfile.of_json(decayfile.as_json(model), "a test") == model
