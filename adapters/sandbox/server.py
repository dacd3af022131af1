"""
Both venues in one process: exchanges, faces, control API, and the ticker that drives them.

Everything listens on loopback; another address is refused, because the control API and the
keys are meant for this machine alone.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, Final

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from loguru import logger

from adapters.sandbox import credentials as sandbox_keys
from adapters.sandbox.clock import ClockMs, MarketClock
from adapters.sandbox.control import build_control, is_loopback
from adapters.sandbox.controls import Controls
from adapters.sandbox.engine.exchange import Exchange
from adapters.sandbox.engine.order_types import DuplicateRule, TradeKind
from adapters.sandbox.engine.params import VenueParams, lighter_params, x10_params
from adapters.sandbox.faults import Fault, FaultBox, Kind
from adapters.sandbox.lighter_face.app import build_app as build_lighter
from adapters.sandbox.lighter_face.options import LighterOptions
from adapters.sandbox.limits import Tier, rate_limits
from adapters.sandbox.options import SandboxOptions
from adapters.sandbox.state import venue_state
from adapters.sandbox.tape import START_MS, Seam, Tape, VenueName
from adapters.sandbox.x10_face.app import build_app as build_x10
from adapters.sandbox.x10_face.context import X10Options
from hedger.clock import Clock
from hedger.domain.money import exact_context
from hedger.errors import ConfigError

LOOPBACK: Final = "127.0.0.1"
TICK_S: Final = 0.25
SHUTDOWN_S: Final = 2.0


class Sandbox:
    """
    Two venues on one tape, not yet listening.

    Args:
        options: parameters; a port of 0 means a free one.
        clock: wire time of everything in it.
        credentials: the accounts' keys; new random ones unless given.
        host: where to listen; a loopback address.
        tick_s: wire seconds between two looks at the clocks.

    Raises:
        ConfigError: the address is not loopback, or a fault of the options is wrong.
    """

    def __init__(
        self,
        options: SandboxOptions,
        clock: Clock,
        *,
        credentials: sandbox_keys.Credentials | None = None,
        host: str = LOOPBACK,
        tick_s: float = TICK_S,
    ) -> None:
        if not is_loopback(host):
            raise ConfigError(f"the sandbox listens on this machine only, not on {host!r}")
        exact_context()
        self.options = options
        self.clock = clock
        self.credentials = credentials or sandbox_keys.generate()
        self.wire = ClockMs(clock)
        self.market = MarketClock(self.wire, start_ms=START_MS, hour_s=options.hour_s)
        self.tape = Tape(seed=options.seed)
        self.tape.on_seam(_log_seam)
        self.x10 = self._exchange("x10", self.credentials.x10.vault)
        self.lighter = self._exchange("lighter", self.credentials.lighter.account_index)
        self.faults = FaultBox(clock, markets=frozenset(self.tape.symbols), strike=self._liquidate)
        self.faults.add(list(options.faults))
        self.controls = Controls(
            {"x10": self.x10, "lighter": self.lighter}, self.accounts, self.wire, clock
        )
        self.announcement: dict[str, Any] = {}
        self._host = host
        self._tick_s = tick_s
        self._runners: list[web.AppRunner] = []

    @property
    def accounts(self) -> Mapping[str, int]:
        """The account number of each venue."""
        return {
            "x10": self.credentials.x10.vault,
            "lighter": self.credentials.lighter.account_index,
        }

    def state(self) -> dict[str, Any]:
        """The truth of both venues (``GET /state``)."""
        self.sync()
        accounts = self.accounts
        return {
            **self.clocks(),
            "hour_s": self.options.hour_s,
            "x10": venue_state(self.x10, accounts["x10"]),
            "lighter": venue_state(self.lighter, accounts["lighter"]),
        }

    def clocks(self) -> dict[str, int]:
        """Both clocks now."""
        return {"wire_ms": self.wire.now_ms(), "market_ms": self.market.now_ms()}

    def advance(self, ms: int) -> None:
        """Move market time; every hour that is crossed is settled on both venues."""
        self.market.advance(ms)
        self.sync()

    def sync(self) -> None:
        """Bring both venues up to the clocks."""
        self.x10.sync()
        self.lighter.sync()

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[dict[str, Any]]:
        """
        Answer requests while this is held; gives the announcement with the real ports.

        Raises:
            ConfigError: a port is not free.
        """
        ticker: asyncio.Task[None] | None = None
        try:
            x10_url = await self._listen(self._x10_app(), self.options.x10_port)
            lighter_url = await self._listen(self._lighter_app(), self.options.lighter_port)
            control_url = await self._listen(build_control(self), self.options.control_port)
            self.announcement = self.credentials.announcement(x10_url, lighter_url, control_url)
            ticker = asyncio.create_task(self._tick(), name="sandbox ticker")
            yield self.announcement
        finally:
            if ticker is not None:
                ticker.cancel()
                await asyncio.gather(ticker, return_exceptions=True)
            for runner in reversed(self._runners):
                await runner.cleanup()
            self._runners.clear()

    def _exchange(self, venue: VenueName, account: int) -> Exchange:
        exchange = Exchange(
            venue,
            tape=self.tape,
            wire=self.wire,
            market=self.market,
            params=venue_params(venue, self.options),
        )
        exchange.create_account(account, self.options.balance_usd)
        return exchange

    def _x10_app(self) -> web.Application:
        options = X10Options(read_lag_s=self.options.lag_s)
        owner = self.credentials.x10
        app = build_x10(self.x10, self.faults, owner, self.clock, options)
        self.controls.attach_x10(app)
        return self._guarded(app, "x10")

    def _lighter_app(self) -> web.Application:
        tier = self.options.tier
        options = LighterOptions(
            seed=self.options.seed,
            nonce_lag_s=self.options.lag_s,
            read_lag_s=self.options.lag_s,
            user_tier=Tier.PREMIUM if tier is Tier.NONE else tier,
        )
        owner = self.credentials.lighter
        app = build_lighter(self.lighter, self.faults, owner, self.clock, options)
        self.controls.attach_lighter(app)
        return self._guarded(app, "lighter")

    def _guarded(self, app: web.Application, venue: str) -> web.Application:
        """Outage first, then what stands between venue and client, the rate limit, the face."""
        limits = rate_limits(venue, self.options.tier, self.clock)
        app.middlewares[:0] = [self._outage(venue), *self.controls.middlewares(venue), limits]
        return app

    def _outage(self, venue: str) -> Middleware:
        @web.middleware
        async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
            if not self.faults.outage(venue):
                return await handler(request)
            if request.transport is not None:
                request.transport.abort()
            return web.Response(status=503)  # never written: the connection is gone

        return check

    def _liquidate(self, fault: Fault) -> None:
        assert fault.market is not None
        exchange = self.x10 if fault.venue == "x10" else self.lighter
        kind = TradeKind.DELEVERAGE if fault.kind is Kind.ADL else TradeKind.LIQUIDATION
        exchange.liquidate(self.accounts[fault.venue], fault.market, fault.fraction, kind)

    async def _listen(self, app: web.Application, port: int) -> str:
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=SHUTDOWN_S)
        self._runners.append(runner)
        await runner.setup()
        site = web.TCPSite(runner, self._host, port)
        try:
            await site.start()
        except OSError as error:
            reason = error.strerror or str(error)
            raise ConfigError(
                f"the sandbox cannot listen on {self._host}:{port} ({reason}); "
                "choose another port, or 0 for a free one"
            ) from error
        return f"http://{self._host}:{runner.addresses[0][1]}"

    async def _tick(self) -> None:
        while True:
            try:
                self.sync()
            except Exception:  # noqa: BLE001 - the ticker outlives one bad step; requests would show it again
                logger.exception("the sandbox could not bring its venues up to the clock")
            await self.clock.sleep(self._tick_s)


def venue_params(venue: VenueName, options: SandboxOptions) -> VenueParams:
    """The parameters of one venue as the options say."""
    if venue == "x10":
        params = x10_params()
    else:
        params = lighter_params(premium=options.tier is not Tier.STANDARD)
    return replace(
        params,
        spread_bps=options.spread_bps,
        depth_usd=options.depth_usd,
        depth_oi_usd=None,
        duplicates=DuplicateRule(options.duplicate_check),
    )


def _log_seam(seam: Seam) -> None:
    logger.info("tape seam: {}", seam.name, market_ms=seam.market_ms)
