"""
What an answer to ``sendTx`` proves. Pure, and an allow-list: what is not here proves nothing.

Sources: lighter.md §2 (codes), §4.1 and §4.5 (which answers consume a nonce), reliability.md
§2.2.
"""

from typing import Any, Final

from adapters.common.answers import TEXT_LIMIT, envelope
from hedger.common.words import clean
from hedger.domain.order import Accepted, Answer, Declined, NoProof, Reason

CODE_OK: Final = 200
INVALID_NONCE: Final = 21104
DUPLICATE_CLIENT_ID: Final = 21728
TX_NOT_FOUND: Final = 21500
INVALID_MARKET: Final = 21602

THROTTLED: Final = frozenset({403, 405, 429})
"""
The firewall and the API servers answer these before they look at the transaction, often as an
HTML page (403 is CloudFront's). The nonce is not consumed (lighter.md §4.5).
"""

RATE_CODES: Final = frozenset({23000, 23001, 23002, 23003, 23004})

NOTES: Final = {
    # The trap of a resend: our own transaction, already accepted, is answered the same way.
    INVALID_NONCE: "the nonce is used or leaves a gap; our own accepted bytes sent again are"
    " answered like this too: look up by hash and compare the nonce",
    # Scope and duration of the check are undocumented (lighter.md §0.11).
    DUPLICATE_CLIENT_ID: "an order with this client id is there, perhaps from these very bytes",
}

REASONS: Final[dict[int, Reason]] = {
    20001: Reason.RULES,  # invalid param
    20013: Reason.AUTH,  # invalid auth
    21100: Reason.AUTH,  # account not found
    21102: Reason.AUTH,  # invalid account index
    21108: Reason.AUTH,  # invalid public key
    21109: Reason.AUTH,  # api key not found
    21110: Reason.AUTH,  # invalid api key index
    21111: Reason.MARGIN,  # pre-liquidation, and the order does not improve it
    21112: Reason.MARGIN,  # in liquidation
    21113: Reason.RULES,  # invalid initial margin fraction
    21120: Reason.AUTH,  # invalid signature
    21136: Reason.AUTH,  # invalid public key, update the sdk
    21149: Reason.AUTH,  # integrator not approved
    21501: Reason.RULES,  # invalid tx info
    21505: Reason.RULES,  # unsupported tx type
    21506: Reason.RATE,  # too many pending transactions
    21507: Reason.MARGIN,  # below maintenance margin
    21508: Reason.MARGIN,  # below initial margin
    21600: Reason.OTHER,  # not an active limit order (answers a cancel)
    21601: Reason.MARKET_STATE,  # order book full
    INVALID_MARKET: Reason.MARKET_STATE,  # no such market (any more)
    21603: Reason.RULES,  # below the minimum amounts
    21605: Reason.MARKET_STATE,  # market status
    21613: Reason.RULES,  # margin mode
    21614: Reason.REDUCE_ONLY,  # no position
    21700: Reason.RULES,  # order index
    21701: Reason.RULES,  # base amount
    21702: Reason.RULES,  # price
    21703: Reason.RULES,  # isAsk
    21704: Reason.RULES,  # order type
    21705: Reason.RULES,  # time in force
    21706: Reason.RULES,  # base or quote amount
    21707: Reason.OTHER,  # not the owner of the order (answers a cancel)
    21708: Reason.OTHER,  # order is empty (answers a cancel)
    21709: Reason.OTHER,  # inactive order (answers a cancel)
    21711: Reason.RULES,  # order expiry
    21712: Reason.MARKET_STATE,  # a cancel-all is queued
    21715: Reason.OTHER,  # not active (answers a cancel)
    21717: Reason.RATE,  # too many active orders of the account
    21718: Reason.RATE,  # too many active orders on the market
    21719: Reason.RATE,  # too many pending orders of the account
    21720: Reason.RATE,  # too many pending orders on the market
    21727: Reason.RULES,  # invalid client order index
    21729: Reason.RULES,  # trigger price
    21732: Reason.REDUCE_ONLY,  # reduce-only would increase the position
    21733: Reason.RULES,  # accidental price
    21734: Reason.RULES,  # limit price too far from the mark
    21735: Reason.RULES,  # too far from the trigger
    21738: Reason.REDUCE_ONLY,  # wrong direction
    21739: Reason.MARGIN,  # not enough margin
    21740: Reason.REDUCE_ONLY,  # reduce-only mode
    21741: Reason.RULES,  # grouping
    **dict.fromkeys(sorted(RATE_CODES), Reason.RATE),
}


def classify(status: int, body: str, tx_hash: str | None) -> Answer:
    """
    What the HTTP answer to one ``sendTx`` proves.

    ``Accepted`` means that the API took it in; the sequencer may still cancel the order.
    ``Declined`` means that the nonce is not consumed. A business refusal counts only with
    HTTP 400 or 401 and a code on the list: with HTTP 200 a code other than 200 was seen on
    transactions that did consume their nonce (lighter.md §4.3).
    """
    told = envelope(body)
    code = told.get("code")
    message = clean(str(told.get("message", "")), TEXT_LIMIT)
    if status in THROTTLED:
        shown = str(code) if isinstance(code, int) else f"http-{status}"
        return Declined(Reason.RATE, shown, message or f"HTTP {status} from the gateway")
    if status == 200 and code == CODE_OK:
        return _accepted(told, tx_hash)
    if status in (400, 401) and isinstance(code, int) and code in REASONS:
        return Declined(REASONS[code], str(code), message)
    note = NOTES.get(code, "") if isinstance(code, int) else ""
    if not told:
        message = "the body is not the venue's JSON"
    detail = f"HTTP {status} code {code}: {message}"
    reason = Reason.NONCE if code == INVALID_NONCE else None
    return NoProof(f"{detail} ({note})" if note else detail, reason)


def code_of(body: str) -> int | None:
    """The venue's code in an error body, if the body is the venue's."""
    code = envelope(body).get("code")
    return code if isinstance(code, int) else None


def _accepted(told: dict[str, Any], tx_hash: str | None) -> Answer:
    theirs = told.get("tx_hash")
    if tx_hash is not None and isinstance(theirs, str) and theirs != tx_hash:
        return NoProof(f"accepted under the hash {theirs[:80]}, but we signed {tx_hash}")
    return Accepted(f"code 200, predicted execution {told.get('predicted_execution_time_ms')}")
