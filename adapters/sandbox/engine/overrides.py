"""What stands in the place of recorded prices and modelled books, once somebody asks for it."""

from bisect import bisect_right
from dataclasses import dataclass, replace
from decimal import Decimal

from adapters.sandbox.engine.params import VenueParams


@dataclass(frozen=True, slots=True)
class PricePath:
    """
    Marks of one market at one venue from ``start_ms`` on (market time).

    ``points`` are instants (market time, growing) with prices in USD. Between two points the
    price moves in a straight line; after the last one it stays.
    """

    points: tuple[tuple[int, Decimal], ...]

    @property
    def start_ms(self) -> int:
        """Market time of the first point."""
        return self.points[0][0]

    @property
    def end_ms(self) -> int:
        """Market time of the last point."""
        return self.points[-1][0]

    def at(self, market_ms: int) -> Decimal:
        """The price at an instant that is not before the first point."""
        place = bisect_right(self.points, market_ms, key=lambda point: point[0])
        since_ms, price = self.points[max(0, place - 1)]
        if place in {0, len(self.points)}:
            return price
        until_ms, then = self.points[place]
        return price + (then - price) * (market_ms - since_ms) / (until_ms - since_ms)


@dataclass(frozen=True, slots=True, kw_only=True)
class Liquidity:
    """Depth of each side of a book in USD (0: nothing is offered), and its spread."""

    bids_usd: Decimal | None = None
    asks_usd: Decimal | None = None
    spread_bps: Decimal | None = None

    def params(self, params: VenueParams) -> VenueParams:
        """The venue's parameters with this spread."""
        return params if self.spread_bps is None else replace(params, spread_bps=self.spread_bps)
