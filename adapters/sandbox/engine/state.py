"""What the parts of one exchange share: clocks, rules, accounts, orders, books, events."""

from collections import deque
from collections.abc import Mapping
from decimal import Decimal

from adapters.sandbox.clock import MarketClock, WireClock
from adapters.sandbox.engine.account import Account
from adapters.sandbox.engine.book import MarketBook
from adapters.sandbox.engine.errors import UnknownAccountError, UnknownMarketError
from adapters.sandbox.engine.events import BookChanged, Event, FundingSettled, MarkChanged
from adapters.sandbox.engine.ids import IdSource
from adapters.sandbox.engine.ladder import Ladder, build_ladder, depth_usd
from adapters.sandbox.engine.market_types import Rules
from adapters.sandbox.engine.order_store import OrderStore
from adapters.sandbox.engine.order_types import OrderView, PublicTrade
from adapters.sandbox.engine.overrides import Liquidity, PricePath
from adapters.sandbox.engine.params import VenueParams
from adapters.sandbox.engine.paying import Paying
from adapters.sandbox.engine.venue_rules import load_rules
from adapters.sandbox.noise import STEPS
from adapters.sandbox.tape import Tape, VenueName


class VenueState:
    """
    The mutable state of one venue.

    ``now_ms`` and ``bucket`` are the wire instant and the market bucket that the state has been
    brought to; prices are always those of ``bucket``, so that a long jump can be walked through.
    """

    def __init__(
        self,
        venue: VenueName,
        *,
        tape: Tape,
        wire: WireClock,
        market: MarketClock,
        params: VenueParams,
    ) -> None:
        self.venue: VenueName = venue
        self.tape = tape
        self.wire = wire
        self.market = market
        self.params = params
        self.rules: Mapping[str, Rules] = load_rules(venue, tape.recording)
        self.now_ms = wire.now_ms()
        self.instant = (-1, -1)  # of the market clock, that the state was last brought up to
        self.market_ms = market.now_ms()
        self.bucket = tape.bucket(self.market_ms)
        self.accounts: dict[int, Account] = {}
        self.orders = OrderStore()
        self.ids = IdSource(
            base=params.order_id_base,
            epoch_ms=params.order_id_epoch_ms,
            shift=params.order_id_shift,
        )
        self.duplicates = params.duplicates
        self.resting: dict[int, None] = {}  # ids of orders in the book, oldest first
        self.late_rests: dict[int, int] = {}  # ids of orders that fill after their end, and when
        self.paying = Paying()
        self.prints: dict[str, deque[PublicTrade]] = {}
        self.printed: dict[str, int] = {}  # bucket of the last modelled public trade
        self.books = {symbol: MarketBook() for symbol in self.rules}
        self.worn: dict[str, None] = {}  # markets whose book may have something to come back
        self.pending: deque[Event] = deque()
        self.version = 0  # grows with every change of an account or an order
        self.changed_ms = 0  # wire time of the last one
        self.changes = 0  # grows with whatever is changed by hand, or moves on a price path
        self.paths: dict[str, PricePath] = {}
        self.liquidity: dict[str, Liquidity] = {}
        self.announced: frozenset[type] = frozenset()  # kinds of events somebody listens to
        self._marks: dict[str, tuple[int, Decimal]] = {}
        self._indexes: dict[str, tuple[int, Decimal]] = {}
        self._ladders: dict[str, tuple[int, Ladder]] = {}

    @property
    def hour(self) -> int:
        """Market hours since the tape's start."""
        return self.bucket // STEPS

    def rules_of(self, symbol: str) -> Rules:
        """
        The rules of a market.

        Raises:
            UnknownMarketError: it is not listed.
        """
        found = self.rules.get(symbol)
        if found is None:
            msg = f"{self.venue} lists no market {symbol}"
            raise UnknownMarketError(msg)
        return found

    def account(self, number: int) -> Account:
        """
        An account.

        Raises:
            UnknownAccountError: it does not exist.
        """
        found = self.accounts.get(number)
        if found is None:
            msg = f"{self.venue} has no account {number}"
            raise UnknownAccountError(msg)
        return found

    def mark(self, symbol: str) -> Decimal:
        """The mark price of the current bucket, rounded as the venue shows it."""
        cached = self._marks.get(symbol)
        if cached is not None and cached[0] == self.bucket:
            return cached[1]
        price = self.mark_at(symbol, self.bucket)
        path = self.paths.get(symbol)
        if path is not None and self.market_ms >= path.start_ms:
            price = self._rounded(self.rules_of(symbol), path.at(self.market_ms))
        self._marks[symbol] = (self.bucket, price)
        return price

    def index(self, symbol: str) -> Decimal:
        """The index price of the current bucket, rounded like the mark."""
        cached = self._indexes.get(symbol)
        if cached is not None and cached[0] == self.bucket:
            return cached[1]
        price = self._index_at(symbol, self.bucket)
        path = self.paths.get(symbol)
        if path is not None and self.market_ms >= path.start_ms:
            price = self._index_on(path, symbol, self.market_ms)
        self._indexes[symbol] = (self.bucket, price)
        return price

    def mark_at(self, symbol: str, bucket: int) -> Decimal:
        """The mark of any bucket, also a past one."""
        rules, path = self.rules_of(symbol), self.paths.get(symbol)
        if path is not None and (at_ms := self.tape.bucket_ms(bucket)) >= path.start_ms:
            return self._rounded(rules, path.at(at_ms))
        return self._rounded(rules, self.tape.mark(self.venue, symbol, bucket))

    def funding_price(self, symbol: str, bucket: int) -> Decimal:
        """The price that a settlement at the beginning of ``bucket`` is computed with."""
        if self.params.funding_on_index:
            return self._index_at(symbol, bucket)
        return self.mark_at(symbol, bucket)

    def _index_at(self, symbol: str, bucket: int) -> Decimal:
        rules, path = self.rules_of(symbol), self.paths.get(symbol)
        if path is not None and (at_ms := self.tape.bucket_ms(bucket)) >= path.start_ms:
            return self._index_on(path, symbol, at_ms)
        return self._rounded(rules, self.tape.index(self.venue, symbol, bucket))

    def _index_on(self, path: PricePath, symbol: str, at_ms: int) -> Decimal:
        """A path gives the mark; the index keeps the recorded distance from it."""
        bucket = self.tape.bucket(at_ms)
        ratio = self.tape.index(self.venue, symbol, bucket) / self.tape.mark(
            self.venue, symbol, bucket
        )
        return self._rounded(self.rules_of(symbol), path.at(at_ms) * ratio)

    def moved_on_paths(self, market_ms: int) -> bool:
        """Let prices that follow a path come to a market instant; whether one of them moved."""
        before_ms, self.market_ms = self.market_ms, market_ms
        moving = [
            symbol
            for symbol, path in self.paths.items()
            if before_ms < path.end_ms and market_ms > path.start_ms
        ]
        for symbol in moving if market_ms != before_ms else ():
            self.forget_prices(symbol)
        return bool(moving) and market_ms != before_ms

    def forget_prices(self, symbol: str) -> None:
        """What is known of a market's prices and book is out of date within its bucket."""
        self._marks.pop(symbol, None)
        self._indexes.pop(symbol, None)
        self._ladders.pop(symbol, None)
        self.books[symbol].touched()
        self.changes += 1

    def _rounded(self, rules: Rules, price: Decimal) -> Decimal:
        unit = rules.price_tick * self.params.mark_ticks
        return (price / unit).to_integral_value() * unit

    def ladder(self, symbol: str) -> Ladder:
        """The synthetic book of the current bucket, whole."""
        cached = self._ladders.get(symbol)
        if cached is not None and cached[0] == self.bucket:
            return cached[1]
        depth = depth_usd(self.params, symbol, self.open_interest(symbol))
        liquidity = self.liquidity.get(symbol, Liquidity())
        ladder = build_ladder(
            self.rules_of(symbol),
            liquidity.params(self.params),
            mid=self.mark(symbol),
            depth=(
                depth if liquidity.bids_usd is None else liquidity.bids_usd,
                depth if liquidity.asks_usd is None else liquidity.asks_usd,
            ),
            seed=self.tape.seed,
            what=f"ladder|{self.venue}|{symbol}|{self.bucket}",
        )
        self._ladders[symbol] = (self.bucket, ladder)
        return ladder

    def book(self, symbol: str) -> MarketBook:
        """What our accounts have done to a book, after dropping what is out of date."""
        self.rules_of(symbol)
        book = self.books[symbol]
        book.renew(self.bucket, self.now_ms, self.params.refresh_ms)
        return book

    def resting_orders(self, symbol: str) -> list[OrderView]:
        """Orders of our accounts in a book, oldest first."""
        orders = (self.orders.get(order_id) for order_id in self.resting)
        return [order for order in orders if order.new.symbol == symbol]

    def take(self, symbol: str, *, asks: bool, price: Decimal, size: Decimal) -> None:
        """Remove coins from a synthetic level of a book."""
        self.book(symbol).take(asks=asks, price=price, size=size, now_ms=self.now_ms)
        self.worn[symbol] = None

    def restored(self) -> list[str]:
        """Books in which what was taken has come back by now."""
        found: list[str] = []
        for symbol in tuple(self.worn):
            book = self.books[symbol]
            if book.is_worn and book.renew(self.bucket, self.now_ms, self.params.refresh_ms):
                found.append(symbol)
            if not book.is_worn:
                del self.worn[symbol]
        return found

    def reached(self, order: OrderView) -> bool:
        """Whether the other side of the ladder has come to a resting order's price."""
        ladder = self.ladder(order.new.symbol)
        if order.new.is_buy:
            return bool(ladder.asks) and ladder.asks[0].price <= order.new.price
        return bool(ladder.bids) and ladder.bids[0].price >= order.new.price

    def open_interest(self, symbol: str) -> Decimal:
        """Recorded open interest of this hour, USD, one side."""
        return self.tape.open_interest(self.venue, symbol, self.hour)

    def leverage(self, account: Account, symbol: str) -> Decimal:
        """The leverage an account uses in a market."""
        chosen = account.leverage.get(symbol)
        if chosen is not None:
            return chosen
        rules = self.rules_of(symbol)
        if self.params.default_leverage is None:
            return 1 / rules.initial_fraction
        return min(self.params.default_leverage, rules.max_leverage)

    def fees(self, symbol: str) -> tuple[Decimal, Decimal]:
        """Maker and taker rates of a market as fractions."""
        rules, params = self.rules_of(symbol), self.params
        return (
            params.maker_fee if rules.maker_fee is None else rules.maker_fee,
            params.taker_fee if rules.taker_fee is None else rules.taker_fee,
        )

    def next_id(self) -> int:
        """A number for an order, a trade, a position or a payment."""
        return self.ids.next(self.now_ms)

    def emit(self, event: Event) -> None:
        """Queue an event; the exchange hands it out when the state is consistent."""
        if not isinstance(event, MarkChanged | BookChanged | FundingSettled):
            self.version += 1
            self.changed_ms = self.now_ms
        if type(event) in self.announced:
            self.pending.append(event)
