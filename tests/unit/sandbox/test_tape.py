import json
import subprocess
import sys
from decimal import Decimal

import pytest

from adapters.sandbox.clock import HOUR_MS, ManualClock, MarketClock
from adapters.sandbox.noise import STEPS
from adapters.sandbox.recording import load_recording
from adapters.sandbox.tape import BUCKET_MS, START_MS, Seam, Tape, VenueName

D = Decimal


def test_the_recording_has_ten_hours_of_64_markets_and_rules_for_each() -> None:
    recording = load_recording()
    assert len(recording.hours) == 64
    assert recording.markets.keys() == recording.hours.keys()
    assert recording.hour_names[0] == "2026-01-02T21:00:00Z"
    assert recording.hour_names[4:6] == ("2026-01-03T01:00:00Z", "2026-01-04T13:00:00Z")
    assert len(recording.hour_names) == 10
    assert sum(len(samples) for samples in recording.basis_bps.values()) == 699


def test_every_price_and_open_interest_of_the_recording_is_positive() -> None:
    for rows in load_recording().hours.values():
        for row in rows:
            assert min(row.x10_mark, row.x10_index, row.lighter_mark, row.lighter_index) > 0
            assert min(row.x10_oi_usd, row.lighter_oi_usd) > 0


def test_lighters_marks_are_the_recorded_ones_at_the_hours_of_the_first_window() -> None:
    tape = Tape(seed=3)
    for hour in range(5):
        recorded = load_recording().hours["BTC"][hour].lighter_mark
        assert abs(tape.mark("lighter", "BTC", hour * STEPS) - recorded) < D("1e-12")


def test_rates_are_the_recorded_ones_and_repeat_after_ten_hours() -> None:
    tape = Tape()
    row = load_recording().hours["KAITO"][7]
    assert tape.rate("x10", "KAITO", 7) == row.x10_rate_1h
    assert tape.rate("lighter", "KAITO", 17) == row.lighter_rate_1h


@pytest.mark.parametrize("venue", ["x10", "lighter"])
def test_the_path_is_continuous_at_every_hour_and_seam(venue: VenueName) -> None:
    tape = Tape(seed=5)
    for symbol in ("ETH", "MON", "1000BONK"):
        for hour in range(1, 24):
            before = tape.mark(venue, symbol, hour * STEPS - 1)
            after = tape.mark(venue, symbol, hour * STEPS)
            assert abs(after / before - 1) < D("0.005")


def test_the_path_does_not_drift_however_often_the_tape_repeats() -> None:
    tape = Tape(seed=5)
    assert tape.mark("lighter", "MON", 0) == tape.mark("lighter", "MON", 10_000 * STEPS)


def test_the_noise_stays_near_the_amplitude_asked_for() -> None:
    quiet, noisy = Tape(seed=9, bridge_bps=D(0)), Tape(seed=9, bridge_bps=D(8))
    middle = [hour * STEPS + STEPS // 2 for hour in range(200)]
    moves = [
        noisy.mark("lighter", "ETH", bucket) / quiet.mark("lighter", "ETH", bucket) - 1
        for bucket in middle
    ]
    variance = sum(move * move for move in moves) / len(moves)
    assert D("0.0006") ** 2 < variance < D("0.0010") ** 2


def test_the_basis_stays_within_the_recorded_samples_and_differs_between_markets() -> None:
    tape = Tape(seed=11)
    worst = max(abs(bps) for samples in load_recording().basis_bps.values() for bps in samples)
    seen: set[Decimal] = set()
    for symbol in tape.symbols:
        for bucket in (0, 40, 300):
            ratio = tape.mark("x10", symbol, bucket) / tape.mark("lighter", symbol, bucket)
            basis = (ratio - 1) * 10_000
            assert abs(basis) <= worst + 1
            seen.add(round(basis, 2))
    assert len(seen) > 60


def test_the_same_seed_gives_the_same_path_in_another_process() -> None:
    points: list[tuple[VenueName, str, int]] = [
        ("x10", "ETH", 77),
        ("lighter", "SOL", 1000),
        ("x10", "ZRO", 2047),
    ]
    code = (
        "import json; from adapters.sandbox.tape import Tape; t = Tape(seed=42);"
        f"print(json.dumps([str(t.mark(*p)) for p in {points!r}]))"
    )
    # the interpreter and the code are ours; string hashing is random in each process
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, check=True, text=True
    )
    tape = Tape(seed=42)
    assert json.loads(answer.stdout) == [str(tape.mark(*point)) for point in points]


def test_the_path_of_seed_42_is_pinned_for_every_python_version() -> None:
    tape = Tape(seed=42)
    assert [str(tape.mark(*point)) for point in PINNED] == list(PINNED.values())


PINNED: dict[tuple[VenueName, str, int], str] = {
    ("lighter", "ETH", 77): "3138.04863011588072",
    ("x10", "ETH", 77): "3138.98376860765525",
    ("x10", "1000BONK", 1201): "0.00908418362590",
}


def test_another_seed_gives_another_path() -> None:
    assert Tape(seed=1).mark("x10", "ETH", 60) != Tape(seed=2).mark("x10", "ETH", 60)


def test_each_seam_is_reported_once_by_name_when_market_time_passes_it() -> None:
    tape, seen = Tape(), list[Seam]()
    tape.on_seam(seen.append)
    tape.reached(4)
    assert seen == []
    tape.reached(11)
    tape.reached(11)
    assert [seam.name for seam in seen] == [
        "gap 2026-01-03T01:00:00Z -> 2026-01-04T13:00:00Z",
        "repeat 2026-01-04T17:00:00Z -> 2026-01-02T21:00:00Z",
    ]
    assert seen[0].market_ms == START_MS + 5 * HOUR_MS


def test_a_time_before_the_tape_is_an_error() -> None:
    assert Tape.bucket(START_MS + BUCKET_MS) == 1
    with pytest.raises(ValueError, match="before the tape starts"):
        Tape.bucket(START_MS - 1)


def test_market_time_runs_an_hour_in_the_wire_seconds_asked_for() -> None:
    wire = ManualClock(1_000)
    market = MarketClock(wire, start_ms=START_MS, hour_s=5)
    wire.advance(2_500)
    assert market.now_ms() == START_MS + HOUR_MS // 2
    wire.advance(2_500)
    assert market.now_ms() == START_MS + HOUR_MS


def test_advancing_moves_market_time_only() -> None:
    wire = ManualClock(1_000)
    market = MarketClock(wire, start_ms=START_MS, hour_s=3600)
    market.advance(HOUR_MS)
    assert (market.now_ms(), wire.now_ms()) == (START_MS + HOUR_MS, 1_000)
    with pytest.raises(ValueError, match="cannot go back"):
        market.advance(-1)


def test_an_hour_must_take_some_wire_time() -> None:
    with pytest.raises(ValueError, match="hour_s must be above 0"):
        MarketClock(ManualClock(0), start_ms=START_MS, hour_s=0)
