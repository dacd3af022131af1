"""
What lies between a process and the venues, and everything that a message can meet there.

A message that was sent arrives whatever becomes of its sender. A response that nobody waits for
is thrown away.
"""

import asyncio
import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from adapters.lighter.orders import TX_CREATE_ORDER
from tests.simulation.clients import TIMEOUT_S, BrokenError, NoConnectionError
from tests.simulation.doors import Door
from tests.simulation.effects import DATED
from tests.simulation.faults import ORDER_WEIGHT, REQUESTS, Ill
from tests.simulation.loop import SimLoop
from tests.simulation.process import Process
from tests.simulation.requests import Cut

if TYPE_CHECKING:
    from tests.simulation.world import World

Ask = Callable[..., tuple[int, str]]
Reply = tuple[int, str, str]
Answer = asyncio.Future[Reply]
GO_S = (0.015, 0.06)
GO_MORE_S = GO_S[1] - GO_S[0]
SLOW_S = (0.3, 2.0)
SIGN_S = (0.005, 0.08)
LATE_S = (1.0, 39.0)  # at least, and at most so much more
AGAIN_S = (0.05, 10.0)
HASHED_AT_ONCE = 1_000  # lines of a trace
BAD = 400
REFUSALS = frozenset({400, 401, 403, 405, 429})


class Link:
    """The way of one process to both venues (``clients.Wire``)."""

    def __init__(self, world: "World", process: Process) -> None:
        self._world = world
        self._process = process

    async def signing(self) -> None:
        """To sign takes a moment, in which others go on."""
        await asyncio.sleep(self._world.chance.between(*SIGN_S))
        await self._process.resumed("signed")

    async def x10(
        self, method: str, path: str, query: Sequence[tuple[str, str]], body: str | None
    ) -> Reply:
        order = method == "POST"
        self._process.effect("before send" if order else "before ask")
        if order:
            assert body is not None
            self._world.effects.signed(self._process)
            self._judge(self._world.oracle.sent_x10, self._process, body)
        ask = self._world.venues.ask_x10
        message = _Message(
            self._world, "x10", ask, (method, path, query, body), path, order=order, trades=order
        )
        reply = await message.travel()
        self._heard("x10", reply)
        await self._process.resumed("after answer" if order else "after read")
        return reply

    async def lighter(
        self, name: str, query: Sequence[tuple[str, str]], form: Mapping[str, str] | None
    ) -> Reply:
        order = form is not None
        self._process.effect("before send" if order else "before ask")
        if form is not None:
            self._world.effects.signed(self._process)
            judge = self._world.oracle.sent_lighter
            self._judge(judge, self._process, form["tx_type"], form["tx_info"])
        ask = self._world.venues.ask_lighter
        trades = form is not None and form["tx_type"] == str(TX_CREATE_ORDER)
        message = _Message(
            self._world, "lighter", ask, (name, query, form), name, order=order, trades=trades
        )
        reply = await message.travel()
        self._heard("lighter", reply)
        await self._process.resumed("after answer" if order else "after read")
        return reply

    def _heard(self, venue: str, reply: Reply) -> None:
        """A venue that turns everything away has not answered."""
        if reply[0] < BAD:
            self._world.oracle.seen.shown.answered(venue)

    def _judge(self, judge: Callable[..., None], *words: object) -> None:
        """What fails in a judge is told: the program would take it for a failure of the wire."""
        try:
            judge(*words)
        except Exception as error:  # noqa: BLE001 - whatever it is
            self._world.oracle.internal("a judge", error)


class _Message:
    """
    One request on its way, and its answer.

    Where nothing else happens meanwhile it travels at once (``SimLoop.passes``); otherwise its
    sender waits for ``_answer``, which is made only then.
    """

    __slots__ = (
        "_answer", "_ask", "_later", "_loop", "_order", "_outcome", "_refused", "_trades",
        "_until_s", "_venue", "_what", "_words", "_world",
    )  # fmt: skip

    def __init__(
        self,
        world: "World",
        venue: str,
        ask: Ask,
        words: tuple[object, ...],
        what: str,
        *,
        order: bool,
        trades: bool,
    ) -> None:
        """``order``: it changes something; ``trades``: it is an order and nothing beside one."""
        self._world = world
        self._venue = venue
        self._ask = ask
        self._words = words
        self._what = what
        self._order = order
        self._trades = trades
        self._refused = False
        self._loop = world.loop
        self._later = world.loop.after
        self._until_s = self._loop.now_s + TIMEOUT_S
        self._answer: Answer | None = None
        self._outcome: Reply | Exception | None = None

    async def travel(self) -> Reply:
        """
        Raises:
            NoConnectionError, BrokenError, TimeoutError: as an HTTP client would.
        """
        self._set_out()
        outcome = self._outcome
        if outcome is None:
            self._answer = asyncio.Future(loop=self._loop)
            return await self._answer
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def _ends(self, reply: Reply | None) -> None:
        """Its sender learns something, or nothing."""
        if reply is None or reply[0] >= BAD:
            self._world.failed += 1

    def _set_out(self) -> None:
        world, chance, draw = self._world, self._world.chance, self._world.chance.source.random
        go_s, back_s = GO_S[0] + GO_MORE_S * draw(), GO_S[0] + GO_MORE_S * draw()
        if self._venue in world.outages:
            world.doors.count(world.doors.outage.get(self._venue))
            world.effects.met(self._venue)
            if world.outages[self._venue] == "refused":
                self._later(go_s, self._fail, NoConnectionError())
            else:
                self._lost()
            return
        if world.doors.shut and (door := world.doors.met(self._venue, self._what)) is not None:
            self._turned_away(door, go_s + back_s)
            return
        if self._trades:
            chance.next_order()
            late_s = world.sets_out(self._venue)
            if late_s is not None:
                self._late(late_s)
                return
        ill = chance.first_of(REQUESTS, ORDER_WEIGHT if self._order else 1.0, order=self._trades)
        if ill is not None:
            self._meet(ill, go_s, back_s)
        elif not self._loop.passes(go_s):
            self._later(go_s, self._arrive, back_s)
        else:
            try:
                self._arrive(back_s)
            except Exception as error:  # noqa: BLE001 - as the loop does
                self._loop.raised(self._arrive, error)

    def _kept_out(self, back_s: float | None) -> bool:
        """Whether a venue that answered when it set out does not let it in any more."""
        world = self._world
        if self._venue in world.outages:
            world.effects.met(self._venue)
            self._lost()
            return True
        if not world.doors.shut or (door := world.doors.met(self._venue, self._what)) is None:
            return False
        self._refused = door.answer is not None and door.answer[0] in REFUSALS
        if back_s is not None:
            self._turned_away(door, max(back_s, 0.0))
        return True

    def _turned_away(self, door: Door, after_s: float) -> None:
        """Nothing comes to the venue."""
        if door.refused:
            self._later(after_s, self._fail, NoConnectionError())
        elif door.answer is None:
            self._lost()
        else:
            self._later(after_s, self._give, (*door.answer, self._world.clock.date()))

    def _lost(self) -> None:
        """An answer may not come at all: its sender waits until the time is over."""
        self._loop.call_at(self._until_s, self._fail, TimeoutError())

    def _late(self, seconds: float) -> None:
        """It comes so much later, and its answer is lost."""
        self._world.chance.tell(Ill.REQUEST_LATE)
        self._lost()
        self._later(seconds, self._arrive, None)

    def _meet(self, ill: Ill, go_s: float, back_s: float) -> None:
        """Let it travel as its fate is."""
        chance = self._world.chance
        if ill is not Ill.REQUEST_DOUBLED:
            chance.tell(ill)  # its answer does not come, or comes late
        match ill:
            case Ill.NOT_CONNECTED:
                self._later(go_s, self._fail, NoConnectionError())
            case Ill.CUT_BEFORE:
                self._later(go_s, self._fail, BrokenError())
            case Ill.REQUEST_LOST:
                self._lost()
            case Ill.REQUEST_LATE:
                # most of them while a fence is being built, some long after
                late_s = LATE_S[0] + LATE_S[1] * chance.between(0.0, 1.0) ** 2
                self._lost()
                self._later(late_s, self._arrive, None)
            case Ill.REQUEST_DOUBLED:
                self._later(go_s, self._arrive, back_s)
                self._later(go_s + chance.between(*AGAIN_S), self._arrive_again)
            case Ill.RESPONSE_LOST:
                self._lost()
                self._later(go_s, self._arrive, None)
            case Ill.RESPONSE_LATE:
                self._lost()
                self._later(go_s, self._arrive, chance.between(1.0, 20.0))
            case Ill.CUT_AFTER:
                self._later(go_s, self._arrive, -1.0)
            case Ill.SLOW_NET:
                self._later(chance.between(*SLOW_S), self._arrive, chance.between(*SLOW_S))
            case _:
                raise AssertionError(ill)

    def _arrive_again(self) -> None:
        """The second copy. One of a question changes nothing, and its answer reaches nobody."""
        if self._order and not self._refused and self._venue not in self._world.outages:
            self._world.chance.tell(Ill.REQUEST_DOUBLED)
        self._arrive(None)

    def _arrive(self, back_s: float | None) -> None:
        """At the venue. ``back_s`` None: its answer is lost; negative: the connection is cut."""
        world = self._world
        if self._refused:
            return  # what was refused once is refused again: nothing has changed in between
        if self._kept_out(back_s):
            return
        try:
            heard = back_s is not None and back_s >= 0
            status, text = world.faults.asked(self._ask, self._words, heard=heard)
            said, status, text = text, *self._changed(status, text)
            world.failed += text is not said
            reply = (status, text, world.clock.date())
        except Cut:
            world.trace(f"cut {self._venue} {self._what}")
            if back_s is not None:
                self._fail(BrokenError())
            return
        except Exception:  # a bug of the venue's, whichever: the loop tells the judge of it
            self._lost()  # and for its sender it is a lost answer, as any other
            raise
        self._refused = reply[0] in REFUSALS
        self._watched(reply, heard=heard)
        if self._order and heard and world.chance.strikes(Ill.GARBLED, 0.03):
            world.chance.tell(Ill.GARBLED)
            reply = (reply[0], reply[1][: len(reply[1]) // 2], reply[2])
        if back_s is None:
            return
        if back_s < 0:
            self._fail(BrokenError())
        elif self._loop.passes(back_s):
            self._give(reply)
        else:
            self._later(back_s, self._give, reply)

    def _changed(self, status: int, text: str) -> tuple[int, str]:
        """What arrives instead of an answer."""
        answers = self._world.answers
        if answers.usual:
            return status, text
        return answers.changed(self._venue, self._what, self._words, (status, text))

    def _watched(self, reply: Reply, *, heard: bool) -> None:
        """The venue has done what was asked: whoever aims at that, or counts it, sees it."""
        world = self._world
        if world.market_aims.untold:
            refused = self._order and self._refused
            world.market_aims.answered(self._venue, self._what, self._words, refused=refused)
        if self._order:
            world.arrived(self._venue, counted=self._trades)
        world.trace(
            f"{self._venue} {self._what} {reply[0]}" + (reply[1][:90] if self._order else "")
        )
        if self._venue == "lighter" and heard:
            world.effects.answered(self._what, self._words, reply[1])

    def _give(self, reply: Reply) -> None:
        self._ends(reply)
        self._world.effects.met(DATED)
        if self._venue in self._world.outages:
            self._world.effects.met(self._venue)
            self._lost()
        elif self._answer is None:
            self._outcome = self._outcome or reply
        elif not self._answer.done():
            self._answer.set_result(reply)

    def _fail(self, error: Exception) -> None:
        self._ends(None)
        if self._answer is None:
            self._outcome = self._outcome or error
        elif not self._answer.done():
            self._answer.set_exception(error)


class Trace:
    """Everything that happened, as one number: the same for a seed everywhere."""

    def __init__(self, loop: SimLoop) -> None:
        self._loop = loop
        self._hash = hashlib.blake2b(digest_size=16)
        self._fresh: list[str] = []  # not in the hash yet
        self.lines: list[str] | None = None

    def add(self, text: str) -> None:
        line = f"{self._loop.now_s:.6f} {text}"
        self._fresh.append(line)
        if len(self._fresh) >= HASHED_AT_ONCE:
            self._take_in()
        if self.lines is not None:
            self.lines.append(line)

    @property
    def digest(self) -> str:
        self._take_in()
        return self._hash.hexdigest()

    def _take_in(self) -> None:
        self._hash.update("".join(self._fresh).encode())
        self._fresh.clear()
