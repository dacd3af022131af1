"""
One X10 account behind the core's port, on the official SDK.

Built on x10.md: orders are made once by the SDK's ``create_order_object`` with our own salt
and an expiry of seconds, and their exact body is sent once (§0.4, §0.5). Reads go over the
SDK's session but are parsed by us, tolerantly (§0.6; ``reads``). An answer to an order proves
what ``codes`` says; what became of it is read by our id (§3.3).
"""

import asyncio
import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from loguru import logger
from x10.clients.rest import RestApiClient

from adapters.common.door import guarded
from adapters.common.marketbook import ANY_AGE
from adapters.lately import Told
from adapters.x10.account import account_ability
from adapters.x10.books import BOOKS, History
from adapters.x10.codes import classify
from adapters.x10.fields import Row
from adapters.x10.http import AccountHttp, Reply
from adapters.x10.lookup import Lookup
from adapters.x10.markets import Markets
from adapters.x10.names import Names
from adapters.x10.options import TTL_MAX_S, Value, read_options
from adapters.x10.readback import body_of, check_signature, signed_terms
from adapters.x10.reads import Held, Reads
from adapters.x10.signing import check_steps, expiry_of, salt_of, signed_body
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
from hedger.domain.money import plain
from hedger.domain.order import (
    Answer,
    Filler,
    NeverSent,
    Order,
    PastOrder,
    Prepared,
    Purpose,
    Sighting,
)
from hedger.errors import (
    ConfigError,
    ContradictionError,
    DeniedError,
    UnavailableError,
    VenueError,
)
from hedger.ports import Capabilities, Fence
from hedger.venueclock import Offset

READ_LAG_S: Final = 5.0
CLOCK_SKEW_S: Final = 2.0
RENAMED_WITHIN_S: Final = 5.0
CONFIRM_S: Final = 1.0  # what a reading of positions waits for the account to be confirmed
NO_ORDER: Final = "hedger-asks-whether-it-may-cancel"  # no id of ours has this form
USUAL_MATCH_S: Final = (
    0.55  # a taker order trades 0.2 s after it is taken (data.md §0), and reads lag
)


@guarded
class XVenue:
    """
    The ``Venue`` port on X10.

    ``options`` are api_base_url, stream_url, vault, public_key, chain_id and order_ttl_s,
    ``secrets`` api_key and private_key; ``timeout_s`` is the limit of every single request.

    Raises:
        ConfigError: an option or secret is missing or cannot be used.
    """

    _confirmed = False  # that the account is the one of the API key

    def __init__(
        self,
        *,
        id: VenueId,  # noqa: A002  the port's own word
        options: Mapping[str, Value],
        secrets: Mapping[str, str],
        names: Mapping[Symbol, str],
        clock: Clock,
        timeout_s: float,
    ) -> None:
        self._id = id
        self._clock = clock
        self._names = Names(names)
        self._options = read_options(id, options, secrets)
        self._signer = self._options.stark_account()
        self._client = RestApiClient(self._options.client_config(timeout_s), self._signer)
        self._http = AccountHttp(id, self._client, self._options.api_key, clock, timeout_s)
        self._markets = Markets(id, self._http, self._names, clock)
        self._lookup = Lookup(id, self._http, self._names, clock, READ_LAG_S)
        self._history = History(id, self._http, self._names, clock)
        self._reads = Reads(id, self._http, self._names, clock)
        self._unlisted: set[Symbol] = set()

    def __repr__(self) -> str:
        return f"XVenue(id={self._id!r}, account={self.account!r})"

    @property
    def id(self) -> VenueId:
        return self._id

    @property
    def account(self) -> str:
        """The vault, which is X10's number of the sub-account."""
        return str(self._options.vault)

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(
            fence=Fence.EXPIRY,
            order_ttl_s=self._options.order_ttl_s,
            read_lag_s=READ_LAG_S,
            clock_skew_s=CLOCK_SKEW_S,
            usual_match_s=USUAL_MATCH_S,
            books=BOOKS,
        )

    @property
    def offset(self) -> Offset | None:
        """By the dates of its answers about the account."""
        return self._http.time.offset

    async def start(self) -> None:
        """
        Check the keys against each other and against the account, and read the markets.

        Where the venue does not answer, both wait: a leg may stand alone on the other one.

        Raises:
            ConfigError: key, key and account do not belong together.
            VenueError: the venue does not accept the API key.
        """
        self._options.check_keys()
        try:
            await self._markets.refresh()
            await self._confirm()
        except UnavailableError as error:
            logger.warning("the account is checked later: {}", error)

    async def _confirm(self) -> None:
        """
        Once: hold our configuration against the account that the API key belongs to. An answer
        that does not name it by numbers confirms nothing, and it is asked for again.
        """
        if self._confirmed:
            return
        page = await self._http.content("/user/account/info")
        account = Row(self._id, "account", page.data)
        ids = ("l2Vault", "accountId")
        if not all(account.has(key) and account.id(key).isdecimal() for key in ids):
            raise UnavailableError(self._id, "GET /user/account/info does not name the account")
        if account.id("l2Vault") != self.account:
            raise ConfigError(
                f"venues.options.{self._id}.vault is {self.account}, but the API key belongs to "
                f"vault {account.id('l2Vault')}; correct the one that is wrong"
            )
        self._http.belongs_to(account.id("accountId"))
        self._confirmed = True

    async def _confirm_first(self) -> None:
        """
        What could not be confirmed at the start is asked for before positions are read: only then
        those of another account can be told. Where X10 does not say it soon, exits go on by what
        it said to an earlier process; nothing was opened before it ever said it.

        Raises:
            DeniedError: key and account do not belong together.
            UnavailableError: X10 never named the account.
        """
        if self._confirmed:
            return
        try:
            async with asyncio.timeout(CONFIRM_S):
                await self._confirm()
        except ConfigError as error:
            raise DeniedError(self._id, str(error)) from error
        except (TimeoutError, VenueError) as error:
            if self.owner is None:
                raise UnavailableError(
                    self._id, f"positions are not asked for before the account is known: {error!r}"
                ) from error
            logger.warning("{}: the account is confirmed later: {!r}", self._id, error)

    async def close(self) -> None:
        """Give back sessions; never raises."""
        try:
            await self._client.close()
        except Exception as error:  # noqa: BLE001  the port promises that closing never raises
            logger.warning("{}: closing sessions: {}", self._id, type(error).__name__)

    def recognise(self, identities: Mapping[Symbol, str], earlier: Mapping[Symbol, str]) -> None:
        """Which of the venue's markets our symbols were to an earlier process."""
        self._markets.recognise(identities, earlier)

    def identities(self) -> Mapping[Symbol, str]:
        """Which market each symbol is known to be."""
        return self._markets.identities()

    def belongs_to(self, owner: str) -> None:
        """What X10 said of the account to an earlier process; what it says to this one counts."""
        if not self._confirmed:
            self._http.belongs_to(owner)

    @property
    def owner(self) -> str | None:
        """X10's own id of the account, which is not the vault."""
        return self._http.owner

    async def instrument(self, symbol: Symbol, *, max_age_s: float = ANY_AGE) -> Instrument:
        """The rules of one market, no older than that."""
        return (await self._markets.get(symbol, max_age_s)).instrument

    async def balance(self, *, max_age_s: float = 0.0) -> Balance:
        """Free margin and equity: nothing is opened before the account was confirmed."""
        try:
            await self._confirm()
        except ConfigError as error:  # whoever asks now can do nothing about the configuration
            raise DeniedError(self._id, str(error)) from error
        return await self._reads.balance(max_age_s)

    async def fees(self, symbol: Symbol, *, max_age_s: float = 0.0) -> Fees:
        """The account's real fee rates on one market."""
        return await self._reads.fees(symbol, max_age_s)

    async def positions(self, *, max_age_s: float = 0.0) -> Mapping[Symbol, Position]:
        """
        Every open position; a symbol that is not there is flat as of this read.

        A market that nobody listed yet may be one of ours under a new name.
        """
        held = (await self._held(max_age_s)).answer
        for error in held.drift.values():
            raise error
        return held.positions

    async def _held(self, max_age_s: float) -> Told[Held]:
        await self._confirm_first()
        told = await self._reads.positions(max_age_s)
        if not self._never_listed(told) <= self._unlisted:
            await self._markets.refresh()
            told = await self._reads.positions(0.0)
        self._unlisted = self._never_listed(told)  # even so; a name may come and go and come
        return told

    def _never_listed(self, told: Told[Held]) -> set[Symbol]:
        held = told.answer
        return {s for s in (*held.positions, *held.drift) if not self._markets.lists(s)}

    async def position(self, symbol: Symbol, *, max_age_s: float = 0.0) -> Position:
        """
        One position; ``size`` is zero when the venue says flat. Always asked for.

        With all the others: under the name that we know there is none once a market has another.
        """
        told = await self._held(0.0)
        if error := told.answer.drift.get(symbol):
            raise error
        return told.answer.positions.get(symbol) or self._reads.flat(symbol, told)

    def lane(self, purpose: Purpose) -> LaneId | None:
        """X10 has no nonce sequence: an order's salt has no neighbours."""
        return None

    async def next_nonce(self, lane: LaneId) -> int:
        """Never to be asked: there is no lane."""
        raise DeniedError(self._id, "there is no nonce sequence; an order's fence is its expiry")

    async def nonce_used_by(self, prepared: Prepared) -> str | None:
        """Never to be asked: there is no lane."""
        raise DeniedError(self._id, "there is no nonce sequence; an order's fence is its expiry")

    async def prepare_burn(self, prepared: Prepared) -> Prepared:
        """Never to be asked: the fence is the expiry."""
        raise DeniedError(self._id, "there is no nonce to use up; an order's fence is its expiry")

    async def prepare_filler(self, lane: LaneId, nonce: int, *, skips: bool = False) -> Filler:
        """Never to be asked, as ``prepare_burn``."""
        raise DeniedError(self._id, "there is no nonce to use up; an order's fence is its expiry")

    async def prepare_cancel(self, prepared: Prepared, nonce: int) -> Filler:
        """Never to be asked, as ``prepare_burn``."""
        raise DeniedError(self._id, "there is no nonce to use up; a cancel takes none")

    async def submit_filler(self, filler: Filler) -> Answer:
        """Never to be asked: no filler is ever made."""
        return NeverSent("there is no nonce to use up")

    async def leverage(self, symbol: Symbol, *, max_age_s: float = 0.0) -> Decimal | None:
        """Per market, always asked for; set before its first order (x10.md §9)."""
        return await self._reads.leverage(symbol)

    def leverage_within(self, wanted: Decimal) -> Decimal:
        """X10 takes the figure itself; one of more decimals than it knows is refused there."""
        return wanted

    async def set_leverage(self, symbol: Symbol, leverage: Decimal) -> Decimal | None:
        """The answer to the change may be empty (x10.md §2.2), so it is read again."""
        body = {"market": self._names.market(symbol), "leverage": plain(leverage)}
        self._reads.forget_balance()
        await self._http.patch("/user/leverage", json.dumps(body))
        return await self.leverage(symbol)

    async def prepare_leverage(
        self, symbol: Symbol, leverage: Decimal, lane: LaneId, nonce: int
    ) -> Filler:
        """Never to be asked: it needs no nonce here."""
        raise DeniedError(self._id, "leverage is set without a nonce")

    async def prepare(self, order: Order, nonce: int | None) -> Prepared:
        """
        Build and sign the order once; the same order gives the same body and client id.

        ``nonce`` is normally None: the salt then follows from the order's id. What is signed
        is the expiry on the venue's clock: one that runs fast would refuse ours (code 1135).
        """
        if order.expires_at - self._clock.now() > timedelta(seconds=TTL_MAX_S):
            raise DeniedError(self._id, f"{order.id}: may not live longer than {TTL_MAX_S:g} s")
        market = await self._markets.get(order.symbol)
        if market.assets.by_request:
            raise DeniedError(self._id, f"{market.instrument.name} has no order book")
        check_steps(order, market.instrument)
        salt = salt_of(order.id) if nonce is None else nonce
        payload = signed_body(
            order,
            market=market.instrument.name,
            assets=market.assets,
            account=self._signer,
            domain=self._client.config.signing.starknet_domain,
            max_fee=await self._reads.max_fee(order),
            salt=salt,
            expires_at=self._on_their_clock(order.expires_at),
        )
        body = body_of(self._id, payload)
        terms = signed_terms(body, self._names)
        check_signature(
            body,
            terms,
            venue=self._id,
            assets=market.assets,
            public_key=self._signer.public_key,
            domain=self._client.config.signing.starknet_domain,
        )
        return Prepared(
            order=order,
            account=self.account,
            client_id=order.id,
            payload=payload,
            expires_at=expiry_of(self._id, payload),
            nonce=salt,
            signed=terms,
        )

    async def submit(self, prepared: Prepared) -> Answer:
        """Send the exact body once and say what the answer proves."""
        self._reads.forget()
        reply = await self._http.send("/user/order", prepared.payload)
        if isinstance(reply, Reply):
            return classify(reply.status, reply.text, prepared.client_id)
        return reply

    async def ability(self, symbol: Symbol) -> Ability:
        """
        The account's own word, and a cancel of an order that does not exist.

        Both prove the API key. The Stark key signs orders only, so what is compared is the one
        that the account has registered. There is one margin mode.
        """
        try:
            page = await self._http.content("/user/account/info")
            account = Row(self._id, "account", page.data)
            await self._http.honoured("/user/order", [("externalId", NO_ORDER)])
        except DeniedError as error:
            return unable(
                self._id,
                "key_refused",
                f"{self._id} does not accept the API key of account {self.account}"
                f" ({error.detail})",
                f"make a new API key at {self._id}, put it into the secret api_key and restart"
                " hedger",
            )
        return account_ability(self._id, account, self._options.public_key)

    async def find(self, prepared: Prepared) -> Sighting:
        """
        Look the order up by our id, with its trades. Not found is no proof by itself.

        One that is there under another name is ours where the market was renamed meanwhile.
        """
        try:
            return await self._lookup.find(prepared)
        except ContradictionError:
            known = self._names.ever(prepared.order.symbol)
            await self._markets.refresh()
            if self._names.ever(prepared.order.symbol) == known:
                raise
            return await self._lookup.find(prepared)

    async def cancel(self, prepared: Prepared) -> None:
        """Ask for the cancellation of a working order. Proves nothing: ``find`` afterwards."""
        await self._http.delete("/user/order", [("externalId", prepared.client_id)])

    async def open_orders(self, *, max_age_s: float = 0.0) -> Sequence[str]:
        """Client ids of every working order of the account, always asked for."""
        return await self._reads.open_orders()

    async def past_orders(self, since: datetime) -> Sequence[PastOrder]:
        """Orders with an id of somebody's own, newest first."""
        return await self._markets.named(
            lambda: self._lookup.past_orders(since), lambda found: (each.symbol for each in found)
        )

    async def traded(self, symbol: Symbol, since: datetime) -> Traded:
        """Every trade on one market since an instant; by its new name where it was renamed."""
        name = self._names.market(symbol)
        found = await self._reads.traded(symbol, since)
        if found.trades:
            return found
        await self.positions(max_age_s=RENAMED_WITHIN_S)
        same = self._names.market(symbol) == name
        return found if same else await self._reads.traded(symbol, since)

    async def funding_payments(
        self, since: datetime, symbol: Symbol | None = None
    ) -> Sequence[FundingPayment]:
        """Every payment whose settlement is at or after ``since``, oldest first."""
        return await self._markets.named(
            lambda: self._reads.funding_payments(since, symbol),
            lambda found: (each.symbol for each in found),
        )

    def _on_their_clock(self, instant: datetime) -> datetime:
        offset = self.offset
        return instant if offset is None else offset.theirs(instant)

    async def history(self, stream: Stream, since: datetime, cursor: str | None) -> HistoryPage:
        """One page of the venue's own books, newest first."""
        return await self._markets.named(
            lambda: self._history.page(stream, since, cursor),
            lambda page: (each.symbol for each in page.entries),
        )
