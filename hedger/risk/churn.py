"""
A market on which hedges had to be rolled back is left alone, the longer the more that cost (S42).

Pure. The cost is what the ledger's own fills and fees say, never an intention (S46).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from hedger.domain.ids import Symbol
from hedger.domain.money import ZERO


@dataclass(frozen=True, slots=True, kw_only=True)
class RolledBack:
    """One hedge that never opened. ``cost_usd`` is positive where it cost something."""

    symbol: Symbol
    at: datetime
    cost_usd: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Churn:
    """How long a market is left alone: so much per rollback, and so much per USD that it cost."""

    each_s: float = 60.0
    s_per_usd: Decimal = Decimal(3_600)
    max_s: float = 86_400.0
    window_h: int = 24


def cool_down_s(rolled_back: Sequence[RolledBack], rules: Churn) -> float:
    """The wait after the last of several rollbacks on one market."""
    cost = sum((max(one.cost_usd, ZERO) for one in rolled_back), ZERO)
    wait_s = rules.each_s * len(rolled_back) + float(rules.s_per_usd * cost)
    return min(wait_s, rules.max_s)


def churned(rolled_back: Sequence[RolledBack], rules: Churn, now: datetime) -> Mapping[Symbol, str]:
    """The markets that are left alone now, with the reason."""
    since = now - timedelta(hours=rules.window_h)
    by_symbol: dict[Symbol, list[RolledBack]] = {}
    for one in rolled_back:
        if one.at >= since:
            by_symbol.setdefault(one.symbol, []).append(one)
    found = {}
    for symbol, those in by_symbol.items():
        until = max(one.at for one in those) + timedelta(seconds=cool_down_s(those, rules))
        if until > now:
            cost = sum((one.cost_usd for one in those), ZERO)
            found[symbol] = (
                f"{symbol} is left alone until {until:%H:%M:%S}: {len(those)} rollbacks in"
                f" {rules.window_h} h cost {cost:.2f} USD"
            )
    return found
