"""
What the core needs from the world, in its own words.

An adapter translates symbols, units and errors and has no opinion about trading. A new venue
implements ``QuoteSource`` and ``Venue`` and is named in ``adapters/registry.py``; nothing in
``hedger`` changes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from math import inf
from typing import Protocol

from hedger.domain.ability import Ability
from hedger.domain.account import UNTOLD, Books, HistoryPage, Stream
from hedger.domain.ids import LaneId, Symbol, VenueId
from hedger.domain.market import (
    Balance,
    Fees,
    FundingPayment,
    FundingQuote,
    Instrument,
    OrderBook,
    Position,
    SettledRate,
    Traded,
)
from hedger.domain.order import Answer, Filler, Order, PastOrder, Prepared, Purpose, Sighting
from hedger.venueclock import Offset


class Fence(StrEnum):
    """What makes it impossible for an unknown order to execute later."""

    EXPIRY = "expiry"  # the venue refuses it once its signed expiry has passed
    NONCE = "nonce"  # its nonce can be used up by something harmless


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """How a venue proves things. Data, so that the core never asks which venue it is."""

    fence: Fence
    order_ttl_s: float  # how long a new order may live before it is refused on arrival
    read_lag_s: float  # bound on how late order and position reads may be
    clock_skew_s: float  # bound on the difference between its clock and ours, where untold
    usual_match_s: float = 0.4  # when an order's end usually shows: the first look waits for it
    books: Books = UNTOLD  # how it keeps an account's books, and which lists tell them
    clips_reduce_only: bool = False  # a reduce-only order above the position is cut to it


class QuoteSource(Protocol):
    """
    Public market data of one venue, without a key.

    Every method raises ``VenueError`` when there is no usable answer; a market that the
    venue does not list is absent from the mapping, never zero.
    """

    @property
    def id(self) -> VenueId: ...

    def recognise(self, identities: Mapping[Symbol, str], earlier: Mapping[Symbol, str]) -> None:
        """See ``Venue.recognise``."""

    async def instruments(self, *, urgent: bool = False) -> Mapping[Symbol, Instrument]:
        """
        Rules of every perpetual market we can map, active or not.

        ``urgent`` as in ``book``.
        """

    async def funding(self) -> Mapping[Symbol, FundingQuote]:
        """The present funding estimate of every active market."""

    async def next_settlement(self) -> datetime:
        """When funding is next charged, on the venue's market clock."""

    async def book(self, symbol: Symbol, depth: int = 50, *, urgent: bool = False) -> OrderBook:
        """
        The book of one market, best prices first.

        ``urgent`` is for taking exposure off: it may use the part of the venue's request limit
        that is kept back from everything else.
        """

    async def settled_rates(
        self, symbol: Symbol, since: datetime
    ) -> Mapping[datetime, SettledRate]:
        """
        What was charged on one market at or after ``since``, by settlement (market clock).

        Rates are in the unit of ``FundingQuote``, from another endpoint than
        ``funding``, so that the units of both can be held against each other. The newest
        settlement may not be listed yet.
        """

    async def close(self) -> None:
        """Give back connections."""


class History(Protocol):
    """Rates that one venue has charged, without a key."""

    @property
    def id(self) -> VenueId: ...

    async def settled_between(
        self, symbol: Symbol, since: datetime, until: datetime
    ) -> Sequence[SettledRate]:
        """
        Every settlement from ``since`` on and before ``until`` (market clock), oldest first.

        Complete as far as the venue remembers, or an exception: pages are followed to their end.
        """

    async def close(self) -> None:
        """Give back connections."""


class Venue(Protocol):
    """
    One account at one exchange.

    Reads raise only ``VenueError`` subclasses. ``submit`` raises nothing but cancellation: what
    it could not learn is a value. No method repeats a request by itself.

    A read with ``max_age_s`` may be answered by an earlier answer that was asked for less than
    so long ago, and not before anything was last sent for this account; the times in what comes
    back are those of that answer. 0 always asks.
    """

    @property
    def id(self) -> VenueId: ...

    @property
    def account(self) -> str:
        """The venue's name of our account; not a secret."""

    @property
    def capabilities(self) -> Capabilities: ...

    @property
    def offset(self) -> Offset | None:
        """How far its clock is ahead of ours; None while no answer of it had a date."""

    async def start(self) -> None:
        """
        Open sessions and check keys against each other.

        What only the venue can say waits where it does not answer: ``balance`` asks for it
        before anything is opened.

        Raises:
            ConfigError: the keys do not belong together.
            VenueError: the venue does not accept them.
        """

    async def close(self) -> None:
        """Give back sessions; never raises."""

    def recognise(self, identities: Mapping[Symbol, str], earlier: Mapping[Symbol, str]) -> None:
        """
        Which markets our symbols were to an earlier process (``Instrument.identity``).

        Those of live hedges stay what they are; of all the ``earlier`` ones a symbol goes to
        another market that has its name.
        """

    def identities(self) -> Mapping[Symbol, str]:
        """Which market each symbol is known to be; nothing is asked for."""

    def belongs_to(self, owner: str) -> None:
        """Whom an earlier process knew its answers to name as their account (``owner``)."""

    @property
    def owner(self) -> str | None:
        """Whom its answers name as our account; None while that is not known."""

    async def instrument(self, symbol: Symbol, *, max_age_s: float = inf) -> Instrument:
        """
        The rules of one market, asked for no longer ago than that.

        Without an age the last ones that are known, also of a market that is listed no more or
        listed twice: what takes exposure off goes on by them.

        Raises:
            DriftError: with an age, where it cannot be told which of the venue's markets it is.
            VenueError: it could not be asked, or does not list the market.
        """

    async def balance(self, *, max_age_s: float = 0.0) -> Balance:
        """Free margin and equity."""

    async def fees(self, symbol: Symbol, *, max_age_s: float = 0.0) -> Fees:
        """The account's real fee rates; where they change rarely, they may be an hour old."""

    async def positions(self, *, max_age_s: float = 0.0) -> Mapping[Symbol, Position]:
        """Every open position; a symbol that is not there is flat as of this read."""

    async def position(self, symbol: Symbol, *, max_age_s: float = 0.0) -> Position:
        """One position; ``size`` is zero when the venue says flat."""

    def lane(self, purpose: Purpose) -> LaneId | None:
        """The nonce sequence that orders of this purpose use; None where there is none."""

    async def next_nonce(self, lane: LaneId) -> int:
        """The nonce the venue expects next. May lag behind what was just accepted."""

    async def nonce_used_by(self, prepared: Prepared) -> str | None:
        """
        The hash of the transaction, not ``prepared``, that has used its nonce for good.

        ``prepared`` can then never be executed. None proves nothing: nobody may have used it
        yet, ``prepared`` itself may have, or the venue does not show it. Where the fence is
        ``NONCE``.
        """

    async def prepare(self, order: Order, nonce: int | None) -> Prepared:
        """
        Sign without sending; the same order and nonce give the same client id.

        ``signed`` is read back out of the very bytes, and not taken from the order.

        Raises:
            VenueError: the market is unknown here or the signer refused the values.
        """

    async def submit(self, prepared: Prepared) -> Answer:
        """Send the exact bytes once, with a deadline, and say what the answer proves."""

    async def prepare_burn(self, prepared: Prepared) -> Prepared:
        """
        Sign something harmless with the nonce of ``prepared``, to use that nonce up.

        Its ``client_id`` and ``tx_hash`` are its own. Only where the fence is ``NONCE``.
        """

    async def prepare_filler(self, lane: LaneId, nonce: int, *, skips: bool = False) -> Filler:
        """Sign something harmless that only uses ``nonce`` up; where the fence is ``NONCE``."""

    async def submit_filler(self, filler: Filler) -> Answer:
        """Send it once; whether it used the nonce is for ``next_nonce`` to say."""

    async def leverage(self, symbol: Symbol, *, max_age_s: float = 0.0) -> Decimal | None:
        """The leverage of our account on one market; None: the venue hides it."""

    def leverage_within(self, wanted: Decimal) -> Decimal:
        """
        The highest leverage up to ``wanted`` that the venue's own unit can say.

        Just this is read back once ``wanted`` was set. At least 1 and finite, like ``wanted``.
        """

    async def set_leverage(self, symbol: Symbol, leverage: Decimal) -> Decimal | None:
        """
        Set it where that needs no nonce; what the venue reads back, as ``leverage``.

        Where orders have lanes, ``prepare_leverage`` is used instead.
        """

    async def prepare_leverage(
        self, symbol: Symbol, leverage: Decimal, lane: LaneId, nonce: int
    ) -> Filler:
        """Sign the change of leverage with a nonce; sent by ``submit_filler``."""

    async def ability(self, symbol: Symbol) -> Ability:
        """
        Whether account and key would be allowed a reduce-only order on one market now.

        By reads, and by requests that change nothing and take no nonce: the status of the
        account, the margin mode where the venue has several, and the key for reducing orders as
        far as such a request proves it. A refusal of the key is an answer, no exception. Whether
        the market is open is told by ``QuoteSource.instruments``.
        """

    async def find(self, prepared: Prepared) -> Sighting:
        """Look an order up by our id (and hash, where there is one), with its fills."""

    async def prepare_cancel(self, prepared: Prepared, nonce: int) -> Filler:
        """
        Sign a cancel of a working order, with a nonce of the lane for reducing orders.

        Proves nothing: ``find`` afterwards. Only where the fence is ``NONCE``.
        """

    async def cancel(self, prepared: Prepared) -> None:
        """The same at once, where there is no lane."""

    async def open_orders(self, *, max_age_s: float = 0.0) -> Sequence[str]:
        """Client ids of every working order of the account."""

    async def past_orders(self, since: datetime) -> Sequence[PastOrder]:
        """
        Every order that is over, not older than ``since`` and named as we name ours, newest first.

        Older ones and others' may be among them. Complete as far as the venue keeps them, or an
        exception.
        """

    async def traded(self, symbol: Symbol, since: datetime) -> Traded:
        """
        Every trade of the account on one market at or after ``since``, added up.

        The second source beside ``positions``: where a market was flat at ``since``, its
        position is what was traded since. Complete, or an exception.
        """

    async def funding_payments(
        self, since: datetime, symbol: Symbol | None = None
    ) -> Sequence[FundingPayment]:
        """
        Every payment with a settlement at or after ``since`` (market clock), oldest first.

        Complete, or an exception: pages are followed to their end.
        """

    async def history(self, stream: Stream, since: datetime, cursor: str | None) -> HistoryPage:
        """
        One page of the venue's own books, newest first, after ``cursor`` (None: from the newest).

        Of the streams of ``capabilities.books``. Rows before ``since`` are not wanted, and may
        come all the same.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Margin:
    """Free margin that an opening order needs, against a fresh balance of its venue."""

    venue: VenueId
    available_usd: Decimal
    needed_usd: Decimal
    equity_usd: Decimal | None = None  # of the same reading
    value_usd: Decimal | None = None  # of the order that needs it
    held_usd: Decimal | None = None  # of every open position, of the same reading
