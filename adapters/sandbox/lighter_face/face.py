"""What the parts of the face share."""

from aiohttp import web

from adapters.sandbox.engine.exchange import Exchange
from adapters.sandbox.engine.types import OrderView, Rules
from adapters.sandbox.faults import FaultBox
from adapters.sandbox.lighter_face.errors import ApiError, Code
from adapters.sandbox.lighter_face.keyring import KeyOwner, KeyRing
from adapters.sandbox.lighter_face.nonces import Lane
from adapters.sandbox.lighter_face.options import LighterOptions
from adapters.sandbox.lighter_face.orders import OrderDirectory
from adapters.sandbox.lighter_face.tasks import Background
from adapters.sandbox.lighter_face.txlog import TxLog
from adapters.sandbox.reply import Rows, Shown
from hedger.clock import Clock

VENUE = "lighter"
BLOCK_MS = 2_000
"""Wire time per block; block heights only have to grow."""


class Face:
    """One Lighter venue on the wire. Everything happens in one event loop."""

    def __init__(
        self,
        exchange: Exchange,
        faults: FaultBox,
        owner: KeyOwner,
        clock: Clock,
        options: LighterOptions,
    ) -> None:
        self.exchange = exchange
        self.faults = faults
        self.owner = owner
        self.clock = clock
        self.options = options
        self.public_keys = dict(owner.public_keys)  # those that are registered now
        self.keys = KeyRing(
            owner,
            self.public_keys,
            verify=options.verify_signatures,
            max_auth_s=options.max_auth_s,
        )
        self.lanes = {index: Lane() for index in owner.public_keys}
        self.log = TxLog()
        self.directory = OrderDirectory()
        self.background = Background()
        self.shown = Shown()
        self.rows = Rows()
        self.cancel_all_ms: int | None = None  # when a scheduled cancel-all is due

    @property
    def account(self) -> int:
        """The only account that has keys here."""
        return self.owner.account_index

    def now_ms(self) -> int:
        """Wire time."""
        return self.exchange.wire_now_ms()

    def edition(self) -> object:
        """Equal as long as the usual reads of the account show the same; None: unknown."""
        lag_ms = round(self.options.read_lag_s * 1000)
        changed_ms = self.directory.changed_ms
        edition = self.exchange.edition(lag_ms, at_marks=True, changed_ms=changed_ms)
        return None if edition is None else (edition, changed_ms, self.cancel_all_ms)

    def lane(self, key_index: int) -> Lane:
        """
        The nonce sequence of a key.

        Raises:
            ApiError: 21109 no such key.
        """
        lane = self.lanes.get(key_index)
        if lane is None or key_index not in self.public_keys:
            raise ApiError(Code.API_KEY_NOT_FOUND)
        return lane

    def rules(self, market_id: int) -> Rules:
        """
        The rules of a market by its number.

        Raises:
            ApiError: 21602 no such market.
        """
        symbol = self.exchange.symbol_of_id(market_id)
        if symbol is None:
            raise ApiError(Code.INVALID_MARKET)
        return self.exchange.rules_of(symbol)

    def known_account(self, account: int) -> int:
        """
        The account itself, if it exists.

        Raises:
            ApiError: 21100 it does not.
        """
        if account not in self.exchange.accounts:
            raise ApiError(Code.ACCOUNT_NOT_FOUND)
        return account

    def orders(self, account: int, as_of_ms: int, *, open_only: bool = False) -> list[OrderView]:
        """The orders that a reader saw at that instant, oldest first."""
        orders = self.exchange.orders(account, as_of_ms, open_only=open_only)
        return self.directory.visible(orders, as_of_ms)

    def orders_of_client(self, account: int, index: int, as_of_ms: int) -> list[OrderView]:
        """The same with one client order index."""
        orders = self.exchange.orders_of_client(account, str(index), as_of_ms)
        return self.directory.visible(orders, as_of_ms)


FACE: web.AppKey[Face] = web.AppKey("lighter_face", Face)


def block_at(at_ms: int) -> int:
    """The height of the block that holds a wire instant."""
    return at_ms // BLOCK_MS
