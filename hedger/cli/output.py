"""Printing: tables for people, stable JSON and CSV for programs. Results go to standard output."""

import csv
import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from enum import StrEnum
from itertools import chain, islice
from typing import Any

import click

from hedger.common import masking
from hedger.common.words import printable
from hedger.plainjson import as_text, dumps, stream

Row = Mapping[str, Any]

TABLE_CHUNK = 500  # rows per table: a longer list is several tables, and memory stays bounded
PIPE_WIDTH = 160  # where no terminal says how wide it is
PROSE = frozenset({"reason", "text", "detail", "source", "note", "why"})  # only these are folded
PROSE_MIN_WIDTH = 24
WIDTH_MAX = 10_000
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
        emit(({"": name, "value": value} for name, value in values.items()), output)


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
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    stream = sys.stderr if err else sys.stdout
    wide_known = stream.isatty() or "COLUMNS" in os.environ
    console = Console(file=stream, width=None if wide_known else PIPE_WIDTH)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for column in columns:
        numeric = all(_is_number(row.get(column)) for row in rows)
        table.add_column(
            column,
            justify="right" if numeric else "left",
            overflow="fold",
            no_wrap=column not in PROSE,
            min_width=PROSE_MIN_WIDTH if column in PROSE else _longest(column, rows),
        )
    for row in rows:  # Text: a venue's words are never taken for markup
        table.add_row(*(Text(_shown(column, row.get(column))) for column in columns))
    # a number cut off would be a wrong number: rather a line that is longer than the terminal
    needed = console.measure(table, options=console.options.update(width=WIDTH_MAX)).minimum
    console.width = max(console.width, needed)
    console.print(table, crop=False)


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
