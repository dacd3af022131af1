"""Candles, derived from the price path. Their times are market time."""

from typing import Final

from adapters.sandbox.clock import HOUR_MS
from adapters.sandbox.engine.exchange import Exchange
from adapters.sandbox.engine.types import Event, MarkChanged
from adapters.sandbox.tape import START_MS, Tape
from adapters.sandbox.x10_face.context import Face
from adapters.sandbox.x10_face.errors import INVALID_PARAMETERS, ApiProblemError
from adapters.sandbox.x10_face.shapes import Json, text

MINUTE_MS: Final = 60_000
INTERVALS_MS: Final = {
    "PT1M": MINUTE_MS,
    "PT5M": 5 * MINUTE_MS,
    "PT15M": 15 * MINUTE_MS,
    "PT30M": 30 * MINUTE_MS,
    "PT1H": HOUR_MS,
    "PT2H": 2 * HOUR_MS,
    "PT4H": 4 * HOUR_MS,
    "P1D": 24 * HOUR_MS,
}
KINDS: Final = ("trades", "mark-prices", "index-prices")


def candles(
    exchange: Exchange, symbol: str, kind: str, *, width_ms: int, limit: int, end_ms: int | None
) -> list[Json]:
    """
    At most ``limit`` candles that began at or before ``end_ms``, newest first.

    Trade candles have the marks as prices and no volume: other people's trades are not
    modelled. There is nothing before the tape starts.

    Raises:
        ApiProblemError: no such kind.
    """
    if kind not in KINDS:
        raise ApiProblemError(INVALID_PARAMETERS, debug=f"candle type {kind!r}")
    now_ms = exchange.market_now_ms()
    newest_ms = min(now_ms, now_ms if end_ms is None else end_ms) // width_ms * width_ms
    found: list[Json] = []
    begin_ms = newest_ms
    while begin_ms + width_ms > START_MS and begin_ms <= now_ms and len(found) < limit:
        found.append(
            _candle(exchange, symbol, kind, begin_ms, min(begin_ms + width_ms - 1, now_ms))
        )
        begin_ms -= width_ms
    return found


def _candle(exchange: Exchange, symbol: str, kind: str, begin_ms: int, last_ms: int) -> Json:
    read = exchange.tape.index if kind == "index-prices" else exchange.tape.mark
    first_bucket = Tape.bucket(max(begin_ms, START_MS))
    prices = [
        read("x10", symbol, bucket) for bucket in range(first_bucket, Tape.bucket(last_ms) + 1)
    ]
    body: Json = {
        "o": text(prices[0]),
        "l": text(min(prices)),
        "h": text(max(prices)),
        "c": text(prices[-1]),
        "T": begin_ms,
    }
    return body | {"v": "0"} if kind == "trades" else body


class CandleTopic:
    """/candles: the candle that is being made, again with every move of the mark."""

    def __init__(self, face: Face, symbol: str, kind: str, width_ms: int) -> None:
        self._exchange = face.exchange
        self._symbol = symbol
        self._kind = kind
        self._width_ms = width_ms

    def wants(self, event: Event) -> bool:
        """Moves of this market."""
        return isinstance(event, MarkChanged) and event.symbol == self._symbol

    def opening(self) -> list[Json]:
        """The present candle."""
        newest = candles(
            self._exchange, self._symbol, self._kind, width_ms=self._width_ms, limit=1, end_ms=None
        )
        return [{"data": newest}]

    def on_event(self, event: Event) -> list[Json]:
        """The present candle again."""
        return self.opening()
