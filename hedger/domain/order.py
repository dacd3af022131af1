"""
An order, the exact bytes that were signed for it, and its three possible ends.

    Order ──prepare──► Prepared ──(intent committed)──submit──► Answer ──resolve──► Outcome

``Answer`` is what one send told us; only ``Declined`` and ``NeverSent`` prove anything.
``Outcome`` is what became of the order, and there are exactly three.
"""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from hedger.common.words import clean
from hedger.domain.ids import HedgeId, LaneId, OrderId, Sent, Symbol, VenueId
from hedger.domain.money import ZERO


class Side(StrEnum):
    """Direction of an order."""

    BUY = "buy"
    SELL = "sell"

    @property
    def sign(self) -> int:
        """+1 for a buy, -1 for a sell: the sign of the position it makes."""
        return 1 if self is Side.BUY else -1

    @property
    def opposite(self) -> "Side":
        """The other side."""
        return Side.SELL if self is Side.BUY else Side.BUY

    @classmethod
    def closing(cls, position: Decimal) -> "Side":
        """The side that reduces a live position, from its sign."""
        assert position != ZERO
        return cls.SELL if position > ZERO else cls.BUY


class Purpose(StrEnum):
    """Why an order is sent."""

    OPEN = "open"
    CLOSE = "close"
    ROLLBACK = "rollback"

    @property
    def reduces(self) -> bool:
        """Whether the order takes exposure off; such an order is always reduce-only."""
        return self is not Purpose.OPEN


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """An immediate-or-cancel order. Never edited: a second try is a second order."""

    id: OrderId
    hedge: HedgeId
    venue: VenueId
    symbol: Symbol
    purpose: Purpose
    attempt: int  # 1 for the first order of this purpose on this leg
    side: Side
    size: Decimal  # coins, a whole number of the venue's steps
    limit_price: Decimal  # worst acceptable, a whole number of ticks
    expires_at: datetime  # the venue must not accept it later (signed where it can be)

    def __post_init__(self) -> None:
        assert self.attempt >= 1
        assert self.size > ZERO
        assert self.limit_price > ZERO
        assert self.expires_at.tzinfo is not None

    @property
    def reduce_only(self) -> bool:
        """Derived, so that no closing order can be built without it."""
        return self.purpose.reduces


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedTerms:
    """
    What the bytes that were signed for an order say, read back out of them, in our units.

    ``symbol`` is that of the market whose number was signed; None where it is none of ours.
    """

    symbol: Symbol | None
    side: Side
    size: Decimal
    limit_price: Decimal
    reduce_only: bool
    immediate: bool  # what does not fill at once is cancelled
    account: str
    client_id: str
    lane: LaneId | None
    nonce: int | None
    expires_at: datetime  # on the venue's clock


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """
    A signed order, ready to be committed and then sent once.

    ``payload`` is the exact body that goes on the wire, kept as evidence and for sending
    the identical bytes again; it holds a signature but no secret. ``expires_at`` is what was
    signed, on the venue's clock.
    """

    order: Order
    account: str
    client_id: str  # our id in the venue's spelling, unique per venue
    payload: str
    expires_at: datetime
    lane: LaneId | None = None
    nonce: int | None = None
    tx_hash: str | None = None
    signed: SignedTerms | None = field(default=None, compare=False)  # not kept in the ledger


@dataclass(frozen=True, slots=True, kw_only=True)
class Filler:
    """
    Something signed that is no order and uses one nonce up.

    For a gap: the venue waits for a nonce that no order of ours will use (reliability.md §2.6).
    It does nothing else then. A change of leverage is the other kind.
    """

    venue: VenueId
    lane: LaneId
    nonce: int
    payload: str
    tx_hash: str
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class PastOrder:
    """
    An order that a venue lists as over, with an id of the shape of ours.

    ``sent`` is what that id carries. ``payload`` is as much of a body as looking it up by
    ``Venue.find`` takes.
    """

    venue: VenueId
    client_id: str
    sent: Sent
    symbol: Symbol
    side: Side
    size: Decimal
    limit_price: Decimal
    reduce_only: bool
    at: datetime
    payload: str


class Reason(StrEnum):
    """Why a venue declined, in our words; the venue's code stands beside it."""

    MARGIN = "margin"
    REDUCE_ONLY = "reduce_only"  # nothing to reduce, too large, or wrong side: read again
    RULES = "rules"  # size, price, value or market rules
    MARKET_STATE = "market_state"  # closed, reduce-only, post-only, maintenance
    NONCE = "nonce"  # not consumed; the lane must be read again
    RATE = "rate"
    AUTH = "auth"
    OTHER = "other"


NEVER_SENT = "never-sent"
"""Stands for a venue's code where no byte of the order left this machine."""


class _Told:
    """What a venue said is one printable line of bounded length, whoever made the answer."""

    __slots__ = ()
    detail: str

    def __post_init__(self) -> None:
        told = clean(self.detail)
        if told is not self.detail:
            object.__setattr__(self, "detail", told)


@dataclass(frozen=True, slots=True)
class Accepted(_Told):
    """The venue took it in. Proves nothing about execution."""

    detail: str = ""


@dataclass(frozen=True, slots=True)
class Declined(_Told):
    """Proof that the venue did not take it; its nonce, if any, was not consumed."""

    reason: Reason
    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class NeverSent(_Told):
    """Proof that no byte of it left this machine."""

    detail: str


@dataclass(frozen=True, slots=True)
class NoProof(_Told):
    """
    Anything else: it may have happened. To be looked up, never sent under a new id.

    ``reason`` is what the venue complained of, if it said so: ``NONCE`` puts the lane in doubt.
    """

    detail: str
    reason: Reason | None = None


Answer = Accepted | Declined | NeverSent | NoProof


@dataclass(frozen=True, slots=True, kw_only=True)
class Fill:
    """
    One execution. ``fee_usd`` is positive when we paid it.

    ``is_maker`` tells that our order was the one in the book, which has a rate of its own.
    """

    venue: VenueId
    trade_id: str
    order: OrderId
    symbol: Symbol
    side: Side
    size: Decimal
    price: Decimal
    fee_usd: Decimal
    at: datetime
    is_maker: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """
    What the venue knows of an order, by our id or hash.

    ``final`` means that the venue will do nothing more with it. ``filled`` is the venue's own
    total; the fills may lag behind it, and are complete when they add up to it.
    """

    final: bool
    filled: Decimal
    fills: tuple[Fill, ...]
    venue_order_id: str | None
    status: str  # the venue's word, for the audit

    @property
    def complete(self) -> bool:
        """Final, and every fill of it is known."""
        return self.final and sum((f.size for f in self.fills), ZERO) == self.filled


@dataclass(frozen=True, slots=True, kw_only=True)
class NotFound:
    """The venue answered and does not know the order. No proof by itself: see resolver.py."""

    asked_at: datetime


Sighting = Found | NotFound


@dataclass(frozen=True, slots=True)
class Filled:
    """Proven executed, by how much; zero is a proven zero."""

    prepared: Prepared
    size: Decimal
    fills: tuple[Fill, ...]
    venue_order_id: str | None
    status: str

    def __post_init__(self) -> None:
        assert self.size == sum((f.size for f in self.fills), ZERO)


@dataclass(frozen=True, slots=True)
class Refused:
    """
    Proven not taken: declined, never sent, or dead behind its fence.

    ``dead`` tells the last case: its nonce, if any, was used up by something else.
    """

    prepared: Prepared
    reason: Reason
    code: str
    detail: str
    dead: bool = False


@dataclass(frozen=True, slots=True)
class Unresolved:
    """No proof within the budget. It stays on the list, and its hedge is escalated."""

    prepared: Prepared
    detail: str


Outcome = Filled | Refused | Unresolved
