"""
What one hedge earned, split into price, fees, funding and rollback; pure arithmetic on rows.

All four are signed as they change our account: a fee is negative, and so is a rollback that
cost something. They add up exactly to the net, which is the cash that moved. Rollback is what
was lost on the coins that were taken back: their price against the leg's average entry, the
fees of taking them back, and their share of the entry fees. The share is rounded to 1e-10 USD
and what it leaves stays in price and fees, so nothing is lost in the sum.

Unknown is None: the price result while coins are held (or when our fills do not explain where
they went), everything that orders decide while one of them is unsettled, the funding until the
payments were read through the hedge's last settlement, the rollback of coins whose entry is
not ours.

Coins that a venue has forgotten (``hedger/ledger/lost.py``) are written off at their entry: what
our fills moved for them is taken out of the price again, as ``lost_usd``. Their fees stay charged.
"""

from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Any

from hedger.domain.hedge import State
from hedger.domain.money import ZERO
from hedger.ledger.text import EXACT, decimal_text

SHARE = Context(prec=60, rounding=ROUND_HALF_EVEN)
QUANTUM = Decimal("1e-10")
KEPT = ("id", "symbol", "state", "venue_a", "venue_b", "side_a", "opened_at", "closed_at")


@dataclass(frozen=True, slots=True)
class Leg:
    """The totals of one leg, as ``ledger.tables.legs`` has them."""

    open_size: Decimal
    open_usd: Decimal
    open_fees_usd: Decimal
    close_size: Decimal
    close_usd: Decimal
    close_fees_usd: Decimal
    rollback_size: Decimal
    rollback_usd: Decimal
    rollback_fees_usd: Decimal
    funding_usd: Decimal

    @property
    def size(self) -> Decimal:
        """Signed coins that our fills left."""
        return _sum(self.open_size, self.close_size, self.rollback_size)

    @property
    def cash_usd(self) -> Decimal:
        """What selling brought less what buying took."""
        return _sum(self.open_usd, self.close_usd, self.rollback_usd)

    @property
    def fees_paid_usd(self) -> Decimal:
        """Positive when we paid."""
        return _sum(self.open_fees_usd, self.close_fees_usd, self.rollback_fees_usd)

    def rolled(self) -> tuple[Decimal, Decimal] | None:
        """Price result and fees of the coins taken back; None when their entry is not ours."""
        if self.rollback_size == ZERO:
            return ZERO, self.rollback_fees_usd
        if self.open_size == ZERO:
            return None
        share = SHARE.divide(-self.rollback_size, self.open_size)
        if not ZERO < share <= 1:
            return None
        entry_usd, entry_fees_usd = self.open_usd, self.open_fees_usd
        if share != 1:
            entry_usd = SHARE.quantize(SHARE.multiply(entry_usd, share), QUANTUM)
            entry_fees_usd = SHARE.quantize(SHARE.multiply(entry_fees_usd, share), QUANTUM)
        return _sum(self.rollback_usd, entry_usd), _sum(self.rollback_fees_usd, entry_fees_usd)


def of_hedge(row: dict[str, Any]) -> dict[str, Any]:
    """The row of ``audit pnl`` from a hedge with its two legs."""
    legs = [leg_of(row, name) for name in "ab"]
    amounts = _split(row, legs)
    known = list(amounts.values())
    net = None if None in known else _sum(*(value for value in known if value is not None))
    lost = [_lost(row, name) for name in "ab"]
    return {
        **{key: row[key] for key in KEPT},
        "size_a": _text(legs[0].size),
        "size_b": _text(legs[1].size),
        "lost_a": _text(lost[0]),
        "lost_b": _text(lost[1]),
        "lost_usd": _text(_written_off(legs, lost)) if any(lost) else "0",
        **{key: _text(value) for key, value in amounts.items()},
        "net_usd": _text(net),
        "cash_usd": _text(_sum(*(leg.cash_usd for leg in legs))),
        "fees_paid_usd": _text(_sum(*(leg.fees_paid_usd for leg in legs))),
        "funding_booked_usd": _text(_sum(*(leg.funding_usd for leg in legs))),
    }


def _split(row: dict[str, Any], legs: list[Leg]) -> dict[str, Decimal | None]:
    """The four parts of the result, None where unknown."""
    price: Decimal | None = ZERO
    fees: Decimal | None = ZERO
    rollback: Decimal | None = ZERO
    for leg in legs:
        rolled = None if row["unsettled"] else leg.rolled()
        if rolled is None:
            price = fees = rollback = None
            break
        assert price is not None
        assert fees is not None
        assert rollback is not None
        rolled_usd, rolled_fees_usd = rolled
        price = _sum(price, leg.cash_usd, -rolled_usd)
        fees = _sum(fees, -leg.fees_paid_usd, rolled_fees_usd)
        rollback = _sum(rollback, rolled_usd, -rolled_fees_usd)
    finished = row["state"] is not None and State(row["state"]).terminal
    lost = [_lost(row, name) for name in "ab"]
    gone = all(leg.size == size for leg, size in zip(legs, lost, strict=True))
    written_off = _written_off(legs, lost)
    if not finished or not gone or written_off is None:
        price = None
    elif price is not None:
        price = _sum(price, written_off)
    complete = finished and all(_funding_known(row, legs, name) for name in "ab")
    funding = _sum(*(leg.funding_usd for leg in legs)) if complete else None
    return {
        "price_usd": price,
        "fees_usd": fees,
        "funding_usd": funding,
        "rollback_cost_usd": rollback,
    }


def _funding_known(row: dict[str, Any], legs: list[Leg], name: str) -> bool:
    """Whether every settlement that this leg lived through was read."""
    leg = legs["ab".index(name)]
    if leg.open_size == leg.close_size == leg.rollback_size == ZERO:
        return not row["unsettled"]  # it never held anything
    first, last = row[f"first_settlement_{name}"], row[f"last_settlement_{name}"]
    if first is None or last is None:
        return False
    through = row[f"{name}_funding_through"]
    return bool(last < first) or (through is not None and through >= last)


def _lost(row: dict[str, Any], name: str) -> Decimal:
    """Signed coins of a leg that its venue has forgotten."""
    return Decimal(row[f"{name}_lost"] or 0)


def _written_off(legs: list[Leg], lost: list[Decimal]) -> Decimal | None:
    """
    What our fills moved for coins that were lost, taken back; None when their entry is not ours.

    A position that vanishes leaves the cash as it was before it was opened.
    """
    total = ZERO
    for leg, size in zip(legs, lost, strict=True):
        if size == ZERO:
            continue
        share = SHARE.divide(size, leg.open_size) if leg.open_size != ZERO else ZERO
        if not ZERO < share <= 1:
            return None
        total = _sum(total, -SHARE.quantize(SHARE.multiply(leg.open_usd, share), QUANTUM))
    return total


def leg_of(row: dict[str, Any], name: str) -> Leg:
    """The totals of leg ``a`` or ``b`` from a row of the question ``pnl``."""
    return Leg(*(Decimal(row[f"{name}_{field}"] or 0) for field in Leg.__dataclass_fields__))


def _sum(*values: Decimal) -> Decimal:
    total = ZERO
    for value in values:
        total = EXACT.add(total, value)
    return total


def _text(value: Decimal | None) -> str | None:
    return None if value is None else decimal_text(value)
