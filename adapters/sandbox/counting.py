"""How many requests came, by route and weight."""

from dataclasses import dataclass, field
from typing import Any, Final

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from adapters.sandbox.clock import WireClock
from adapters.sandbox.limits import weight_of

MAX_PATHS: Final = 500
OTHER: Final = "other"


@dataclass(slots=True)
class _Count:
    count: int = 0
    weight: int = 0
    last_ms: int = 0


@dataclass(slots=True)
class RequestCounts:
    """
    Requests of one venue since the last reset, refused and rewritten ones too.

    Paths are those of the routes: ids in them are not told apart. Weights are the venue's own
    (Lighter's premium tier; X10 counts every request as one).
    """

    venue: str
    clock: WireClock
    since_ms: int = 0
    paths: dict[str, _Count] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Start again from nothing."""
        self.since_ms = self.clock.now_ms()
        self.paths.clear()

    def shown(self) -> dict[str, Any]:
        """The counts as JSON, busiest path first."""
        rows = sorted(self.paths.items(), key=lambda item: -item[1].count)
        return {
            "since_ms": self.since_ms,
            "count": sum(row.count for _, row in rows),
            "weight": sum(row.weight for _, row in rows),
            "paths": {
                path: {"count": row.count, "weight": row.weight, "last_ms": row.last_ms}
                for path, row in rows
            },
        }

    def middleware(self) -> Middleware:
        """What counts."""

        @web.middleware
        async def count(request: web.Request, handler: Handler) -> web.StreamResponse:
            self._note(request)
            return await handler(request)

        return count

    def _note(self, request: web.Request) -> None:
        resource = request.match_info.route.resource
        path = OTHER if resource is None else f"{request.method} {resource.canonical}"
        if path not in self.paths and len(self.paths) >= MAX_PATHS:
            path = OTHER
        row = self.paths.setdefault(path, _Count())
        row.count += 1
        row.weight += weight_of(self.venue, request.path)
        row.last_ms = self.clock.now_ms()
