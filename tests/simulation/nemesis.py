"""
What happens to a world at moments, and what aims at its state.

Uniform noise does not reach everything: an outage is aimed at a second leg in flight, an external
close at the time between the reading of a position and the order that closes it
(reliability.md §3.5, iii).
"""

import asyncio
from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING

from adapters.sandbox.engine.types import NewOrder
from tests.simulation.effects import dry
from tests.simulation.exchange import HEDGED, NEVER_HEDGED
from tests.simulation.faults import AIMED, MOMENTS, Ill
from tests.simulation.kinds import clocks, ledger, machine, market, network, payments
from tests.simulation.kinds import venue as kinds_of_venue
from tests.simulation.kinds.stroke import Strike, Stroke
from tests.simulation.process import now_s

if TYPE_CHECKING:
    from tests.simulation.world import World

VENUES = ("x10", "lighter")
ZERO = Decimal(0)
CALM_S = 180.0
BOUNDARIES_PER_HOUR = 11_700  # about: what a world begins with, before it has its own
OWN_AFTER_H = 0.25


def next_kill(world: "World") -> int:
    """Boundaries until the next death, so that there are as many in an hour as are wanted."""
    rate = MOMENTS[Ill.KILL] * world.plan.intensity
    passed = world.passed + BOUNDARIES_PER_HOUR * OWN_AFTER_H
    per_hour = passed / (now_s() / 3600 + OWN_AFTER_H)
    return 1 + int(world.chance.source.expovariate(rate / per_hour))


async def run(world: "World") -> None:
    """Strike until the world comes to rest."""
    if Ill.KILL in world.plan.ills:
        world.kill_in = next_kill(world)
    strokes = {
        **{ill: Stroke(MOMENTS[ill], strike) for ill, strike in _usual().items()},
        **market.STROKES,
        **kinds_of_venue.STROKES,
        **network.STROKES,
        **payments.STROKES,
        **machine.STROKES,
    }
    async with asyncio.TaskGroup() as group:
        for ill, stroke in strokes.items():
            if ill in world.plan.ills:
                group.create_task(_again(world, ill, stroke))
        if world.plan.venue_drifts:
            group.create_task(clocks.drift(world))
        if not world.dedicated and world.setup.strangers:
            group.create_task(_stranger(world))


def _usual() -> Mapping[Ill, Strike]:
    return {
        Ill.NONCE_AHEAD: _use_nonce,
        Ill.OUTAGE: _outage,
        Ill.LIQUIDATION: _liquidation,
        Ill.MANUAL: _manual,
        Ill.NO_LIQUIDITY: _dry,
        Ill.POWER: _power,
        Ill.STALL: _stall,
        Ill.DB_BUSY: _busy,
        Ill.DISK_FULL: _full,
        Ill.TWO_DAEMONS: _second,
        Ill.VENUE_OFF: clocks.wander,
    }


async def _again(world: "World", ill: Ill, stroke: Stroke) -> None:
    mean_s = 3600 / (stroke.per_hour * world.plan.intensity)
    while True:
        await asyncio.sleep(world.chance.source.expovariate(1 / mean_s))
        if world.chance.quiet:
            return
        if stroke.strike(world):
            world.chance.fired[ill] += 1
            world.trace(str(ill))


# -- aimed at a state ---------------------------------------------------------------------------


def on_order(world: "World", venue: str) -> None:
    """An order was just taken, and will be matched in a moment."""
    chance = world.chance
    found = world.venues.exchange(venue).orders(world.venues.account(venue), open_only=True)
    if not found:
        return
    new = found[-1].new
    ours = world.truth.ours(venue, new.symbol)
    closes = ours < ZERO if new.is_buy else ours > ZERO
    kinds_of_venue.taken(world, venue, new, closes=closes)
    world.market_aims.on_order(venue, new, closes=closes)
    if closes and chance.strikes(Ill.RACING, AIMED[Ill.RACING]):
        share = Decimal(chance.source.randint(3, 10)) / 10
        where = chance.source.choice(VENUES)  # this leg, or the one that comes after it
        asyncio.get_running_loop().call_later(0.05, _race, world, where, new.symbol, share)
    second = not closes and venue == "lighter"
    if second and chance.strikes(Ill.OUTAGE_AIMED, AIMED[Ill.OUTAGE_AIMED]):
        _begin(world, chance.source.choice(VENUES), Ill.OUTAGE_AIMED)


def _race(world: "World", venue: str, symbol: str, share: Decimal) -> None:
    if close_outside(world, venue, symbol, share):
        world.chance.tell(Ill.RACING)


def close_outside(world: "World", venue: str, symbol: str, share: Decimal) -> bool:
    """
    Somebody closes a part of our position by hand, without asking us.

    Not where they have one of their own beside it: a venue nets the two, so nobody could say
    whose part was closed (the README's limits of shared sub-accounts).
    """
    if world.truth.foreign.get((venue, symbol)):
        return False
    if not world.dedicated and now_s() - world.oracle.odd_s.get(symbol, -CALM_S) < CALM_S:
        return False  # nor where a venue has just filled more than it may
    ours = world.truth.ours(venue, symbol)
    rules = world.venues.exchange(venue).rules_of(symbol)
    size = abs(ours) * share // rules.size_step * rules.size_step
    if size == ZERO or world.chance.quiet:
        return False
    return trade(world, venue, symbol, -size if ours > ZERO else size)


def trade(world: "World", venue: str, symbol: str, signed: Decimal) -> bool:
    """A trade by somebody else in our account; whether anything was traded."""
    exchange, account = world.venues.exchange(venue), world.venues.account(venue)
    mark, tick = exchange.mark(symbol), exchange.rules_of(symbol).price_tick
    far = mark * (Decimal("1.03") if signed > ZERO else Decimal("0.97"))
    new = NewOrder(
        client_id=f"9{world.strangers:013d}",
        symbol=symbol,
        is_buy=signed > ZERO,
        size=abs(signed),
        price=far // tick * tick,
    )
    world.strangers += 1
    world.oracle.disturbed_s[symbol] = now_s()
    view = exchange.match(exchange.admit(account, new).id)
    return view.filled > ZERO


# -- at a moment --------------------------------------------------------------------------------


def _begin(world: "World", venue: str, ill: Ill) -> None:
    mode = world.chance.source.choice(("refused", "silent"))
    world.begin_outage(venue, mode, world.chance.between(5.0, 120.0), ill)


def _outage(world: "World") -> bool:
    _begin(world, world.chance.source.choice(VENUES), Ill.OUTAGE)
    return True


def _use_nonce(world: "World") -> bool:
    side = world.venues.lighter_side
    key = world.chance.source.choice(sorted(side.face.lanes)[:2])
    if key not in side.face.public_keys:
        return False
    world.effects.taken(key, side.face.lane(key).expected)
    side.ingress.use_nonce(key)
    return True


def _held(world: "World") -> tuple[str, str] | None:
    """A leg of ours, on a market where nobody else holds anything."""
    found = [
        (venue, symbol)
        for venue in VENUES
        for symbol in HEDGED
        if world.truth.ours(venue, symbol) != ZERO and not world.truth.foreign.get((venue, symbol))
    ]
    return world.chance.source.choice(found) if found else None


def _liquidation(world: "World") -> bool:
    leg = _held(world)
    if leg is None:
        return False
    venue, symbol = leg
    share = world.chance.source.choice((Decimal(1), Decimal("0.5")))
    world.oracle.disturbed_s[symbol] = now_s()
    world.venues.exchange(venue).liquidate(world.venues.account(venue), symbol, share)
    world.chance.tell(Ill.LIQUIDATION)
    return True


def strike(world: "World", what: str, symbol: str) -> None:
    """The one blow of a story."""
    if what in ledger.STORIES:
        ledger.story(world, what)
    elif what in kinds_of_venue.BLOWS:
        kinds_of_venue.BLOWS[what](world, symbol)
    elif what == "liquidation":
        world.venues.x10.liquidate(world.venues.account("x10"), symbol, Decimal(1))
    else:
        close_outside(world, "lighter", symbol, Decimal("0.5"))


def _manual(world: "World") -> bool:
    leg = _held(world)
    if leg is None:
        return False
    if not close_outside(world, *leg, Decimal(world.chance.source.randint(2, 10)) / 10):
        return False
    world.chance.tell(Ill.MANUAL)
    return True


def _dry(world: "World") -> bool:
    venue = world.chance.source.choice(VENUES)
    world.faults.dry_until_s[venue] = now_s() + world.chance.between(3.0, 25.0)
    world.effects.wait(Ill.NO_LIQUIDITY, dry(venue))
    return True


def _power(world: "World") -> bool:
    if any(process.alive for process in world.processes):
        world.chance.tell(Ill.POWER)
    for process in world.processes:
        world.kill(process, "power")
    world.power_lost = True
    return True


def _stall(world: "World") -> bool:
    process = world.processes[-1]
    seconds = world.chance.between(1.0, 40.0)
    world.truth.changed()
    process.stalled_until_s = max(process.stalled_until_s, now_s() + seconds)
    world.truth.changed()
    asyncio.get_running_loop().call_later(seconds, world.truth.changed)
    if process.alive:
        world.chance.tell(Ill.STALL)
    return process.alive


def _busy(world: "World") -> bool:
    return world.begin_trouble(Ill.DB_BUSY, "database is locked", world.chance.between(0.2, 3.0))


def _full(world: "World") -> bool:
    text = "database or disk is full"
    return world.begin_trouble(Ill.DISK_FULL, text, world.chance.between(3.0, 15.0))


def _second(world: "World") -> bool:
    """Another daemon starts on the same ledger while the first one still runs."""
    return world.start_second()


async def _stranger(world: "World") -> None:
    """
    Somebody else uses the same sub-accounts: a position on a market that we do not trade, and
    now and then more of what we hold, taken off again by themselves.
    """
    chance = world.chance
    for venue in VENUES:
        _foreign(world, venue, NEVER_HEDGED, Decimal(chance.source.randint(1, 9)) / 1000)
    while True:
        await asyncio.sleep(chance.source.expovariate(1 / 600))
        if chance.quiet:
            return
        venue, symbol = chance.source.choice(VENUES), chance.source.choice(HEDGED)
        ours = world.truth.ours(venue, symbol)
        calm = now_s() - world.oracle.disturbed_s.get(symbol, -CALM_S) >= CALM_S
        if ours == ZERO or not calm:
            continue  # a leg that somebody has just cut down could not be told from theirs
        await _beside(world, venue, symbol, ours)


async def _beside(world: "World", venue: str, symbol: str, ours: Decimal) -> None:
    """More of the same for some time."""
    rules = world.venues.exchange(venue).rules_of(symbol)
    size = max(rules.min_size, abs(ours) / 2 // rules.size_step * rules.size_step)
    _foreign(world, venue, symbol, size if ours > ZERO else -size)
    await asyncio.sleep(world.chance.between(5, 120))
    _foreign(world, venue, symbol, -world.truth.foreign.get((venue, symbol), ZERO))


def _foreign(world: "World", venue: str, symbol: str, signed: Decimal) -> None:
    """A trade that is theirs and stays theirs."""
    if signed == ZERO:
        return
    before = world.venues.position(venue, symbol)
    key = (venue, symbol)
    world.truth.foreign[key] = world.truth.foreign.get(key, ZERO) + signed
    trade(world, venue, symbol, signed)
    traded = world.venues.position(venue, symbol) - before
    world.truth.foreign[key] += traded - signed
    world.truth.look(symbol)
