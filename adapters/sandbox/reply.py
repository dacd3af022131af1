"""
What a face answers, before it is HTTP.

The simulation takes status and text as they are; ``spoken`` makes an aiohttp handler of a face's.
"""

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import web

JSON = "application/json"
HTML = "text/html"
SHOWN_MAX = 64

ROWS_MAX = 4_096

json_text = json.JSONEncoder(check_circular=False).encode
"""A JSON document or a part of one; what a face makes holds no circle."""


@dataclass(slots=True)
class Reply:
    """An answer; nobody changes it once it is made, so it may be given twice."""

    status: int
    text: str
    kind: str = JSON
    headers: Mapping[str, str] | None = None

    def response(self) -> web.Response:
        """The same as HTTP."""
        return web.Response(
            status=self.status, text=self.text, content_type=self.kind, headers=self.headers
        )


Handler = Callable[[web.Request], Awaitable[Reply]]
HttpHandler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def of_json(body: object, status: int = 200) -> Reply:
    """A JSON document."""
    return Reply(status, json_text(body))


def spoken(handler: Handler) -> HttpHandler:
    """The handler as aiohttp wants it."""

    async def answer(request: web.Request) -> web.Response:
        return (await handler(request)).response()

    return answer


def route(add: Callable[[str], Callable[[Any], Any]], path: str) -> Callable[[Handler], Handler]:
    """As a decorator of aiohttp's route table (``add`` is its method), for a face's handler."""

    def decorate(handler: Handler) -> Handler:
        add(path)(spoken(handler))
        return handler

    return decorate


class Shown:
    """Answers that are made once and given again as long as nothing has changed."""

    def __init__(self) -> None:
        self._replies: dict[object, tuple[object, Reply]] = {}

    def reply(self, question: object, edition: object, make: Callable[[], Reply]) -> Reply:
        """
        The answer to ``question``.

        ``edition`` differs whenever an answer may; None says that it may at any moment.
        """
        if edition is None:
            return make()
        found = self._replies.get(question)
        if found is not None and found[0] == edition:
            return found[1]
        reply = make()
        if len(self._replies) >= SHOWN_MAX:
            self._replies.clear()
        self._replies[question] = (edition, reply)
        return reply


class Rows:
    """The JSON of what never changes (a version of an order, a fill), each made once."""

    def __init__(self) -> None:
        self._texts: dict[tuple[object, ...], tuple[object, str]] = {}

    def text(self, view: object, make: Callable[[], object], *beside: object) -> str:
        """
        The JSON of ``view``, which ``make`` gives.

        ``beside`` is what it depends on besides. The view is known by its place in memory, which
        nothing else can take as long as it is kept here.
        """
        key = (id(view), *beside)
        found = self._texts.get(key)
        if found is None:
            if len(self._texts) >= ROWS_MAX:
                self._texts.clear()
            found = self._texts[key] = (view, json_text(make()))
        return found[1]
