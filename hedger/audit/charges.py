"""
What a leg should have been charged: fees and funding computed by us, and not taken from anybody.

A fee is the value of our fill times the account's own rate, as it was told to us before the order
and again after the hedge; between two different tellings it is unknown. A payment is
our own position at the settlement, from our fills, times what the venue's public list says a coin
was charged, rounded as the venue books it.

Two things are borrowed from the payment, because nobody else tells them:

- X10's public list tells the rate alone, so the mark is the one that the payment names;
- which side of a settlement a fill fell on is not always certain, because the market clock of a
  venue need not be ours: it is when no order was under way between the moment at which the
  settlement was seen to be still to come and the one at which it was seen to have passed.
  Otherwise the payment's size decides among those that our fills made in between, and no other.

Unknown is None, never zero; what is missing and can still be asked for is named.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from hedger.audit.legrows import LegRows, Row, signed
from hedger.domain.account import WIDE, Books
from hedger.domain.money import ZERO, plain
from hedger.ledger.text import EXACT, parse_instant

SKEW = timedelta(seconds=5)
"""How late a settlement may still be stated as the next one, and how far stamps may be apart."""


class Lack(StrEnum):
    """What has to be asked for before a leg can be judged."""

    FEES = "fee rates"
    RATES = "settled rates"


@dataclass(frozen=True, slots=True, kw_only=True)
class Charged:
    """Signed as it changes our cash; None is unknown. Fees are in the order of the fills."""

    fees: tuple[Decimal | None, ...]
    payments: dict[str, Decimal | None]  # by settlement
    lacks: frozenset[Lack]
    problems: tuple[str, ...]

    @property
    def fee(self) -> Decimal | None:
        """All fees together."""
        return _total(self.fees)

    @property
    def funding(self) -> Decimal | None:
        """All payments together; None while settled rates are missing."""
        return None if Lack.RATES in self.lacks else _total(list(self.payments.values()))


def of_leg(found: LegRows, first: str | None, last: str | None, *, over: bool) -> Charged:
    """What we compute; ``first`` and ``last`` are the settlements that enclose the leg."""
    lacks: set[Lack] = set()
    fees = [_fee(fill, found, lacks, over=over) for fill in found.fills]
    payments: dict[str, Decimal | None] = {}
    problems: list[str] = []
    if over and first is not None and last is not None and found.fills:
        told = {row["settlement_at"]: row for row in found.payments}
        if not _complete(found.settled, first, last, set(told)):
            lacks.add(Lack.RATES)
        for rate in found.settled:
            at = rate["settlement_at"]
            if first <= at < last or (at in told and at >= first):
                payments[at] = _payment(rate, told.get(at), found, problems)
    return Charged(
        fees=tuple(fees), payments=payments, lacks=frozenset(lacks), problems=tuple(problems)
    )


def _fee(fill: Row, found: LegRows, lacks: set[Lack], *, over: bool) -> Decimal | None:
    """The rates before the order and after it are the same, or the fee is unknown."""
    rates, done_at = found.fee_rates, fill["done_at"]
    side = "maker" if fill["is_maker"] else "taker"
    before = _rate_at(fill["prepared_at"], rates)
    if before is None:
        lacks.add(Lack.FEES)
        return None
    if over:
        after = _rate_at(done_at, rates) if done_at is not None else None
        if after is None or after[side] != before[side]:
            return None
        if after["until"] < done_at:
            if after is rates[-1]:
                lacks.add(Lack.FEES)
            return None
    value = WIDE.multiply(Decimal(fill["price"]), Decimal(fill["size"]))
    return -found.books.usd(WIDE.multiply(value, Decimal(before[side]))) + ZERO


def _rate_at(at: str, rates: Sequence[Row]) -> Row | None:
    """The latest that was told by then, else the first that was told at all."""
    earlier = [row for row in rates if row["as_of"] <= at]
    return earlier[-1] if earlier else next(iter(rates), None)


def _complete(settled: Sequence[Row], first: str, last: str, paid: set[str]) -> bool:
    """Whether the list reaches the last settlement before ``last``, and every payment."""
    known = [row["settlement_at"] for row in settled]
    if not paid <= set(known):
        return False
    if first >= last:
        return True
    inside = [at for at in known if first <= at]
    if not inside:
        return False
    instants = [parse_instant(at) for at in known]
    apart = [later - sooner for sooner, later in itertools.pairwise(instants)]
    return not apart or instants[-1] + min(apart) >= parse_instant(last)


def _payment(rate: Row, payment: Row | None, found: LegRows, problems: list[str]) -> Decimal | None:
    at = rate["settlement_at"]
    possible = _held(at, found)
    size: Decimal | None = ZERO if payment is None else Decimal(payment["size"])
    if len(possible) == 1:
        (size,) = possible
    elif size not in possible:
        problems.append(f"at {at} we held {' or '.join(plain(held) for held in possible)} coins")
        return None
    if size == ZERO:
        return ZERO
    if rate["per_coin_usd"] is not None:
        return charge(found.books, size, Decimal(rate["per_coin_usd"]))
    if payment is None or payment["mark_price"] is None:
        return None
    per_coin = WIDE.multiply(Decimal(rate["rate_1h"]), Decimal(payment["mark_price"]))
    return charge(found.books, size, per_coin)


def charge(books: Books, size: Decimal, per_coin_usd: Decimal) -> Decimal:
    """What the venue books for ``size`` signed coins; longs pay a positive charge."""
    return books.usd(WIDE.multiply(-size, per_coin_usd))


def _held(at: str, found: LegRows) -> list[Decimal]:
    """Every size that we can have held at a settlement; one where no order was under way."""
    instant = parse_instant(at)
    came = {parse_instant(key): parse_instant(when) for key, when in found.still.items()}
    gone = {parse_instant(key): parse_instant(when) for key, when in found.seen.items()}
    before = max((when for key, when in came.items() if key <= instant), default=None)
    after = min((when for key, when in gone.items() if key > instant), default=None)
    held, possible = ZERO, [ZERO]
    for fill in found.fills:
        held = EXACT.add(held, signed(fill))
        if _is_before(fill, before):
            possible = [held]
        elif not _is_after(fill, after) and held not in possible:
            possible.append(held)
    return possible


def _is_before(fill: Row, instant: datetime | None) -> bool:
    done = fill["done_at"]
    return instant is not None and done is not None and parse_instant(done) + SKEW <= instant


def _is_after(fill: Row, instant: datetime | None) -> bool:
    return instant is not None and parse_instant(fill["prepared_at"]) >= instant


def _total(amounts: Sequence[Decimal | None]) -> Decimal | None:
    total = ZERO
    for amount in amounts:
        if amount is None:
            return None
        total = EXACT.add(total, amount)
    return total
