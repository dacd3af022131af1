"""
X10's refusals: envelope, codes and texts (x10.md §2.1 and §3.4).

Business errors are HTTP 400, as observed on the live venue; texts that were observed there are
used word for word. 401, 404 and 429 carry their HTTP status as the code.
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

from adapters.sandbox.engine.types import Refusal, Refused
from adapters.sandbox.reply import HTML, Reply, of_json

MARKET_NOT_FOUND: Final = 1001
LEVERAGE_MARGIN: Final = 1052
INVALID_PUBLIC_KEY: Final = 1100
INVALID_SIGNATURE: Final = 1101
INVALID_VAULT: Final = 1102
INVALID_FEE: Final = 1128
PRICE_MISSING: Final = 1130
TYPE_NOT_ALLOWED: Final = 1132
INVALID_PARAMETERS: Final = 1133
DUPLICATE_ORDER: Final = 1134
INVALID_EXPIRY: Final = 1135
MARKET_NOT_IOC: Final = 1139
PREVIOUS_NOT_FOUND: Final = 1142

TEXTS: Final[Mapping[int, str]] = {
    1000: "Asset not found",
    1001: "Market not found",
    1002: "Market is disabled",
    1004: "Account not found",
    1006: "Unhandled error",
    1009: "Action is not allowed",
    1010: "Maintenance mode",
    1011: "Post only mode",
    1012: "Reduce only mode",
    1014: "Market is reduce only",
    1049: "Leverage below min",
    1050: "Leverage above max",
    1052: "Insufficient margin for leverage",
    1053: "Invalid leverage precision",
    1100: "Invalid StarkEx public key",
    1101: "Invalid StarkEx signature",
    1102: "Invalid StarkEx vault",
    1120: "Order quantity less than min trade size",
    1121: "Invalid quantity due to the min trade size change",
    1122: "Invalid order value",
    1123: "Invalid quantity precision",
    1124: "Invalid price due to the min price change",
    1125: "Invalid price precision",
    1126: "Max open orders number exceeded",
    1127: "Max position value exceeded",
    1128: "Trading fees are invalid",
    1130: "Price is missing",
    1132: "Order type is not allowed",
    1133: "Invalid order parameters",
    1134: "Duplicate order",
    1135: "Invalid order expiration",
    1136: "Reduce-only order size exceeds position size",
    1137: "Position is missing for reduce-only order",
    1138: "Position is same side as reduce-only order",
    1139: "Market order must be IOC",
    1140: "New order cost exceeds available balance",
    1141: "Invalid order price",
    1142: "Edit order not found",
}

BY_REFUSAL: Final[Mapping[Refusal, int]] = {
    Refusal.MARKET_UNKNOWN: 1001,
    Refusal.MARKET_CLOSED: 1002,
    Refusal.MARKET_REDUCE_ONLY: 1014,
    Refusal.QTY_BELOW_MIN: 1120,
    Refusal.NOTIONAL_BELOW_MIN: 1120,  # not on X10's tape; nearest code
    Refusal.QTY_STEP: 1121,
    Refusal.VALUE_TOO_LARGE: 1122,
    Refusal.PRICE_STEP: 1124,
    Refusal.TOO_MANY_ORDERS: 1126,
    Refusal.POSITION_TOO_LARGE: 1127,
    Refusal.EXPIRED: 1135,
    Refusal.MARKET_NOT_IOC: 1139,
    Refusal.PRICE_BAND: 1141,
    Refusal.REDUCE_TOO_LARGE: 1136,
    Refusal.REDUCE_NO_POSITION: 1137,
    Refusal.REDUCE_SAME_SIDE: 1138,
    Refusal.MARGIN: 1140,
    Refusal.DUPLICATE: 1134,
    Refusal.LEVERAGE_BELOW_MIN: 1049,
    Refusal.LEVERAGE_ABOVE_MAX: 1050,
}
"""Every rule of the engine and the code X10 gives for it."""


class ApiProblemError(Exception):
    """A request that X10 answers with an error envelope."""

    def __init__(self, code: int, message: str = "", *, status: int = 400, debug: str = "") -> None:
        self.code = code
        self.message = message or TEXTS.get(code, "Error")
        self.status = status
        self.debug = debug
        super().__init__(f"{code} {self.message}")

    def reply(self) -> Reply:
        """The answer on the wire."""
        error: dict[str, Any] = {"code": self.code, "message": self.message}
        if self.debug:
            error["debugInfo"] = self.debug
        return of_json({"status": "ERROR", "error": error}, self.status)


def from_refusal(refused: Refused) -> ApiProblemError:
    """The engine's refusal in X10's words."""
    return ApiProblemError(BY_REFUSAL[refused.refusal], debug=refused.detail)


def unauthorized() -> ApiProblemError:
    """No API key, or one that nobody has."""
    return ApiProblemError(401, "Unauthorized", status=401)


def not_found(what: str) -> ApiProblemError:
    """Something asked for by id that is not there."""
    return ApiProblemError(404, f"{what} not found", status=404)


def unknown_market(name: str) -> ApiProblemError:
    """A market in the path of a read that does not exist."""
    return ApiProblemError(MARKET_NOT_FOUND, status=404, debug=f"market {name!r}")


def html_page(status: int) -> Reply:
    """What the proxy in front of the venue answers instead of JSON."""
    title = f"{status} {HTTPStatus(status).phrase}" if status in list(HTTPStatus) else str(status)
    body = f"<html>\n<head><title>{title}</title></head>\n<body><h1>{title}</h1></body>\n</html>\n"
    return Reply(status, body, HTML)
