"""A request without HTTP, and what a face's handler makes of it."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from adapters.sandbox.reply import Reply

Handler = Callable[[Any], Any]  # a coroutine function; typed as such by aiohttp alone


class Cut(Exception):  # noqa: N818 - no error: an answer that does not come
    """The venue closed the connection without an answer."""


class _Params(tuple[tuple[str, str], ...]):
    """A query as the faces read it: one value of a name, or all of them."""

    __slots__ = ()

    def get(self, name: str, default: Any = None) -> Any:
        for key, value in self:
            if key == name:
                return value
        return default

    def getall(self, name: str, default: Any = None) -> Any:
        return [value for key, value in self if key == name] or default

    def items(self) -> "_Params":
        return self

    def __contains__(self, name: object) -> bool:
        return any(key == name for key, _ in self)


class Request:
    """What the handlers ask of ``aiohttp.web.Request``."""

    __slots__ = ("_body", "app", "cut", "match_info", "query")
    headers: Mapping[str, str] = {}  # the token is in the query here

    def __init__(
        self, app: Mapping[Any, Any], query: Sequence[tuple[str, str]], info: Mapping[str, str],
        body: str | Mapping[str, str],
    ) -> None:  # fmt: skip
        self.app = app
        self.query = _Params(query)
        self.match_info = info
        self.cut = False
        self._body = body

    @property
    def transport(self) -> "Request":
        """What the faces close when there is to be no answer."""
        return self

    def close(self) -> None:
        self.cut = True

    abort = close

    async def text(self) -> str:
        assert isinstance(self._body, str)
        return self._body

    async def post(self) -> Mapping[str, str]:
        assert not isinstance(self._body, str)
        return self._body


def answered(handler: Handler, request: Request) -> tuple[int, str]:
    """Run a handler, which here never waits, to its end."""
    work = handler(request)
    try:
        work.send(None)
    except StopIteration as done:
        if request.cut:
            raise Cut from None
        reply = done.value
        return reply.status, reply.text
    raise AssertionError("a face waited")


def text_of(reply: Reply) -> tuple[int, str]:
    return reply.status, reply.text
