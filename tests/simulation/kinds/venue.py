"""A venue that is not as it says, and keys that come and go."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING

from adapters.sandbox.engine.errors import EngineError
from adapters.sandbox.engine.forgetting import Lost
from adapters.sandbox.engine.types import NewOrder
from tests.simulation.effects import DATED
from tests.simulation.exchange import HEDGED, KEYS
from tests.simulation.faults import AIMED, Ill
from tests.simulation.kinds.stroke import Stroke
from tests.simulation.process import now_s

if TYPE_CHECKING:
    from tests.simulation.answers import Words
    from tests.simulation.world import World

VENUES = ("x10", "lighter")
ZERO = Decimal(0)
AWAY_S = (5.0, 150.0)  # how long a key is not registered
STORY_AWAY_S = 55.0
NEXT_SHARE = 0.7  # how often the key of the venue is gone whose order comes next
HALF_CLOSED_WEIGHT = 4.0  # as likely is it where a leg is about to stand alone there
LIES_S = (4.0, 100.0)  # how long a venue answers of another account or market
LAG_S = (30.0, 180.0)  # how long reads may be older than declared
CLOCK_S = (20.0, 150.0)  # how long a venue's clock is where it jumped to
JUMP_S = 30.0
LOST_S = (5.0, 300.0)  # after which what was lost is there again, if it comes back at all
PART_S = (5.0, 60.0)  # the same where only a part is lost: the venue contradicts itself
BACK_MAX = 4  # nonces that a lane goes back
SETTLES_S = 1.0  # as long as a moment of untruth lasts

READS = ("account", "positions", "trades", "orders")
WHOLE = ("positions", "orders", "trades")
PARTS: tuple[tuple[str, ...], ...] = (("positions",), ("trades",), ("orders", "trades"))


def keyed(world: "World", venue: str) -> bool:
    """Whether the key that reducing orders are sent with is registered at a venue."""
    if venue == "x10":
        return world.venues.x10_face.api_key is not None
    return reducing_key(world) in world.venues.lighter_side.face.public_keys


def answers_us(world: "World", venue: str) -> bool:
    """
    Whether a venue answers questions about our account: one key of ours is registered, and it
    does not answer about another account.
    """
    if (Ill.OTHER_ACCOUNT, venue) in world.lasting:
        return False
    if venue == "x10":
        return world.venues.x10_face.api_key is not None
    used = sorted(KEYS.lighter.api_keys)[: world.keys]
    return any(key in world.venues.lighter_side.face.public_keys for key in used)


def reducing_key(world: "World") -> int:
    """The index of Lighter's key for reducing orders."""
    return sorted(KEYS.lighter.api_keys)[world.keys - 1]


# -- keys -----------------------------------------------------------------------------------------


def _revoke(world: "World") -> bool:
    """One of the keys, or both of Lighter's, are not registered for a while."""
    return world.oracle.busy() and revoke(world, world.chance.source.choice(VENUES))


def revoke(world: "World", venue: str, seconds: float | None = None) -> bool:
    """The key of X10, or one or both of Lighter's, are registered again so much later."""
    chance = world.chance
    seconds = chance.between(*AWAY_S) if seconds is None else seconds
    if venue == "x10":
        end = partial(setattr, world.venues.x10_face, "api_key", KEYS.x10.api_key)
        begin = partial(setattr, world.venues.x10_face, "api_key", None)
    else:
        used = sorted(KEYS.lighter.api_keys)[: world.keys]
        chosen = chance.source.choice([used[:1], used[-1:], used])
        begin, end = partial(_take_keys, world, chosen), partial(_give_keys, world, chosen)
    begun = world.last(Ill.KEY_REVOKED, venue, seconds, begin, end)
    if begun:
        world.answers.expect(Ill.KEY_REVOKED, venue, _refused)
    return begun


def _refused(_what: str, _words: "Words", status: int) -> bool:
    return status in {400, 401}


def _take_keys(world: "World", keys: list[int]) -> None:
    for key in keys:
        world.venues.lighter_side.face.public_keys.pop(key)


def _give_keys(world: "World", keys: list[int]) -> None:
    """Registered anew: the venue waits for nonces from 0 on."""
    face = world.venues.lighter_side.face
    for key in keys:
        face.public_keys[key] = KEYS.lighter.public_keys[key]
        put_back(world, key, 0)


def put_back(world: "World", key: int, nonce: int) -> None:
    """A lane waits for nonces again that were used already."""
    lane = world.venues.lighter_side.face.lanes[key]
    world.oracle.put_back(key, lane.expected)
    lane.put(nonce)


def _nonces_back(world: "World") -> bool:
    """What is shown and expected goes back; not while a transaction of the lane is under way."""
    face = world.venues.lighter_side.face
    key = world.chance.source.choice(sorted(KEYS.lighter.api_keys)[: world.keys])
    lane = face.lanes[key]
    shown = lane.shown(face.now_ms())
    if key not in face.public_keys or not lane.expected or shown != lane.expected:
        return False
    back = min(lane.expected, world.chance.source.randint(1, BACK_MAX))

    def asked(what: str, words: "Words", _status: int) -> bool:
        return what == "nextNonce" and ("api_key_index", str(key)) in words[1]

    begin = partial(put_back, world, key, lane.expected - back)
    begun = world.last(Ill.NONCE_BACK, f"{key}", SETTLES_S, begin, _nothing)
    if begun:
        world.answers.expect(Ill.NONCE_BACK, "lighter", asked)
    return begun


# -- a lost batch ---------------------------------------------------------------------------------


def _forget(world: "World") -> bool:
    """
    A venue loses what it knows of a leg of ours. A whole batch may be lost for ever, and the
    venue's word is true again at once; a part comes back, for until then it contradicts itself.
    """
    legs = [
        (venue, symbol)
        for venue in VENUES
        for symbol in HEDGED
        if world.truth.ours(venue, symbol) != ZERO and not world.truth.foreign.get((venue, symbol))
    ]
    if not legs:
        return False
    chance = world.chance
    venue, symbol = chance.source.choice(legs)
    whole = chance.source.random() < 0.7
    comes_back = not whole or chance.source.random() < 0.5
    parts = WHOLE if whole else chance.source.choice(PARTS)
    seconds = chance.between(*(LOST_S if whole else PART_S)) if comes_back else SETTLES_S
    return forget(world, venue, symbol, parts, seconds, comes_back=comes_back)


def forget(
    world: "World",
    venue: str,
    symbol: str,
    parts: tuple[str, ...],
    seconds: float,
    *,
    comes_back: bool,
) -> bool:
    """A venue loses parts of a market; they are there again later, or never."""
    lost: list[Lost] = []

    def begin() -> None:
        lost.append(
            world.venues.exchange(venue).forget(
                world.venues.account(venue),
                symbol,
                positions="positions" in parts,
                orders="orders" in parts,
                trades="trades" in parts,
            )
        )
        world.oracle.loses(lost[0], world.clock.now_ms())
        world.oracle.disturbed_s[symbol] = now_s()
        world.positions.look(symbol)
        world.truth.look(symbol)

    def end() -> None:
        if not comes_back or not remembered(world, venue, lost[0]):
            world.oracle.forgotten.append((venue, lost[0]))
        world.oracle.disturbed_s[symbol] = now_s()
        world.positions.look(symbol)
        world.truth.look(symbol)

    begun = world.last(Ill.FORGETS, f"{venue} {symbol}", seconds, begin, end)
    if begun:
        world.answers.expect(Ill.FORGETS, venue, _is_read)
    return begun


def _is_read(what: str, _words: "Words", _status: int) -> bool:
    return any(name in what for name in READS)


def remembered(world: "World", venue: str, lost: Lost) -> bool:
    """Whether a venue has found again what it had lost: not beside a new position."""
    try:
        world.venues.exchange(venue).remember(lost)
    except EngineError:
        return False
    return True


# -- orders that do more than was said ------------------------------------------------------------


def taken(world: "World", venue: str, order: NewOrder, *, closes: bool) -> None:
    """
    An order was taken in. A venue that will treat it as none may be is untrue until then; and the
    next order, which may be that of the other leg, may find its key gone.
    """
    following = VENUES[1 - VENUES.index(venue)]
    half_closed = closes and world.truth.ours(following, order.symbol) != ZERO
    weight = HALF_CLOSED_WEIGHT if half_closed else 1.0
    if world.chance.strikes(Ill.KEY_REVOKED, AIMED[Ill.KEY_REVOKED] * weight):
        revoke(world, following if world.chance.source.random() < NEXT_SHARE else venue)
    if order.overfill:
        where = f"{venue} {order.client_id}"
        if world.last(Ill.OVERFILL, where, SETTLES_S, _nothing, _nothing):
            world.chance.tell(Ill.OVERFILL)
    if order.late_rest_ms is not None:
        where = f"{venue} {order.client_id}"
        left_s = (order.late_rest_ms - world.clock.now_ms()) / 1000 + SETTLES_S
        end = partial(_look_at, world, venue, order.symbol)
        world.oracle.odd_s[order.symbol] = now_s() + left_s
        if world.last(Ill.LATE_FINAL, where, left_s, _nothing, end):
            world.chance.tell(Ill.LATE_FINAL)


def _look_at(world: "World", venue: str, symbol: str) -> None:
    """An engine does what is due when somebody asks it."""
    world.truth.ours(venue, symbol)


def _nothing() -> None:
    pass


# -- answers that are not ours --------------------------------------------------------------------


def _answers_of(ill: Ill) -> Callable[["World"], bool]:
    def strike(world: "World") -> bool:
        if not world.oracle.busy():
            return False
        venue = world.chance.source.choice(VENUES)
        begin = partial(world.answers.begin, ill, venue)
        end = partial(world.answers.end, ill, venue)
        return world.last(ill, venue, world.chance.between(*LIES_S), begin, end)

    return strike


# -- reads and clocks beyond what is declared -----------------------------------------------------


def _lag(world: "World") -> bool:
    venue = world.chance.source.choice(VENUES)
    begin = partial(world.faults.lagging.add, venue)
    end = partial(world.faults.lagging.discard, venue)
    return world.last(Ill.LAG_BROKEN, venue, world.chance.between(*LAG_S), begin, end)


def _jump(world: "World") -> bool:
    """The venues' clock is set, far beyond what they declare, and set right again."""

    def put(off_s: float) -> None:
        world.clock.off_s = off_s
        world.clock_moved()
        world.effects.wait(Ill.VENUE_CLOCK, DATED)

    begin = partial(put, world.chance.between(-JUMP_S, JUMP_S))
    return world.last(
        Ill.VENUE_CLOCK, "both", world.chance.between(*CLOCK_S), begin, partial(put, 0.0)
    )


STROKES: Mapping[Ill, Stroke] = {
    Ill.KEY_REVOKED: Stroke(3.0, _revoke),
    Ill.NONCE_BACK: Stroke(16.0, _nonces_back),
    Ill.FORGETS: Stroke(9.0, _forget),
    Ill.OTHER_ACCOUNT: Stroke(18.0, _answers_of(Ill.OTHER_ACCOUNT)),
    Ill.OTHER_MARKET: Stroke(14.0, _answers_of(Ill.OTHER_MARKET)),
    Ill.LAG_BROKEN: Stroke(8.0, _lag),
    Ill.VENUE_CLOCK: Stroke(8.0, _jump),
}


def _story_forgets(world: "World", symbol: str) -> None:
    forget(world, "lighter", symbol, WHOLE, SETTLES_S, comes_back=False)


def _story_revokes(world: "World", _symbol: str) -> None:
    revoke(world, "lighter", STORY_AWAY_S)


BLOWS: Mapping[str, Callable[["World", str], None]] = {
    "leg B is forgotten": _story_forgets,
    "the keys of leg B's venue are revoked": _story_revokes,
}
"""What strikes the hedge of a story while it is open."""
