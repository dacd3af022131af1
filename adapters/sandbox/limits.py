"""
Rate limits of both venues, as middleware in front of each face.

Tier ``none`` has no limits. X10: 1,000 requests per minute and IP over all endpoints, for both
other tiers (x10.md §3.4). Lighter: 60 requests per rolling minute at ``standard``; 24,000
weighted at ``premium``, where ``sendTx`` has a bucket of its own: 4,000 per minute, which is
24,000 at weight 6 (lighter.md §2). A request that is over the limit has no effect and uses up
nothing. There is one account per venue and all callers share loopback, so the limits per IP and
per account are one.

A WebSocket handshake counts as one request of weight 1; messages on the open socket do not.
"""

from collections import deque
from collections.abc import Mapping
from enum import StrEnum
from typing import Final, Protocol

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from hedger.clock import Clock

MINUTE_S: Final = 60.0

X10_PER_MINUTE: Final = 1_000
LIGHTER_STANDARD_PER_MINUTE: Final = 60
LIGHTER_PREMIUM_PER_MINUTE: Final = 24_000
LIGHTER_PREMIUM_SENDS_PER_MINUTE: Final = 4_000

LIGHTER_DEFAULT_WEIGHT: Final = 300
LIGHTER_WEIGHTS: Final[Mapping[str, int]] = {
    "nextNonce": 6,
    "accountInactiveOrders": 100,
    "apikeys": 150,
    "trades": 600,
    "recentTrades": 600,
}
LIGHTER_STREAM_WEIGHT: Final = 1
LIGHTER_SEND_WEIGHT: Final = 6
_SENDS: Final = frozenset({"sendTx", "sendTxBatch"})


class Tier(StrEnum):
    """How generous a venue is to this account."""

    NONE = "none"
    STANDARD = "standard"
    PREMIUM = "premium"


class RollingWindow:
    """At most ``limit`` weight within any ``window_s`` seconds of the given clock."""

    def __init__(self, clock: Clock, limit: int, window_s: float = MINUTE_S) -> None:
        assert limit > 0
        assert window_s > 0
        self._clock = clock
        self._limit = limit
        self._window_s = window_s
        self._taken: deque[tuple[float, int]] = deque()
        self._sum = 0

    def take(self, weight: int) -> bool:
        """Use up ``weight``, or say no and use up nothing."""
        self._roll()
        if self._sum + weight > self._limit:
            return False
        self._taken.append((self._clock.monotonic_s(), weight))
        self._sum += weight
        return True

    def _roll(self) -> None:
        edge_s = self._clock.monotonic_s() - self._window_s
        while self._taken and self._taken[0][0] <= edge_s:
            self._sum -= self._taken.popleft()[1]


class Limiter(Protocol):
    """Admits or refuses one request."""

    def admits(self, path: str) -> bool:
        """Whether a request for this path may pass now."""


class _Unlimited:
    def admits(self, path: str) -> bool:
        return True


class X10Limiter:
    """Every request weighs one."""

    def __init__(self, clock: Clock) -> None:
        self._window = RollingWindow(clock, X10_PER_MINUTE)

    def admits(self, path: str) -> bool:
        """Whether a request may pass now."""
        return self._window.take(1)


class LighterLimiter:
    """Requests weigh by endpoint; sends have their own window at ``premium``."""

    def __init__(self, clock: Clock, tier: Tier) -> None:
        self._weighted = tier is Tier.PREMIUM
        self._window = RollingWindow(
            clock, LIGHTER_PREMIUM_PER_MINUTE if self._weighted else LIGHTER_STANDARD_PER_MINUTE
        )
        self._sends = RollingWindow(clock, LIGHTER_PREMIUM_SENDS_PER_MINUTE)

    def admits(self, path: str) -> bool:
        """Whether a request for this path may pass now."""
        if not self._weighted:
            return self._window.take(1)
        if _endpoint(path) in _SENDS:
            return self._sends.take(1)
        return self._window.take(weight_of("lighter", path))


def _endpoint(path: str) -> str:
    return path.rstrip("/").rpartition("/")[2]


def weight_of(venue: str, path: str) -> int:
    """What one request weighs; Lighter's weights are those of its premium tier."""
    if venue == "x10":
        return 1
    endpoint = _endpoint(path)
    if endpoint in _SENDS:
        return LIGHTER_SEND_WEIGHT
    if endpoint == "stream":
        return LIGHTER_STREAM_WEIGHT
    return LIGHTER_WEIGHTS.get(endpoint, LIGHTER_DEFAULT_WEIGHT)


def limiter(venue: str, tier: Tier, clock: Clock) -> Limiter:
    """The limiter of one venue at one tier."""
    if tier is Tier.NONE:
        return _Unlimited()
    if venue == "x10":
        return X10Limiter(clock)
    return LighterLimiter(clock, tier)


def too_many(venue: str) -> web.Response:
    """The refusal of a venue, in its own words."""
    if venue == "x10":
        error = {"code": 429, "message": "Rate limit exceeded"}
        return web.json_response({"status": "ERROR", "error": error}, status=429)
    return web.json_response({"code": 23000, "message": "Too Many Requests!"}, status=429)


def rate_limits(venue: str, tier: Tier, clock: Clock) -> Middleware:
    """Middleware that refuses what is over the limit, before it has any effect."""
    limits = limiter(venue, tier, clock)

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        if not limits.admits(request.path):
            return too_many(venue)
        return await handler(request)

    return check
