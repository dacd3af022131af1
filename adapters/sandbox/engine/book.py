"""The book of one market: the ladder less what our accounts took, plus their own orders."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

from adapters.sandbox.engine.amounts import ZERO
from adapters.sandbox.engine.ladder import Ladder
from adapters.sandbox.engine.market_types import Book, Level
from adapters.sandbox.engine.order_types import OrderView


class Fill(NamedTuple):
    """A piece of a taker order: at this price, from this order of ours or from the ladder."""

    price: Decimal
    size: Decimal
    maker_id: int | None


@dataclass(frozen=True, slots=True)
class Plan:
    """What a taker order would get."""

    fills: tuple[Fill, ...]
    own_orders: tuple[int, ...]  # resting orders of the same account that stand in the way
    more_beyond: bool  # the book holds more, at prices beyond the limit

    @property
    def size(self) -> Decimal:
        """Coins in all."""
        return sum((fill.size for fill in self.fills), ZERO)

    @property
    def value(self) -> Decimal:
        """USD in all."""
        return sum((fill.size * fill.price for fill in self.fills), ZERO)


class MarketBook:
    """
    What has been taken from the ladder of one market.

    It comes back when the mark moves to the next bucket, or some wire time after the last take.
    """

    def __init__(self) -> None:
        self.version = 1
        self._bucket = -1
        self._taken: dict[tuple[bool, Decimal], Decimal] = {}  # (ask side, price) -> coins
        self._taken_ms = 0

    def renew(self, bucket: int, now_ms: int, refresh_ms: int) -> bool:
        """Forget what is out of date; whether the book is another one now."""
        rested = bool(self._taken) and now_ms - self._taken_ms >= refresh_ms
        if bucket == self._bucket and not rested:
            return False
        self._bucket = bucket
        self._taken.clear()
        self.version += 1
        return True

    @property
    def is_worn(self) -> bool:
        """Whether something was taken that will come back."""
        return bool(self._taken)

    def touched(self) -> None:
        """A resting order of ours changed."""
        self.version += 1

    def take(self, *, asks: bool, price: Decimal, size: Decimal, now_ms: int) -> None:
        """Remove coins from a synthetic level."""
        key = (asks, price)
        self._taken[key] = self._taken.get(key, ZERO) + size
        self._taken_ms = now_ms
        self.version += 1

    def synthetic(self, ladder: Ladder, *, asks: bool) -> Iterator[Level]:
        """What is left of the ladder on one side, best price first."""
        for level in ladder.asks if asks else ladder.bids:
            taken = self._taken.get((asks, level.price)) if self._taken else None
            if taken is None:
                yield level
            elif level.size > taken:
                yield Level(level.price, level.size - taken)

    def view(self, ladder: Ladder, resting: Iterable[OrderView], depth: int) -> Book:
        """The whole book, levels of one price merged, best ``depth`` of each side."""
        resting = tuple(resting)
        if not self._taken and not resting:  # as it is most of the time
            return Book(ladder.bids[:depth], ladder.asks[:depth], self.version)
        sides: dict[bool, dict[Decimal, Decimal]] = {
            asks: {level.price: level.size for level in self.synthetic(ladder, asks=asks)}
            for asks in (False, True)
        }
        for order in resting:
            side = sides[not order.new.is_buy]
            side[order.new.price] = side.get(order.new.price, ZERO) + order.remaining
        bids = sorted(sides[False].items(), reverse=True)[:depth]
        asks = sorted(sides[True].items())[:depth]
        return Book(
            tuple(Level(price, size) for price, size in bids),
            tuple(Level(price, size) for price, size in asks),
            self.version,
        )

    def plan(
        self,
        ladder: Ladder,
        resting: Iterable[OrderView],
        *,
        account: int,
        is_buy: bool,
        size: Decimal,
        limit: Decimal,
    ) -> Plan:
        """What an order of that size and limit price gets now, nothing changed yet."""
        offers: list[tuple[Decimal, int, Decimal, OrderView | None]] = []
        beyond = False
        for order in resting:
            if order.new.is_buy == is_buy:
                continue
            if _reaches(is_buy, limit, order.new.price):
                offers.append((order.new.price, 0, order.remaining, order))
            else:
                beyond = True
        for level in self.synthetic(ladder, asks=is_buy):
            if not _reaches(is_buy, limit, level.price):
                beyond = True
                break
            offers.append((level.price, 1, level.size, None))
        offers.sort(key=lambda offer: (offer[0] if is_buy else -offer[0], offer[1]))
        fills: list[Fill] = []
        own: list[int] = []
        left = size
        for price, _, available, maker in offers:
            if left <= ZERO:
                break
            if maker is not None and maker.account == account:
                own.append(maker.id)
                continue
            piece = min(left, available)
            fills.append(Fill(price, piece, maker.id if maker else None))
            left -= piece
        return Plan(tuple(fills), tuple(own), beyond)


def _reaches(is_buy: bool, limit: Decimal, price: Decimal) -> bool:
    return price <= limit if is_buy else price >= limit
