"""What a fault may say: its kinds, their parameters, and one clear sentence when it is wrong."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Any

from adapters.sandbox import fault_fields as fields
from adapters.sandbox.fault_fields import BadFaultError, Op

__all__ = ["DURATION", "IMMEDIATE", "BadFaultError", "Fault", "Kind", "Op", "parse_fault"]

VENUES = ("x10", "lighter")


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
    KEEP_WORKING = (
        "keep_working"  # `fraction` fills, the rest stays; it fills `seconds` later, if > 0
    )
    LATE_REST = "late_rest"  # ends with `fraction` filled; `seconds` later the rest fills after all
    OVERFILL = "overfill"  # filled whole, and `fraction` of the size more
    HANG = "hang"  # processed at once, answered `seconds` later
    CLOSE_STREAM = "close_stream"  # the stream that asks is closed
    SILENCE_STREAM = "silence_stream"  # streams stay open and say nothing for `seconds`
    SEQ_GAP = "seq_gap"  # the stream that asks skips one sequence number
    ADL = "adl"  # at once: `fraction` of the position in `market` is auto-deleveraged, at the mark
    LIQUIDATE = "liquidate"  # at once: `fraction` of the position in `market` is liquidated


DURATION = frozenset({Kind.OUTAGE, Kind.SILENCE_STREAM})
"""These are on from the moment they are posted, for ``seconds``; they do not count requests."""

IMMEDIATE = frozenset({Kind.ADL, Kind.LIQUIDATE})
"""These happen when they are posted and are not kept."""


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


_REQUIRED = object()


@dataclass(frozen=True, slots=True)
class _Spec:
    """Parameters of one kind (name -> parser and default) and what it matches when unsaid."""

    ops: tuple[Op, ...]
    params: Mapping[str, tuple[fields.Parser, Any]]


_HTML = (fields.flag, False)
_OP = (fields.op, None)

_SPECS: Mapping[Kind, _Spec] = {
    Kind.OUTAGE: _Spec(tuple(Op), {"seconds": (fields.seconds, _REQUIRED)}),
    Kind.RATE_LIMIT: _Spec(
        (Op.ORDER,), {"status": (fields.throttle, 429), "html": _HTML, "op": _OP}
    ),
    Kind.SERVER_ERROR: _Spec(
        (Op.ORDER,),
        {
            "status": (fields.server_status, 503),
            "when": (fields.when, "before"),
            "html": _HTML,
            "op": _OP,
        },
    ),
    Kind.DROP_ANSWER: _Spec((Op.ORDER,), {"when": (fields.when, "before"), "op": _OP}),
    Kind.BAD_READS: _Spec(
        (),
        {"what": (fields.what_or_public, _REQUIRED), "status": (fields.status, 503), "html": _HTML},
    ),
    Kind.STEAL_NONCE: _Spec((Op.ORDER,), {"api_key_index": (fields.whole, None)}),
    Kind.REFUSE: _Spec(
        (Op.ORDER,),
        {
            "code": (fields.code, _REQUIRED),
            "status": (fields.status, 400),
            "message": (fields.text, ""),
            "op": _OP,
        },
    ),
    Kind.LAG: _Spec((), {"what": (fields.what, _REQUIRED), "seconds": (fields.seconds, _REQUIRED)}),
    Kind.EMPTY_READS: _Spec((), {"what": (fields.what, _REQUIRED)}),
    Kind.REJECT: _Spec((Op.ORDER,), {"reason": (fields.reason, _REQUIRED)}),
    Kind.PARTIAL_FILL: _Spec((Op.ORDER,), {"fraction": (fields.fraction, _REQUIRED)}),
    Kind.NO_FILL: _Spec((Op.ORDER,), {}),
    Kind.SLOW_MATCH: _Spec((Op.ORDER,), {"seconds": (fields.seconds, _REQUIRED)}),
    Kind.KEEP_WORKING: _Spec(
        (Op.ORDER,),
        {"fraction": (fields.fraction, Decimal(0)), "seconds": (fields.seconds, 0.0)},
    ),
    Kind.LATE_REST: _Spec(
        (Op.ORDER,),
        {"fraction": (fields.fraction, Decimal(0)), "seconds": (fields.seconds, _REQUIRED)},
    ),
    Kind.OVERFILL: _Spec((Op.ORDER,), {"fraction": (fields.fraction, _REQUIRED)}),
    Kind.HANG: _Spec((Op.ORDER,), {"seconds": (fields.seconds, _REQUIRED), "op": _OP}),
    Kind.CLOSE_STREAM: _Spec((Op.STREAM,), {}),
    Kind.SILENCE_STREAM: _Spec((Op.STREAM,), {"seconds": (fields.seconds, _REQUIRED)}),
    Kind.SEQ_GAP: _Spec((Op.STREAM,), {}),
    Kind.ADL: _Spec((), {"fraction": (fields.fraction, Decimal(1))}),
    Kind.LIQUIDATE: _Spec((), {"fraction": (fields.fraction, Decimal(1))}),
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
        if kind in IMMEDIATE:
            raise BadFaultError(f"fault {kind} needs the key market; add it")
        return None
    if kind in DURATION:
        raise BadFaultError(f"fault {kind} strikes the whole venue; remove the key market")
    market = fields.text("market", value)
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
    venue = fields.choice("venue", raw.get("venue"), VENUES)
    kind = Kind(fields.choice("kind", raw.get("kind"), tuple(kind.value for kind in Kind)))
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
        times=1 if raw.get("times") is None else fields.whole("times", raw["times"]),
        skip=0 if raw.get("skip") is None else fields.whole("skip", raw["skip"]),
        reduce_only=None if reduce_only is None else fields.flag("reduce_only", reduce_only),
        posted=dict(raw),
        **params,
    )
