"""The business rules an order is judged by on arrival, in the venue's order (x10.md §10.3)."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from adapters.sandbox.engine import margin
from adapters.sandbox.engine.account import Account
from adapters.sandbox.engine.amounts import ZERO
from adapters.sandbox.engine.market_types import Rules
from adapters.sandbox.engine.order_types import DuplicateRule, NewOrder, Refusal, Refused, Tif
from adapters.sandbox.engine.state import VenueState
from hedger.domain.money import is_on_step, plain

_NO_CLIENT_ID = {"", "0"}  # Lighter's client order index 0 means none


@dataclass(frozen=True, slots=True)
class _Case:
    """An order with what it is judged against."""

    state: VenueState
    rules: Rules
    account: Account
    new: NewOrder


def refusals(state: VenueState, account: int, new: NewOrder) -> Iterator[Refused]:
    """Every rule the order breaks, in order of precedence. Nothing is changed."""
    rules = state.rules.get(new.symbol)
    if rules is None or not rules.listed:
        yield Refused(Refusal.MARKET_UNKNOWN, f"no market {new.symbol}")
        return
    if not rules.active:
        yield Refused(Refusal.MARKET_CLOSED, f"{rules.name} is not active")
    elif rules.reduce_only and not new.reduce_only:
        yield Refused(Refusal.MARKET_REDUCE_ONLY, f"{rules.name} is reduce-only")
    case = _Case(state, rules, state.account(account), new)
    for judge in _RULES:
        broken = judge(case)
        if broken is not None:
            yield broken


def _minimum(case: _Case) -> Refused | None:
    new, rules = case.new, case.rules
    if new.size <= ZERO:
        return Refused(Refusal.QTY_BELOW_MIN, f"size {plain(new.size)} is not above 0")
    if new.tif is Tif.IOC and not case.state.params.minimum_for_takers:
        return None
    # Model decision: what closes the whole remaining position may be as small as it is.
    if new.reduce_only and new.size == abs(case.account.size(new.symbol)):
        return None
    if new.size < rules.min_size:
        return Refused(
            Refusal.QTY_BELOW_MIN, f"size {plain(new.size)} is below {plain(rules.min_size)}"
        )
    value = new.size * new.price
    if rules.min_notional is not None and value < rules.min_notional:
        return Refused(
            Refusal.NOTIONAL_BELOW_MIN,
            f"value {plain(value)} is below {plain(rules.min_notional)}",
        )
    return None


def _quantity_step(case: _Case) -> Refused | None:
    if is_on_step(case.new.size, case.rules.size_step):
        return None
    return Refused(
        Refusal.QTY_STEP,
        f"size {plain(case.new.size)} is not a multiple of {plain(case.rules.size_step)}",
    )


def _price_step(case: _Case) -> Refused | None:
    if case.new.price > ZERO and is_on_step(case.new.price, case.rules.price_tick):
        return None
    return Refused(
        Refusal.PRICE_STEP,
        f"price {plain(case.new.price)} is not a multiple of {plain(case.rules.price_tick)}",
    )


def _value(case: _Case) -> Refused | None:
    new, rules = case.new, case.rules
    most = rules.max_market_value if new.is_market else rules.max_limit_value
    value = new.size * new.price
    if most is None or value <= most:
        return None
    return Refused(Refusal.VALUE_TOO_LARGE, f"value {plain(value)} is above {plain(most)}")


def _count(case: _Case) -> Refused | None:
    working = len(case.state.orders.open(case.account.number, case.new.symbol))
    if working < case.rules.max_open_orders:
        return None
    return Refused(Refusal.TOO_MANY_ORDERS, f"{working} open orders already")


def _position(case: _Case) -> Refused | None:
    new, most = case.new, case.rules.max_position_value
    if most is None or new.reduce_only:
        return None
    size = case.account.size(new.symbol) + (new.size if new.is_buy else -new.size)
    if abs(size) * case.state.mark(new.symbol) <= most:
        return None
    return Refused(Refusal.POSITION_TOO_LARGE, f"position value would be above {plain(most)}")


def _expiry(case: _Case) -> Refused | None:
    expires_ms = case.new.expires_ms
    if expires_ms is None or expires_ms > case.state.now_ms:
        return None
    return Refused(Refusal.EXPIRED, f"expired at {expires_ms}, now {case.state.now_ms}")


def _market_is_ioc(case: _Case) -> Refused | None:
    if not case.new.is_market or case.new.tif is Tif.IOC:
        return None
    return Refused(Refusal.MARKET_NOT_IOC, "a market order must be immediate-or-cancel")


def _band(case: _Case) -> Refused | None:
    new = case.new
    band = case.rules.market_price_band if new.is_market else case.rules.price_band
    mark = case.state.mark(new.symbol)
    limit = mark * (1 + band) if new.is_buy else mark * (1 - band)
    beyond = new.price > limit if new.is_buy else new.price < limit
    if not beyond:
        return None
    return Refused(
        Refusal.PRICE_BAND,
        f"price {plain(new.price)} is beyond {plain(limit)}, mark {plain(mark)}",
    )


def _reduce(case: _Case) -> Refused | None:
    new = case.new
    if not new.reduce_only:
        return None
    held = case.account.size(new.symbol)
    if held == ZERO:
        return Refused(Refusal.REDUCE_NO_POSITION, f"no position in {case.rules.name}")
    if (held > ZERO) == new.is_buy:
        return Refused(Refusal.REDUCE_SAME_SIDE, f"position {plain(held)} has the order's side")
    if new.size > abs(held) and not case.state.params.clips_reduce_only:
        return Refused(
            Refusal.REDUCE_TOO_LARGE,
            f"size {plain(new.size)} is above the position {plain(abs(held))}",
        )
    return None


def _margin(case: _Case) -> Refused | None:
    new = case.new
    if new.reduce_only:
        return None
    cost = margin.order_cost(
        case.state,
        case.account,
        symbol=new.symbol,
        is_buy=new.is_buy,
        size=new.size,
        price=new.price,
    )
    free = margin.free_margin(case.state, case.account)
    if cost == ZERO or cost <= free:
        return None
    return Refused(
        Refusal.MARGIN,
        f"order cost {plain(cost)} exceeds available for trade {plain(max(ZERO, free))}",
    )


def _duplicate(case: _Case) -> Refused | None:
    rule, client_id = case.state.duplicates, case.new.client_id
    if rule is DuplicateRule.OFF or client_id in _NO_CLIENT_ID:
        return None
    for order in case.state.orders.of_client(case.account.number, client_id, None):
        if order.is_open or rule is DuplicateRule.EVER:
            return Refused(Refusal.DUPLICATE, f"client id {client_id} is taken by {order.id}")
    return None


_RULES: tuple[Callable[[_Case], Refused | None], ...] = (
    _minimum,
    _quantity_step,
    _price_step,
    _value,
    _count,
    _position,
    _expiry,
    _market_is_ioc,
    _band,
    _reduce,
    _margin,
    _duplicate,
)
