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

_text_of = json.JSONEncoder(check_circular=False).encode  # what a face makes holds no circle


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
    return Reply(status, _text_of(body))


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
