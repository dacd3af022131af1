"""
From an incident to a test: ``bin/sim --replay BUNDLE`` plays what ``hedger audit bundle`` wrote.

A world is made from the bundle, the program goes through it, the judges judge, and what happened
then stands beside what happens now. Exit status 1 when a promise is broken, 2 when the bundle
cannot be played, else 0; where the two part is told and is no failure by itself.
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import zip_longest
from pathlib import Path

from hedger.domain.money import plain
from tests.simulation.faults import NOTHING, Plan
from tests.simulation.replaying import recorded
from tests.simulation.replaying.person import step
from tests.simulation.replaying.recorded import BundleError, Recorded, Told
from tests.simulation.replaying.script import Script, script_of
from tests.simulation.replaying.stage import Stage, stage_of
from tests.simulation.replaying.world import ReplayWorld
from tests.simulation.run import simulate
from tests.simulation.scenarios import Story
from tests.simulation.setup import Result, Setup
from tests.simulation.store import Engines

SEED = 7
WIDTH = 62


class _BrokenWord(Plan):
    """Nothing by chance, and all the same a venue does not keep what it declares."""

    @property
    def beyond(self) -> bool:
        return True


@dataclass(frozen=True)
class Replay:
    """What was recorded, what came now, and what the judges say."""

    then: Recorded
    now: Recorded | None  # None: nothing was sent
    refusal: str
    script: Script
    stage: Stage
    result: Result

    @property
    def parts(self) -> str | None:
        """Where the two first differ, in one sentence; None where they do not."""
        now = () if self.now is None else self.now.orders
        for then, other in zip_longest(self.then.orders, now):
            if then is None:
                return f"order {other.number} is sent now and was not sent then: {_told(other)}"
            if other is None:
                return f"order {then.number} was sent then and is not sent now: {_told(then)}"
            if then.compared != other.compared:
                return f"order {then.number}: then {_told(then)}, now {_told(other)}"
        assert self.now is not None
        if self.then.states != self.now.states:
            then, now_states = " > ".join(self.then.states), " > ".join(self.now.states)
            return f"the hedge went {then} then, and {now_states} now"
        return None


def main(path: str) -> int:
    """Play a bundle, print the two beside each other, and give the exit status."""
    try:
        replay = played(Path(path))
    except BundleError as error:
        print(error, file=sys.stderr)
        return 2
    print("\n".join(lines(replay)))
    return 1 if replay.result.violations else 0


def played(path: Path) -> Replay:
    """
    Let the world of a bundle go by.

    Raises:
        BundleError: it cannot be played; one sentence.
    """
    then = recorded.read(path)
    try:
        script, stage = script_of(then), stage_of(then)
    except BundleError as error:
        raise BundleError(f"{path} {error}") from None
    except (KeyError, TypeError, ValueError, ArithmeticError, AttributeError) as error:
        what = f"{type(error).__name__}: {error}"
        raise BundleError(f"{path} is not as hedger writes bundles ({what})") from None
    story = Story(f"replay of {path.name}", step=step)
    setup = Setup(
        seed=SEED,
        hours=0.0,
        plan=_BrokenWord(frozenset()) if script.beyond else NOTHING,
        dedicated=stage.settings.account.dedicated,
        keys=stage.keys,
        story=story,
        settings=stage.settings,
        strangers=False,
    )
    worlds: list[ReplayWorld] = []
    result = simulate(setup, partial(_made, script, stage, worlds))
    (world,) = worlds
    return Replay(then, world.recorded, world.refusal, script, stage, result)


def _made(
    script: Script, stage: Stage, worlds: list[ReplayWorld], setup: Setup, engines: Engines
) -> ReplayWorld:
    worlds.append(ReplayWorld(setup, engines, script, stage))
    return worlds[-1]


# -- what is printed ----------------------------------------------------------------------------


def lines(replay: Replay) -> Iterator[str]:
    """The whole story, then beside now."""
    hedge = replay.then.hedge
    yield (
        f"{hedge['symbol']}, {hedge['side_a']} on {hedge['venue_a']}, {hedge['requested_usd']} USD:"
        f" written by hedger {replay.then.raw['hedger']}"
    )
    yield from (f"  made up: {text}" for text in replay.stage.told)
    yield from (f"  not played: {text}" for text in replay.script.not_played)
    for number, met in sorted(replay.script.mets.items()):
        yield f"  order {number} meets: {met.text}"
    for death in replay.script.deaths:
        when = " ".join(part for part in death.after.what if part)
        when = f"order {death.sent} is taken in" if death.sent else f"{when!r} is in the ledger"
        yield f"  the process ends once {when}; {death.down_s:.1f} s later the next one writes"
    for silence in replay.script.silences:
        yield f"  nobody reaches {silence.venue} until the hedge is {silence.until.what[2]}"
    for blow in replay.script.blows:
        who = "the venue" if blow.forced else "somebody else"
        yield f"  {who} leaves {plain(blow.left)} on {blow.venue}"
    yield f"{'#':>3} {'then':<{WIDTH}} now"
    now = () if replay.now is None else replay.now.orders
    for number, (then, other) in enumerate(zip_longest(replay.then.orders, now), start=1):
        same = then is not None and other is not None and then.compared == other.compared
        yield f"{number:>3} {_timed(then):<{WIDTH}} {_timed(other)}{'' if same else '  <-- parts'}"
    yield f"    {'ends ' + replay.then.end:<{WIDTH}} {_end(replay)}"
    parts = replay.parts
    yield "does not part" if parts is None else f"parts at {parts}"
    violations = replay.result.violations
    yield from (f"broken {one.promise}: {one.text} (at {one.at_s:.1f} s)" for one in violations)
    yield f"violations: {len(violations)}"


def _end(replay: Replay) -> str:
    if replay.now is None:
        return f"nothing was sent: {replay.refusal or 'no hedge was opened'}"
    return f"ends {replay.now.end}"


def _told(order: Told) -> str:
    filled = f", {plain(order.filled)} filled" if order.state == "partial" else ""
    return f"{order.venue} {order.purpose} {order.side} {plain(order.size)} {order.state}{filled}"


def _timed(order: Told | None) -> str:
    if order is None:
        return "-"
    took = "" if order.took_s is None else f" in {order.took_s:.1f} s"
    return f"{_told(order)} at {order.at_s:.1f} s{took}"
