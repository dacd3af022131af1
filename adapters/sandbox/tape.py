"""
What happens in the markets: one price path per market drives both venues.

Everything is a pure function of (seed, symbol, market time). Recorded: Lighter's marks at the
hours, both venues' funding rates, index ratios and open interest. Modelled: the bridge between
two hours, and X10's basis, which is drawn from recorded samples (data/ORIGIN.md).

Market time is cut into hours and each hour into ``STEPS`` buckets; a bucket has one price. Hour
h since the start shows recorded hour h mod 10. The last hour of each window has no recorded
successor: in it the path returns to the level at which its window began, and the next window is
rebased to that level. So the path is continuous at the seams and does not drift for ever.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from typing import Literal

from adapters.sandbox.clock import HOUR_MS
from adapters.sandbox.noise import STEPS, UNIT, bridge, draw_below
from adapters.sandbox.recording import HOURS_PER_WINDOW, RecordedHour, Recording, load_recording

VenueName = Literal["x10", "lighter"]

START_MS = 1_767_387_600_000  # 2026-01-02T21:00:00Z, the first recorded hour
BUCKET_MS = HOUR_MS // STEPS
assert BUCKET_MS * STEPS == HOUR_MS

_PRICE_PLACES = 14  # prices inside are integers of 1e-14 USD
_PRICE_ONE = 10**_PRICE_PLACES
_BASIS_ONE = 10**6  # basis samples have two decimals of a basis point
_OWN_SAMPLES = 10  # a market with at least as many samples of its own uses only those
_BRIDGES_KEPT = 512


@dataclass(frozen=True, slots=True)
class Seam:
    """A point where the tape jumps from one recorded hour to one that did not follow it."""

    name: str
    market_ms: int


@dataclass(frozen=True, slots=True)
class _Track:
    """One market's recording in integers, by recorded hour."""

    path: tuple[int, ...]  # rebased Lighter marks
    x10_index: tuple[int, ...]  # index over mark, billionths
    lighter_index: tuple[int, ...]
    basis: tuple[int, ...]  # samples to draw from, millionths


def _as_int(value: Decimal, one: int) -> int:
    return int((value * one).to_integral_value())


def _made_tracks(recording: Recording) -> Mapping[str, _Track]:
    pooled = tuple(s for samples in recording.basis_bps.values() for s in samples)
    return {
        symbol: _track(rows, recording.basis_bps.get(symbol, ()), pooled)
        for symbol, rows in recording.hours.items()
    }


@cache
def _recorded_tracks() -> Mapping[str, _Track]:
    """Those of the recording that comes with hedger, made once a process."""
    return _made_tracks(load_recording())


def _track(
    rows: tuple[RecordedHour, ...], own: tuple[Decimal, ...], pooled: tuple[Decimal, ...]
) -> _Track:
    samples = own if len(own) >= _OWN_SAMPLES else pooled
    level = rows[0].lighter_mark
    path: list[int] = []
    for start in range(0, len(rows), HOURS_PER_WINDOW):
        first = rows[start].lighter_mark
        path += [
            _as_int(row.lighter_mark * level / first, _PRICE_ONE)
            for row in rows[start : start + HOURS_PER_WINDOW]
        ]
    return _Track(
        path=tuple(path),
        x10_index=tuple(_as_int(row.x10_index / row.x10_mark, UNIT) for row in rows),
        lighter_index=tuple(_as_int(row.lighter_index / row.lighter_mark, UNIT) for row in rows),
        basis=tuple(_as_int(bps, _BASIS_ONE // 10_000) for bps in samples),
    )


class Tape:
    """
    The market path of a sandbox.

    ``bridge_bps`` is the standard deviation of the modelled noise half way between two recorded
    hours; 0 gives straight lines. ``tracks`` are those of another tape of the same recording,
    which need not be made twice.
    """

    def __init__(
        self,
        *,
        seed: int = 1,
        bridge_bps: Decimal = Decimal(8),
        recording: Recording | None = None,
        tracks: Mapping[str, _Track] | None = None,
    ) -> None:
        self.seed = seed
        self.recording = recording or load_recording()
        self._amplitude = _as_int(bridge_bps, UNIT // 10_000)
        self._hours = len(self.recording.hour_names)
        if tracks is None:
            tracks = _recorded_tracks() if recording is None else _made_tracks(recording)
        self.tracks = tracks
        self._bridges: dict[tuple[str, int], list[int]] = {}
        self._bases: dict[tuple[str, int], int] = {}
        self._hour_reached = 0
        self._on_seam: list[Callable[[Seam], None]] = []

    @property
    def symbols(self) -> tuple[str, ...]:
        """Every market of the recording."""
        return tuple(self.tracks)

    @staticmethod
    def bucket(market_ms: int) -> int:
        """The bucket that holds a market instant; buckets count from the start."""
        if market_ms < START_MS:
            msg = f"market time {market_ms} is before the tape starts ({START_MS})"
            raise ValueError(msg)
        return (market_ms - START_MS) // BUCKET_MS

    @staticmethod
    def bucket_ms(bucket: int) -> int:
        """The market instant at which a bucket begins."""
        return START_MS + bucket * BUCKET_MS

    def mark(self, venue: VenueName, symbol: str, bucket: int) -> Decimal:
        """The venue's mark, unrounded."""
        return Decimal(self._mark(venue, symbol, bucket)).scaleb(-_PRICE_PLACES)

    def index(self, venue: VenueName, symbol: str, bucket: int) -> Decimal:
        """The venue's index price, unrounded: its mark by the recorded ratio."""
        track = self.tracks[symbol]
        ratios = track.x10_index if venue == "x10" else track.lighter_index
        hour, step = divmod(bucket, STEPS)
        first, second = ratios[hour % self._hours], ratios[(hour + 1) % self._hours]
        ratio = first + (second - first) * step // STEPS
        return Decimal(self._mark(venue, symbol, bucket) * ratio // UNIT).scaleb(-_PRICE_PLACES)

    def rate(self, venue: VenueName, symbol: str, hour: int) -> Decimal:
        """
        The recorded rate of an hour since the start, a signed fraction per hour.

        It is what is predicted during that hour and charged at its end.
        """
        row = self.recording.hours[symbol][hour % self._hours]
        return row.x10_rate_1h if venue == "x10" else row.lighter_rate_1h

    def open_interest(self, venue: VenueName, symbol: str, hour: int) -> Decimal:
        """Recorded open interest of an hour, USD, one side."""
        row = self.recording.hours[symbol][hour % self._hours]
        return row.x10_oi_usd if venue == "x10" else row.lighter_oi_usd

    def _mark(self, venue: VenueName, symbol: str, bucket: int) -> int:
        price = self._path(symbol, bucket)
        if venue == "lighter":
            return price
        hour, step = divmod(bucket, STEPS)
        first = self._basis(symbol, hour)
        basis = first + (self._basis(symbol, hour + 1) - first) * step // STEPS
        return price * (_BASIS_ONE + basis) // _BASIS_ONE

    def _path(self, symbol: str, bucket: int) -> int:
        path = self.tracks[symbol].path
        hour, step = divmod(bucket, STEPS)
        place = hour % self._hours
        first = path[place]
        if step == 0:
            return first  # a bridge is nothing at its ends: no need to draw it
        last_of_window = place % HOURS_PER_WINDOW == HOURS_PER_WINDOW - 1
        second = path[place - HOURS_PER_WINDOW + 1] if last_of_window else path[place + 1]
        straight = first + (second - first) * step // STEPS
        return straight + straight * self._bridge(symbol, hour)[step] // UNIT

    def _bridge(self, symbol: str, hour: int) -> list[int]:
        key = (symbol, hour)
        found = self._bridges.get(key)
        if found is None:
            if len(self._bridges) >= _BRIDGES_KEPT:
                self._bridges.clear()
            found = bridge(self.seed, f"bridge|{symbol}|{hour}", self._amplitude)
            self._bridges[key] = found
        return found

    def _basis(self, symbol: str, hour: int) -> int:
        key = (symbol, hour)
        found = self._bases.get(key)
        if found is None:
            if len(self._bases) >= _BRIDGES_KEPT:
                self._bases.clear()
            samples = self.tracks[symbol].basis
            found = samples[draw_below(self.seed, f"basis|{symbol}|{hour}", len(samples))]
            self._bases[key] = found
        return found

    def on_seam(self, callback: Callable[[Seam], None]) -> None:
        """Be told of each seam once, when market time first passes it."""
        self._on_seam.append(callback)

    def reached(self, hour: int) -> None:
        """Market time has come to this hour since the start; the exchanges say so."""
        while self._hour_reached < hour:
            self._hour_reached += 1
            if self._hour_reached % HOURS_PER_WINDOW == 0:
                seam = self._seam(self._hour_reached)
                for callback in self._on_seam:
                    callback(seam)

    def _seam(self, hour: int) -> Seam:
        names = self.recording.hour_names
        before, after = names[(hour - 1) % self._hours], names[hour % self._hours]
        kind = "repeat" if hour % self._hours == 0 else "gap"
        return Seam(f"{kind} {before} -> {after}", START_MS + hour * HOUR_MS)
