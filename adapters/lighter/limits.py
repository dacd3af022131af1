"""
Lighter's request limits as weights per rolling minute (lighter.md §2).

Premium has 24,000 weighted, standard 60 requests whatever they are. Sends have a bucket of
their own at premium.
"""

from collections.abc import Mapping
from typing import Final

from adapters.budget import Budget
from hedger.clock import Clock
from hedger.domain.ids import VenueId
from hedger.errors import ConfigError

PREMIUM_PER_MINUTE: Final = 24_000
STANDARD_PER_MINUTE: Final = 60
WEIGHTS: Final[Mapping[str, int]] = {
    "sendTx": 0,
    "nextNonce": 6,
    "accountInactiveOrders": 100,
    "apikeys": 150,
    "trades": 600,
    "recentTrades": 600,
}
DEFAULT_WEIGHT: Final = 300
TIERS: Final = ("premium", "standard", "none")


def budget(venue: VenueId, tier: object, clock: Clock) -> Budget:
    """
    The budget of an account's tier.

    Raises:
        ConfigError: there is no such tier.
    """
    match tier:
        case "premium":
            return Budget(venue, clock, PREMIUM_PER_MINUTE, WEIGHTS, DEFAULT_WEIGHT)
        case "standard":
            return Budget(venue, clock, STANDARD_PER_MINUTE)
        case "none":
            return Budget(venue, clock, 0)
        case _:
            raise ConfigError(
                f"venues.options.{venue}.tier is {tier!r}, which is no tier;"
                f" use one of {', '.join(TIERS)}"
            )
