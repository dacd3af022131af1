"""How long it is until funding is paid, learnt from what a venue states about its own clock."""

from datetime import UTC, datetime, timedelta

import pytest

from hedger.settlements import SettlementClock
from tests.builders import X10, a_quote

NOW = datetime(2026, 11, 20, 12, 50, tzinfo=UTC)


class Watch:
    """Both clocks of a process, moved by hand."""

    def __init__(self) -> None:
        self.passed_s = 0.0

    def now(self) -> datetime:
        return NOW + timedelta(seconds=self.passed_s)

    def monotonic_s(self) -> float:
        return self.passed_s

    async def sleep(self, seconds: float) -> None:
        self.passed_s += seconds


def stated(at: datetime) -> object:
    return a_quote(X10, "0.0001", next_settlement_at=at)


def test_a_venue_whose_clock_is_ours_is_taken_at_its_word() -> None:
    clock = SettlementClock(Watch())

    assert clock.remaining_s(stated(NOW + timedelta(minutes=10))) == 600  # type: ignore[arg-type]


@pytest.mark.parametrize("away", [timedelta(days=-300), timedelta(hours=2)])
def test_a_venue_whose_clock_is_another_is_unknown_until_its_pace_was_seen(away: timedelta) -> None:
    watch = Watch()
    clock = SettlementClock(watch)
    at = NOW + away
    found = []
    for _ in range(3):
        found.append(clock.remaining_s(stated(at)))  # type: ignore[arg-type]
        watch.passed_s += 60  # its hour takes a minute of ours
        at += timedelta(hours=1)
    watch.passed_s -= 40

    assert found == [None, None, 60]
    assert clock.remaining_s(stated(at - timedelta(hours=1))) == 40  # type: ignore[arg-type]
