"""The rules that ours is compared with: what public bots do, and never letting go."""

from decimal import Decimal

from hedger.backtest.account import Hedge
from hedger.backtest.costs import Terms
from hedger.backtest.replay import Close, Look, Open
from hedger.domain.money import ZERO

HOURS_PER_YEAR = 24 * 365
NAIVE = "naive"
HOLD = "hold"


def paying_direction(look: Look) -> int:
    """1 where leg A has to be short to be paid, -1 where long, 0 where nothing is to be had."""
    return (look.rate_a > look.rate_b) - (look.rate_a < look.rate_b)


class Naive:
    """Enter while the present spread held for a year makes ``apy``; leave when it does not."""

    name = NAIVE

    def __init__(self, terms: Terms, *, size_usd: Decimal, apy: float = 0.5) -> None:
        self._terms = terms
        self._size_usd = size_usd
        self._enough_1h = apy / HOURS_PER_YEAR
        self._apy = apy

    def begin(self) -> None:
        return

    def decide(self, look: Look, held: Hedge | None) -> Open | Close | None:
        spread = look.rate_a - look.rate_b
        if held is not None:
            if held.direction * spread >= self._enough_1h:
                return None
            return Close(f"the APY is below {self._apy:.0%}")
        if abs(spread) < self._enough_1h:
            return None
        size = self._terms.size_for(self._size_usd, look.price)
        if size == ZERO:
            return None
        return Open(paying_direction(look), size, f"the APY is {self._apy:.0%} or more")


class HoldEverything:
    """Open every market in the direction that pays at its first hour, and never leave."""

    name = HOLD

    def __init__(self, terms: Terms, *, size_usd: Decimal) -> None:
        self._terms = terms
        self._size_usd = size_usd

    def begin(self) -> None:
        return

    def decide(self, look: Look, held: Hedge | None) -> Open | Close | None:
        if held is not None:
            return None
        direction = paying_direction(look)
        size = self._terms.size_for(self._size_usd, look.price)
        return Open(direction, size, "everything is held") if direction and size else None
