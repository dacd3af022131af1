"""What ``POST /market`` may change, read from JSON."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any, Final

from adapters.sandbox.control_fields import Fields, exact, wrong
from adapters.sandbox.engine.exchange import Exchange
from adapters.sandbox.engine.overrides import Liquidity
from adapters.sandbox.engine.types import Rules
from hedger.domain.money import plain

MAX_POINTS: Final = 1_000
MAX_PATH_S: Final = 31 * 86_400.0
MAX_DECIMALS: Final = 18
MAX_NUMBER: Final = 2**31
_ZERO: Final = Decimal(0)

_FLAGS: Final[Mapping[str, tuple[bool, bool]]] = {
    "active": (True, False),
    "reduce_only": (True, True),
    "inactive": (False, False),
    "disabled": (False, False),
}
"""Status words and what they mean: whether anything trades, and whether only reductions do."""

_POSITIVE: Final = ("size_step", "price_tick", "min_size", "max_leverage")
_FRACTIONS: Final = (
    "initial_fraction",
    "maintenance_fraction",
    "closeout_fraction",
    "liquidation_fee",
    "price_band",
    "market_price_band",
    "maker_fee",
    "taker_fee",
)
_LIMITS: Final = ("min_notional", "max_market_value", "max_limit_value", "max_position_value")
"""USD; ``null`` takes the limit away."""

_WHOLE: Final[Mapping[str, int]] = {
    "market_id": MAX_NUMBER,
    "max_open_orders": 100_000,
    "size_decimals": MAX_DECIMALS,
    "price_decimals": MAX_DECIMALS,
    "asset_precision": MAX_DECIMALS,
    "synthetic_resolution": 10**18,
}
_STEPS_OF: Final = {"size_decimals": "size_step", "price_decimals": "price_tick"}

KEYS: Final = (
    "status", "listed", "name", "number", *_POSITIVE, *_FRACTIONS, *_LIMITS, *_WHOLE,
    "synthetic_id", "price", "liquidity",
)  # fmt: skip
"""Everything that can be changed; ``number`` is another word for ``market_id``."""

_LIQUIDITY_KEYS: Final = ("depth_usd", "bids_usd", "asks_usd", "spread_bps")


@dataclass(slots=True)
class MarketChange:
    """A checked change of one market. ``path`` and ``liquidity`` count where they are named."""

    rules: dict[str, Any] = field(default_factory=dict)
    named: frozenset[str] = frozenset()
    path: tuple[tuple[int, Decimal], ...] = ()  # ms of market time from now, USD
    liquidity: Liquidity | None = None

    def apply(self, exchange: Exchange, symbol: str) -> None:
        """
        Carry it out.

        Raises:
            EngineError: no such market, or its new name or number is taken.
        """
        if self.rules:
            exchange.change_rules(symbol, **self.rules)
        if "liquidity" in self.named:
            exchange.set_liquidity(symbol, self.liquidity)
        if "price" in self.named:
            exchange.set_price_path(symbol, self.path)


def parse_change(raw: Mapping[str, Any], *, scaled: bool) -> MarketChange:
    """
    Read what is to change; ``scaled``: the venue's orders are scaled integers.

    Raises:
        BadRequestError: something in it is wrong; one sentence.
    """
    fields = Fields(raw, KEYS, "a market change")
    named = frozenset(fields.given())
    change = MarketChange(named=named)
    rules = change.rules
    for name in sorted(named & {*_POSITIVE}):
        rules[name] = fields.decimal(name)
    for name in sorted(named & {*_FRACTIONS}):
        rules[name] = fields.decimal(name, low=_ZERO)
    for name in sorted(named & {*_LIMITS}):
        rules[name] = fields.decimal(name) if fields.has(name) else None
    for name in sorted(named & {*_WHOLE}):
        rules[name] = fields.whole(name, 0, _WHOLE[name])
    for name in sorted(named & {"name", "synthetic_id"}):
        rules[name] = fields.text(name)
    if "number" in named:
        rules["market_id"] = fields.whole("number", 0, MAX_NUMBER)
    if "listed" in named:
        rules["listed"] = fields.flag("listed", default=True)
    if "status" in named:
        rules |= _status(fields.text("status"))
    if scaled:
        _keep_steps_and_decimals_together(rules)
    if fields.has("price"):
        change.path = _path(fields.raw("price"))
    if fields.has("liquidity"):
        change.liquidity = _liquidity(fields.raw("liquidity"))
    return change


def _status(word: str) -> Mapping[str, Any]:
    """
    The flags that a word means.

    One of our words shows as the venue spells it; any other stands on the wire as it is, and
    what no flag is known for is closed.
    """
    ours = word in _FLAGS
    active, reduce_only = _FLAGS.get(word.lower(), (False, False))
    return {"active": active, "reduce_only": reduce_only, "status": "" if ours else word}


def _keep_steps_and_decimals_together(rules: dict[str, Any]) -> None:
    """On a venue of scaled integers one follows from the other, unless both are given."""
    for decimals, step in _STEPS_OF.items():
        if decimals in rules and step not in rules:
            rules[step] = Decimal(1).scaleb(-rules[decimals])
        elif step in rules and decimals not in rules:
            places = -int(rules[step].normalize().as_tuple().exponent)
            rules[decimals] = min(max(0, places), MAX_DECIMALS)


def _path(raw: object) -> tuple[tuple[int, Decimal], ...]:
    """``"3100"`` at once, or points ``{"after_s", "price"}`` in growing order."""
    if not isinstance(raw, list):
        return ((0, exact("price", raw)),)
    if not 0 < len(raw) <= MAX_POINTS:
        raise wrong("price", raw, f"a decimal, or a list of 1 to {MAX_POINTS} points")
    points: list[tuple[int, Decimal]] = []
    for item in raw:
        fields = Fields(item, ("after_s", "price"), "a point of a price path")
        at_ms = round(fields.seconds("after_s", MAX_PATH_S) * 1_000)
        if points and at_ms <= points[-1][0]:
            raise wrong("after_s", item.get("after_s"), "later than the point before")
        points.append((at_ms, fields.decimal("price")))
    return tuple(points)


def _liquidity(raw: object) -> Liquidity:
    fields = Fields(raw, _LIQUIDITY_KEYS, "liquidity")

    def depth(name: str) -> Decimal | None:
        return fields.decimal(name, low=_ZERO) if fields.has(name) else None

    both = depth("depth_usd")
    liquidity = Liquidity(bids_usd=both, asks_usd=both, spread_bps=depth("spread_bps"))
    sides = {name: depth(name) for name in ("bids_usd", "asks_usd") if fields.has(name)}
    return replace(liquidity, **sides)


def shown(rules: Rules) -> dict[str, Any]:
    """The rules of a market as JSON: decimals as texts."""
    found: dict[str, Any] = {}
    for name in Rules.__slots__:
        value = getattr(rules, name)
        found[name] = plain(value) if isinstance(value, Decimal) else value
    return found
