"""Everything that can be done to the running venues, behind the control API and in tests."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from aiohttp import web
from aiohttp.typedefs import Middleware

from adapters.sandbox import latency, market_change
from adapters.sandbox.clock import WireClock
from adapters.sandbox.control_fields import BadRequestError, Fields
from adapters.sandbox.counting import RequestCounts
from adapters.sandbox.engine.errors import EngineError
from adapters.sandbox.engine.exchange import Exchange
from adapters.sandbox.engine.forgetting import Lost
from adapters.sandbox.engine.paying import Twice
from adapters.sandbox.latency import RequestLatency
from adapters.sandbox.lighter_face.face import FACE as LIGHTER_FACE
from adapters.sandbox.lighter_face.face import Face as LighterFace
from adapters.sandbox.lighter_face.nonces import Lane
from adapters.sandbox.rewriting import Rewrites
from adapters.sandbox.x10_face.context import FACE as X10_FACE
from adapters.sandbox.x10_face.context import Face as X10Face
from hedger.clock import Clock

VENUES: Final = ("x10", "lighter")
PARTS: Final = ("positions", "orders", "trades")
MAX_LOST: Final = 64
MAX_KEY_INDEX: Final = 254
MAX_NONCE: Final = 2**47
MAX_LATE_S: Final = 86_400.0
PUBLIC_KEY_DIGITS: Final = 80
_HEX: Final = frozenset("0123456789abcdef")


class Controls:
    """
    Changes of markets, lost batches, keys, nonces, rewritten answers, counts and latencies.

    Every method takes a JSON object as the control API does and raises ``BadRequestError``
    with one sentence where something in it is wrong.
    """

    def __init__(
        self,
        exchanges: Mapping[str, Exchange],
        accounts: Mapping[str, int],
        wire: WireClock,
        clock: Clock,
    ) -> None:
        self._exchanges = exchanges
        self._accounts = accounts
        self.rewrites = Rewrites(clock)
        self._counts = {venue: RequestCounts(venue, wire) for venue in VENUES}
        self._latencies = {venue: RequestLatency(clock) for venue in VENUES}
        self._lost: list[tuple[str, Lost]] = []
        self._x10: X10Face
        self._lighter: LighterFace

    def attach_x10(self, app: web.Application) -> None:
        """The face that requests reach from now on."""
        self._x10 = app[X10_FACE]

    def attach_lighter(self, app: web.Application) -> None:
        """The same for Lighter."""
        self._lighter = app[LIGHTER_FACE]

    def middlewares(self, venue: str) -> Sequence[Middleware]:
        """What stands before a venue's rate limit."""
        return (
            self._counts[venue].middleware(),
            self.rewrites.middleware(venue),
            self._latencies[venue].middleware(),
        )

    # Markets

    def change_market(self, raw: object) -> dict[str, Any]:
        """Change one market (see ``market_change``); gives back its rules as they are then."""
        fields = Fields(raw, ("venue", "symbol", *market_change.KEYS))
        venue, symbol = fields.choice("venue", VENUES), fields.text("symbol")
        exchange = self._exchanges[venue]
        assert isinstance(raw, Mapping)
        changes = {key: value for key, value in raw.items() if key not in {"venue", "symbol"}}
        change = market_change.parse_change(changes, scaled=venue == "lighter")
        try:
            change.apply(exchange, symbol)
            return market_change.shown(exchange.rules_of(symbol))
        except EngineError as error:
            raise BadRequestError(str(error)) from error

    def markets(self, venue: str) -> dict[str, Any]:
        """The rules of every market of a venue."""
        rules = self._exchange(venue).rules
        return {symbol: market_change.shown(one) for symbol, one in rules.items()}

    # A lost batch

    def forget(self, raw: object) -> dict[str, int]:
        """Lose parts of a market: some of positions, orders and trades; all of them unless said."""
        fields = Fields(raw, ("venue", "symbol", "what"))
        venue, symbol = fields.choice("venue", VENUES), fields.text("symbol")
        what = fields.raw("what") if fields.has("what") else PARTS
        if not isinstance(what, list | tuple) or not what or not set(what) <= set(PARTS):
            raise BadRequestError(f"what must be a list of some of {', '.join(PARTS)}")
        if len(self._lost) >= MAX_LOST:
            raise BadRequestError(f"{MAX_LOST} batches are lost already; POST /remember first")
        try:
            lost = self._exchange(venue).forget(
                self._accounts[venue], symbol, **{part: part in what for part in PARTS}
            )
        except EngineError as error:
            raise BadRequestError(str(error)) from error
        self._lost.append((venue, lost))
        return {
            "positions": int(lost.position is not None),
            "orders": len(lost.orders.versions) if lost.orders else 0,
            "trades": len(lost.trades),
        }

    def remember(self, raw: object) -> dict[str, int]:
        """Bring back what a venue lost in a market."""
        fields = Fields(raw, ("venue", "symbol"))
        venue, symbol = fields.choice("venue", VENUES), fields.text("symbol")
        mine = [item for item in self._lost if item[0] == venue and item[1].symbol == symbol]
        for item in reversed(mine):
            try:
                self._exchange(venue).remember(item[1])
            except EngineError as error:
                raise BadRequestError(str(error)) from error
            self._lost.remove(item)
        return {"remembered": len(mine)}

    # Funding

    def pay_otherwise(self, raw: object) -> dict[str, Any]:
        """Say how a venue treats funding payments from now on; what is left out is as usual."""
        fields = Fields(raw, ("venue", "stopped", "late_s", "twice"))
        paying = self._exchanges[fields.choice("venue", VENUES)].paying
        paying.stopped = fields.flag("stopped", default=False)
        paying.late_ms = round(fields.seconds("late_s", MAX_LATE_S, 0.0) * 1000)
        how = fields.choice("twice", [*Twice, "no"], "no")
        paying.twice = None if how == "no" else Twice(how)
        return {"stopped": paying.stopped, "late_s": paying.late_ms / 1000, "twice": how}

    # Keys and nonces

    def set_next_nonce(self, raw: object) -> dict[str, int]:
        """Let Lighter expect, and show, another next nonce for one key."""
        fields = Fields(raw, ("venue", "api_key_index", "nonce"))
        fields.choice("venue", ("lighter",), "lighter")
        index = self._key_index(fields)
        nonce = fields.whole("nonce", 0, MAX_NONCE)
        lane = self._lighter.lanes.get(index)
        if lane is None:
            raise BadRequestError(f"no key has the index {index}")
        before = lane.expected
        lane.put(nonce)
        return {"api_key_index": index, "before": before, "nonce": nonce}

    def revoke_key(self, raw: object) -> dict[str, Any]:
        """Take a key away: X10's API key, or one or all of Lighter's."""
        fields = Fields(raw, ("venue", "api_key_index"))
        if fields.choice("venue", VENUES) == "x10":
            self._no_index(fields)
            self._x10.api_key = None
            return {"registered": []}
        keys = self._lighter.public_keys
        if fields.has("api_key_index"):
            keys.pop(self._key_index(fields), None)
        else:
            keys.clear()
        return {"registered": sorted(keys)}

    def register_key(self, raw: object) -> dict[str, Any]:
        """
        Give keys back: the first ones unless another is named.

        ``public_key`` puts another key into the slot ``api_key_index``, as when somebody else
        takes it; ``api_key`` is X10's.
        """
        fields = Fields(raw, ("venue", "api_key_index", "public_key", "api_key"))
        if fields.choice("venue", VENUES) == "x10":
            self._no_index(fields)
            first = self._x10.keys.api_key
            self._x10.api_key = fields.text("api_key") if fields.has("api_key") else first
            return {"registered": [self._x10.keys.vault]}
        keys, owner = self._lighter.public_keys, self._lighter.owner
        if not fields.has("api_key_index"):
            if fields.has("public_key"):
                raise BadRequestError("public_key needs the key api_key_index; add it")
            keys.update(owner.public_keys)
            return {"registered": sorted(keys)}
        index = self._key_index(fields)
        key = _public_key(fields) if fields.has("public_key") else owner.public_keys.get(index)
        if key is None:
            raise BadRequestError(f"no key ever had the index {index}; name a public_key")
        keys[index] = key
        self._lighter.lanes.setdefault(index, Lane())
        return {"registered": sorted(keys)}

    # Requests

    def requests(self) -> dict[str, Any]:
        """What came to each venue since the last reset."""
        return {venue: counts.shown() for venue, counts in self._counts.items()}

    def reset_requests(self) -> None:
        """Count from nothing again."""
        for counts in self._counts.values():
            counts.reset()

    def set_latency(self, raw: object) -> dict[str, Any]:
        """Change latencies of one venue; gives back what holds at both."""
        fields = Fields(raw, latency.KEYS)
        venue = fields.choice("venue", VENUES)
        face = self._x10 if venue == "x10" else self._lighter
        latency.set_latency(fields, face, self._latencies[venue])
        return self.latencies()

    def latencies(self) -> dict[str, Any]:
        """What holds at both venues, in seconds."""
        return {
            "x10": latency.shown(self._x10, self._latencies["x10"]),
            "lighter": latency.shown(self._lighter, self._latencies["lighter"]),
        }

    def _exchange(self, venue: str) -> Exchange:
        if venue not in self._exchanges:
            raise BadRequestError(f"venue is {venue!r}; it must be one of {', '.join(VENUES)}")
        return self._exchanges[venue]

    def _key_index(self, fields: Fields) -> int:
        first = next(iter(self._lighter.owner.public_keys))
        return fields.whole("api_key_index", 0, MAX_KEY_INDEX, first)

    @staticmethod
    def _no_index(fields: Fields) -> None:
        for name in ("api_key_index", "public_key"):
            if fields.has(name):
                raise BadRequestError(f"{name} is for lighter; remove it")


def _public_key(fields: Fields) -> str:
    key = fields.text("public_key").removeprefix("0x").lower()
    if len(key) != PUBLIC_KEY_DIGITS or not set(key) <= _HEX:
        raise BadRequestError(f"public_key must have {PUBLIC_KEY_DIGITS} hex digits")
    return key
