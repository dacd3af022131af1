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
from adapters.sandbox.clock import http_date
from tests.simulation.clients import TIMEOUT_S, BrokenError, NoConnectionError
from tests.simulation.faults import ORDER_WEIGHT, REQUESTS, Ill
from tests.simulation.process import Process, now_s
from tests.simulation.requests import Cut

if TYPE_CHECKING:
    from tests.simulation.world import World

Ask = Callable[[], tuple[int, str]]
Reply = tuple[int, str, str]
Answer = asyncio.Future[Reply]
GO_S = (0.015, 0.06)
SLOW_S = (0.3, 2.0)
LATE_S = (1.0, 39.0)  # at least, and at most so much more
AGAIN_S = (0.05, 10.0)
REFUSALS = frozenset({400, 401, 403, 405, 429})


class Link:
    """The way of one process to both venues (``clients.Wire``)."""

    def __init__(self, world: "World", process: Process) -> None:
        self._world = world
        self._process = process

    async def x10(
        self, method: str, path: str, query: Sequence[tuple[str, str]], body: str | None
    ) -> Reply:
        order = method == "POST"
        self._process.effect("before send" if order else "before ask")
        if order:
            assert body is not None
            self._world.oracle.sent_x10(self._process, body)

        def ask() -> tuple[int, str]:
            return self._world.venues.ask_x10(method, path, query, body)

        reply = await self._exchange("x10", ask, order=order, what=path)
        await self._process.resumed("after answer" if order else "after read")
        return reply

    async def lighter(
        self, name: str, query: Sequence[tuple[str, str]], form: Mapping[str, str] | None
    ) -> Reply:
        order = form is not None
        self._process.effect("before send" if order else "before ask")
        if form is not None:
            self._world.oracle.sent_lighter(self._process, form["tx_type"], form["tx_info"])

        def ask() -> tuple[int, str]:
            return self._world.venues.ask_lighter(name, query, form)

        create = form is not None and form["tx_type"] == str(TX_CREATE_ORDER)
        reply = await self._exchange("lighter", ask, order=order, what=name, aim=create)
        await self._process.resumed("after answer" if order else "after read")
        return reply

    async def _exchange(
        self,
        venue: str,
        ask: Ask,
        *,
        order: bool,
        what: str,
        aim: bool = False,
    ) -> Reply:
        """
        Raises:
            NoConnectionError, BrokenError, TimeoutError: as an HTTP client would.
        """
        message = _Message(self._world, venue, ask, what, order=order)
        try:
            return await message.travel()
        finally:
            message.forget()


class _Message:
    """One request on its way, and its answer."""

    def __init__(
        self,
        world: "World",
        venue: str,
        ask: Ask,
        what: str,
        *,
        order: bool,
    ) -> None:
        self._world = world
        self._venue = venue
        self._ask = ask
        self._what = what
        self._order = order
        self._refused = False
        self._loop = asyncio.get_running_loop()
        self._answer: Answer = self._loop.create_future()
        self._timeout = self._loop.call_later(TIMEOUT_S, self._fail, TimeoutError())

    def forget(self) -> None:
        """Its sender waits no longer."""
        self._timeout.cancel()

    async def travel(self) -> Reply:
        chance = self._world.chance
        go_s, back_s = chance.between(*GO_S), chance.between(*GO_S)
        if (mode := self._world.down(self._venue)) is not None:
            if mode == "refused":
                self._later(go_s, self._fail, NoConnectionError())
            return await self._answer
        if self._order:
            chance.next_order()
        ill = chance.first_of(REQUESTS, ORDER_WEIGHT if self._order else 1.0, order=self._order)
        self._meet(ill, go_s, back_s)
        return await self._answer

    def _meet(self, ill: Ill | None, go_s: float, back_s: float) -> None:
        """Let it travel as its fate is."""
        chance = self._world.chance
        match ill:
            case Ill.NOT_CONNECTED:
                self._later(go_s, self._fail, NoConnectionError())
            case Ill.CUT_BEFORE:
                self._later(go_s, self._fail, BrokenError())
            case Ill.REQUEST_LOST:
                pass  # nobody ever answers
            case Ill.REQUEST_LATE:
                # most of them while a fence is being built, some long after
                late_s = LATE_S[0] + LATE_S[1] * chance.between(0.0, 1.0) ** 2
                self._later(late_s, self._arrive, None)
            case Ill.REQUEST_DOUBLED:
                self._later(go_s, self._arrive, back_s)
                self._later(go_s + chance.between(*AGAIN_S), self._arrive, None)
            case Ill.RESPONSE_LOST:
                self._later(go_s, self._arrive, None)
            case Ill.RESPONSE_LATE:
                self._later(go_s, self._arrive, chance.between(1.0, 20.0))
            case Ill.CUT_AFTER:
                self._later(go_s, self._arrive, -1.0)
            case Ill.SLOW_NET:
                self._later(chance.between(*SLOW_S), self._arrive, chance.between(*SLOW_S))
            case _:
                self._later(go_s, self._arrive, back_s)

    def _later(self, seconds: float, what: Callable[..., None], *args: object) -> None:
        self._loop.call_later(seconds, what, *args)

    def _arrive(self, back_s: float | None) -> None:
        """At the venue. ``back_s`` None: its answer is lost; negative: the connection is cut."""
        world = self._world
        if self._refused or world.down(self._venue) is not None:
            return  # what was refused once is refused again: nothing has changed in between
        try:
            reply = (*self._ask(), http_date(world.clock.now()))
        except Cut:
            world.trace(f"cut {self._venue} {self._what}")
            if back_s is not None:
                self._fail(BrokenError())
            return
        self._refused = reply[0] in REFUSALS
        if self._order:
            world.arrived(self._venue)
        world.trace(
            f"{self._venue} {self._what} {reply[0]}" + (reply[1][:90] if self._order else "")
        )
        if self._order and world.chance.strikes(Ill.GARBLED, 0.03):
            reply = (reply[0], reply[1][: len(reply[1]) // 2], reply[2])
        if back_s is None:
            return
        if back_s < 0:
            self._fail(BrokenError())
        else:
            self._later(back_s, self._give, reply)

    def _give(self, reply: Reply) -> None:
        if not self._answer.done() and self._world.down(self._venue) is None:
            self._answer.set_result(reply)

    def _fail(self, error: Exception) -> None:
        if not self._answer.done():
            self._answer.set_exception(error)


class Trace:
    """Everything that happened, as one number: the same for a seed everywhere."""

    def __init__(self) -> None:
        self._hash = hashlib.blake2b(digest_size=16)
        self.lines: list[str] | None = None

    def add(self, text: str) -> None:
        line = f"{now_s():.6f} {text}"
        self._hash.update(line.encode())
        if self.lines is not None:
            self.lines.append(line)

    @property
    def digest(self) -> str:
        return self._hash.hexdigest()
