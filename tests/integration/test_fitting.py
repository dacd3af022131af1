"""``hedger fit``: from a folder of recorded rows to a model that a configuration names."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from hedger import decayfile
from hedger.cli import root
from hedger.cli.exit_codes import ExitCode

START = datetime(2026, 1, 1, tzinfo=UTC)
HEADER = "source,market,hour_utc,rate_x10_1h,rate_lighter_1h\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Nine markets whose spread halves every hour, and stays from the ninth on."""
    lines = [
        f"S1,M{n},{START + timedelta(hours=hour):%Y-%m-%dT%H:%M:%SZ},"
        f"{5e-5 * 0.5 ** min(hour % 9, 1) if hour < 9 else 5e-5:.9f},0\n"
        for n in range(9)
        for hour in range(18)
    ]
    (tmp_path / decayfile.PAIRS).write_text(HEADER + "".join(lines), encoding="utf-8")
    return tmp_path


def test_a_model_goes_to_standard_output_and_its_story_to_a_person(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert root.run(["fit", "--data", str(folder)]) == ExitCode.DONE

    said = capsys.readouterr()
    assert json.loads(said.out)["origin"] == "rows of S1"
    assert "pairs of hours from 2026-01-01" in said.err


def test_a_model_that_was_written_is_the_one_that_a_configuration_gets(folder: Path) -> None:
    out = folder / "mine.json"

    assert root.run(["fit", "--data", str(folder), "--out", str(out)]) == ExitCode.DONE

    assert decayfile.named(str(out)) == decayfile.fitted(folder)
    assert [path.name for path in folder.glob("*.part")] == []


def test_until_leaves_the_rest_for_a_judge(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert root.run(["fit", "--data", str(folder), "--until", "2026-01-01T09:00Z"]) == 0

    known = json.loads(capsys.readouterr().out)
    assert known["until"] == "2026-01-01T08:00:00+00:00"
    assert known != json.loads(decayfile.as_json(decayfile.fitted(folder)))


@pytest.mark.parametrize("arguments", [["--until", "some day"], ["--until", "2025-01-01"]])
def test_what_cannot_be_fitted_is_told_in_a_sentence(
    folder: Path, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert root.run(["fit", "--data", str(folder), *arguments]) != ExitCode.DONE

    assert len(capsys.readouterr().err.splitlines()) == 1
