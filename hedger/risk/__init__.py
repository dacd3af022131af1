"""
The only maker of an approval: pure rules over frozen values, all objections at once.

``review`` judges a plan by what is known without asking the accounts; ``account_objections``
judges what the accounts say, in the moment before the first order. Nothing here is ever asked
before a reduce-only order (S51).
"""

from decimal import Decimal

from hedger.domain.market import Instrument
from hedger.domain.money import common_step, floor_to_step
from hedger.risk.churn import Churn, RolledBack, churned, cool_down_s
from hedger.risk.money import (
    Track,
    account_objections,
    distance_bps,
    held_distance_bps,
    losses,
    tracked,
)
from hedger.risk.rules import RULES
from hedger.risk.values import (
    Approved,
    Book,
    Funds,
    Limits,
    Objected,
    Objection,
    Opened,
    Plan,
)

__all__ = [
    "RULES",
    "Approved",
    "Book",
    "Churn",
    "Funds",
    "Limits",
    "Objected",
    "Objection",
    "Opened",
    "Plan",
    "RolledBack",
    "Track",
    "account_objections",
    "churned",
    "cool_down_s",
    "distance_bps",
    "held_distance_bps",
    "losses",
    "review",
    "sized",
    "tracked",
]


def sized(usd: Decimal, price: Decimal, a: Instrument, b: Instrument) -> Decimal:
    """Coins for ``usd`` per leg, on the coarser step of both venues; may be zero."""
    return floor_to_step(usd / price, common_step(a.size_step, b.size_step))


def review(plan: Plan, limits: Limits, book: Book) -> Approved | Objected:
    """Ask every rule and report every objection rather than the first."""
    found = tuple(
        Objection(code, text) for code, rule in RULES if (text := rule(plan, limits, book))
    )
    found += book.losses
    return Objected(plan, found) if found else Approved(plan)
