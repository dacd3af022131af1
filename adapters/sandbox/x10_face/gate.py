"""Where the fault box is asked: one door for every request, before and after its effect."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from aiohttp import web

from adapters.sandbox.faults import Fault, Kind, first, lag_s
from adapters.sandbox.reply import Reply
from adapters.sandbox.x10_face.context import FACE, VENUE, Face
from adapters.sandbox.x10_face.errors import ApiProblemError, html_page

View = TypeVar("View")
Effect = Callable[[Sequence[Fault]], Reply]
"""What a request does and answers. It never waits, so nothing comes between check and effect."""


async def through(
    request: web.Request,
    op: str,
    effect: Effect,
    *,
    symbol: str | None = None,
    reduce_only: bool | None = None,
    question: object = None,
) -> Reply:
    """
    Answer a request as the faults that wait for it allow.

    A read gives its ``question`` if the answer follows from that, the account and, for
    positions, the marks.
    """
    face = request.app[FACE]
    taken = face.faults.take(VENUE, op, symbol, reduce_only)
    if not taken:
        return _untouched(face, effect, question, at_marks=op == "positions")
    broken = _before(request, taken)
    if broken is not None:
        return broken
    try:
        response = effect(taken)
    except ApiProblemError as problem:
        response = problem.reply()
    after = first(taken, Kind.DROP_ANSWER, Kind.SERVER_ERROR, after=True)
    hang = first(taken, Kind.HANG)
    if hang is not None:
        await face.clock.sleep(hang.seconds)
    if after is None:
        return response
    return drop(request) if after.kind is Kind.DROP_ANSWER else _error_page(after)


def _untouched(face: Face, effect: Effect, question: object, *, at_marks: bool) -> Reply:
    """Answer a request that meets no fault."""
    try:
        if question is None:
            return effect(())
        return face.shown.reply(question, face.edition(at_marks=at_marks), lambda: effect(()))
    except ApiProblemError as problem:
        return problem.reply()


def read_as_of_ms(face: Face, taken: Sequence[Fault], *, fresh: bool = False) -> int | None:
    """
    The wire instant that a read shows; None for now.

    As old as reads here usually are, or as a fault says. ``fresh`` reads lag only by fault.
    """
    normal_s = 0.0 if fresh else face.options.read_lag_s
    return face.as_of_ms(lag_s(taken, normal_s) if taken else normal_s)


def is_emptied(taken: Sequence[Fault]) -> bool:
    """Whether this read is to find nothing."""
    return bool(taken) and first(taken, Kind.EMPTY_READS) is not None


def observed(
    face: Face,
    taken: Sequence[Fault],
    read: Callable[[int | None], Sequence[View]],
    symbol_of: Callable[[View], str],
) -> list[View]:
    """
    What a read of possibly several markets shows.

    A lag or emptiness of one market touches that market alone. ``read`` is asked for an instant
    (None for now); the result is in no particular order.
    """

    def about(fault: Fault, view: View) -> bool:
        return fault.market in {None, symbol_of(view)}

    views = list(read(read_as_of_ms(face, ())))
    if not taken:
        return views
    lagging, emptied = first(taken, Kind.LAG), first(taken, Kind.EMPTY_READS)
    if lagging is not None:
        old = read(read_as_of_ms(face, taken))
        views = [view for view in views if not about(lagging, view)]
        views += [view for view in old if about(lagging, view)]
    if emptied is not None:
        views = [view for view in views if not about(emptied, view)]
    return views


def drop(request: web.Request) -> Reply:
    """Close the connection without an answer; what is returned is never written."""
    if request.transport is not None:
        request.transport.close()
    return Reply(503, "")


def _before(request: web.Request, taken: Sequence[Fault]) -> Reply | None:
    """The end of a request that has no effect, or None to go on."""
    fault = first(
        taken,
        Kind.OUTAGE,
        Kind.RATE_LIMIT,
        Kind.SERVER_ERROR,
        Kind.DROP_ANSWER,
        Kind.BAD_READS,
        Kind.REFUSE,
        after=False,
    )
    if fault is None:
        return None
    if fault.kind in {Kind.OUTAGE, Kind.DROP_ANSWER}:
        return drop(request)
    if fault.kind is Kind.REFUSE:
        return ApiProblemError(fault.code, fault.message, status=fault.status).reply()
    return _error_page(fault)


def _error_page(fault: Fault) -> Reply:
    if fault.html:
        return html_page(fault.status)
    text = "Rate limit exceeded" if fault.status == 429 else "Service unavailable"
    return ApiProblemError(fault.status, text, status=fault.status).reply()
