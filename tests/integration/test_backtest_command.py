"""``hedger backtest`` as a person and a program use it, and the commands that record for it."""

import json
import os
import random
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from hedger import decayfile, log
from hedger.backtest.series import instant
from hedger.cli import root
from hedger.cli.exit_codes import ExitCode

FIRST = 491_000
MARKETS = ("ETH", "KAITO", "ZORA")
HOURS = 300
RULES = {"ours", "naive", "hold", "oracle"}


@pytest.fixture(autouse=True)
def _quiet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("HEDGER_HOME", str(tmp_path / "home"))
    umask = os.umask(0o022)
    yield
    os.umask(umask)
    log.configure()


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Three markets over three hundred hours, with spreads that come suddenly and decay."""
    folder = tmp_path / "data"
    folder.mkdir()
    chance = random.Random(5)
    header = "venue,market,timestamp_utc,rate_1h,mark_price,index_price,oi_usd,kind,source\n"
    files = dict.fromkeys(("x10", "lighter"), header)
    for market in MARKETS:
        spread = 0.0
        for n in range(HOURS):
            spread = spread * 0.93 + (chance.choice((1, -1)) * 2e-3 if n % 60 == 30 else 0.0)
            at = f"{instant(FIRST + n):%Y-%m-%dT%H:00:00Z}"
            rates = {"x10": 1.2e-5 + spread, "lighter": 1.2e-5}
            for venue, rate in rates.items():
                files[venue] += f"{venue},{market},{at},{rate:.6f},10,10,,settled,S1\n"
    for venue, text in files.items():
        (folder / f"funding_{venue}.csv").write_text(text)
    return folder


def asked(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """Standard output of ``hedger backtest``, which must succeed."""
    code = root.run(["backtest", *map(str, arguments)])
    out, err = capsys.readouterr()
    assert code == ExitCode.DONE, err
    return out


def parsed(capsys: pytest.CaptureFixture[str], *arguments: object) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(asked(capsys, *arguments, "--format", "json"))
    return found


def refused(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """The one sentence of a refusal."""
    assert root.run(["backtest", *map(str, arguments)]) == ExitCode.USAGE
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    return err


def test_json_holds_every_rule_on_the_fitted_and_on_the_held_out_part(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = parsed(capsys, "--data", data, "--split", "0.5")

    assert [part["part"] for part in found["parts"]] == ["fitted", "held out"]
    assert found["data"]["market_hours"] == len(MARKETS) * HOURS
    assert found["generated"] is False
    for rules in (found["rules"], *(part["rules"] for part in found["parts"])):
        assert set(rules) == RULES
        for row in rules.values():
            sums = (row[f"{n}_usd"] for n in ("fees", "funding", "basis", "slippage"))
            assert Decimal(row["net_usd"]) == sum(map(Decimal, sums), Decimal(0))
            if row["hedges"] > 1:
                low, high = map(Decimal, row["net_per_hedge_interval_usd"])
                assert low <= Decimal(row["net_per_hedge_usd"]) <= high
    ours, oracle = found["rules"]["ours"], found["rules"]["oracle"]
    share = Decimal(ours["net_usd"]) / Decimal(oracle["net_usd"])
    assert Decimal(ours["share_of_oracle"]) == pytest.approx(share, abs=Decimal("0.0001"))
    assert ours["hedges"] == sum(part["rules"]["ours"]["hedges"] for part in found["parts"])
    for part in found["parts"]:
        for table in ("by_market", "by_week"):
            rows = part[table]["ours"]
            assert sum(Decimal(r["net_usd"]) for r in rows) == Decimal(
                part["rules"]["ours"]["net_usd"]
            )


def test_the_same_command_gives_the_same_answer(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    again = ("--data", data, "--market", "ETH", "--generate-years", 1)
    assert parsed(capsys, *again) == parsed(capsys, *again)


def test_people_get_tables_curves_and_what_must_not_be_overlooked(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert root.run(["backtest", "--data", str(data)]) == ExitCode.DONE
    out, err = capsys.readouterr()

    for text in ("fitted: 2026-", "held out: 2026-", "by market", "by week", "oracle", "▁"):
        assert text in out
    assert "closed there at full cost" in err
    assert "GENERATED" not in out


def test_what_was_generated_is_marked_in_every_output(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    more = ("--data", data, "--generate-years", 1, "--market", "ETH", "--market", "KAITO")
    found = parsed(capsys, *more)
    assert found["generated"] is True
    assert [part["generated"] for part in found["parts"]] == [False, False, True]
    assert found["parts"][2]["part"] == "generated"
    assert found["parts"][2]["note"].startswith("GENERATED, not recorded: 2 markets")
    assert found["parts"][2]["market_hours"] == 2 * 24 * 365
    recorded = sum(part["rules"]["ours"]["hedges"] for part in found["parts"][:2])
    assert found["rules"]["ours"]["hedges"] == recorded  # never added to what was recorded

    table = asked(capsys, *more)
    assert "generated: " in table
    assert "by market, USD (GENERATED)" in table
    lines = asked(capsys, *more, "--format", "csv").splitlines()
    assert sum(line.startswith("generated,yes,") for line in lines) == len(RULES)
    picture = tmp_path / "equity.png"
    asked(capsys, *more, "--png", picture)
    beside = tmp_path / "equity-generated.png"
    assert picture.read_bytes()[:8] == beside.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    with_generated = picture.read_bytes()
    beside.unlink()
    asked(capsys, "--data", data, "--market", "ETH", "--market", "KAITO", "--png", picture)
    assert picture.read_bytes() == with_generated
    assert not beside.exists()


def test_the_decisions_log_has_a_line_for_every_hedge_and_refusal(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log_file = tmp_path / "decisions.jsonl"
    log_file.write_text("an older log\n")
    found = parsed(capsys, "--data", data, "--decisions", log_file)

    lines = [json.loads(line) for line in log_file.read_text().splitlines()]
    for rule in RULES:
        mine = [line for line in lines if line["rule"] == rule]
        opened = [line for line in mine if line["action"] == "open"]
        ended = [line for line in mine if line["action"] in {"close", "cut"}]
        assert len(opened) == len(ended) == found["rules"][rule]["hedges"]
    ours = [line for line in lines if line["rule"] == "ours"]
    assert all(Decimal(l["expected_usd"]) > 0 for l in ours if l["action"] == "open")  # noqa: E741
    assert all(line["reason"] for line in ours)
    assert any(line["action"] == "refuse" for line in ours)


def test_fees_and_slippage_can_be_those_of_ones_own_tier(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    free = parsed(
        capsys,
        "--data", data, "--taker-fee-bps", "x10=0", "--taker-fee-bps", "lighter=0",
        "--slippage-bps", "0",
    )  # fmt: skip
    paid = parsed(capsys, "--data", data)

    for rule in RULES:
        assert Decimal(free["rules"][rule]["fees_usd"]) == 0
        assert Decimal(free["rules"][rule]["slippage_usd"]) == 0
    assert Decimal(paid["rules"]["naive"]["fees_usd"]) < 0
    assert paid["assumptions"]["taker_fee"] == {"x10": "0.000225", "lighter": "0"}


def test_a_model_from_a_file_needs_no_fit(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = tmp_path / "decay.json"
    model.write_text(decayfile.as_json(decayfile.shipped()))
    found = parsed(capsys, "--data", data, "--model", model)

    assert [part["part"] for part in found["parts"]] == ["whole record"]
    assert found["model"]["origin"] == decayfile.shipped().origin
    split = parsed(capsys, "--data", data, "--model", model, "--split", "0.5")
    assert [part["part"] for part in split["parts"]] == ["before the split", "after the split"]


def test_a_record_too_short_for_a_fit_is_studied_with_the_shipped_model_and_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "funding_pairs.csv").write_text(
        "source,market,hour_utc,rate_x10_1h,rate_lighter_1h\n"
        "S1,ETH,2026-01-01T00:00:00Z,0.000013,0.000012\n"
    )
    found = parsed(capsys, "--data", tmp_path)

    assert found["note"].endswith("the shipped model is used")
    assert "cannot be fitted" in refused(capsys, "--data", tmp_path, "--split", "none")


def test_a_sweep_shows_both_parts_of_every_combination(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = json.loads(
        asked(
            capsys,
            "--data", data, "--sweep", "entry.min_net_bps=0,1000", "--sweep", "size_usd=500",
            "--jobs", 2, "--format", "json",
        )
    )  # fmt: skip

    assert [(row["entry.min_net_bps"], row["part"]) for row in rows] == [
        ("0", "fitted"),
        ("0", "held out"),
        ("1000", "fitted"),
        ("1000", "held out"),
    ]
    assert rows[0]["hedges"] > 0
    assert rows[2]["hedges"] == 0
    assert rows[2]["verdict"].startswith("FAILED: opened none, the oracle found ")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--split", "soon"), "neither an instant nor a share"),
        (("--split", "2031-01-01"), "the record goes from"),
        (("--size-usd", "0"), "--size-usd is '0', which is not between 1 and"),
        (("--slippage-bps", "-1"), "--slippage-bps is '-1'"),
        (("--taker-fee-bps", "okx=1"), "is not VENUE=BPS; name one of x10, lighter"),
        (("--positive-share", "2"), "--positive-share is '2', which is not between 0 and 1"),
        (("--market", "NOSUCH"), "has no hour of it at both venues; it has ETH, KAITO, ZORA"),
        (("--sweep", "entry.nothing=1"), "entry.nothing is not a known key"),
        (("--decisions", "/nowhere/log"), "/nowhere/log: cannot be written"),
        (("--model", "/nowhere/model"), "/nowhere/model"),
    ],
)
def test_a_wrong_option_is_one_sentence(
    data: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], said: str
) -> None:
    assert said in refused(capsys, "--data", data, *arguments)


def test_rates_and_history_are_recorded_from_the_sandbox_and_read_by_the_backtest(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recorded, fetched = tmp_path / "recorded", tmp_path / "fetched"
    try:
        for line in (
            ("record", "--data", recorded, "--looks", 2, "--interval-s", 1, "--books", 1),
            ("sandbox", "advance", "3"),
            ("fetch-history", "--data", fetched, "--market", "ETH", "--market", "GRASS"),
        ):
            assert root.run([str(one) for one in line]) == ExitCode.DONE, capsys.readouterr().err
    finally:
        root.run(["sandbox", "stop"])
    capsys.readouterr()

    assert parsed(capsys, "--data", recorded)["data"]["markets"] > 60
    found = parsed(capsys, "--data", fetched)
    assert found["data"]["markets"] == 2
    assert found["data"]["market_hours"] >= 4
    assert found["data"]["files"] == ["funding_x10-2026-01.csv", "funding_lighter-2026-01.csv"]
