"""
Both venues of a simulated world: the sandbox's engine behind the sandbox's own faces, no HTTP.

A request is an object with what the faces' handlers ask of an aiohttp request. What a handler
answers is taken as status and text, or as a connection that was cut. Signatures are not made
and not checked; a transaction's hash is one of its text.
"""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cache
from hashlib import blake2b
from typing import Any, Protocol

from adapters.sandbox import credentials, state
from adapters.sandbox.clock import MarketClock, WireClock
from adapters.sandbox.engine.exchange import Exchange
from adapters.sandbox.engine.order_types import DuplicateRule
from adapters.sandbox.engine.params import VenueParams, lighter_params, x10_params
from adapters.sandbox.faults import FaultBox
from adapters.sandbox.lighter_face import account, account_orders, public, sending, txs
from adapters.sandbox.lighter_face.errors import ApiError, Code
from adapters.sandbox.lighter_face.face import FACE as LIGHTER_FACE
from adapters.sandbox.lighter_face.face import Face as LighterFace
from adapters.sandbox.lighter_face.ingress import Ingress
from adapters.sandbox.lighter_face.keyring import UNAUTHORISED, KeyRing
from adapters.sandbox.lighter_face.options import LighterOptions
from adapters.sandbox.lighter_face.sequencer import Sequencer
from adapters.sandbox.lighter_face.txinfo import Tx, TxType, parse
from adapters.sandbox.recording import load_recording
from adapters.sandbox.reply import of_json
from adapters.sandbox.tape import START_MS, Tape
from adapters.sandbox.x10_face import orders as x10_orders
from adapters.sandbox.x10_face import private, private_orders
from adapters.sandbox.x10_face import public as x10_public
from adapters.sandbox.x10_face.context import FACE as X10_FACE
from adapters.sandbox.x10_face.context import Face as X10Face
from adapters.sandbox.x10_face.context import X10Options
from adapters.sandbox.x10_face.errors import ApiProblemError, unauthorized
from hedger.clock import Clock
from tests.simulation.requests import Handler, Request, answered, text_of

KEYS = credentials.generate(1)
LAG_S = 0.3
HEDGED = ("ETH", "SOL", "BNB", "DOGE", "XRP", "HYPE")
NEVER_HEDGED = "BTC"  # it is only ever held by somebody else
MARKETS = (*HEDGED, NEVER_HEDGED)
COARSE = {"HYPE": 1}
"""
Lighter's size decimals where they are not the recorded ones. As recorded, Lighter's step is the
finer one or the same, but for BNB; here it is ten times as coarse on two markets.
"""
BALANCE_USD = Decimal(20_000)
POOR_USD = Decimal(120)
DEPTH_USD = Decimal(25_000)
NO_SIGNATURE = base64.b64encode(bytes(80)).decode()  # as long as a real one


class VenueClock(Clock, WireClock, Protocol):
    """The venues' clock in both of its forms."""


class OpenKeys(KeyRing):
    """Believes whoever names a registered key; a transaction's hash is one of its text."""

    def transaction_hash(self, tx: Tx) -> str:
        return hash_of(tx.text)

    def authorise(self, token: str, account: int, now_s: int) -> None:
        """
        Let the bearer of a token read, which here is the index of the key that signed it.

        Raises:
            ApiError: 20013, the key is not registered.
        """
        if int(token) not in self._public_keys:
            raise ApiError(Code.INVALID_AUTH, "unknown api key", status=UNAUTHORISED)


def hash_of(tx_info: str) -> str:
    """What stands for a transaction's hash: 40 bytes of its text."""
    return blake2b(tx_info.encode(), digest_size=40).hexdigest()


class SimIngress(Ingress):
    """Thieves do not sign either."""

    def _forged_cancel(self, victim: Tx) -> Tx:
        return parse(TxType.CANCEL_ORDER, cancel_text(victim))

    def use_nonce(self, key: int) -> None:
        """Somebody else's transaction takes the next nonce of a key, out of nowhere."""
        now_ms = self._face.now_ms()
        number = self._face.exchange.rules_of(NEVER_HEDGED).market_id
        text = unsigned(
            AccountIndex=self._face.account, ApiKeyIndex=key, MarketIndex=number, Index=1,
            ExpiredAt=now_ms + 599_000, Nonce=self._face.lane(key).expected,
        )  # fmt: skip
        self.accept([parse(TxType.CANCEL_ORDER, text)])


def cancel_text(victim: Tx) -> str:
    return unsigned(
        AccountIndex=victim.account, ApiKeyIndex=victim.api_key_index,
        MarketIndex=victim.market_id or 0, Index=1, ExpiredAt=victim.expired_at_ms + 1,
        Nonce=victim.nonce,
    )  # fmt: skip


def unsigned(*, skips: bool = False, **fields: int) -> str:
    """A transaction's text as the signer writes it, with nothing where the signature is."""
    parts = [f'"{name}":{value}' for name, value in fields.items()]
    more = '{"4":1}' if skips else "null"
    return "{" + ",".join([*parts, f'"Sig":"{NO_SIGNATURE}"', f'"L2TxAttributes":{more}']) + "}"


@dataclass(frozen=True)
class Lighter:
    """The Lighter venue."""

    face: LighterFace
    ingress: SimIngress
    app: Mapping[Any, Any]


_X10_EXACT: Mapping[tuple[str, str], Handler] = {
    ("GET", "/info/markets"): x10_public.markets,
    ("GET", "/user/account/info"): private.account_info,
    ("GET", "/user/balance"): private.balance,
    ("GET", "/user/fees"): private.fees,
    ("GET", "/user/positions"): private.positions,
    ("GET", "/user/leverage"): private.leverage,
    ("PATCH", "/user/leverage"): private.set_leverage,
    ("GET", "/user/orders"): private_orders.open_orders,
    ("GET", "/user/orders/history"): private_orders.orders_history,
    ("GET", "/user/trades"): private_orders.trades,
    ("GET", "/user/funding/history"): private.funding_history,
    ("POST", "/user/order"): x10_orders.place,
    ("DELETE", "/user/order"): x10_orders.cancel_by_external_id,
}

_LIGHTER: Mapping[str, Handler] = {
    "account": account.account,
    "accountLimits": account.account_limits,
    "nextNonce": account.next_nonce,
    "positionFunding": account.position_funding,
    "accountOrders": account_orders.account_orders,
    "accountActiveOrders": account_orders.account_active_orders,
    "accountInactiveOrders": account_orders.account_inactive_orders,
    "trades": account_orders.trades,
    "tx": txs.tx,
    "accountTxs": txs.account_txs,
    "sendTx": sending.send_tx,
    "orderBookDetails": public.order_book_details,
    "orderBookOrders": public.order_book_orders,
    "funding-rates": public.funding_rates,
    "fundings": public.fundings,
}


class Venues:
    """The two exchanges and their faces, on one tape and one clock."""

    def __init__(
        self,
        clock: VenueClock,
        faults: FaultBox,
        seed: int,
        *,
        ahead_ms: int = 0,
        money_usd: Decimal = BALANCE_USD,
    ) -> None:
        """``ahead_ms``: how far the market clock is ahead of true time at the beginning."""
        self._money_usd = money_usd
        self.clock = clock
        self.wire = clock
        self.market = MarketClock(self.wire, start_ms=START_MS + ahead_ms, hour_s=3600.0)
        few = _tape()
        tape = Tape(seed=seed, recording=few.recording, tracks=few.tracks)
        self.x10 = self._exchange("x10", tape, KEYS.x10.vault)
        self.lighter = self._exchange("lighter", tape, KEYS.lighter.account_index)
        self._faults, self._seed = faults, seed
        self.x10_face = self.x10_side(KEYS.x10)
        self._x10_app = {X10_FACE: self.x10_face}
        self.lighter_side = self.lighter_side_of(KEYS.lighter)

    def x10_side(self, keys: credentials.X10Credentials) -> X10Face:
        """X10 as the holder of some keys meets it."""
        options = X10Options(read_lag_s=LAG_S, verify_signatures=False)
        return X10Face(self.x10, self._faults, keys, self.clock, options)

    def lighter_side_of(self, keys: credentials.LighterCredentials) -> Lighter:
        """Lighter as the holder of some keys meets it."""
        options = LighterOptions(
            verify_signatures=False, seed=self._seed, nonce_lag_s=LAG_S, read_lag_s=LAG_S
        )
        face = LighterFace(self.lighter, self._faults, keys, self.clock, options)
        face.keys = OpenKeys(keys, face.public_keys, verify=False, max_auth_s=600)
        ingress = SimIngress(face, Sequencer(face))
        return Lighter(face, ingress, {LIGHTER_FACE: face, sending.INGRESS: ingress})

    def _exchange(self, venue: Any, tape: Tape, account_number: int) -> Exchange:
        params = replace(
            x10_params() if venue == "x10" else lighter_params(),
            depth_usd=DEPTH_USD,
            depth_oi_usd=None,
            levels=6,
            duplicates=DuplicateRule.EVER,
        )
        assert isinstance(params, VenueParams)
        exchange = Exchange(venue, tape=tape, wire=self.wire, market=self.market, params=params)
        exchange.create_account(account_number, self._money_usd)
        return exchange

    def exchange(self, venue: str) -> Exchange:
        return self.x10 if venue == "x10" else self.lighter

    def account(self, venue: str) -> int:
        return KEYS.x10.vault if venue == "x10" else KEYS.lighter.account_index

    def state(self) -> dict[str, Any]:
        """The truth, as ``GET /state`` of the sandbox shows it."""
        return {
            name: state.venue_state(self.exchange(name), self.account(name))
            for name in ("x10", "lighter")
        }

    def position(self, venue: str, symbol: str) -> Decimal:
        """The true signed size."""
        found = self.exchange(venue).position(self.account(venue), symbol)
        return Decimal(0) if found is None else found.size

    def ask_x10(
        self, method: str, path: str, query: Sequence[tuple[str, str]], body: str | None
    ) -> tuple[int, str]:
        """
        One request to X10, done at once.

        Raises:
            Cut: there was no answer.
        """
        if self.x10_face.api_key is None and path.startswith("/user/"):
            return text_of(unauthorized().reply())
        return self.asked_x10(self._x10_app, method, path, query, body)

    @staticmethod
    def asked_x10(
        app: Mapping[Any, Any],
        method: str,
        path: str,
        query: Sequence[tuple[str, str]],
        body: str | None,
    ) -> tuple[int, str]:
        """The same, of the holder of some keys."""
        handler = _X10_EXACT.get((method, path))
        info: dict[str, str] = {}
        if handler is None:
            parts = path.split("/")
            if path.startswith("/info/markets/"):
                handler, info = x10_public.orderbook, {"market": parts[3]}
            elif path.startswith("/info/"):
                assert path.endswith("/funding"), path
                handler, info = x10_public.funding, {"market": parts[2]}
            else:
                assert path.startswith("/user/orders/external/"), path
                handler, info = private_orders.orders_by_external_id, {"external_id": parts[4]}
        request = Request(app, query, info, body or "")
        try:
            return answered(handler, request)
        except ApiProblemError as problem:
            return text_of(problem.reply())

    def ask_lighter(
        self, name: str, query: Sequence[tuple[str, str]], form: Mapping[str, str] | None = None
    ) -> tuple[int, str]:
        """
        One request to Lighter, done at once.

        Raises:
            Cut: there was no answer.
        """
        return self.asked_lighter(self.lighter_side.app, name, query, form)

    @staticmethod
    def asked_lighter(
        app: Mapping[Any, Any],
        name: str,
        query: Sequence[tuple[str, str]],
        form: Mapping[str, str] | None,
    ) -> tuple[int, str]:
        """The same, of the holder of some keys."""
        request = Request(app, query, {}, form or {})
        try:
            return answered(_LIGHTER[name], request)
        except ApiError as error:
            return text_of(of_json(error.body(), error.status))


@cache
def _tape() -> Tape:
    """That of a few markets; every world has its own, with its seed."""
    whole = load_recording()
    few = replace(
        whole,
        hours={name: whole.hours[name] for name in MARKETS},
        markets={name: _coarser(name, whole.markets[name]) for name in MARKETS},
    )
    return Tape(recording=few)


def _coarser(symbol: str, row: Mapping[str, Any]) -> Mapping[str, Any]:
    if symbol not in COARSE:
        return row
    return {**row, "lighter": {**row["lighter"], "size_decimals": COARSE[symbol]}}
