"""CSV files with named columns; whatever is wrong is one sentence with file, line and remedy."""

import csv
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from io import TextIOWrapper
from pathlib import Path

from hedger.errors import UsageError

HOUR_S = 3_600
UNKNOWN = math.nan
FIRST_HOUR = 333_000  # hours since the epoch: no venue of this kind existed before 2007
LAST_HOUR = 1_140_000  # the year 2100
CACHED_HOURS = 200_000


class Table:
    """An open file: its rows as lists, and its columns by name."""

    def __init__(self, path: Path, file: TextIOWrapper) -> None:
        self.path = path
        self._reader = csv.reader(file)
        self._file = file
        header = next(self._reader, None)
        self._places = {name.strip(): n for n, name in enumerate(header or [])}
        self._width = len(self._places)
        self._hours: dict[str, int] = {}

    def __iter__(self) -> Iterator[list[str]]:
        try:
            for row in self._reader:
                if len(row) != self._width:
                    if not row:
                        continue
                    raise self.wrong(f"has {len(row)} fields, the header {self._width}")
                yield row
        except UnicodeDecodeError as error:
            raise UsageError(f"{self.path}: is no UTF-8 text; save it as UTF-8") from error
        except csv.Error as error:
            raise self.wrong(f"cannot be read as CSV ({error})") from error

    def has(self, column: str) -> bool:
        """Whether the file has this column."""
        return column in self._places

    def place(self, *columns: str) -> int:
        """The place of the first of these columns that is there; -1 when none is."""
        return next((self._places[name] for name in columns if name in self._places), -1)

    def need(self, columns: Sequence[str]) -> None:
        """
        Make sure that these columns are there.

        Raises:
            UsageError: some are not.
        """
        missing = [name for name in columns if name not in self._places]
        if missing:
            raise UsageError(
                f"{self.path}: has no column {', '.join(missing)}; "
                f"its header must name {', '.join(columns)}"
            )

    def wrong(self, what: str) -> UsageError:
        """The sentence about the present line."""
        return UsageError(
            f"{self.path} line {self._reader.line_num}: {what}; correct or remove that line"
        )

    def text(self, row: list[str], column: str) -> str:
        """A field; empty where the file has no such column."""
        place = self._places.get(column, -1)
        return row[place].strip() if place >= 0 else ""

    def decimal(self, row: list[str], column: str) -> Decimal | None:
        """
        An amount that may be missing, never negative.

        Raises:
            UsageError: it is no such number.
        """
        text = self.text(row, column)
        if not text:
            return None
        try:
            value = Decimal(text)
        except InvalidOperation:
            value = Decimal("NaN")
        if not value.is_finite() or value < 0:
            raise self.wrong(f"{column} is {text!r}, which is no amount")
        return value

    def number(self, row: list[str], column: str) -> float | None:
        """``decimal`` as a float."""
        value = self.decimal(row, column)
        return None if value is None else float(value)

    def rate(self, text: str, column: str, most: float) -> float:
        """
        A signed fraction per hour.

        Raises:
            UsageError: it is no number, or larger than the venue can charge (a unit error).
        """
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if -most <= value <= most:
            return value
        if math.isfinite(value):
            raise self.wrong(
                f"{column} is {text}, beyond the venue's cap of {most:g} per hour: "
                "rates are signed fractions per hour, not percent"
            )
        raise self.wrong(f"{column} is {text!r}, which is no rate")

    def amount(self, text: str, column: str) -> float:
        """
        A price or value in USD; nan when the field is empty.

        Raises:
            UsageError: it is no such number.
        """
        if not text:
            return UNKNOWN
        try:
            value = float(text)
        except ValueError:
            value = -1.0
        if not 0 <= value < math.inf:
            raise self.wrong(f"{column} is {text!r}, which is no amount in USD")
        return value or UNKNOWN  # venues write 0 for a market that has no price

    def instant(self, text: str, column: str) -> tuple[int, int]:
        """
        The hour since the epoch that an instant lies in, and the seconds into it.

        Raises:
            UsageError: it is no instant in UTC.
        """
        if text[13:] == ":00:00Z":
            hour = self._hours.get(text)
            if hour is not None:
                return hour, 0
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            moment = None
        if moment is None or moment.tzinfo is None or moment.utcoffset() != UTC.utcoffset(None):
            raise self.wrong(f"{column} is {text!r}, which is no UTC instant like {_EXAMPLE}")
        hour, second = divmod(int(moment.timestamp()), HOUR_S)
        if not FIRST_HOUR <= hour <= LAST_HOUR:
            raise self.wrong(f"{column} is {text!r}, which is no year of recorded rates")
        if second == 0 and len(self._hours) < CACHED_HOURS:
            self._hours[text] = hour
        return hour, second


_EXAMPLE = "2026-01-02T21:00:00Z"


def files(folder: Path, stem: str) -> list[Path]:
    """``<stem>.csv`` and the monthly ``<stem>-2026-01.csv`` of a folder, oldest first."""
    whole = folder / f"{stem}.csv"
    return [*([whole] if whole.is_file() else []), *sorted(folder.glob(f"{stem}-????-??.csv"))]


@contextmanager
def open_table(path: Path, columns: Sequence[str]) -> Iterator[Table]:
    """
    Open a file and check its header.

    Raises:
        UsageError: it cannot be read, or a column is missing.
    """
    try:
        file = path.open(encoding="utf-8-sig", newline="")
    except OSError as error:
        raise UsageError(
            f"{path}: cannot be read ({error.strerror or error}); check the folder"
        ) from error
    with file:
        try:
            table = Table(path, file)
        except UnicodeDecodeError as error:
            raise UsageError(f"{path}: is no UTF-8 text; save it as UTF-8") from error
        table.need(columns)
        yield table
