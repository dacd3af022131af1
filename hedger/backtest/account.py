"""
One hedge of a backtest, booked in whole micro-dollars: sums are exact, in any order.

USDC has six decimals and X10 books funding to 1e-6, so nothing smaller exists.
"""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from hedger.domain.ids import Symbol

MICROS = 1_000_000


class Cut(StrEnum):
    """Why a hedge ended that its rule had not ended."""

    NO = ""
    RECORD_ENDS = "the recording ends"
    GAP = "a gap in the recording"


@dataclass(slots=True, kw_only=True)
class Hedge:
    """
    A hedge from its entry to its exit. ``direction`` is 1 where leg A is short, else -1.

    Amounts are signed millionths of a dollar: what came in is positive.
    """

    symbol: Symbol
    direction: int
    opened_hour: int
    size: float  # coins per leg
    value_usd: float  # per leg, at entry
    expected_usd: float | None = None  # what the rule expected, where it calculates
    closed_hour: int = 0
    fees: int = 0
    slippage: int = 0
    basis: int = 0
    funding: int = 0
    cut: Cut = Cut.NO
    reason: str = ""

    @property
    def net(self) -> int:
        """Everything together."""
        return self.funding + self.fees + self.slippage + self.basis

    @property
    def settlements(self) -> int:
        """Settlements it was held over."""
        return self.closed_hour - self.opened_hour


def micros(usd: float) -> int:
    """The nearest whole micro-dollars."""
    return round(usd * MICROS)


def usd(amount: int) -> Decimal:
    """Micro-dollars as dollars."""
    return Decimal(amount).scaleb(-6)
