"""How long things take at the venues, changed while they run."""

from dataclasses import dataclass, replace
from typing import Any, Final

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from adapters.sandbox.control_fields import BadRequestError, Fields
from adapters.sandbox.lighter_face.face import Face as LighterFace
from adapters.sandbox.x10_face.context import Face as X10Face
from hedger.clock import Clock

MAX_S: Final = 600.0
KEYS: Final = ("venue", "match_s", "taker_s", "request_s", "read_lag_s")
OTHER_VENUE: Final = {"x10": "taker_s", "lighter": "match_s"}


@dataclass(slots=True)
class RequestLatency:
    """Each request of one venue takes ``seconds`` more, half of it on the way back."""

    clock: Clock
    seconds: float = 0.0

    def middleware(self) -> Middleware:
        """What waits."""

        @web.middleware
        async def wait(request: web.Request, handler: Handler) -> web.StreamResponse:
            half_s = self.seconds / 2
            if not half_s:
                return await handler(request)
            await self.clock.sleep(half_s)
            answer = await handler(request)
            await self.clock.sleep(half_s)
            return answer

        return wait


def set_latency(fields: Fields, face: X10Face | LighterFace, requests: RequestLatency) -> None:
    """
    Change what is named.

    ``match_s``: X10, from the answer to an order to its match. ``taker_s``: Lighter, the same
    for an order that takes. ``read_lag_s``: how old private reads are.

    Raises:
        BadRequestError: a value is wrong, or a key is for the other venue.
    """
    venue = fields.choice("venue", tuple(OTHER_VENUE))
    if fields.has(OTHER_VENUE[venue]):
        raise BadRequestError(f"{OTHER_VENUE[venue]} is not for {venue}; remove it")
    found = {name: fields.seconds(name, MAX_S) for name in KEYS[1:] if fields.has(name)}
    if "request_s" in found:
        requests.seconds = found["request_s"]
    if "read_lag_s" in found:
        _change(face, read_lag_s=found["read_lag_s"])
    if "match_s" in found:
        _change(face, match_delay_s=found["match_s"])
    if "taker_s" in found:
        taker_ms = round(found["taker_s"] * 1_000)
        _change(face, taker_latency_ms=(taker_ms, taker_ms))


def _change(face: X10Face | LighterFace, **options: Any) -> None:
    if isinstance(face, X10Face):
        face.options = replace(face.options, **options)
    else:
        face.options = replace(face.options, **options)


def shown(face: X10Face | LighterFace, requests: RequestLatency) -> dict[str, float]:
    """What holds now, in seconds; Lighter's takers by the longest."""
    common = {"request_s": requests.seconds, "read_lag_s": face.options.read_lag_s}
    if isinstance(face, X10Face):
        return {"match_s": face.options.match_delay_s, **common}
    return {"taker_s": max(face.options.taker_latency_ms) / 1_000, **common}
