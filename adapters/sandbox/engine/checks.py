"""The business rules an order is judged by on arrival, in the venue's order (x10.md §10.3)."""

from collections.abc import Callable, Iterator
from decimal import Decimal

from adapters.sandbox.engine import margin
from adapters.sandbox.engine.amounts import ZERO
from adapters.sandbox.engine.market_types import Rules
from adapters.sandbox.engine.order_types import DuplicateRule, NewOrder, Refusal, Refused, Tif
from adapters.sandbox.engine.state import VenueState
from hedger.domain.money import is_on_step, plain

_NO_CLIENT_ID = {"", "0"}  # Lighter's client order index 0 means none


def refusals(state: VenueState, account: int, new: NewOrder) -> Iterator[Refused]:
    """Every rule the order breaks, in order of precedence. Nothing is changed."""
    rules = state.rules.get(new.symbol)
    if rules is None:
        yield Refused(Refusal.MARKET_UNKNOWN, f"no market {new.symbol}")
        return
    if not rules.active:
        yield Refused(Refusal.MARKET_CLOSED, f"{rules.name} is not active")
    for rule in _RULES:
        broken = rule(state, rules, account, new)
        if broken is not None:
            yield broken


def _quantity(state: VenueState, rules: Rules, account: int, new: NewOrder) -> Refused | None:
    if not is_on_step(new.size, rules.size_step):
        return Refused(
            Refusal.QTY_STEP, f"size {plain(new.size)} is not a multiple of {rules.size_step}"
        )
    return None


def _minimum(state: VenueState, rules: Rules, account: int, new: NewOrder) -> Refused | None:
    if new.size <= ZERO:
        return Refused(Refusal.QTY_BELOW_MIN, f"size {plain(new.size)} is not above 0")
    if new.tif is Tif.IOC and not state.params.minimum_for_takers:
        return None
    # Model decision: what closes the whole remaining position may be as small as it is.
    closes = new.reduce_only and new.size == abs(state.account(account).size(new.symbol))
    if new.size < rules.min_size and not closes:
        return Refused(
            Refusal.QTY_BELOW_MIN, f"size {plain(new.size)} is below {plain(rules.min_size)}"
        )
    if rules.min_notional is not None and new.size * new.price < rules.min_notional and not closes:
        return Refused(
            Refusal.NOTIONAL_BELOW_MIN,
            f"value {plain(new.size * new.price)} is below {plain(rules.min_notional)}",
        )
    return None


def _price_step(state: VenueState, rules: Rules, account: int, new: NewOrder) -> Refused | None:
    if new.price <= ZERO or not is_on_step(new.price, rules.price_tick):
        return Refused(
            Refusal.PRICE_STEP, f"price {plain(new.price)} is not a multiple of {rules.price_tick}"
        )
    return None


def _value(state: VenueState, rules: Rules, account: int, new: NewOrder) -> Refused | None:
    most = rules.max_market_value if new.is_market else rules.max_limit_value
    if most is not None and new.size * new.price > most:
        return Refused(
            Refusal.VALUE_TOO_LARGE,
            f"value {plain(new.size * new.price)} is above {plain(most)}",
        )
    return None


def _count(state: VenueState, rules: Rules, account: int, new: NewOrder) -> Refused | None:
    working = len(state.orders.open(account, new.symbol))
    if working >= rules.max_open_orders:
        return Refused(Refusal.TOO_MANY_ORDERS, f"{working} open orders already")
    return None


def _position(state: VenueState, rules: Rules, account: int, new: NewOrder) -> Refused | None:
    if rules.max_position_value is None or new.reduce_only:
        return None
    size = state.account(account).size(new.symbol) + (new.size if new.is_buy else -new.size)
    if abs(size) * state.mark(new.symbol) > rules.max_position_value:
        return Refused(
            Refusal.POSITION_TOO_LARGE,
            f"position value would be above {plain(rules.max_position_value)}",
        )
    return None


def _expiry(state: VenueState, rules: Rules, account: int, new: NewOrder) -> Refused | None:
    if new.expires_ms is not None and new.expires_ms <= state.now_ms:
        return Refused(Refusal.EXPIRED, f"expired at {new.expires_ms}, now {state.now_ms}")
    return None


def _market_is_ioc(state: VenueState, rules: Rules, account: int, new: NewOrder) -> Refused | None:
    if new.is_market and new.tif is not Tif.IOC:
        return Refused(Refusal.MARKET_NOT_IOC, "a market order must be immediate-or-cancel")
    return None


def _band(state: VenueState, rules: Rules, account: int, new: NewOrder) -> Refused | None:
    band = rules.market_price_band if new.is_market else rules.price_band
    mark = state.mark(new.symbol)
    limit = mark * (1 + band) if new.is_buy else mark * (1 - band)
    beyond = new.price > limit if new.is_buy else new.price < limit
    if beyond:
        return Refused(
            Refusal.PRICE_BAND,
            f"price {plain(new.price)} is beyond {plain(limit)}, mark {plain(mark)}",
        )
    return None


def _reduce(state: VenueState, rules: Rules, account: int, new: NewOrder) -> Refused | None:
    if not new.reduce_only:
        return None
    held = state.account(account).size(new.symbol)
    if held == ZERO:
        return Refused(Refusal.REDUCE_NO_POSITION, f"no position in {rules.name}")
    if (held > ZERO) == new.is_buy:
        return Refused(Refusal.REDUCE_SAME_SIDE, f"position {plain(held)} has the order's side")
    if new.size > abs(held) and not state.params.clips_reduce_only:
        return Refused(
            Refusal.REDUCE_TOO_LARGE,
            f"size {plain(new.size)} is above the position {plain(abs(held))}",
        )
    return None


def _margin(state: VenueState, rules: Rules, account: int, new: NewOrder) -> Refused | None:
    if new.reduce_only:
        return None
    holder = state.account(account)
    cost = margin.order_cost(
        state,
        holder,
        symbol=new.symbol,
        is_buy=new.is_buy,
        size=new.size,
        price=new.price,
    )
    free: Decimal = margin.free_margin(state, holder)
    if cost > ZERO and cost > free:
        return Refused(
            Refusal.MARGIN,
            f"order cost {plain(cost)} exceeds available for trade {plain(max(ZERO, free))}",
        )
    return None


def _duplicate(state: VenueState, rules: Rules, account: int, new: NewOrder) -> Refused | None:
    rule = state.duplicates
    if rule is DuplicateRule.OFF or new.client_id in _NO_CLIENT_ID:
        return None
    for order in state.orders.of_client(account, new.client_id, None):
        if order.is_open or rule is DuplicateRule.EVER:
            return Refused(Refusal.DUPLICATE, f"client id {new.client_id} is taken by {order.id}")
    return None


_RULES: tuple[Callable[[VenueState, Rules, int, NewOrder], Refused | None], ...] = (
    _minimum,
    _quantity,
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
