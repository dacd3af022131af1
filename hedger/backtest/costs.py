"""
What opening and closing costs on a market whose books were not recorded.

Fees are the account's taker fees. Crossing a book costs half of the quoted spread, of which one
instant of one venue is on record; where it is narrower than ``LEAST_SPREAD_BPS``, or unknown,
that is used instead: a market order of some hundred USD pays more than the best quote of a quiet
moment. The basis between the venues is drawn, by market and hour, from prices at real trade
starts. An adverse basis at entry is booked as a cost; a favourable one is not booked at all, and
neither is any difference of recorded marks, which are hourly means that nobody could trade at.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from zlib import crc32

from hedger.backtest.package import Listed, Package
from hedger.domain.ids import Symbol, VenueId
from hedger.domain.money import BPS, ZERO, common_step, floor_to_step

LEAST_SPREAD_BPS = Decimal(2)
OWN_SAMPLES = 10  # a market with fewer samples of the basis draws from all of them
MIX_A, MIX_B, MIX_C = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB
WORD = (1 << 64) - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Assumptions:
    """What a run of the backtest assumes; ``None`` takes the packaged figure."""

    size_usd: Decimal = Decimal(1000)  # per leg, at most
    taker_fee: Mapping[VenueId, Decimal] | None = None  # fractions
    slippage_bps: Decimal | None = None  # per crossing, on each venue
    basis: bool = True
    depth_usd: Decimal = Decimal(25_000)  # modelled, each side of each book
    seed: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """
    The conditions of one market, as fractions of the value of one leg.

    ``slip_a`` and ``slip_b`` are what one crossing of each venue's book costs.
    """

    listed: Listed
    fee_a: float
    fee_b: float
    slip_a: float
    slip_b: float
    depth_usd: Decimal
    step: Decimal
    samples: tuple[float, ...]  # A's price over B's, bps
    salt: int

    @property
    def crossing(self) -> float:
        """Fees and slippage of going in, or out, on both venues."""
        return self.fee_a + self.fee_b + self.slip_a + self.slip_b

    def basis_bps(self, hour: int) -> float:
        """A's price over B's in that hour; the same whatever else is read or left out."""
        if not self.samples:
            return 0.0
        mixed = (hour * MIX_A ^ self.salt) & WORD
        mixed = (mixed ^ mixed >> 30) * MIX_B & WORD
        mixed = (mixed ^ mixed >> 27) * MIX_C & WORD
        return self.samples[(mixed ^ mixed >> 31) % len(self.samples)]

    def basis_cost(self, hour: int, direction: int) -> float:
        """
        What entering then costs by the basis, as a fraction; never a gain.

        ``direction`` is 1 where leg A is short: it sells at A's price and buys at B's.
        """
        return max(0.0, -direction * self.basis_bps(hour)) / 10_000

    def size_for(self, usd: Decimal, price: float) -> Decimal:
        """Coins for ``usd`` per leg on the step of both venues; zero below a minimum."""
        at = Decimal(repr(price))
        size = floor_to_step(usd / at, self.step)
        a, b = self.listed.a, self.listed.b
        if size < max(a.min_size, b.min_size):
            return ZERO
        return size if size * at >= max(a.min_notional_usd, b.min_notional_usd) else ZERO


def terms(package: Package, symbol: Symbol, assumed: Assumptions) -> Terms:
    """The conditions of one market of the package."""
    listed = package.markets[symbol]
    own = package.basis_bps.get(symbol, ())
    samples = own if len(own) >= OWN_SAMPLES else package.pooled_basis_bps
    fees = [
        (assumed.taker_fee or {}).get(venue, facts.taker_fee)
        for venue, facts in zip(package.venues, package.facts, strict=True)
    ]
    quoted = [
        one.quoted_spread_bps for one in (listed.a, listed.b) if one.quoted_spread_bps is not None
    ]
    spread = max([*quoted, LEAST_SPREAD_BPS])
    slip = float((spread / 2 if assumed.slippage_bps is None else assumed.slippage_bps) / BPS)
    return Terms(
        listed=listed,
        fee_a=float(fees[0]),
        fee_b=float(fees[1]),
        slip_a=slip,
        slip_b=slip,
        depth_usd=assumed.depth_usd,
        step=common_step(listed.a.size_step, listed.b.size_step),
        samples=samples if assumed.basis else (),
        salt=crc32(symbol.encode()) << 32 ^ assumed.seed * MIX_C & WORD,
    )
