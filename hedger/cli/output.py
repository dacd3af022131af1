"""Printing: tables for people, stable JSON and CSV for programs. Results go to standard output."""

import csv
import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from enum import StrEnum
from itertools import chain, islice
from typing import TYPE_CHECKING, Any

import click

from hedger.common import masking
from hedger.common.words import printable
from hedger.plainjson import as_text, dumps, stream

if TYPE_CHECKING:
    from rich.table import Table

Row = Mapping[str, Any]

TABLE_CHUNK = 500  # rows per table: a longer list is several tables, and memory stays bounded
PIPE_WIDTH = 160  # where no terminal says how wide it is
VALUE = "value"  # of a table of keys and values
PROSE = frozenset({"reason", "text", "detail", "source", "note", "why", VALUE})  # only these fold
PROSE_MIN_WIDTH = 24
GAP = 3  # between two columns
NAMING_MAX = 3
INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)")
UNKNOWN = "unknown"  # what a table shows for an amount that is not known; never a zero


class Format(StrEnum):
    """How rows are printed."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"


def say(sentence: str) -> None:
    """Tell a person something; never part of the output."""
    click.echo(printable(masking.redact(sentence)), err=True)


def emit(
    rows: Iterable[Row],
    output: Format,
    *,
    empty: str = "nothing to show",
    columns: Sequence[str] | None = None,
    shown: Sequence[str] | None = None,
) -> None:
    """
    Print rows as they come: JSON is one array, CSV has a header.

    ``columns`` are all there are, by default those of the first row; a table shows those of
    ``shown`` alone.
    """
    match output:
        case Format.JSON:
            for piece in stream(rows):
                sys.stdout.write(piece)
        case Format.CSV:
            _csv(rows, columns)
        case Format.TABLE:
            _tables(rows, empty, shown)


def emit_object(values: Row, output: Format, rows: str | None = None) -> None:
    """Print one result: JSON as it is, else its list named ``rows``, or its keys and values."""
    if output is Format.JSON:
        sys.stdout.write(dumps(values, indent=2) + "\n")
    elif rows is not None and isinstance(values.get(rows), list):
        emit(values[rows], output)
    elif output is Format.CSV:
        _csv([values], None)
    else:
        emit(({"": name, VALUE: value} for name, value in values.items()), output)


def _csv(rows: Iterable[Row], columns: Sequence[str] | None) -> None:
    first, everything = _peek(rows)
    names = columns if columns is not None else list(first or ())
    writer = csv.writer(sys.stdout, lineterminator="\n")
    if names:
        writer.writerow(names)
    for row in everything:
        writer.writerow([cell(row.get(name)) for name in names])


def cell(value: object) -> str:
    """One value as a person or a spreadsheet reads it; None is empty."""
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case str():
            return value
        case int():
            return str(value)
        case dict() | list() | tuple():
            return dumps(value)
        case _:
            return as_text(value)


def show(rows: Iterable[Row]) -> None:
    """A table on standard error: for a person to decide by, never part of the output."""
    _tables(rows, "nothing to show", None, err=True)


def _tables(
    rows: Iterable[Row], empty: str, shown: Sequence[str] | None, *, err: bool = False
) -> None:
    first, everything = _peek(rows)
    if first is None:
        say(empty)
        return
    columns = [name for name in shown or first if name in first]
    for chunk in _chunks(everything):
        _table(columns, chunk, err=err)


def _table(columns: Sequence[str], rows: Sequence[Row], *, err: bool) -> None:
    from rich.console import Console

    stream = sys.stderr if err else sys.stdout
    wide_known = stream.isatty() or "COLUMNS" in os.environ
    console = Console(file=stream, width=None if wide_known else PIPE_WIDTH)
    widths = {column: _width(column, rows) for column in columns}
    parts = _parts(columns, rows, widths, console.width) if wide_known else [columns]
    for part in parts:
        # a number cut off would be a wrong number: rather a line that is longer than the terminal
        console.width = max(console.width, _whole_width(part, widths))
        console.print(_rich_table(part, rows, widths), crop=False)


def _rich_table(columns: Sequence[str], rows: Sequence[Row], widths: Mapping[str, int]) -> "Table":
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for column in columns:
        numeric = all(_is_number(row.get(column)) for row in rows)
        table.add_column(
            column,
            justify="right" if numeric else "left",
            overflow="fold",
            no_wrap=column not in PROSE,
            min_width=widths[column],
        )
    for row in rows:  # Text: a venue's words are never taken for markup
        table.add_row(*(Text(_shown(column, row.get(column))) for column in columns))
    return table


def _parts(
    columns: Sequence[str], rows: Sequence[Row], widths: Mapping[str, int], width: int
) -> list[Sequence[str]]:
    """The columns in as many tables as fit the width, each beginning with what names its rows."""
    if _whole_width(columns, widths) <= width:
        return [columns]
    naming = _naming(columns, rows)
    parts: list[list[str]] = [list(naming)]
    for column in columns[len(naming) :]:
        fits = _whole_width([*parts[-1], column], widths) <= width
        if fits or len(parts[-1]) == len(naming):
            parts[-1].append(column)
        else:
            parts.append([*naming, column])
    return list(parts)


def _naming(columns: Sequence[str], rows: Sequence[Row]) -> Sequence[str]:
    """The fewest columns from the left that tell the rows apart, at most three."""
    for count in range(1, NAMING_MAX):
        seen = {tuple(_shown(name, row.get(name)) for name in columns[:count]) for row in rows}
        if len(seen) == len(rows):
            return columns[:count]
    return columns[:NAMING_MAX]


def _whole_width(columns: Sequence[str], widths: Mapping[str, int]) -> int:
    return sum(widths[column] for column in columns) + GAP * (len(columns) - 1)


def _width(column: str, rows: Sequence[Row]) -> int:
    """The least that a column needs: prose is folded, everything else is never cut."""
    longest = _longest(column, rows)
    return min(longest, PROSE_MIN_WIDTH) if column in PROSE else longest


def _longest(column: str, rows: Sequence[Row]) -> int:
    """What a column needs that is never folded: an instant has a space in it, too."""
    from rich.cells import cell_len

    return max(cell_len(column), *(cell_len(_shown(column, row.get(column))) for row in rows))


def _shown(column: str, value: object) -> str:
    if value is None and column.endswith("_usd"):
        return UNKNOWN
    text = printable(cell(value))
    return text[:19].replace("T", " ") if INSTANT.fullmatch(text) else text


def _is_number(value: object) -> bool:
    if isinstance(value, str):
        try:
            return Decimal(value).is_finite()
        except ArithmeticError:
            return False
    return value is None or isinstance(value, Decimal | int)


def _peek(rows: Iterable[Row]) -> tuple[Row | None, Iterator[Row]]:
    """The first row, which names the columns, and all rows with it."""
    remaining = iter(rows)
    first = next(remaining, None)
    return first, iter(()) if first is None else chain([first], remaining)


def _chunks(rows: Iterator[Row]) -> Iterator[Sequence[Row]]:
    while chunk := list(islice(rows, TABLE_CHUNK)):
        yield chunk
