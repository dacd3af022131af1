"""A market changes: its status, its rules, its name, its book, its price."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Any

from adapters.sandbox.engine.market_types import Rules
from adapters.sandbox.engine.overrides import Liquidity
from adapters.sandbox.engine.types import TradeKind
from tests.simulation.faults import Ill
from tests.simulation.kinds.marketaims import Blow, in_book, in_positions
from tests.simulation.kinds.stroke import Stroke

if TYPE_CHECKING:
    from tests.simulation.world import World

ZERO = Decimal(0)
TEN = Decimal(10)
SHUT_S = (5.0, 180.0)
RULES_S = (60.0, 600.0)
NAMED_S = (120.0, 1_200.0)
GONE_S = (20.0, 500.0)
NUMBER_S = (20.0, 540.0)
DRY_S = (60.0, 1_800.0)
PATH_S = (150.0, 300.0)
SLOWLY_S = (20.0, 90.0)
NUMBERS_FROM = 1_000  # of markets that were renumbered: no other has one of these

Change = Callable[["World", str, str], Mapping[str, Any]]
"""Which rules of a market become what; nothing: there is nothing to change."""


def _for(world: "World", bounds: tuple[float, float]) -> float:
    """Seconds, most of them nearer to the shorter end."""
    least, most = bounds
    return least + (most - least) * world.chance.source.random() ** 3


def _rules(ill: Ill, bounds: tuple[float, float], change: Change) -> Blow:
    """Rules that are others for a while."""

    def blow(world: "World", venue: str, symbol: str) -> bool:
        changed = change(world, venue, symbol)
        seconds = _for(world, bounds)
        return bool(changed) and world.market_aims.change(ill, venue, symbol, seconds, **changed)

    return blow


# -- status and identity ------------------------------------------------------------------------


def _is_known(world: "World", venue: str, symbol: str) -> bool:
    """
    Whether a market has the name and the number that it had: under another name and another
    number at once it would be another market to everybody.
    """
    now, first = (
        world.venues.exchange(venue).rules_of(symbol),
        world.market_aims.first(venue, symbol),
    )
    return (now.name, now.market_id, now.synthetic_id) == (
        first.name, first.market_id, first.synthetic_id
    )  # fmt: skip


def _name(world: "World", venue: str, symbol: str) -> Mapping[str, Any]:
    if not _is_known(world, venue, symbol):
        return {}
    return {"name": f"{symbol}2-USD" if venue == "x10" else f"{symbol}2"}


def _number(world: "World", venue: str, symbol: str) -> Mapping[str, Any]:
    """X10 has no numbers: the id of the asset is what a market is known by there."""
    now = world.market_aims.first(venue, symbol)
    if not _is_known(world, venue, symbol):
        return {}
    if venue == "x10":
        return {"synthetic_id": f"{now.synthetic_id[:-1]}1"}
    return {"market_id": NUMBERS_FROM + now.market_id}


def _cap(world: "World", _venue: str, _symbol: str) -> Mapping[str, Any]:
    """Below and above what the account uses."""
    return {"max_leverage": Decimal(world.chance.source.choice((2, 3, 4, 10)))}


def _capped(world: "World", venue: str, symbol: str) -> bool:
    """A venue brings accounts down to its new cap, and leaves them there when it lifts it."""
    if not _CAP(world, venue, symbol):
        return False
    exchange, account = world.venues.exchange(venue), world.venues.account(venue)
    most = exchange.rules_of(symbol).max_leverage
    if exchange.leverage(account, symbol) > most:
        exchange.set_leverage(account, symbol, most)
        world.market_aims.leverage.lowered(venue, symbol)
    return True


# -- steps, ticks, decimals ---------------------------------------------------------------------


def _steps(world: "World", venue: str, symbol: str) -> Mapping[str, Any]:
    """Ten times as coarse or as fine, and the minimum with it or by itself."""
    source, now = world.chance.source, world.market_aims.first(venue, symbol)
    coarser = source.random() < 0.6
    least = now.min_size * source.choice((1, 2, 5, 10)) if coarser else now.min_size / TEN
    if source.random() < 0.2:
        return {"min_size": least}
    return {**_sizes(venue, now, -1 if coarser else 1), "min_size": max(least, now.size_step)}


def _sizes(venue: str, now: Rules, more: int) -> Mapping[str, Any]:
    """So many decimals more; a venue of scaled integers tells its step by them alone."""
    step = now.size_step.scaleb(-more)
    if venue == "x10":
        return {"size_step": step, "min_size": max(now.min_size, step)}
    if now.size_decimals + more < 0:
        return {}
    return {
        "size_step": step,
        "size_decimals": now.size_decimals + more,
        "min_size": max(now.min_size, step),
    }


def _ticks(world: "World", venue: str, symbol: str) -> Mapping[str, Any]:
    """Rather coarser than finer: a price of whole coarser ticks is one of whole finer ticks."""
    more = world.chance.source.choice((-1, -1, 1))
    now = world.market_aims.first(venue, symbol)
    if venue == "x10":
        times = world.chance.source.choice((5, 10))
        return {"price_tick": now.price_tick / TEN if more > 0 else now.price_tick * times}
    return _prices(now, more)


def _prices(now: Rules, more: int) -> Mapping[str, Any]:
    return {
        "price_tick": now.price_tick.scaleb(-more),
        "price_decimals": now.price_decimals + more,
    }


def _decimals(world: "World", venue: str, symbol: str) -> Mapping[str, Any]:
    """Lighter's decimals of sizes and of prices, X10's precision of the asset."""
    source, now = world.chance.source, world.market_aims.first(venue, symbol)
    more = source.choice((-1, 1))
    if venue == "x10":
        if now.asset_precision + more < 0:
            return {}
        return {"asset_precision": now.asset_precision + more, **_sizes(venue, now, more)}
    both = source.random() < 0.3
    prices = _prices(now, source.choice((-1, 1))) if both else {}
    return {**_sizes(venue, now, more), **prices}


# -- book, price and force ----------------------------------------------------------------------


def _dry(world: "World", venue: str, symbol: str) -> bool:
    """Nobody offers anything for minutes, on both sides or on that of our exit."""
    exchange = world.venues.exchange(venue)
    held = world.truth.ours(venue, symbol)
    both = world.chance.source.random() < 0.5
    liquidity = Liquidity(
        bids_usd=ZERO if both or held >= ZERO else None,
        asks_usd=ZERO if both or held <= ZERO else None,
    )
    begun = world.last(
        Ill.DRY_LONG, f"{venue} {symbol}", _for(world, DRY_S),
        lambda: exchange.set_liquidity(symbol, liquidity),
        lambda: exchange.set_liquidity(symbol, None),
    )  # fmt: skip
    if begun:
        world.market_aims.until_seen(Ill.DRY_LONG, venue, symbol, in_book(world, symbol))
    return begun


def _price(world: "World", venue: str, symbol: str) -> bool:
    """
    Most of the money on a venue is withdrawn, and the price goes against our leg there until the
    venue's own margin rules end it: at once, or over so long that it may be seen coming.

    The price moves on both venues alike, so the other leg gains as much. Not in an account that
    is shared: nobody could say whose part a venue takes there.
    """
    exchange, account = world.venues.exchange(venue), world.venues.account(venue)
    held = world.truth.ours(venue, symbol)
    if held == ZERO or not world.dedicated:
        return False
    source = world.chance.source
    value = abs(held) * exchange.mark(symbol)
    away = Decimal(source.randint(20, 30)) / 100  # of the value: how far its liquidation is
    balance = exchange.balance(account)
    spare = (balance.equity - balance.maintenance_margin - value * away).quantize(Decimal("0.01"))
    if spare <= ZERO:
        return False
    over_ms = 0 if source.random() < 0.5 else round(world.chance.between(*SLOWLY_S) * 1_000)
    factor = 1 - away * Decimal("1.15") if held > ZERO else 1 + away * Decimal("1.15")

    def begin() -> None:
        world.market_aims.until_forced(Ill.PRICE_MOVE, symbol)
        exchange.deposit(account, -spare)
        world.oracle.price_moves(symbol)
        for one in (world.venues.x10, world.venues.lighter):
            now = one.mark(symbol)
            points = ((0, now * factor),) if not over_ms else ((0, now), (over_ms, now * factor))
            one.set_price_path(symbol, points)

    def end() -> None:
        exchange.deposit(account, spare)
        world.oracle.price_moves(symbol)
        for one in (world.venues.x10, world.venues.lighter):
            one.set_price_path(symbol, ())

    return world.last(Ill.PRICE_MOVE, venue, world.chance.between(*PATH_S), begin, end)


def _forced(ill: Ill, kind: TradeKind, shares: tuple[int, int]) -> Blow:
    """The venue closes a part of a leg by force, in one blow or in several."""

    def blow(world: "World", venue: str, symbol: str) -> bool:
        other = "lighter" if venue == "x10" else "x10"
        where = venue if world.truth.ours(venue, symbol) != ZERO else other
        if not _force(world, where, symbol, kind, shares):
            return False
        world.market_aims.until_seen(ill, where, symbol, in_positions)
        at_s = 0.0
        for _ in range(world.chance.source.randint(0, 2)):
            at_s += world.chance.between(0.3, 4.0)
            world.loop.call_later(at_s, _force, world, where, symbol, kind, shares)
        return True

    return blow


def _force(
    world: "World", venue: str, symbol: str, kind: TradeKind, shares: tuple[int, int]
) -> bool:
    """Not where somebody else holds something beside it: nobody could say whose part it was."""
    ours = world.truth.ours(venue, symbol)
    if ours == ZERO or world.truth.foreign.get((venue, symbol)) or world.chance.quiet:
        return False
    share = Decimal(world.chance.source.randint(*shares)) / 100
    world.venues.exchange(venue).liquidate(world.venues.account(venue), symbol, share, kind)
    return True


_CAP = _rules(Ill.LEVERAGE_CAP, RULES_S, _cap)

BLOWS: Mapping[Ill, Blow] = {
    Ill.HALTED: _rules(Ill.HALTED, SHUT_S, lambda *_: {"active": False}),
    Ill.REDUCE_ONLY: _rules(Ill.REDUCE_ONLY, RULES_S, lambda *_: {"reduce_only": True}),
    Ill.DELISTED: _rules(Ill.DELISTED, GONE_S, lambda *_: {"listed": False}),
    Ill.STEPS: _rules(Ill.STEPS, RULES_S, _steps),
    Ill.TICKS: _rules(Ill.TICKS, RULES_S, _ticks),
    Ill.DECIMALS: _rules(Ill.DECIMALS, RULES_S, _decimals),
    Ill.RENAMED: _rules(Ill.RENAMED, NAMED_S, _name),
    Ill.RENUMBERED: _rules(Ill.RENUMBERED, NUMBER_S, _number),
    Ill.LEVERAGE_CAP: _capped,
    Ill.DRY_LONG: _dry,
    Ill.PRICE_MOVE: _price,
    Ill.LIQUIDATION_PART: _forced(Ill.LIQUIDATION_PART, TradeKind.LIQUIDATION, (10, 50)),
    Ill.DELEVERAGED: _forced(Ill.DELEVERAGED, TradeKind.DELEVERAGE, (20, 100)),
}
"""What is done to a market of a venue, once the moment has come."""

PER_HOUR: Mapping[Ill, float] = {
    Ill.DRY_LONG: 6.0,
    Ill.PRICE_MOVE: 9.0,
    Ill.STEPS: 8.0,
    Ill.TICKS: 7.0,
    Ill.RENAMED: 10.0,
    Ill.RENUMBERED: 7.0,
    Ill.LEVERAGE_CAP: 6.0,
}
USUALLY_PER_HOUR = 4.0


def _aimed(ill: Ill, world: "World") -> bool:
    return world.market_aims.wait(ill, BLOWS[ill])


STROKES: Mapping[Ill, Stroke] = {
    ill: Stroke(PER_HOUR.get(ill, USUALLY_PER_HOUR), partial(_aimed, ill)) for ill in BLOWS
}
