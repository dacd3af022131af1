"""
Whether both legs of a hedge can come off now: pure.

A hedge whose legs match is safe. The first reducing order ends that, so before it each venue has
to be able to take its order: an open market, somebody to trade the whole leg with at a price that
the rollback engine would pay, and an account, a margin mode and a key that the venue accepts.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from hedger.domain.ability import Ability, Can, able, unable, unknown
from hedger.domain.ids import Symbol, VenueId
from hedger.domain.market import Instrument, MarketStatus, OrderBook
from hedger.domain.money import ZERO, plain
from hedger.domain.order import Side
from hedger.pricing import worst_price


@dataclass(frozen=True, slots=True, kw_only=True)
class LegLook:
    """What one look at the venue of a leg found; a text stands for what could not be read."""

    venue: VenueId
    symbol: Symbol
    size: Decimal  # signed coins
    rules: Instrument | str | None  # None: the venue does not list the market
    book: OrderBook | str
    account: Ability  # account, margin mode and key, as far as reads tell


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """Whether the first reducing order may go, and everything that speaks against it."""

    can: Can
    obstacles: tuple[Ability, ...] = ()

    @property
    def key(self) -> str:
        """Equal for the same obstacles, whatever figures are in their texts."""
        return ",".join(sorted(f"{found.venue}:{found.code}" for found in self.obstacles))

    @property
    def why(self) -> str:
        """Every obstacle in one clause."""
        return "; ".join(found.why for found in self.obstacles)

    @property
    def remedy(self) -> str:
        """What a person does about them, each thing once."""
        return "; ".join(dict.fromkeys(found.remedy for found in self.obstacles))


def judge(looks: Sequence[LegLook], slippage_bps: Decimal) -> Proof:
    """Both legs can go, one provably cannot, or it is not known."""
    return combined([found for look in looks for found in about(look, slippage_bps)])


def combined(found: Sequence[Ability]) -> Proof:
    """A provable no outweighs what is unknown; nothing outweighs either."""
    obstacles = tuple(one for one in found if one.can is not Can.YES)
    if not obstacles:
        return Proof(can=Can.YES)
    no = any(one.can is Can.NO for one in obstacles)
    return Proof(can=Can.NO if no else Can.UNKNOWN, obstacles=obstacles)


def about(look: LegLook, slippage_bps: Decimal) -> list[Ability]:
    """Market, book and account of one leg."""
    market = market_of(look.venue, look.symbol, look.rules)
    if market.can is Can.NO:  # its book means nothing then
        return [market, look.account]
    return [market, _book(look, slippage_bps), look.account]


def market_of(venue: VenueId, symbol: Symbol, rules: Instrument | str | None) -> Ability:
    """Whether the market takes reduce-only orders: closed is not reduce-only."""
    if isinstance(rules, str):
        return unknown(venue, "market_unread", f"the markets of {venue} cannot be read ({rules})")
    if rules is None:
        return unknown(venue, "market_unlisted", f"{venue} does not list {symbol}")
    if rules.status is MarketStatus.CLOSED:
        return unable(
            venue,
            "market_closed",
            f"the {symbol} market of {venue} is closed",
            f"wait until {venue} opens {symbol} again, or ask its support",
        )
    return able(venue)


def _book(look: LegLook, slippage_bps: Decimal) -> Ability:
    if isinstance(look.book, str):
        why = f"the {look.symbol} book of {look.venue} cannot be read ({look.book})"
        return unknown(look.venue, "book_unread", why)
    if not isinstance(look.rules, Instrument):
        return able(look.venue)  # its market is an obstacle already
    there = depth(look.book, look.size, look.rules, slippage_bps)
    if there >= abs(look.size):
        return able(look.venue)
    return unable(
        look.venue,
        "book_thin",
        f"the {look.symbol} book of {look.venue} takes {plain(there)} of {plain(abs(look.size))}"
        f" coins within {plain(slippage_bps)} bps",
        f"wait for the {look.symbol} book of {look.venue} to fill",
    )


def depth(book: OrderBook, size: Decimal, rules: Instrument, slippage_bps: Decimal) -> Decimal:
    """Coins that a leg of ``size`` signed coins could be traded against, at most its own."""
    if size == ZERO:
        return ZERO
    side = Side.closing(size)
    worst = worst_price(side, book, rules, slippage_bps)
    if worst is None:
        return ZERO
    levels = book.asks if side is Side.BUY else book.bids
    within = (
        level.size
        for level in levels
        if (level.price <= worst if side is Side.BUY else level.price >= worst)
    )
    return min(sum(within, ZERO), abs(size))
