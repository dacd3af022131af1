"""
What X10's answer to an order proves. Pure tables; nothing else decides it.

Only an error code that is known to mean "not taken in" is proof (reliability.md §2.2): the
table below is a list of what is allowed, and everything that is not in it may have been
executed. The codes are those of x10.md §3.4.
"""

from collections.abc import Iterator
from typing import Any

from adapters.common.answers import ASK_AGAIN, envelope
from hedger.common.words import clean, shown
from hedger.domain.order import Accepted, Answer, Declined, NoProof, Reason

DUPLICATE = 1134
"""
The id is known there already. Whether that is an open order, an earlier one or this very
order sent twice is not said, so the order has to be looked up (x10.md §3.3).
"""

DECLINED: dict[int, Reason] = {
    1000: Reason.RULES,  # asset not found
    1001: Reason.MARKET_STATE,  # market not found: delisted, for a while or for good
    1002: Reason.MARKET_STATE,  # market disabled
    1003: Reason.RULES,  # market group not found
    1004: Reason.AUTH,  # account not found
    1008: Reason.AUTH,  # client not found
    1009: Reason.AUTH,  # action not allowed
    1010: Reason.MARKET_STATE,  # maintenance
    1011: Reason.MARKET_STATE,  # post-only mode
    1012: Reason.MARKET_STATE,  # reduce-only mode
    1014: Reason.MARKET_STATE,  # market is reduce-only
    1100: Reason.AUTH,  # Stark public key
    1101: Reason.AUTH,  # Stark signature
    1102: Reason.AUTH,  # vault
    1120: Reason.RULES,  # quantity below the minimum
    1121: Reason.RULES,  # quantity off its step
    1122: Reason.RULES,  # order value too large
    1123: Reason.RULES,  # quantity precision
    1124: Reason.RULES,  # price off its tick
    1125: Reason.RULES,  # price precision
    1126: Reason.RULES,  # too many open orders
    1127: Reason.RULES,  # position value too large
    1128: Reason.RULES,  # fee below what is charged
    1129: Reason.RULES,  # quantity of a position TPSL
    1130: Reason.RULES,  # price missing
    1131: Reason.RULES,  # TPSL trigger
    1132: Reason.RULES,  # order type not allowed
    1133: Reason.RULES,  # parameters
    1135: Reason.RULES,  # expiry: passed, or too far ahead
    1136: Reason.REDUCE_ONLY,  # larger than the position
    1137: Reason.REDUCE_ONLY,  # no position
    1138: Reason.REDUCE_ONLY,  # same side as the position
    1139: Reason.RULES,  # MARKET must be IOC
    1140: Reason.MARGIN,  # cost above the available balance
    1141: Reason.RULES,  # price too far from the mark
    1142: Reason.RULES,  # the order to edit was not found
    1143: Reason.RULES,  # conditional order
    1144: Reason.RULES,  # conditional order
    1145: Reason.MARKET_STATE,  # only reduce-only is allowed
    1146: Reason.RULES,  # TWAP must be GTT
    1147: Reason.MARGIN,  # open loss above equity
    1148: Reason.MARGIN,  # open loss above equity
    1500: Reason.AUTH,  # no account selected
}
"""
Codes of an order's answer that prove that it was not taken in. Not here on purpose: 1005 and
1049 to 1053 (of other questions), 1006 "unhandled error" (proves nothing) and 1134.
"""

PASSING = frozenset({1006, 1010})
"""Codes that say "not now": unhandled error and maintenance."""

UNAUTHORIZED = 401
TOO_MANY = 429
NOT_OF_ORDERS = ASK_AGAIN | {UNAUTHORIZED, 403}
TEXT_LIMIT = 300


def classify(status: int, body: str, client_id: str) -> Answer:
    """
    What one answer to ``POST /user/order`` proves about the order ``client_id``.

    ``status`` is the HTTP status and ``body`` the text as it came, JSON or not.
    """
    told = envelope(body)
    error = told.get("error")
    if isinstance(error, dict) and 200 <= status < 500:
        return _of_error(status, error)
    match status:
        case 401:
            return Declined(Reason.AUTH, "401", "HTTP 401: the API key is not accepted")
        case 429:
            return Declined(Reason.RATE, "429", "HTTP 429: too many requests")
        case 200 | 201:
            return _of_success(status, told, client_id)
        case _:
            return NoProof(f"HTTP {status}: {clean(body, TEXT_LIMIT)}")


def error_code(body: str) -> int | None:
    """The business code of an error envelope; None where there is none."""
    error = envelope(body).get("error")
    return _code(error) if isinstance(error, dict) else None


def refuses_the_order_alone(status: int, body: str) -> bool:
    """
    Whether a refusal is about the order that was named, and neither about who asks nor passing.

    Codes of the account, and those that repeat an HTTP status of the gateway, are not.
    """
    code = error_code(body)
    if code is None or not 200 <= status < 500 or {status, code} & NOT_OF_ORDERS:
        return False
    return code not in PASSING and DECLINED.get(code) is not Reason.AUTH


def _of_error(status: int, error: dict[str, Any]) -> Answer:
    code = _code(error)
    said = clean(" ".join(_texts(error)), TEXT_LIMIT)
    if code is not None and (reason := DECLINED.get(code)) is not None:
        return Declined(reason, str(code), said)
    if code == DUPLICATE:
        return NoProof(f"code {DUPLICATE}: the id exists already, look it up: {said}")
    if status == UNAUTHORIZED:
        return Declined(Reason.AUTH, "401", said)
    if status == TOO_MANY:
        return Declined(Reason.RATE, "429", said)
    return NoProof(f"HTTP {status}, code {code}: {said}")


def _of_success(status: int, told: dict[str, Any], client_id: str) -> Answer:
    data = told.get("data")
    if str(told.get("status")).upper() != "OK" or not isinstance(data, dict):
        return NoProof(f"HTTP {status} with an answer that says neither yes nor no")
    if str(data.get("externalId")) != client_id:
        return NoProof("the answer names another order")
    return Accepted(f"order {shown(data.get('id'))}")


def _code(error: dict[str, Any]) -> int | None:
    value = error.get("code")
    if isinstance(value, str) and len(value) < 10 and value.isascii() and value.isdigit():
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _texts(error: dict[str, Any]) -> Iterator[str]:
    for key in ("message", "debugInfo"):
        if isinstance(text := error.get(key), str):
            yield clean(text, TEXT_LIMIT)
