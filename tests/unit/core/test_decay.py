"""What is left of a spread: the fit on rows, its files, and what it makes of rows that lie."""

import math
import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from hedger import decayfile, decayfit
from hedger.decay import H_MAX, KNEE_1H, DecayModel, Form
from hedger.decayfit import PairRow, fit
from hedger.domain.ids import Symbol
from hedger.errors import ConfigError

START = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


def row(symbol: str, hour: int, spread: float, source: str = "panel") -> PairRow:
    return PairRow(
        source=source,
        symbol=Symbol(symbol),
        hour=START + hour * HOUR,
        spread_1h=Decimal(f"{spread:.9f}"),
    )


def decaying(
    chance: random.Random, *, markets: int, hours: int, half: float, name: str = "M"
) -> list[PairRow]:
    """Spreads that revert to nothing: an autoregressive series, of a known share per hour."""
    kept = math.exp(-1 / half)
    noise = math.sqrt(1 - kept * kept) * 1e-4
    rows = []
    for market in range(markets):
        spread = chance.gauss(0, 1e-4)
        for hour in range(hours):
            rows.append(row(f"{name}{market}", hour, spread))
            spread = spread * kept + chance.gauss(0, noise)
    return rows


def test_a_known_decay_is_found_again() -> None:
    model = fit(decaying(random.Random(1), markets=200, hours=60, half=8.0), origin="made")

    for lag in (1, 4, 8, 16, 24):
        assert model.form.share(lag) == pytest.approx(math.exp(-lag / 8), abs=0.08)


def test_spreads_that_turn_around_count_against_what_is_left() -> None:
    """Half of the markets keep their spread, half of them turn it: nothing is expected."""
    rows = [
        row(f"M{n}", hour, 1e-4 * (1 if hour % 2 == 0 or n % 2 == 0 else -1))
        for n in range(40)
        for hour in (0, 1)
    ]

    assert fit(rows, origin="made").form.share(1) == pytest.approx(0, abs=1e-6)


def test_a_market_that_keeps_more_of_its_spread_gets_a_scale_of_its_own() -> None:
    chance = random.Random(2)
    rows = decaying(chance, markets=40, hours=48, half=3.0)
    rows += decaying(chance, markets=1, hours=300, half=60.0, name="SLOW")

    model = fit(rows, origin="made")

    slow, other = Symbol("SLOW0"), Symbol("M1")
    assert model.scales[slow] > Decimal("1.2")
    assert model.share(slow, 4) > model.share(other, 4)
    assert str(model.share(Symbol("NEVER_SEEN"), 4)) == f"{model.form.share(4):.6f}"


def test_a_log_of_survivors_does_not_make_spreads_last() -> None:
    """A bot's log shows only what it still held: those of ten markets that kept their spread."""
    held = [row(f"M{n}", 0, 5e-5, "log") for n in range(10)]
    held += [row(f"M{n}", 1, 5e-5, "log") for n in range(5)]

    alone = fit(held, origin="made").form.share(1)

    assert alone == pytest.approx(0.5, abs=0.01)  # what is not seen any more is not still there
    panel = [row(f"P{n}", hour, 5e-5 * 0.8**hour) for n in range(10) for hour in (0, 1)]
    beside = fit(held + panel, origin="made").form.share(1)
    assert 0.8 < beside < 0.9  # where every market was seen, that says what became of the rest


def test_the_fake_spread_of_the_base_rates_is_no_evidence_of_anything() -> None:
    fake = [row(f"F{n}", hour, 1e-6) for n in range(50) for hour in range(50)]

    with pytest.raises(ValueError, match="no market"):
        fit(fake, origin="made")
    real = decaying(random.Random(3), markets=60, hours=40, half=4.0)
    assert fit(real + fake, origin="made").form == fit(real, origin="made").form


def test_beyond_what_was_recorded_the_share_falls_to_nothing() -> None:
    form = Form(fast=0.5, fast_h=2.0, slow=0.1, slow_h=8.0, floor=0.2, last_lag=40)

    shares = [form.share(k) for k in range(1, H_MAX + 1)]

    assert shares[39] == pytest.approx(0.2, abs=0.01)
    assert shares[39] > shares[47] > shares[100] > shares[-1]
    assert shares[-1] < 1e-6
    assert max(shares) <= 1


# -- files --------------------------------------------------------------------------------------


def test_a_model_reads_as_it_was_written(tmp_path: Path) -> None:
    model = fit(decaying(random.Random(4), markets=30, hours=40, half=4.0), origin="made")
    path = tmp_path / "decay.json"

    decayfile.save(model, path)

    assert decayfile.load(path) == model


@pytest.mark.parametrize("text", ["", "{}", '{"format": 2}', '{"format": 1}', "[1]"])
def test_what_is_no_model_is_refused_with_a_remedy(tmp_path: Path, text: str) -> None:
    path = tmp_path / "decay.json"
    path.write_text(text, encoding="utf-8")

    with pytest.raises(ConfigError, match="hedger fit"):
        decayfile.load(path)


HOURLY = "x10_market,hour_utc,x10_rate_1h,lighter_rate_1h\n"
PAIRS = "source,market,hour_utc,rate_x10_1h,rate_lighter_1h\n"
SINGLE = "venue,market,timestamp_utc,rate_1h,kind,source\n"


def write(folder: Path, name: str, text: str) -> None:
    (folder / name).write_text(text, encoding="utf-8")


def test_rows_come_from_every_file_and_each_hour_counts_once(tmp_path: Path) -> None:
    write(tmp_path, decayfile.HOURLY, HOURLY + "ETH-USD,2026-01-01T00:00:00Z,0.0003,0.0001\n")
    write(
        tmp_path,
        decayfile.PAIRS,
        PAIRS + "S2,ETH,2026-01-01T00:00:00Z,9,9\n" + "S1,ETH,2026-01-01T01:00:00Z,0.0002,0.0001\n",
    )
    write(
        tmp_path,
        "funding_x10.csv",
        SINGLE
        + "x10,ETH,2026-01-01T02:03:00Z,0.5,predicted_snapshot,S6\n"
        + "x10,ETH,2026-01-01T02:00:00Z,0.0004,settled,S1\n"
        + "x10,ETH,2026-01-01T03:00:00Z,0.0004,settled,S1\n",
    )
    write(
        tmp_path,
        "funding_lighter.csv",
        SINGLE + "lighter,ETH,2026-01-01T02:00:00Z,0.0001,settled,S1\n",
    )

    found = sorted(decayfile.read_rows(tmp_path), key=lambda r: r.hour)

    spreads = [str(r.spread_1h) for r in found]
    assert spreads == ["0.0002", "0.0001", "0.0003"]
    assert {r.symbol for r in found} == {"ETH"}


def test_rows_of_the_future_are_left_out(tmp_path: Path) -> None:
    """A model for a backtest must not have seen what it is judged on."""
    lines = [
        f"S1,M{n},{START + hour * HOUR:%Y-%m-%dT%H:%M:%SZ},{0.0001 if hour < 9 else 0.009},0\n"
        for n in range(9)
        for hour in range(18)
    ]
    write(tmp_path, decayfile.PAIRS, PAIRS + "".join(lines))

    known = decayfile.fitted(tmp_path, until=START + 9 * HOUR)

    assert known.until == START + 8 * HOUR
    assert known.form.share(1) == pytest.approx(1.0, abs=0.01)
    assert decayfile.fitted(tmp_path) != known


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (decayfile.PAIRS, PAIRS + "S1,ETH,yesterday,0.0001,0\n"),
        (decayfile.PAIRS, PAIRS + "S1,ETH,2026-01-01T00:00:00,0.0001,0\n"),
        (decayfile.PAIRS, PAIRS + "S1,ETH,2026-01-01T00:00:00Z,a lot,0\n"),
        (decayfile.PAIRS, "market\nETH\n"),
        ("funding_x10.csv", SINGLE + "x10,ETH,2026-01-01T00:00:00Z,,settled,S1\n"),
    ],
)
def test_a_row_that_cannot_be_read_is_named(tmp_path: Path, name: str, text: str) -> None:
    write(tmp_path, name, text)

    with pytest.raises(ConfigError, match=f"{name} line 2"):
        decayfile.read_rows(tmp_path)


def test_a_folder_without_rows_says_which_files_are_needed(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"funding_pairs\.csv"):
        decayfile.read_rows(tmp_path)


def test_hours_that_only_some_markets_have_are_not_taken_for_losses() -> None:
    """The last hour of a recording is cut off; markets that are missing there did not vanish."""
    rows = [row(f"M{n}", hour, 1e-4) for n in range(20) for hour in (0, 1)]
    rows += [row(f"M{n}", 2, 1e-4) for n in range(3)]

    assert fit(rows, origin="made").form.share(1) == pytest.approx(1.0, abs=0.01)
    assert decayfit.FULL < 1


def test_the_tables_are_exact_sums_of_their_shares() -> None:
    model: DecayModel = decayfile.shipped()
    symbol, spread = Symbol("ETH"), Decimal("0.000051")

    total = Decimal(0)
    for settlement in range(1, H_MAX + 1):
        total += model.share(symbol, settlement)
        assert model.expected_sum(symbol, spread, settlement) == total * Decimal("0.00005")
    assert model.expected_sum(symbol, spread, H_MAX + 50) == total * Decimal("0.00005")


def test_the_part_above_the_knee_counts_less_whoever_pays_it() -> None:
    """A large spread against us reverts like one for us: the fit knows sizes, and no sides."""
    form = Form(fast=0.5, fast_h=2.0, slow=0.1, slow_h=8.0, floor=0.2, last_lag=40, excess=0.25)
    model = replace(decayfile.shipped(), form=form)

    assert model.counted(Decimal("0.000061")) == KNEE_1H
    assert model.counted(Decimal("0.000101")) == Decimal("0.00007")
    assert model.counted(Decimal("-0.00006")) == -KNEE_1H
    assert model.counted(Decimal("-0.0001")) == Decimal("-0.00007")
    assert model.counted(Decimal("-0.000001")) == Decimal("-0.000001")  # a step is no gain


def test_an_excess_that_does_not_stay_is_found() -> None:
    """What lies above the knee is gone an hour later; what lies below stays."""
    chance = random.Random(5)
    knee = float(KNEE_1H)
    rows = []
    for n in range(400):
        first = chance.uniform(0.5, 4) * knee
        rows += [row(f"M{n}", hour, min(first, knee) if hour else first) for hour in (0, 1)]

    model = fit(rows, origin="made")

    assert model.form.excess < 0.05
    assert model.form.share(1) == pytest.approx(1.0, abs=0.02)
