"""Rows as a person and as a program read them."""

import csv
import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from hedger.cli.output import Format, emit, emit_object
from hedger.ports import Fence

ROW: dict[str, Any] = {
    "id": "eth-1",
    "size": Decimal("7.7260E+4"),
    "fee_usd": None,
    "closed_at": None,
    "at": datetime(2026, 1, 2, 21, 0, 0, 1, UTC),
    "fence": Fence.NONCE,
    "reduce_only": True,
    "reason": "it was [bold]refused[/bold] by x10; it said 1140",
}


def test_json_is_one_array_with_exact_numbers_as_text(capsys: pytest.CaptureFixture[str]) -> None:
    emit([ROW, ROW], Format.JSON)

    first, second = json.loads(capsys.readouterr().out)
    assert first == second
    assert first == {
        "id": "eth-1",
        "size": "77260",
        "fee_usd": None,
        "closed_at": None,
        "at": "2026-01-02T21:00:00.000001Z",
        "fence": "nonce",
        "reduce_only": True,
        "reason": ROW["reason"],
    }


def test_rows_are_written_as_they_come(capsys: pytest.CaptureFixture[str]) -> None:
    def rows() -> Iterator[dict[str, int]]:
        for number in range(1_200):
            yield {"nr": number}

    emit(rows(), Format.JSON)

    assert len(json.loads(capsys.readouterr().out)) == 1_200


def test_csv_has_a_header_and_every_column(capsys: pytest.CaptureFixture[str]) -> None:
    emit([ROW], Format.CSV)

    (row,) = csv.DictReader(io.StringIO(capsys.readouterr().out))
    assert list(row) == list(ROW)
    assert row["size"] == "77260"
    assert row["fee_usd"] == ""
    assert row["reduce_only"] == "yes"


def test_a_table_shows_an_unknown_amount_as_unknown_and_what_is_not_yet_as_nothing(
    capsys: pytest.CaptureFixture[str],
) -> None:
    emit([ROW], Format.TABLE, shown=("id", "fee_usd", "closed_at"))

    assert capsys.readouterr().out.splitlines()[-1].split() == ["eth-1", "unknown"]


def test_a_table_takes_what_a_venue_said_for_text(capsys: pytest.CaptureFixture[str]) -> None:
    emit([ROW], Format.TABLE, shown=("id", "reason"))

    assert "[bold]refused[/bold]" in capsys.readouterr().out


def test_a_table_never_cuts_a_value_off(capsys: pytest.CaptureFixture[str]) -> None:
    row = {f"a_rather_long_name_{n}": f"{n}.0123456789012345678" for n in range(20)}

    emit([row], Format.TABLE)

    out = capsys.readouterr().out
    for name, value in row.items():
        assert name in out
        assert value in out


def test_a_table_without_rows_is_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    emit([], Format.TABLE, empty="no orders match")

    assert capsys.readouterr() == ("", "no orders match\n")


def test_a_wide_table_with_instants_becomes_longer_than_the_terminal_and_cuts_nothing(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """An instant has a space in it, and a column of them was taken for narrower than it is."""
    row = {f"amount_{n}_usd": "-123456.123456" for n in range(12)}
    emit([row | {"at": "2026-01-02T21:00:00.000000Z"}], Format.TABLE)
    out = capsys.readouterr().out
    assert out.count("-123456.123456") == 12
    assert "2026-01-02 21:00:00" in out
    assert all(f"amount_{n}_usd" in out for n in range(12))


def test_a_table_wider_than_the_terminal_becomes_several_that_fit(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each begins with what tells its rows apart, and no column is lost."""
    monkeypatch.setenv("COLUMNS", "80")
    amounts = {f"amount_{n}_usd": "-123456.123456" for n in range(12)}
    rows = [{"id": f"eth-{n}", **amounts, "why": "it was refused " * 9} for n in range(2)]

    emit(rows, Format.TABLE)

    lines = capsys.readouterr().out.splitlines()
    assert max(len(line) for line in lines) <= 80
    heads = [line.split() for line in lines if line.startswith("id ")]
    assert len(heads) > 1
    assert [name for head in heads for name in head[1:]] == [*amounts, "why"]
    assert sum(line.startswith("eth-0 ") for line in lines) == len(heads)


def test_rows_with_the_same_beginning_keep_more_columns_to_be_told_apart(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    rows = [
        {"hedge": "eth-1", "venue": venue, **{f"amount_{n}": "-123456.123456" for n in range(4)}}
        for venue in ("x10", "lighter")
    ]

    emit(rows, Format.TABLE)

    heads = [
        line.split() for line in capsys.readouterr().out.splitlines() if line.startswith("hedge")
    ]
    assert len(heads) == 2
    assert all(head[:2] == ["hedge", "venue"] for head in heads)


def test_keys_and_values_fold_a_long_sentence(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")

    emit_object({"hedge": "eth-1", "reason": "both legs stand " * 20}, Format.TABLE)

    lines = capsys.readouterr().out.splitlines()
    assert max(len(line) for line in lines) <= 80
    assert " ".join(lines).count("stand") == 20
