"""Answers that no honest venue gives, and every question that may be answered so."""

import gzip
import itertools
import json
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping
from datetime import timedelta
from typing import Any, Final

from hedger.domain.account import Stream
from hedger.domain.order import Purpose
from tests.contract.account import ETH, Account

BOMB_BYTES: Final = 200_000_000
DEEP: Final = 100_000
LONG: Final = 20_000  # of a list of all markets, of which each answer is a copy
ALWAYS: Final = 1  # of ``FIELDS``: what stands in every field in turn
IN_TURN: Final = 3  # how many of the others follow it, each field going on where the last one ended

HEAVY: Final = frozenset(
    {"bomb", "bomb as deflate", "huge", "many", "error of 3 MB", "long number"}
)
"""Answers of which one question for each place that reads bytes is enough."""

READERS: Final = frozenset(
    {"start", "position", "history of funding", "book", "quoted instruments"}
)

Call = Callable[[Account], Awaitable[object]]


def bomb() -> bytes:
    """A fifth of a megabyte that unpacks to two hundred."""
    return gzip.compress(b" " * BOMB_BYTES, 9)


def deep(levels: int = DEEP) -> str:
    inside = "[" * levels + "]" * levels
    return '{"status":"OK","code":200,"data":' + inside + "}"


def unlike_any(packed: bytes) -> Mapping[str, dict[str, Any]]:
    """Rewrites of whole answers."""
    said = "\u001b[2J\u001b[31mPWNED \u009b31m\u202e\u2028 2026-11-30T00:00:00.000Z INFO forged"
    error = {"code": 1006, "message": said}
    return {
        "deep": {"body": deep()},
        "deep and open": {"body": '{"a":' * DEEP},
        "deep in a string": {"body": json.dumps({"status": "OK", "data": "[" * DEEP})},
        "bomb": {"body": packed, "headers": {"Content-Encoding": "gzip"}},
        "bomb as deflate": {"body": packed, "headers": {"Content-Encoding": "deflate"}},
        "half a gzip": {"body": packed[:1000], "headers": {"Content-Encoding": "gzip"}},
        "unknown packing": {"body": "{}", "headers": {"Content-Encoding": "br"}},
        "huge": {"body_parts": [{"text": " ", "times": 30_000_000}, "{}"]},
        "many": {"body": "[" + "1.1," * 900_000 + "1.1]"},
        "long number": {"body": '{"status":"OK","code":1e999999,"data":' + "9" * 1_000_000 + "}"},
        "NaN": {"body": '{"status":"OK","code":200,"data":[{"size":NaN,"x":-Infinity}]}'},
        "bytes": {"body": bytes(range(256)) * 10},
        "empty": {"body": b"", "status": 200},
        "a list": {"body": "[1, 2]"},
        "half a character": {"body": '{"status":"\\ud800","code":"\\udfff","data":"\\ud800"}'},
        "error with escapes": {"body": json.dumps({"status": "ERROR", "error": error} | error)},
        "error of 3 MB": {
            "body": json.dumps(
                {"status": "ERROR", "error": {"code": 1100, "message": "x" * 3_000_000}}
                | {"code": 21100, "message": "y" * 3_000_000}
            )
        },
        "refusal with escapes": {"body": json.dumps({"error": error} | error), "status": 400},
    }


FIELDS: Final = (
    "1e999999",
    '"1e999999"',
    "-1e-999999",
    "9" * 5_000,
    '"' + "9" * 5_000 + '"',
    "18446744073709551616",
    "1e30",
    '"1e-40"',
    "NaN",
    '"Infinity"',
    '"\\ud800\\u001b[2J"',
    '"' + "z" * 600 + '"',
    "[[]]",
    "null",
)
"""What stands in the place of one value of a true answer."""

_VALUE: Final = re.compile(
    r'"(\w+)":\s*("(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null)'
)


def changed(text: str) -> Iterator[tuple[str, str]]:
    """One true answer with each of its fields, by name, replaced by some of ``FIELDS`` in turn."""
    others = itertools.cycle(FIELDS[ALWAYS:])
    each = IN_TURN if len(text) < LONG else 1
    places = {match[1]: match.span(2) for match in reversed(list(_VALUE.finditer(text)))}
    for name, (start, end) in places.items():
        for put in (*FIELDS[:ALWAYS], *itertools.islice(others, each)):
            yield f"{name}={put[:24]}", text[:start] + put + text[end:]


async def _started(account: Account) -> None:
    venue = account.another()
    try:
        await venue.start()
    finally:
        await venue.close()


async def _lane(account: Account) -> object:
    lane = account.venue.lane(Purpose.OPEN)
    return None if lane is None else await account.venue.next_nonce(lane)


def _page_of(stream: Stream) -> Call:
    return lambda account: account.venue.history(stream, since(account), None)


def since(account: Account) -> Any:
    return account.world.clock.now() - timedelta(days=1)


READS: Final[Mapping[str, Call]] = {
    "start": _started,
    "balance": lambda a: a.venue.balance(),
    "fees": lambda a: a.venue.fees(ETH),
    "positions": lambda a: a.venue.positions(),
    "position": lambda a: a.venue.position(ETH),
    "leverage": lambda a: a.venue.leverage(ETH),
    "open_orders": lambda a: a.venue.open_orders(),
    "traded": lambda a: a.venue.traded(ETH, since(a)),
    "funding_payments": lambda a: a.venue.funding_payments(since(a)),
    "next_nonce": _lane,
    "quoted instruments": lambda a: a.quotes.instruments(),
    "quoted funding": lambda a: a.quotes.funding(),
    "book": lambda a: a.quotes.book(ETH),
    **{f"history of {stream}": _page_of(stream) for stream in Stream},
}
