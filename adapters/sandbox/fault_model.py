"""What a fault may say: its kinds, their parameters, and one clear sentence when it is wrong."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any

from hedger.errors import ConfigError

VENUES = ("x10", "lighter")
MAX_SECONDS = 86_400.0
MAX_COUNT = 1_000_000


class BadFaultError(ConfigError):
    """A fault that makes no sense; the text names what is wrong and what is allowed."""


class Op(StrEnum):
    """What a request is about."""

    ORDER = "order"
    CANCEL = "cancel"
    POSITIONS = "positions"
    ORDERS = "orders"
    NONCE = "nonce"
    BALANCE = "balance"
    STREAM = "stream"
    PUBLIC = "public"


class Kind(StrEnum):
    """What goes wrong."""

    OUTAGE = "outage"  # every request of the venue for `seconds`: the connection is closed
    RATE_LIMIT = "rate_limit"  # `status` 429 or 405, before any effect, JSON or `html`
    SERVER_ERROR = "server_error"  # `status` 5xx, `when` before or after the effect
    DROP_ANSWER = "drop_answer"  # connection closed, `when` before or after the effect
    BAD_READS = "bad_reads"  # reads named in `what` answer `status`
    STEAL_NONCE = "steal_nonce"  # another transaction takes the nonce first
    REFUSE = "refuse"  # refused at the API with `code`; no effect, nonce not consumed
    LAG = "lag"  # reads named in `what` are served as of `seconds` ago
    EMPTY_READS = "empty_reads"  # reads named in `what` answer as if there were nothing
    REJECT = "reject"  # accepted, then cancelled for `reason`
    PARTIAL_FILL = "partial_fill"  # at most `fraction` of the size fills
    NO_FILL = "no_fill"  # accepted, nothing fills
    SLOW_MATCH = "slow_match"  # accepted at once, matched `seconds` later
    HANG = "hang"  # processed at once, answered `seconds` later
    CLOSE_STREAM = "close_stream"  # the stream that asks is closed
    SILENCE_STREAM = "silence_stream"  # streams stay open and say nothing for `seconds`
    SEQ_GAP = "seq_gap"  # the stream that asks skips one sequence number
    LIQUIDATE = "liquidate"  # at once: `fraction` of the position in `market` is liquidated


DURATION = frozenset({Kind.OUTAGE, Kind.SILENCE_STREAM})
"""These are on from the moment they are posted, for ``seconds``; they do not count requests."""

IMMEDIATE = frozenset({Kind.LIQUIDATE})
"""These happen when they are posted and are not kept."""

REJECT_REASONS = ("margin", "no_liquidity", "slippage", "reduce_only")

_READS = (Op.POSITIONS, Op.ORDERS, Op.NONCE, Op.BALANCE)
_WRITES = (Op.ORDER, Op.CANCEL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """
    One checked fault. Fields that its kind does not use keep their defaults.

    ``times`` 0 means for ever; the first ``skip`` matching requests pass. ``ops`` is what it
    matches: the posted ``op`` or ``what``, else what its kind is about.
    """

    id: str
    venue: str
    kind: Kind
    ops: frozenset[Op]
    market: str | None = None
    times: int = 1
    skip: int = 0
    reduce_only: bool | None = None
    code: int = 0
    status: int = 0
    message: str = ""
    reason: str = ""
    fraction: Decimal = Decimal(1)
    seconds: float = 0.0
    when: str = ""
    html: bool = False
    api_key_index: int | None = None
    posted: Mapping[str, Any] = field(default_factory=dict)  # as it came, for GET /faults

    @property
    def after(self) -> bool:
        """Whether it strikes after the effect of the request."""
        return self.when == "after" or self.kind is Kind.HANG


def _refuse_type(name: str, value: object, allowed: str) -> BadFaultError:
    return BadFaultError(f"fault key {name} is {value!r}; it must be {allowed}")


def _number(name: str, value: object, *, low: float, high: float) -> float:
    allowed = f"a number from {low:g} to {high:g}"
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise _refuse_type(name, value, allowed)
    if not low <= float(value) <= high:  # also refuses NaN
        raise _refuse_type(name, value, allowed)
    return float(value)


def _whole(name: str, value: object, *, low: int = 0, high: int = MAX_COUNT) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise _refuse_type(name, value, f"a whole number from {low} to {high}")
    return value


def _flag(name: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise _refuse_type(name, value, "true or false")
    return value


def _text(name: str, value: object) -> str:
    if not isinstance(value, str):
        raise _refuse_type(name, value, "a text")
    return value


def _choice(name: str, value: object, allowed: tuple[str, ...]) -> str:
    if not isinstance(value, str) or value not in allowed:
        raise _refuse_type(name, value, f"one of {', '.join(allowed)}")
    return value


def _code(name: str, value: object) -> int:
    if isinstance(value, str) and value.isascii() and value.isdecimal():
        value = int(value)
    return _whole(name, value, low=1, high=999_999)


def _fraction(name: str, value: object) -> Decimal:
    allowed = 'a text such as "0.4", from 0 to 1'
    if isinstance(value, bool) or not isinstance(value, str | int | float | Decimal):
        raise _refuse_type(name, value, allowed)
    try:
        fraction = Decimal(repr(value) if isinstance(value, float) else value)
    except InvalidOperation:
        raise _refuse_type(name, value, allowed) from None
    if not fraction.is_finite() or not 0 <= fraction <= 1:
        raise _refuse_type(name, value, allowed)
    return fraction


def _throttle(name: str, value: object) -> int:
    if not isinstance(value, int) or value not in {429, 405}:
        raise _refuse_type(name, value, "429 or 405")
    return value


def _ops(name: str, value: object, allowed: tuple[Op, ...]) -> frozenset[Op]:
    names = [value] if isinstance(value, str) else value
    words = tuple(op.value for op in allowed)
    if not isinstance(names, list | tuple) or not names:
        raise _refuse_type(name, value, f"a list of some of {', '.join(words)}")
    return frozenset(Op(_choice(name, item, words)) for item in names)


_Parser = Callable[[str, object], Any]


def _status(name: str, value: object) -> int:
    return _whole(name, value, low=400, high=599)


def _server_status(name: str, value: object) -> int:
    return _whole(name, value, low=500, high=599)


def _seconds(name: str, value: object) -> float:
    return _number(name, value, low=0, high=MAX_SECONDS)


def _when(name: str, value: object) -> str:
    return _choice(name, value, ("before", "after"))


def _reason(name: str, value: object) -> str:
    return _choice(name, value, REJECT_REASONS)


def _op(name: str, value: object) -> frozenset[Op]:
    return _ops(name, value, (*_WRITES, *_READS, Op.PUBLIC))


def _what(name: str, value: object) -> frozenset[Op]:
    return _ops(name, value, _READS)


def _what_or_public(name: str, value: object) -> frozenset[Op]:
    return _ops(name, value, (*_READS, Op.PUBLIC))


_REQUIRED = object()


@dataclass(frozen=True, slots=True)
class _Spec:
    """Parameters of one kind (name -> parser and default) and what it matches when unsaid."""

    ops: tuple[Op, ...]
    params: Mapping[str, tuple[_Parser, Any]]


_HTML = (_flag, False)
_OP = (_op, None)

_SPECS: Mapping[Kind, _Spec] = {
    Kind.OUTAGE: _Spec(tuple(Op), {"seconds": (_seconds, _REQUIRED)}),
    Kind.RATE_LIMIT: _Spec((Op.ORDER,), {"status": (_throttle, 429), "html": _HTML, "op": _OP}),
    Kind.SERVER_ERROR: _Spec(
        (Op.ORDER,),
        {"status": (_server_status, 503), "when": (_when, "before"), "html": _HTML, "op": _OP},
    ),
    Kind.DROP_ANSWER: _Spec((Op.ORDER,), {"when": (_when, "before"), "op": _OP}),
    Kind.BAD_READS: _Spec(
        (), {"what": (_what_or_public, _REQUIRED), "status": (_status, 503), "html": _HTML}
    ),
    Kind.STEAL_NONCE: _Spec((Op.ORDER,), {"api_key_index": (_whole, None)}),
    Kind.REFUSE: _Spec(
        (Op.ORDER,),
        {
            "code": (_code, _REQUIRED),
            "status": (_status, 400),
            "message": (_text, ""),
            "op": _OP,
        },
    ),
    Kind.LAG: _Spec((), {"what": (_what, _REQUIRED), "seconds": (_seconds, _REQUIRED)}),
    Kind.EMPTY_READS: _Spec((), {"what": (_what, _REQUIRED)}),
    Kind.REJECT: _Spec((Op.ORDER,), {"reason": (_reason, _REQUIRED)}),
    Kind.PARTIAL_FILL: _Spec((Op.ORDER,), {"fraction": (_fraction, _REQUIRED)}),
    Kind.NO_FILL: _Spec((Op.ORDER,), {}),
    Kind.SLOW_MATCH: _Spec((Op.ORDER,), {"seconds": (_seconds, _REQUIRED)}),
    Kind.HANG: _Spec((Op.ORDER,), {"seconds": (_seconds, _REQUIRED), "op": _OP}),
    Kind.CLOSE_STREAM: _Spec((Op.STREAM,), {}),
    Kind.SILENCE_STREAM: _Spec((Op.STREAM,), {"seconds": (_seconds, _REQUIRED)}),
    Kind.SEQ_GAP: _Spec((Op.STREAM,), {}),
    Kind.LIQUIDATE: _Spec((), {"fraction": (_fraction, Decimal(1))}),
}

_COMMON = ("venue", "kind", "market", "times", "skip", "reduce_only")


def _parse_params(spec: _Spec, raw: Mapping[str, Any], kind: Kind) -> dict[str, Any]:
    allowed = (*_COMMON, *spec.params)
    for name in raw:
        if name not in allowed:
            raise BadFaultError(
                f"fault {kind} has no key {name!r}; its keys are {', '.join(allowed)}"
            )
    found: dict[str, Any] = {}
    for name, (parse, default) in spec.params.items():
        if raw.get(name) is not None:
            found[name] = parse(name, raw[name])
        elif default is _REQUIRED:
            raise BadFaultError(f"fault {kind} needs the key {name}; add it")
        elif default is not None:
            found[name] = default
    return found


def _market(raw: Mapping[str, Any], kind: Kind, markets: frozenset[str] | None) -> str | None:
    value = raw.get("market")
    if value is None:
        if kind is Kind.LIQUIDATE:
            raise BadFaultError("fault liquidate needs the key market; add it")
        return None
    if kind in DURATION:
        raise BadFaultError(f"fault {kind} strikes the whole venue; remove the key market")
    market = _text("market", value)
    if markets is not None and market not in markets:
        raise BadFaultError(f"fault key market is {market!r}; no such market is on the tape")
    return market


def parse_fault(raw: object, fault_id: str, markets: frozenset[str] | None = None) -> Fault:
    """
    Check one posted fault.

    Args:
        raw: decoded JSON or YAML.
        fault_id: its name from now on.
        markets: symbols that exist, or None to take any.

    Raises:
        BadFaultError: something in it is wrong; one sentence.
    """
    if not isinstance(raw, Mapping):
        raise BadFaultError(f"a fault must be an object with venue and kind, not {raw!r}")
    venue = _choice("venue", raw.get("venue"), VENUES)
    kind = Kind(_choice("kind", raw.get("kind"), tuple(kind.value for kind in Kind)))
    spec = _SPECS[kind]
    params = _parse_params(spec, raw, kind)
    reduce_only = raw.get("reduce_only")
    for name in ("times", "skip", "reduce_only"):
        if raw.get(name) is not None and kind in DURATION | IMMEDIATE:
            raise BadFaultError(f"fault {kind} does not count requests; remove the key {name}")
    if kind is Kind.STEAL_NONCE and venue != "lighter":
        raise BadFaultError("fault steal_nonce is for venue lighter; x10 has no nonce sequence")
    ops = params.pop("what", None) or params.pop("op", None) or frozenset(spec.ops)
    return Fault(
        id=fault_id,
        venue=venue,
        kind=kind,
        ops=ops,
        market=_market(raw, kind, markets),
        times=_whole("times", raw.get("times", 1)),
        skip=_whole("skip", raw.get("skip", 0)),
        reduce_only=None if reduce_only is None else _flag("reduce_only", reduce_only),
        posted=dict(raw),
        **params,
    )
