"""Lighter's error codes and texts (lighter.md §2) and how they travel."""

from collections.abc import Mapping
from enum import IntEnum
from typing import Any


class Code(IntEnum):
    """Codes that this face answers with."""

    OK = 200
    INVALID_PARAM = 20001
    INVALID_AUTH = 20013
    ACCOUNT_NOT_FOUND = 21100
    INVALID_ACCOUNT_INDEX = 21102
    INVALID_NONCE = 21104
    BATCH_NONCE = 21105
    INVALID_PUBLIC_KEY = 21108
    API_KEY_NOT_FOUND = 21109
    INVALID_API_KEY_INDEX = 21110
    PRE_LIQUIDATION = 21111
    INVALID_MARGIN_FRACTION = 21113
    INVALID_SIGNATURE = 21120
    BATCH_OWNERS = 21121
    MARGIN_MODE_CHANGE = 21132
    TX_NOT_FOUND = 21500
    INVALID_TX_INFO = 21501
    UNSUPPORTED_TX_TYPE = 21505
    TOO_MANY_TXS = 21506
    BATCH_LENGTHS = 21513
    BATCH_TOO_LONG = 21514
    INVALID_MARKET = 21602
    MARKET_STATUS = 21605
    INVALID_MARGIN_MODE = 21613
    NO_POSITION = 21614
    INVALID_ORDER_INDEX = 21700
    INVALID_BASE_AMOUNT = 21701
    INVALID_PRICE = 21702
    INVALID_IS_ASK = 21703
    INVALID_ORDER_TYPE = 21704
    INVALID_TIME_IN_FORCE = 21705
    INVALID_ORDER_AMOUNT = 21706
    UNSUPPORTED_ORDER_TYPE = 21710
    INVALID_EXPIRY = 21711
    CANCEL_ALL_TIME_IN_FORCE = 21713
    CANCEL_ALL_TIME = 21714
    INACTIVE_ORDER = 21715
    MAX_ORDERS = 21717
    INVALID_CLIENT_ORDER_INDEX = 21727
    CLIENT_ORDER_INDEX_EXISTS = 21728
    INVALID_TRIGGER_PRICE = 21729
    REDUCE_ONLY_INCREASES = 21732
    ACCIDENTAL_PRICE = 21733
    PRICE_TOO_FAR = 21734
    REDUCE_ONLY_DIRECTION = 21738
    NOT_ENOUGH_MARGIN = 21739
    REDUCE_ONLY_MODE = 21740
    INVALID_GROUPING = 21741
    TOO_MANY_REQUESTS = 23000
    TOO_MANY_SUBSCRIPTIONS = 23001
    NOT_FOUND = 29404
    INTERNAL = 29500
    INVALID_JSON = 30000
    INVALID_TYPE = 30001
    NOT_SUBSCRIBED = 30002
    ALREADY_SUBSCRIBED = 30003
    INVALID_CHANNEL = 30005
    INVALID_DATA = 30007


MESSAGES: Mapping[int, str] = {
    Code.INVALID_PARAM: "invalid param",
    Code.INVALID_AUTH: "invalid auth",
    Code.ACCOUNT_NOT_FOUND: "account not found",
    Code.INVALID_ACCOUNT_INDEX: "invalid account index",
    Code.INVALID_NONCE: "invalid nonce",
    Code.BATCH_NONCE: "nonces of the batch are not increasing one by one",
    Code.INVALID_PUBLIC_KEY: "invalid PublicKey, please run changePubKey",
    Code.API_KEY_NOT_FOUND: "api key not found",
    Code.INVALID_API_KEY_INDEX: "invalid api key index",
    Code.PRE_LIQUIDATION: "account is in pre-liquidation and the tx does not improve its health",
    Code.INVALID_MARGIN_FRACTION: "invalid initial margin fraction",
    Code.INVALID_SIGNATURE: "invalid signature",
    Code.BATCH_OWNERS: "transactions of a batch must share account and api key",
    Code.MARGIN_MODE_CHANGE: "margin mode cannot change while a position or order is open",
    Code.TX_NOT_FOUND: "transaction not found",
    Code.INVALID_TX_INFO: "invalid tx info",
    Code.UNSUPPORTED_TX_TYPE: "unsupported tx type",
    Code.TOO_MANY_TXS: "too many pending txs. Please try again later",
    Code.BATCH_LENGTHS: "TxInfos and TxTypes must have the same length",
    Code.BATCH_TOO_LONG: "batch is longer than 50 transactions",
    Code.INVALID_MARKET: "invalid market index",
    Code.MARKET_STATUS: "invalid market status",
    Code.INVALID_MARGIN_MODE: "invalid margin mode",
    Code.NO_POSITION: "no position found",
    Code.INVALID_ORDER_INDEX: "invalid order index",
    Code.INVALID_BASE_AMOUNT: "invalid base amount",
    Code.INVALID_PRICE: "invalid price",
    Code.INVALID_IS_ASK: "invalid isAsk",
    Code.INVALID_ORDER_TYPE: "invalid OrderType",
    Code.INVALID_TIME_IN_FORCE: "invalid OrderTimeInForce",
    Code.INVALID_ORDER_AMOUNT: "invalid order base or quote amount",
    Code.UNSUPPORTED_ORDER_TYPE: "unsupported order type",
    Code.INVALID_EXPIRY: "invalid expiry",
    Code.CANCEL_ALL_TIME_IN_FORCE: "invalid cancel all time in force",
    Code.CANCEL_ALL_TIME: "invalid cancel all time",
    Code.INACTIVE_ORDER: "given order is not an active order",
    Code.MAX_ORDERS: "maximum active limit order count reached",
    Code.INVALID_CLIENT_ORDER_INDEX: "invalid client order index",
    Code.CLIENT_ORDER_INDEX_EXISTS: "client order index already exists",
    Code.INVALID_TRIGGER_PRICE: "invalid order trigger price",
    Code.REDUCE_ONLY_INCREASES: "reduce only increases position",
    Code.ACCIDENTAL_PRICE: "order price flagged as an accidental price",
    Code.PRICE_TOO_FAR: "limit order price is too far from the mark price",
    Code.REDUCE_ONLY_DIRECTION: "invalid reduce only direction",
    Code.NOT_ENOUGH_MARGIN: "not enough margin to create the order",
    Code.REDUCE_ONLY_MODE: "invalid reduce only mode",
    Code.INVALID_GROUPING: "invalid grouping type",
    Code.TOO_MANY_REQUESTS: "Too Many Requests!",
    Code.TOO_MANY_SUBSCRIPTIONS: "Too Many Subscriptions!",
    Code.NOT_FOUND: "not found",
    Code.INTERNAL: "internal server error",
    Code.INVALID_JSON: "Invalid JSON",
    Code.INVALID_TYPE: "Invalid Type",
    Code.NOT_SUBSCRIBED: "Not Subscribed",
    Code.ALREADY_SUBSCRIBED: "Already Subscribed",
    Code.INVALID_CHANNEL: "Invalid Channel",
    Code.INVALID_DATA: "Invalid Data",
}


class ApiError(Exception):
    """
    A refusal in Lighter's words: ``{"code", "message"}`` with an HTTP status, mostly 400.

    A transaction refused this way has had no effect and has not used up its nonce.
    """

    def __init__(self, code: int, detail: str = "", *, status: int = 400) -> None:
        self.code = int(code)
        self.status = status
        text = MESSAGES.get(code, "")
        self.message = f"{text}: {detail}" if text and detail else text or detail or "error"
        super().__init__(f"{self.code} {self.message}")

    def body(self) -> dict[str, Any]:
        """What stands in the response."""
        return {"code": self.code, "message": self.message}


def sequencer_error(code: int) -> str:
    """The text of a failure in ``event_info.ae``, where the venue names the error."""
    names = {
        Code.INVALID_ORDER_INDEX: "AppErrInvalidOrderIndex",
        Code.INACTIVE_ORDER: "AppErrInctiveOrder",  # the venue spells it so
        Code.REDUCE_ONLY_INCREASES: "AppReduceOnlyIncreasesPosition",
        Code.REDUCE_ONLY_DIRECTION: "AppErrInvalidReduceOnlyDirection",
        Code.NO_POSITION: "AppErrNoPositionFound",
        Code.NOT_ENOUGH_MARGIN: "AppErrNotEnoughOrderMargin",
        Code.INVALID_NONCE: "AppErrInvalidNonce",
        Code.MARGIN_MODE_CHANGE: "AppErrMarginModeChange",
        Code.INVALID_EXPIRY: "AppErrTxExpired",
    }
    return names.get(Code(code), MESSAGES[code])
