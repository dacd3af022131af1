"""
The ledger file: deleted, replaced, an older copy put back, a page written over.

What is done to it is followed by what a person does about it, who was told: puts it back where it
was only moved, closes everything and puts the right one back, follows the sentence about a damaged
one, or starts with what is there.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from hedger.errors import DamagedError, HedgerError
from tests.simulation.faults import Ill, Plan
from tests.simulation.kinds.stroke import Stroke
from tests.simulation.process import Killed, Process

if TYPE_CHECKING:
    from hedger.trader import Trader
    from tests.simulation.ledgerfile import LedgerFile
    from tests.simulation.scenarios import Story
    from tests.simulation.world import World

LEDGER = (Ill.LEDGER_GONE, Ill.LEDGER_REPLACED, Ill.LEDGER_RESTORED, Ill.LEDGER_DAMAGED)
PLACE = "ledger"
LOOK_S = 2.0  # how often it is seen whether a hedge lives, where something is aimed at one
OLD_S = (30.0, 420.0)  # how old a copy is when it is put back
SEEN_S = (5.0, 90.0)  # until a person does something
ACTS_S = (3.0, 20.0)  # the same where a command has just told them
STORIES = {
    "restored": Ill.LEDGER_RESTORED,
    "older": Ill.LEDGER_RESTORED,
    "damaged": Ill.LEDGER_DAMAGED,
}
"""What a story may do to the ledger while its hedge is open."""
STORY_SEEN_S = 5.0


def needs_a_file(plan: Plan, story: "Story | None") -> bool:
    """Whether something happens to the ledger's file, so that there has to be one."""
    told = STORIES.get(story.strike or "") if story is not None else None
    return told in LEDGER or any(ill in plan.ills for ill in LEDGER)


def when_busy(ill: Ill, act: Callable[["World"], bool]) -> Callable[["World"], bool]:
    """Wait until a hedge lives, and a little more, and do it then; it counts when it is done."""

    def look(world: "World") -> None:
        if world.chance.quiet:
            return
        if not world.oracle.busy() or not _free(world):
            world.loop.call_later(LOOK_S, look, world)
        elif act(world):
            world.chance.fired[ill] += 1
            world.trace(str(ill))

    def strike(world: "World") -> bool:
        world.loop.call_later(world.chance.between(0.0, LOOK_S), look, world)
        return False

    return strike


def _free(world: "World") -> bool:
    """Whether one process runs on one ledger to which nothing happens at present."""
    alone = sum(process.alive for process in world.processes) == 1
    return alone and not any((ill, PLACE) in world.lasting for ill in LEDGER)


def _file(world: "World") -> "LedgerFile":
    assert world.engines.file is not None
    return world.engines.file


def _last(world: "World", ill: Ill, begin: Callable[[], None], end: Callable[[], None]) -> bool:
    told = world.setup.story is not None
    seconds = STORY_SEEN_S if told else world.chance.between(*SEEN_S)
    return world.last(ill, PLACE, seconds, begin, end)


def _gone(world: "World") -> bool:
    """
    Deleted; what follows is one of three: it was only moved and comes back untouched, the process
    ends and the next one starts with nothing, or a person closes everything, stops, and puts the
    newest copy back.
    """
    file, then = _file(world), world.chance.source.randrange(3)
    disc, process = file.disc, world.processes[-1]

    def back() -> None:
        if then == 0 and file.disc is None:
            file.put_back(disc)
            world.oracle.in_place()
        elif process.alive:
            end_life(world)
            if then == 2 and file.kept:
                file.lay(file.kept[-1])

    return _away(world, Ill.LEDGER_GONE, file.remove, back, by_hand=then == 2)


def _replaced(world: "World") -> bool:
    """
    Another ledger is moved over it: a new one, or a copy of hedger's. Then the true one is put
    back, or the next life starts with what is there.
    """
    file, then = _file(world), world.chance.source.randrange(3)
    disc, other = file.disc, file.kept[-1:] if world.chance.source.randrange(2) else []
    process = world.processes[-1]

    def back() -> None:
        if then != 1:
            if then or not process.alive:  # another one has begun on what was put there
                end_life(world)
            file.put_back(disc)
            world.oracle.in_place()
        else:
            end_life(world)

    begin = partial(file.lay, other[0] if other else file.empty)
    return _away(world, Ill.LEDGER_REPLACED, begin, back, by_hand=then == 2)


def _away(
    world: "World", ill: Ill, begin: Callable[[], None], back: Callable[[], None], *, by_hand: bool
) -> bool:
    def go() -> None:
        world.oracle.displaced()
        begin()
        world.chance.tell(ill)
        if by_hand and world.trader is not None:
            _close_all(world, world.trader)

    return _last(world, ill, go, back)


def _restored(world: "World") -> bool:
    """A copy is made by hand now, and put back some minutes later, when a hedge lives."""
    if not _free(world):
        return False
    file = _file(world)
    copy = file.path.with_name(f"{world.copies}.older")
    world.copies += 1
    try:
        file.backup(copy)
    except DamagedError:
        return False
    again = when_busy(Ill.LEDGER_RESTORED, lambda world: put_back(world, copy))
    world.loop.call_later(world.chance.between(*OLD_S), again, world)
    return False


def put_back(world: "World", copy: Path, *, running: bool | None = None) -> bool:
    """An older copy is put in place, while a process runs on the ledger or between two lives."""
    file = _file(world)
    if running is None:
        running = bool(world.chance.source.randrange(2))
        if not running and world.chance.source.randrange(2):
            world.at_intent = partial(_put_back_between, world, copy)  # with an order on its way
            return True
    if running:
        by_hand = world.setup.story is None and world.chance.source.randrange(3) == 0
        return _away(
            world, Ill.LEDGER_RESTORED, partial(file.lay, copy), partial(end_life, world),
            by_hand=by_hand,
        )  # fmt: skip
    _put_back_between(world, copy)
    return True


def _put_back_between(world: "World", copy: Path) -> None:
    if _free(world) and not world.chance.quiet:
        world.chance.tell(Ill.LEDGER_RESTORED)
        end_life(world)
        _file(world).lay(copy)


def _damaged(world: "World") -> bool:
    """A page is written over, while a process runs on the ledger or between two lives."""
    return damage(world, in_use=bool(world.chance.source.randrange(2)))


def damage(world: "World", *, in_use: bool) -> bool:
    """
    See ``LedgerFile.damage``. In use it is found when it is read, and not later than the next
    start, which finds all of it.
    """
    file, source = _file(world), world.chance.source
    if in_use:
        return _last(
            world, Ill.LEDGER_DAMAGED, partial(file.damage, source, in_use=True),
            partial(end_life, world),
        )  # fmt: skip
    end_life(world)
    aside = file.path.with_name("judged.older")
    try:
        file.backup(aside)
    except DamagedError:
        return False  # it is damaged already, and nobody has found it yet
    world.oracle.read_aside(aside)
    file.damage(source, in_use=False)
    return True


def met(world: "World", process: Process, error: DamagedError) -> None:
    """A running process has met the damage: a person, who reads its log, stops it soon."""
    if world.unusable or not process.alive:
        return
    world.trace("ledger met damaged")
    if _file(world).opened_damaged:
        world.oracle.broken("0 sound", f"a start opened a damaged ledger: {error}")
        repair(world, error)
    world.truth.changed()
    world.unusable = str(error)
    world.truth.changed()
    world.chance.tell(Ill.LEDGER_DAMAGED)
    world.loop.call_later(world.chance.between(*ACTS_S), world.kill, process, "stopped")


def repair(world: "World", error: DamagedError) -> None:
    """A start was refused: what it says is done before the next one."""
    world.chance.tell(Ill.LEDGER_DAMAGED)
    world.trace(f"ledger repaired: {_file(world).follow(str(error))}")


def end_life(world: "World") -> None:
    """A person stops the process, or the machine does; it does not come to an end by itself."""
    for process in world.processes:
        world.kill(process, "stopped")


def _close_all(world: "World", trader: "Trader") -> None:
    """``hedger rollback --all``."""

    async def rollback() -> None:
        with suppress(Killed, HedgerError):  # it is stopped meanwhile, or says what it cannot do
            await trader.rollback(hedge=None, market=None, everything=True, progress=_unheard)

    world.hands.append(world.loop.create_task(rollback()))


def _unheard(_text: str) -> None:
    """Progress that nobody reads."""


def story(world: "World", what: str) -> None:
    """The one blow of a story, while its hedge is open: the copy is from its first start."""
    if what == "damaged":
        damage(world, in_use=False)
    else:
        put_back(world, _file(world).kept[0], running=what == "restored")


STROKES: Mapping[Ill, Stroke] = {
    Ill.LEDGER_GONE: Stroke(3.0, when_busy(Ill.LEDGER_GONE, _gone)),
    Ill.LEDGER_REPLACED: Stroke(2.0, when_busy(Ill.LEDGER_REPLACED, _replaced)),
    Ill.LEDGER_RESTORED: Stroke(3.0, _restored),
    Ill.LEDGER_DAMAGED: Stroke(5.0, when_busy(Ill.LEDGER_DAMAGED, _damaged)),
}
