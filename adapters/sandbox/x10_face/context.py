"""What every handler of the X10 face needs, and the tasks that outlive a request."""

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any, Protocol

from aiohttp import web
from loguru import logger

from adapters.sandbox.engine.exchange import Exchange
from adapters.sandbox.faults import FaultBox
from adapters.sandbox.reply import Rows, Shown
from hedger.clock import Clock

VENUE = "x10"


class Keys(Protocol):
    """The one sub-account that may trade here."""

    @property
    def api_key(self) -> str: ...
    @property
    def public_key(self) -> str: ...
    @property
    def vault(self) -> int: ...
    @property
    def chain_id(self) -> str: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class X10Options:
    """
    What the venue does not publish or may change, and this face therefore takes from outside.

    ``match_delay_s``: from the effect of POST /user/order to its matching; it is answered first.
    ``read_lag_s``: every read of orders, fills and positions is that old.
    ``stream_tick_s``: how often streams look at the market (the venue's full book: 100 ms).
    ``rate_delay_ms``, ``payment_delay_ms``: market time between a settlement and the stamp of
    its rate and payment rows, which appear at that stamp (x10.md §9 observed +1 s and +41 s).
    ``max_expiry_days``: 28 on testnet, 90 on mainnet.
    ``verify_signatures``: off only where no orders are signed, as in the simulation.
    """

    match_delay_s: float = 0.2
    read_lag_s: float = 0.0
    stream_tick_s: float = 0.1
    rate_delay_ms: int = 1_000
    payment_delay_ms: int = 41_000
    max_expiry_days: int = 28
    verify_signatures: bool = True


class Background:
    """Tasks of the application; an error in one is logged and harms no other."""

    def __init__(self) -> None:
        self._tasks: dict[asyncio.Task[None], None] = {}  # as they began

    def launch(self, work: Coroutine[Any, Any, None], name: str) -> None:
        """Run ``work`` until it ends or the application is cleaned up."""
        _ = self.spawn(work, name)

    def spawn(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        """The same, for a caller that may end it earlier."""
        task = asyncio.create_task(work, name=name)
        self._tasks[task] = None
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.pop(task, None)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.opt(exception=error).error("x10 sandbox task {} died", task.get_name())

    async def close(self) -> None:
        """Cancel what still runs and wait for its end."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class Face:
    """The venue as this application sees it. The engine's account number is the vault."""

    def __init__(
        self,
        exchange: Exchange,
        faults: FaultBox,
        keys: Keys,
        clock: Clock,
        options: X10Options,
    ) -> None:
        self.exchange = exchange
        self.faults = faults
        self.keys = keys
        self.api_key: str | None = keys.api_key  # None: revoked
        self.clock = clock
        self.options = options
        self.background = Background()
        self.shown = Shown()
        self.rows = Rows()

    @property
    def account(self) -> int:
        """The account number in the engine and in ``accountId``."""
        return self.keys.vault

    def as_of_ms(self, lag_s: float) -> int | None:
        """The instant of a read that is ``lag_s`` old; None for the present."""
        if lag_s <= 0:
            return None
        return self.exchange.wire_now_ms() - round(lag_s * 1000)

    def edition(self, *, at_marks: bool) -> object:
        """Equal as long as the usual reads of the account show the same; None: unknown."""
        lag_ms = round(self.options.read_lag_s * 1000)
        return self.exchange.edition(lag_ms, at_marks=at_marks)

    def closed(self) -> bool:
        """Whether an outage is on."""
        return self.faults.outage(VENUE)


FACE: web.AppKey[Face] = web.AppKey("x10_face", Face)
