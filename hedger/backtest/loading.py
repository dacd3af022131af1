"""
A folder of CSV files in the columns of the reference data, to one series per market.

Any of these may be there; ``<v>`` is the name of a venue:

``funding_<v>.csv``        venue, market, timestamp_utc, rate_1h, mark_price, oi_usd, kind, …
``funding_pairs.csv``      source, market, hour_utc, rate_<v>_1h of both
``hourly_both_venues.csv`` asset, hour_utc, <v>_rate_1h, <v>_mark, <v>_oi_usd of both
``books.csv``              venue, market, spread_bps: what replaces the packaged spreads

and of each also files by month (``funding_<v>-2026-01.csv``), as ``hedger record`` writes them.

A *settled* rate belongs to the settlement at its own instant; a predicted one, seen during an
hour, to the settlement that ends the hour, and counts as known only then. Where several rows
speak about one settlement, the settled one is used, else the hourly mean, else the last look.
"""

import math
from array import array
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from hedger.backtest.columns import HOUR_S, Table, files, open_table
from hedger.backtest.package import Package
from hedger.backtest.series import Maker, Series
from hedger.domain.ids import Symbol
from hedger.errors import UsageError

PAIRS = "funding_pairs"
BOTH = "hourly_both_venues"
SETTLED = 3
KINDS: Mapping[str, int] = {  # how much a row is trusted, from 0
    "settled": SETTLED,
    "settled_ws": SETTLED,
    "hourly_mean_of_predicted": 2,
    "predicted_snapshot": 1,
    "aggregator_snapshot": 0,
}
SETTLED_SOURCES = frozenset({"S1", "history"})
"""Sources of ``funding_pairs.csv``, which has no column kind, that name the settlement itself."""

LATE_S = HOUR_S - 60
"""A settled rate stamped in the last minute of an hour belongs to its end."""


@dataclass(slots=True)
class _Rows:
    """Everything one venue said about one market, in the order of the files."""

    hours: "array[int]" = field(default_factory=lambda: array("q"))
    ranks: "array[int]" = field(default_factory=lambda: array("q"))  # trust, then the second
    rates: "array[float]" = field(default_factory=lambda: array("d"))
    marks: "array[float]" = field(default_factory=lambda: array("d"))
    interests: "array[float]" = field(default_factory=lambda: array("d"))
    sources: "array[int]" = field(default_factory=lambda: array("i"))

    def add(
        self,
        hour: int,
        rank: int,
        *,
        rate: float,
        mark: float = math.nan,
        interest: float = math.nan,
        source: int,
    ) -> None:
        self.hours.append(hour)
        self.ranks.append(rank)
        self.rates.append(rate)
        self.marks.append(mark)
        self.interests.append(interest)
        self.sources.append(source)

    def places(self) -> list[int]:
        """The order by hour, the most trusted row of an hour last."""
        hours, ranks = self.hours, self.ranks
        if all(a < b for a, b in pairwise(hours)):
            return list(range(len(hours)))
        return sorted(range(len(hours)), key=lambda n: (hours[n], ranks[n]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """
    What a folder held. ``left_out`` counts rows of markets without rules, per market.

    ``sources`` names who recorded the first venue's rate of an hour (``Series.sources``).
    """

    folder: Path
    files: Sequence[str]
    series: Mapping[Symbol, Series]
    left_out: Mapping[str, int]
    sources: Sequence[str]


def load(folder: Path, package: Package) -> Record:
    """
    Read a folder.

    Raises:
        UsageError: it has none of the files, a file is wrong, or the two venues have no hour in
            common.
    """
    reader = _Reader(package)
    readers: dict[str, Callable[[Path], None]] = {
        **{f"funding_{v}": reader.one(side) for side, v in enumerate(package.venues)},
        PAIRS: reader.pairs,
        BOTH: reader.both,
    }
    found = []
    for stem, read in readers.items():
        for path in files(folder, stem):
            read(path)
            found.append(path.name)
    if not found:
        wanted = ", ".join(f"{stem}.csv" for stem in readers)
        raise UsageError(
            f"{folder}: holds none of {wanted}; "
            "make them with hedger record or hedger fetch-history"
        )
    series = reader.series()
    if not series:
        out = f" ({len(reader.left_out)} markets have no known rules)" if reader.left_out else ""
        raise UsageError(
            f"{folder}: {', '.join(found)} hold no hour of a known market at both "
            f"{' and '.join(package.venues)}{out}; record both venues over the same hours"
        )
    return Record(
        folder=folder,
        files=found,
        series=series,
        left_out=dict(reader.left_out),
        sources=tuple(reader.sources),
    )


class _Reader:
    def __init__(self, package: Package) -> None:
        self._package = package
        self._rows: tuple[dict[Symbol, _Rows], dict[Symbol, _Rows]] = ({}, {})
        self.left_out: Counter[str] = Counter()
        self.sources: dict[str, int] = {}

    def one(self, side: int) -> Callable[[Path], None]:
        return lambda path: self._one(side, path)

    def _one(self, side: int, path: Path) -> None:
        venue = self._package.venues[side]
        most = self._package.facts[side].max_rate_1h
        with open_table(path, ("venue", "market", "timestamp_utc", "rate_1h", "kind")) as table:
            at_venue, at_market, at_time, at_rate, at_kind = (
                table.place(c) for c in ("venue", "market", "timestamp_utc", "rate_1h", "kind")
            )
            at_mark, at_interest = table.place("mark_price"), table.place("oi_usd")
            at_source = table.place("source")
            for row in table:
                if row[at_venue] != venue:
                    raise table.wrong(f"venue is {row[at_venue]!r}, this file is for {venue}")
                trust = KINDS.get(row[at_kind])
                if trust is None:
                    raise table.wrong(
                        f"kind is {row[at_kind]!r}, which is none of {', '.join(KINDS)}"
                    )
                hour, second = table.instant(row[at_time], "timestamp_utc")
                rate = table.rate(row[at_rate], "rate_1h", most)
                mark = _amount(table, row, at_mark, "mark_price")
                interest = _amount(table, row, at_interest, "oi_usd")
                rows = self._of(side, row[at_market])
                if rows is not None:
                    settles = hour + (trust != SETTLED or second >= LATE_S)
                    source = self._source(row[at_source] if at_source >= 0 else path.stem)
                    rank = trust * HOUR_S + second
                    rows.add(settles, rank, rate=rate, mark=mark, interest=interest, source=source)

    def pairs(self, path: Path) -> None:
        rates = [f"rate_{venue}_1h" for venue in self._package.venues]
        with open_table(path, ("source", "market", "hour_utc", *rates)) as table:
            at_source, at_market, at_time = (
                table.place(c) for c in ("source", "market", "hour_utc")
            )
            at_rates = [table.place(name) for name in rates]
            for row in table:
                hour, second = table.instant(row[at_time], "hour_utc")
                settled = row[at_source] in SETTLED_SOURCES
                trust = SETTLED if settled else KINDS["predicted_snapshot"]
                settles = hour + (not settled or second >= LATE_S)
                for side, facts in enumerate(self._package.facts):
                    rate = table.rate(row[at_rates[side]], rates[side], facts.max_rate_1h)
                    rows = self._of(side, row[at_market])
                    if rows is not None:
                        source = self._source(row[at_source])
                        rank = trust * HOUR_S + second
                        rows.add(settles, rank, rate=rate, source=source)

    def both(self, path: Path) -> None:
        venues = self._package.venues
        rates = [f"{venue}_rate_1h" for venue in venues]
        with open_table(path, ("asset", "hour_utc", *rates)) as table:
            at_time = table.place("hour_utc")
            at_name = [table.place(f"{v}_market", f"{v}_symbol", "asset") for v in venues]
            at_rate = [table.place(name) for name in rates]
            at_mark = [table.place(f"{v}_mark") for v in venues]
            at_interest = [table.place(f"{v}_oi_usd_one_side", f"{v}_oi_usd") for v in venues]
            source = self._source(path.stem)
            for row in table:
                hour, second = table.instant(row[at_time], "hour_utc")
                rank = KINDS["hourly_mean_of_predicted"] * HOUR_S + second
                for side, facts in enumerate(self._package.facts):
                    rate = table.rate(row[at_rate[side]], rates[side], facts.max_rate_1h)
                    mark = _amount(table, row, at_mark[side], f"{venues[side]}_mark")
                    interest = _amount(table, row, at_interest[side], f"{venues[side]}_oi_usd")
                    rows = self._of(side, row[at_name[side]])
                    if rows is not None:
                        rows.add(
                            hour + 1, rank, rate=rate, mark=mark, interest=interest, source=source
                        )

    def _of(self, side: int, market: str) -> _Rows | None:
        symbol = self._package.aliases[self._package.venues[side]].get(market)
        if symbol is None:
            self.left_out[market] += 1
            return None
        rows = self._rows[side].get(symbol)
        if rows is None:
            rows = self._rows[side][symbol] = _Rows()
        return rows

    def _source(self, name: str) -> int:
        return self.sources.setdefault(name, len(self.sources))

    def series(self) -> dict[Symbol, Series]:
        """Both venues side by side; what was collected is given up on the way."""
        firsts, seconds = self._rows
        found = {}
        for symbol in sorted(firsts.keys() & seconds.keys()):
            made = _joined(symbol, firsts.pop(symbol), seconds.pop(symbol))
            if made:
                found[symbol] = made
        return found


def _amount(table: Table, row: list[str], place: int, column: str) -> float:
    return table.amount(row[place], column) if place >= 0 else math.nan


def _joined(symbol: Symbol, a: _Rows, b: _Rows) -> Series:
    maker = Maker(symbol=symbol)
    best_b = {row[0]: row for row in _best(b)}
    for hour, rate, mark, interest, source in _best(a):
        other = best_b.get(hour)
        if other is not None:
            maker.add(hour, (rate, other[1]), (mark, other[2]), (interest, other[3]), source)
    return maker.done()


def _best(rows: _Rows) -> list[tuple[int, float, float, float, int]]:
    """One row an hour: the most trusted rate, and marks from whichever row has one."""
    found: list[tuple[int, float, float, float, int]] = []
    for n in rows.places():
        hour, mark, interest = rows.hours[n], rows.marks[n], rows.interests[n]
        if found and found[-1][0] == hour:
            _, _, earlier_mark, earlier_interest, _ = found.pop()
            mark = earlier_mark if math.isnan(mark) else mark
            interest = earlier_interest if math.isnan(interest) else interest
        found.append((hour, rows.rates[n], mark, interest, rows.sources[n]))
    return found
