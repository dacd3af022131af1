"""Files that a kill at any moment cannot spoil, and that never outgrow their bound."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from hedger.errors import LockedError, StateError
from hedger.recording.files import CUT_STEP, MonthlyCsv, held, mend

JANUARY = datetime(2026, 1, 31, 23, tzinfo=UTC)
FEBRUARY = datetime(2026, 2, 1, tzinfo=UTC)


def a_file(folder: Path, max_mb: int = 1) -> MonthlyCsv:
    return MonthlyCsv(folder, "rates", ("at", "rate"), max_mb=max_mb)


def test_each_month_has_a_file_with_a_header(tmp_path: Path) -> None:
    file = a_file(tmp_path)
    file.append(JANUARY, [("a", 1)])
    file.append(FEBRUARY, [("b", 2), ("c", None)])
    file.append(JANUARY, [("d", 4)])

    assert (tmp_path / "rates-2026-01.csv").read_text() == "at,rate\na,1\nd,4\n"
    assert (tmp_path / "rates-2026-02.csv").read_text() == "at,rate\nb,2\nc,\n"


@pytest.mark.parametrize("kept", range(len("at,rate\na,1\nb,22\n") + 1))
def test_wherever_a_kill_falls_only_whole_lines_remain(tmp_path: Path, kept: int) -> None:
    whole = "at,rate\na,1\nb,22\n"
    path = tmp_path / "rates-2026-01.csv"
    path.write_text(whole[:kept])

    a_file(tmp_path).append(JANUARY, [("c", 3)])

    lines = path.read_text().splitlines()
    expected = [line for line in whole[:kept].split("\n")[:-1] if line]
    assert lines == [*(expected or ["at,rate"]), "c,3"]


def test_a_torn_line_longer_than_a_step_is_cut_off_too(tmp_path: Path) -> None:
    path = tmp_path / "rates-2026-01.csv"
    path.write_text("at,rate\n" + "x" * (2 * CUT_STEP + 5))
    mend(path)
    assert path.read_text() == "at,rate\n"


def test_a_full_file_ends_recording_with_a_sentence_and_keeps_what_it_has(tmp_path: Path) -> None:
    file = a_file(tmp_path)
    row = ("x" * 600_000, 1)
    file.append(JANUARY, [row])
    with pytest.raises(StateError, match="may not grow beyond 1; move it away or raise --max-mb"):
        file.append(JANUARY, [row])

    assert len((tmp_path / "rates-2026-01.csv").read_text().splitlines()) == 2


def test_a_folder_has_one_recorder_at_a_time(tmp_path: Path) -> None:
    with held(tmp_path / "new"):
        refused = pytest.raises(LockedError, match="another process records into this folder")
        with refused, held(tmp_path / "new"):
            pass
    with held(tmp_path / "new"):
        pass


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    refused = pytest.raises(StateError, match="cannot be used")
    with refused, held(tmp_path / "file" / "folder"):
        pass
