"""The ``Venue`` port for Lighter: one account, two API keys, nonces chosen by the core."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Final

from adapters.budget import Budget
from adapters.common.door import guarded
from adapters.common.marketbook import ANY_AGE
from adapters.lighter import orders, units
from adapters.lighter.access import Options, access
from adapters.lighter.answers import INVALID_MARKET
from adapters.lighter.books import BOOKS, History
from adapters.lighter.fields import UnreadableError, reading
from adapters.lighter.gateway import Gateway, Signed
from adapters.lighter.names import Names
from adapters.lighter.reads import Reads
from hedger.clock import Clock
from hedger.domain.ability import Ability, unable
from hedger.domain.account import HistoryPage, Stream
from hedger.domain.ids import LaneId, Symbol, VenueId
from hedger.domain.market import (
    Balance,
    Fees,
    FundingPayment,
    Instrument,
    Position,
    Traded,
)
from hedger.domain.money import ZERO
from hedger.domain.order import (
    Accepted,
    Answer,
    Declined,
    Filler,
    Found,
    NeverSent,
    NotFound,
    Order,
    PastOrder,
    Prepared,
    Purpose,
    Side,
    Sighting,
    SignedTerms,
)
from hedger.errors import ContradictionError, DeniedError
from hedger.ports import Capabilities, Fence
from hedger.venueclock import Offset

ORDER_TTL_S: Final = 10.0
CLOCK_SKEW_S: Final = 2.0
USUAL_MATCH_S: Final = 0.6  # taker delay of 0.14 to 0.3 s, and the lag of reads (lighter.md §0.4)
NO_ORDER: Final = 1  # as a client id of ours: one chance in 2^48
FEES_FOR_S: Final = 3_600.0  # tiers change at most once a day (lighter.md §2, changeAccountTier)


@guarded
class LighterVenue:
    """
    One account at Lighter.

    Opening orders use one API key and reducing ones another, so that a rollback never waits
    for an unknown opening order (reliability.md §2.6).
    """

    def __init__(
        self,
        *,
        id: VenueId,  # noqa: A002 - the port names the property so
        options: Options,
        secrets: Mapping[str, str],
        names: Mapping[Symbol, str],
        clock: Clock,
        budget: Budget | None = None,
    ) -> None:
        self._id = id
        self._access = access(id, options, secrets)
        self._clock = clock
        self._fees: tuple[Fees, float] | None = None
        self._gateway = Gateway(id, self._access, clock, budget)
        self._reads = Reads(id, self._access, self._gateway, Names(names), clock)
        index = self._access.account_index
        self._history = History(id, index, self._gateway, self._reads)

    @property
    def id(self) -> VenueId:
        return self._id

    @property
    def account(self) -> str:
        return str(self._access.account_index)

    @property
    def capabilities(self) -> Capabilities:
        """
        The fence is the nonce.

        ``order_ttl_s`` is how long we mean an order to live. What is signed is ``ExpiredAt``,
        599 s after signing, which the SDK does not let anyone change, so time alone proves
        nothing (lighter.md §4.1).
        """
        return Capabilities(
            fence=Fence.NONCE,
            order_ttl_s=ORDER_TTL_S,
            read_lag_s=self._access.read_lag_s,
            clock_skew_s=CLOCK_SKEW_S,
            usual_match_s=USUAL_MATCH_S,
            books=BOOKS,
            clips_reduce_only=True,
        )

    @property
    def offset(self) -> Offset | None:
        return self._gateway.time.offset

    async def start(self) -> None:
        await self._gateway.start()

    async def close(self) -> None:
        await self._gateway.close()

    def recognise(self, identities: Mapping[Symbol, str], earlier: Mapping[Symbol, str]) -> None:
        self._reads.recognise(identities, earlier)

    def identities(self) -> Mapping[Symbol, str]:
        return self._reads.identities()

    def belongs_to(self, owner: str) -> None:
        """Lighter's answers name the account by the index that is configured."""

    @property
    def owner(self) -> str:
        return self.account

    async def instrument(self, symbol: Symbol, *, max_age_s: float = ANY_AGE) -> Instrument:
        return await self._reads.instrument(symbol, max_age_s)

    async def balance(self, *, max_age_s: float = 0.0) -> Balance:
        """Nothing is opened before every key was confirmed."""
        await self._gateway.confirm()
        return await self._reads.balance(max_age_s)

    async def fees(self, symbol: Symbol, *, max_age_s: float = 0.0) -> Fees:
        """The account's tier, the same for every market; read once an hour."""
        now_s = self._clock.monotonic_s()
        if self._fees is None or now_s - self._fees[1] > FEES_FOR_S:
            self._fees = (await self._reads.fees(), now_s)
        return self._fees[0]

    async def positions(self, *, max_age_s: float = 0.0) -> Mapping[Symbol, Position]:
        return await self._reads.positions(max_age_s)

    async def position(self, symbol: Symbol, *, max_age_s: float = 0.0) -> Position:
        return await self._reads.position(symbol, max_age_s)

    def lane(self, purpose: Purpose) -> LaneId:
        key = self._access.close_key if purpose.reduces else self._access.open_key
        return LaneId(f"{self._id}:{self.account}:{key}")

    async def next_nonce(self, lane: LaneId) -> int:
        return await self._reads.next_nonce(self._key_of(lane))

    async def nonce_used_by(self, prepared: Prepared) -> str | None:
        assert prepared.lane is not None
        assert prepared.nonce is not None
        assert prepared.tx_hash is not None
        return await self._reads.used_by_other(
            self._key_of(prepared.lane),
            prepared.nonce,
            tx_hash=prepared.tx_hash,
            client_index=orders.client_order_index(prepared.order.id),
        )

    async def prepare(self, order: Order, nonce: int | None) -> Prepared:
        assert nonce is not None  # this venue has lanes, so the core must give one
        instrument = await self.instrument(order.symbol)
        try:
            fields = orders.order_fields(order, instrument)
        except orders.NotSignableError as error:
            raise DeniedError(self._id, str(error)) from error
        lane = self.lane(order.purpose)
        signed = await self._gateway.sign_order(fields, nonce, self._key_of(lane))
        prepared = self._prepared(order, signed, lane, nonce, str(fields.client_order_index))
        return replace(prepared, signed=self._terms(signed, instrument, prepared.expires_at))

    def _terms(self, signed: Signed, instrument: Instrument, expires_at: datetime) -> SignedTerms:
        """What the bytes say, by the rules of the market that is named in them."""
        with reading(self._id, "signed transaction"):
            said = signed.payload.order()
        number = str(said.fields.market_index)
        meant = instrument if number == instrument.identity else self._reads.known(number)
        rules = meant or instrument
        return SignedTerms(
            symbol=None if meant is None else meant.symbol,
            side=Side.SELL if said.fields.is_ask else Side.BUY,
            size=said.fields.base_amount * rules.size_step,
            limit_price=said.fields.price * rules.price_tick,
            reduce_only=said.fields.reduce_only,
            immediate=said.immediate,
            account=str(said.account),
            client_id=str(said.fields.client_order_index),
            lane=LaneId(f"{self._id}:{said.account}:{said.key}"),
            nonce=said.nonce,
            expires_at=expires_at,
        )

    async def submit(self, prepared: Prepared) -> Answer:
        try:
            payload = orders.Payload.parse(prepared.payload)
        except UnreadableError as error:
            return NeverSent(f"the payload is not ours: {error}")
        return await self._send(payload, prepared.tx_hash)

    async def _send(self, payload: orders.Payload, tx_hash: str | None) -> Answer:
        """Post it once, and note whether the venue has its market."""
        try:
            number = payload.market_index()
        except UnreadableError as error:
            return NeverSent(f"the payload is not ours: {error}")
        self._reads.account.forget()
        answer = await self._gateway.send(payload, tx_hash)
        if isinstance(answer, Accepted):
            self._reads.gone.discard(number)
        elif isinstance(answer, Declined) and answer.code == str(INVALID_MARKET):
            self._reads.gone.add(number)
        return answer

    async def prepare_burn(self, prepared: Prepared) -> Prepared:
        """
        A cancel of the order itself under the same nonce: only one of the two can execute.

        On another market where the venue does not have the order's any more. ``find`` of it is
        ``Found`` only when it has used the nonce, which is all that a burn is for. A cancel that
        found nothing to cancel has used it all the same.
        """
        assert prepared.lane is not None
        assert prepared.nonce is not None
        number = self._payload(prepared).market_index()
        if number in self._reads.gone:
            number = await self._reads.any_market()
        signed = await self._gateway.sign_cancel(
            number,
            orders.client_order_index(prepared.order.id),
            prepared.nonce,
            self._key_of(prepared.lane),
        )
        client_id = f"burn-{signed.tx_hash[:24]}"  # two burns of one nonce stay apart
        return self._prepared(prepared.order, signed, prepared.lane, prepared.nonce, client_id)

    async def prepare_filler(self, lane: LaneId, nonce: int, *, skips: bool = False) -> Filler:
        """A cancel of an order that does not exist: it finds nothing and uses its nonce."""
        signed = await self._gateway.sign_cancel(
            await self._reads.any_market(), NO_ORDER, nonce, self._key_of(lane), skips=skips
        )
        return self._filler(signed, lane, nonce)

    def _filler(self, signed: Signed, lane: LaneId, nonce: int) -> Filler:
        with reading(self._id, "signed transaction"):
            expires_at = signed.payload.expires_at()
        return Filler(
            venue=self._id,
            lane=lane,
            nonce=nonce,
            payload=signed.payload.text(),
            tx_hash=signed.tx_hash,
            expires_at=expires_at,
        )

    async def leverage(self, symbol: Symbol, *, max_age_s: float = 0.0) -> Decimal | None:
        return await self._reads.leverage(symbol, max_age_s)

    def leverage_within(self, wanted: Decimal) -> Decimal:
        """That of whole basis points of margin, rounded up: rounded down would be riskier."""
        return units.FRACTION_UNIT / units.margin_bps(wanted)

    async def set_leverage(self, symbol: Symbol, leverage: Decimal) -> Decimal | None:
        """Never to be asked: the change takes a nonce."""
        raise DeniedError(self._id, "leverage is set by a transaction with a nonce")

    async def prepare_leverage(
        self, symbol: Symbol, leverage: Decimal, lane: LaneId, nonce: int
    ) -> Filler:
        """A transaction of its own (type 20), for what ``leverage_within`` says."""
        instrument = await self.instrument(symbol)
        if instrument.market_id is None:
            raise DeniedError(self._id, f"market {instrument.name} has no number")
        fraction = units.margin_bps(leverage)
        return self._filler(
            await self._gateway.sign_leverage(
                instrument.market_id, fraction, nonce, self._key_of(lane)
            ),
            lane,
            nonce,
        )

    async def submit_filler(self, filler: Filler) -> Answer:
        with reading(self._id, "payload from the ledger"):
            payload = orders.Payload.parse(filler.payload)
        return await self._send(payload, filler.tx_hash)

    async def ability(self, symbol: Symbol) -> Ability:
        """An auth token signed with the key for reducing orders, and the account itself."""
        key = self._access.close_key
        try:
            await self._gateway.honoured(key)
        except DeniedError as error:
            return unable(
                self._id,
                "key_refused",
                f"{self._id} does not accept API key {key} of account {self.account}"
                f" ({error.detail})",
                f"register API key index {key} at {self._id} again, put its private key into"
                f" the secret private_key_{key} and restart hedger",
            )
        return await self._reads.ability(symbol)

    async def find(self, prepared: Prepared) -> Sighting:
        """
        By our id, then by hash, then, for an order of more than ten minutes, among old ones.

        The order's own record comes first: it tells the fill too. ``/accountOrders`` forgets
        after 24 h, the transaction is kept. A transaction that was executed without an error
        and has no order record yet is not final: the record lags.
        """
        asked_at = self._clock.now()
        payload = self._payload(prepared)
        if payload.tx_type == orders.TX_CANCEL_ORDER:
            return await self._find_burn(prepared, asked_at)
        client_index = orders.client_order_index(prepared.order.id)
        record = await self._reads.record(client_index)
        if record is None and prepared.tx_hash is None:  # known from the venue's own list alone
            record = await self._reads.old_record(client_index, payload.market_index())
            if record is None:
                return NotFound(asked_at=asked_at)
        if record is None:
            tx = await self._tx(prepared)
            if tx is None:
                return NotFound(asked_at=asked_at)
            if tx.executed and not tx.rejected and asked_at > prepared.expires_at:
                record = await self._reads.old_record(client_index, payload.market_index())
            if record is None:
                return _without_order(tx, final=tx.rejected)
        if record.market != payload.market_index():
            what = f"{prepared.order.id} is there on market {record.market}"
            raise ContradictionError(self._id, what)
        fills = await self._reads.fills(prepared.order, record)
        executed = sum((fill.size for fill in fills), ZERO)
        return Found(
            final=record.final,
            filled=max(record.filled, executed),  # trades moved the position, whatever it says
            fills=fills,
            venue_order_id=str(record.order_index),
            status=record.status,
        )

    async def prepare_cancel(self, prepared: Prepared, nonce: int) -> Filler:
        """By our id, on the key for reducing orders. Our own orders never rest."""
        index = orders.client_order_index(prepared.order.id)
        lane = self.lane(Purpose.ROLLBACK)
        signed = await self._gateway.sign_cancel(
            self._payload(prepared).market_index(), index, nonce, self._key_of(lane)
        )
        return self._filler(signed, lane, nonce)

    async def cancel(self, prepared: Prepared) -> None:
        """Never to be asked: a cancel takes a nonce of a lane here."""
        raise DeniedError(self._id, "a cancel takes a nonce; prepare_cancel has to be given one")

    async def open_orders(self, *, max_age_s: float = 0.0) -> Sequence[str]:
        return await self._reads.working(max_age_s)

    async def past_orders(self, since: datetime) -> Sequence[PastOrder]:
        return await self._reads.past_orders(since)

    async def traded(self, symbol: Symbol, since: datetime) -> Traded:
        return await self._reads.traded(symbol, since)

    async def funding_payments(
        self, since: datetime, symbol: Symbol | None = None
    ) -> Sequence[FundingPayment]:
        return await self._reads.payments(since, symbol)

    async def history(self, stream: Stream, since: datetime, cursor: str | None) -> HistoryPage:
        """One page of the venue's own books, newest first; ``since`` is not needed here."""
        return await self._history.page(stream, cursor)

    async def _find_burn(self, prepared: Prepared, asked_at: datetime) -> Sighting:
        tx = await self._tx(prepared)
        if tx is None or not tx.used_its_nonce:
            return NotFound(asked_at=asked_at)
        return _without_order(tx, final=True)

    async def _tx(self, prepared: Prepared) -> orders.TxRecord | None:
        assert prepared.tx_hash is not None
        return await self._reads.tx(prepared.tx_hash)

    def _payload(self, prepared: Prepared) -> orders.Payload:
        with reading(self._id, "payload from the ledger"):
            return orders.Payload.parse(prepared.payload)

    def _prepared(
        self, order: Order, signed: Signed, lane: LaneId, nonce: int, client_id: str
    ) -> Prepared:
        with reading(self._id, "signed transaction"):
            expires_at = signed.payload.expires_at()
        return Prepared(
            order=order,
            account=self.account,
            client_id=client_id,
            payload=signed.payload.text(),
            expires_at=expires_at,
            lane=lane,
            nonce=nonce,
            tx_hash=signed.tx_hash,
        )

    def _key_of(self, lane: LaneId) -> int:
        """
        The API key index of a lane.

        Raises:
            DeniedError: the lane is of another account or of a key that is not configured.
        """
        for key in self._access.keys:
            if lane == f"{self._id}:{self.account}:{key}":
                return key
        raise DeniedError(self._id, f"lane {lane} is not one of this account's keys")


def _without_order(tx: orders.TxRecord, *, final: bool) -> Found:
    return Found(final=final, filled=ZERO, fills=(), venue_order_id=None, status=tx.word)
