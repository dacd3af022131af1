import pytest

from adapters.sandbox.limits import (
    LighterLimiter,
    RollingWindow,
    Tier,
    limiter,
    too_many,
)
from tests.clocks import ManualClock


def admitted(limits, path, tries):
    return sum(limits.admits(path) for _ in range(tries))


def test_a_window_rolls_with_the_clock_and_not_in_fixed_minutes():
    clock = ManualClock()
    window = RollingWindow(clock, limit=3)
    assert window.take(1)
    clock.advance(30)
    assert window.take(2)
    assert not window.take(1)
    clock.advance(30)  # the first one is a minute old now
    assert window.take(1)
    assert not window.take(1)


def test_a_refused_request_uses_up_nothing():
    clock = ManualClock()
    window = RollingWindow(clock, limit=5)
    assert not window.take(6)
    assert window.take(5)


@pytest.mark.parametrize("tier", [Tier.STANDARD, Tier.PREMIUM])
def test_x10_admits_a_thousand_requests_per_minute(tier):
    clock = ManualClock()
    limits = limiter("x10", tier, clock)
    assert admitted(limits, "/api/v1/user/order", 1_100) == 1_000
    clock.advance(60)
    assert admitted(limits, "/api/v1/info/markets", 1_100) == 1_000


def test_standard_lighter_admits_sixty_requests_of_any_kind():
    limits = limiter("lighter", Tier.STANDARD, ManualClock())
    assert admitted(limits, "/api/v1/account", 30) == 30
    assert admitted(limits, "/api/v1/sendTx", 100) == 30


@pytest.mark.parametrize(
    ("path", "count"),
    [
        ("/api/v1/account", 80),
        ("/api/v1/trades", 40),
        ("/api/v1/apikeys", 160),
        ("/api/v1/accountInactiveOrders", 240),
        ("/api/v1/nextNonce", 4_000),
        ("/api/v1/sendTx", 4_000),
    ],
)
def test_premium_lighter_weighs_requests(path, count):
    limits = LighterLimiter(ManualClock(), Tier.PREMIUM)
    assert admitted(limits, path, count + 5) == count


def test_premium_reads_do_not_use_up_sends():
    limits = LighterLimiter(ManualClock(), Tier.PREMIUM)
    assert admitted(limits, "/api/v1/account", 100) == 80
    assert limits.admits("/api/v1/sendTx")


def test_without_a_tier_there_is_no_limit():
    assert admitted(limiter("lighter", Tier.NONE, ManualClock()), "/api/v1/account", 9_999) == 9_999


def test_each_venue_refuses_in_its_own_words():
    assert '"status": "ERROR"' in (too_many("x10").text or "")
    assert '"code": 23000' in (too_many("lighter").text or "")
    assert {too_many("x10").status, too_many("lighter").status} == {429}
