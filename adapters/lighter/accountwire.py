"""Lighter's JSON about our account, in our words. Pure (lighter.md §2)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final

from adapters.lighter import units
from adapters.lighter.fields import (
    Row,
    UnreadableError,
    decimal_of,
    field,
    instant,
    int_of,
    on_the_hour,
    row_of,
    rows_of,
    text_of,
)
from adapters.lighter.names import Names
from hedger.domain.ability import Ability, able, unable, unknown
from hedger.domain.ids import Symbol, VenueId
from hedger.domain.market import Balance, Fees, FundingPayment, Position
from hedger.domain.money import ONE, ZERO

ACTIVE: Final = 1
MARGIN_MODES: Final = (0, 1)  # cross and isolated (lighter.md §2)
HUNDRED: Final = Decimal(100)
CROSS: Final = 0  # margin_mode: all markets share the account's margin; 1 is isolated
POSITION_SOURCE: Final = "GET /account positions"
ORDER_COUNTS: Final = ("total_order_count", "pending_order_count")
MARKET_ORDER_COUNTS: Final = ("open_order_count", "pending_order_count")


def account_of(data: object, account_index: int) -> Row:
    """``GET /account``: our row of it; another account's is an error."""
    for row in rows_of(data, "accounts"):
        if int_of(row, "account_index" if "account_index" in row else "index") == account_index:
            return row
    raise UnreadableError(f"account {account_index} is not in the answer")


def has_no_orders(account: Row) -> bool:
    """
    ``GET /account``: whether every count of orders in it is there and zero.

    Only then nothing works; what a count above zero counts is documented nowhere.
    """
    counts = [account.get(key) for key in ORDER_COUNTS]
    for row in rows_of(account, "positions"):
        counts += [row.get(key) for key in MARKET_ORDER_COUNTS]
    return all(type(count) is int and count == 0 for count in counts)


def balance(account: Row, venue: VenueId, as_of: datetime) -> Balance:
    """Free margin for new orders and the value of everything."""
    return Balance(
        venue=venue,
        available_usd=decimal_of(account, "available_balance"),
        equity_usd=decimal_of(account, "total_asset_value"),
        held_usd=_held_usd(account),
        cash_usd=decimal_of(account, "collateral") if "collateral" in account else None,
        as_of=as_of,
    )


def _held_usd(account: Row) -> Decimal | None:
    """The value of all positions at mark; None where one of them is not told."""
    if "positions" not in account:
        return None
    held = [row for row in rows_of(account, "positions") if decimal_of(row, "position") != ZERO]
    if any(row.get("position_value") is None for row in held):
        return None
    return sum((abs(decimal_of(row, "position_value")) for row in held), ZERO)


@dataclass(frozen=True, slots=True)
class Held:
    """Open positions; ``drift`` says of which symbols the rows do not tell what is held."""

    positions: Mapping[Symbol, Position]
    drift: Mapping[Symbol, str]


def positions(
    account: Row, venue: VenueId, names: Names, read_started_at: datetime, as_of: datetime
) -> Held:
    """
    Open positions. ``position`` has no sign of its own: it is in ``sign``.

    Rows of markets once traded stay in the answer with ``sign`` 1 and ``0.0000``: they are
    flat and left out (lighter.md §2). A market is told by its number.
    """
    found: dict[Symbol, Position] = {}
    drift: dict[Symbol, str] = {}
    for row in rows_of(account, "positions"):
        size = decimal_of(row, "position")
        sign = int_of(row, "sign")
        if size == ZERO:
            continue
        if size < ZERO or sign not in (1, -1):
            raise UnreadableError(f"a position of {size} with the sign {sign}")
        number, symbol = str(int_of(row, "market_id")), _symbol(row, venue, names)
        if why := names.markets.conflict(symbol, number):
            drift[symbol] = why
        if symbol in found:
            drift[symbol] = f"two positions of {symbol}, {found[symbol].size} and {sign * size}"
        found[symbol] = Position(
            venue=venue,
            symbol=symbol,
            size=sign * size,
            entry_price=decimal_of(row, "avg_entry_price"),
            read_started_at=read_started_at,
            as_of=as_of,
            source=POSITION_SOURCE,
            mark_price=_positive(row, "position_value", per=size),
            liquidation_price=_positive(row, "liquidation_price"),
        )
    return Held(found, drift)


def _symbol(row: Row, venue: VenueId, names: Names) -> Symbol:
    """Our symbol of a position's market, never a wrong one."""
    name, number = text_of(row, "symbol"), str(int_of(row, "market_id"))
    return names.markets.owner(number) or names.ours(name) or Symbol(f"{venue}:{name}")


def named(account: Row, venue: VenueId, names: Names, market: int) -> Symbol | None:
    """Our symbol of a market number, by the account's row of that market, flat or not."""
    for row in rows_of(account, "positions"):
        if int_of(row, "market_id") == market:
            return _symbol(row, venue, names)
    return None


def _positive(row: Row, key: str, *, per: Decimal = ONE) -> Decimal | None:
    """What only watching needs: absent where the venue tells nothing, and "0" is nothing."""
    value = decimal_of(row, key) if row.get(key) is not None else ZERO
    return value / per if value > ZERO else None


@dataclass(frozen=True, slots=True)
class Margin:
    """What the account chose for one market: a leverage, on margin shared by all or its own."""

    leverage: Decimal
    isolated: bool


def margin(account: Row, market: int) -> Margin | None:
    """
    ``GET /account``: of one market, from its margin fraction in percent; None without a row.

    Only markets that the account has to do with have one.
    """
    for row in rows_of(account, "positions"):
        if int_of(row, "market_id") == market:
            fraction = decimal_of(row, "initial_margin_fraction")
            if fraction <= ZERO:
                raise UnreadableError(f"a margin fraction of {fraction}")
            mode = int_of(row, "margin_mode") if row.get("margin_mode") is not None else CROSS
            return Margin(HUNDRED / fraction, isolated=mode != CROSS)
    return None


def ability(account: Row, venue: VenueId, market: int, symbol: Symbol) -> Ability:
    """
    ``GET /account``: whether it may trade, and whether the margin mode of a position is known.

    The market is told by its number: its name there may have changed a moment ago.

    Only an account that says another status than active is refused; a position without a mode
    that we know is left to a person, because what stands behind it is not known either.
    """
    status = account.get("status")
    if status is not None and int_of(account, "status") != ACTIVE:
        return unable(
            venue,
            "account_status",
            f"the account on {venue} has status {int_of(account, 'status')} instead of {ACTIVE}",
            f"ask {venue} why the account is not active",
        )
    for row in rows_of(account, "positions"):
        if int_of(row, "market_id") != market or decimal_of(row, "position") == ZERO:
            continue
        if row.get("margin_mode") not in MARGIN_MODES:
            why = f"{venue} names no margin mode that we know for {symbol}"
            return unknown(venue, "margin_mode", why)
    return able(venue)


def fees(data: object) -> Fees:
    """``GET /accountLimits``: what this account really pays; the documents drift."""
    row = row_of(data)
    return Fees(
        maker=units.fraction_of_ppm(int_of(row, "current_maker_fee_tick")),
        taker=units.fraction_of_ppm(int_of(row, "current_taker_fee_tick")),
    )


def payment(row: Row, venue: VenueId, symbol: Symbol) -> FundingPayment:
    """One row of ``GET /positionFunding``; ``change`` is negative when we paid."""
    side = text_of(row, "position_side")
    if side not in units.DIRECTIONS:
        raise UnreadableError(f"position_side {side!r} is neither long nor short")
    size = units.DIRECTIONS[side] * abs(decimal_of(row, "position_size"))
    amount = decimal_of(row, "change")
    return FundingPayment(
        venue=venue,
        symbol=symbol,
        payment_id=str(field(row, "funding_id")) + f":{int_of(row, 'market_id')}",
        settlement_at=on_the_hour(instant(int_of(row, "timestamp"))),
        amount_usd=amount,
        rate_1h=units.rate_1h_of_payment(decimal_of(row, "rate"), amount, size),
        size=size,
    )
