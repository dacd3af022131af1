"""
The composition root: settings to clock, ledger, venues and everything between them.

The only module that imports ``adapters``. SDKs, SQLAlchemy and Alembic load here, when an
application is opened, and not before.
"""

import asyncio
import contextlib
import os
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from loguru import logger

from hedger import crashpoints, log, secrets
from hedger.clock import Clock, SystemClock
from hedger.domain.ids import Symbol, VenueId
from hedger.domain.money import exact_context
from hedger.errors import StateError, UsageError
from hedger.home import Home
from hedger.ports import History, QuoteSource, Venue
from hedger.service import gate
from hedger.settings import Sandbox as SandboxSettings
from hedger.settings import Settings
from hedger.trader import Progress, Row, Trader, scan_rules

Mode = Literal["read", "trade"]


class App:
    """
    An opened application; ``async with App.open(...)``.

    ``read`` opens public data and, where keys are known, the accounts, and writes nothing.
    ``trade`` also migrates and opens the ledger; the caller holds the state directory's lock.
    """

    def __init__(self, settings: Settings, home: Home, mode: Mode, clock: Clock) -> None:
        self.settings = settings
        self._home = home
        self._mode = mode
        self._clock = clock
        self._stack = contextlib.AsyncExitStack()
        self._quotes: dict[VenueId, QuoteSource] = {}
        self._venues: dict[VenueId, Venue] = {}
        self._access: dict[VenueId, Any] = {}
        self._trader: Trader | None = None

    @classmethod
    def open(
        cls, settings: Settings, home: Home, *, mode: Mode, clock: Clock | None = None
    ) -> Self:
        """Not yet entered: nothing is loaded or connected."""
        return cls(settings, home, mode, clock or SystemClock())

    async def __aenter__(self) -> Self:
        exact_context()
        try:
            await self._enter()
        except BaseException:  # interrupted, too: what was not entered is not left either
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._stack.aclose()

    async def _enter(self) -> None:
        from adapters import registry

        found = await self._find_access()
        self._access = {
            venue: registry.metered(venue, access, self._clock) for venue, access in found.items()
        }
        for venue in self.settings.venues.order:
            source = registry.factory(venue).quotes(
                venue, self._access[venue], self._names(venue), self._clock, self._timeout_s
            )
            self._stack.push_async_callback(source.close)
            self._quotes[venue] = crashpoints.around(source)
        if self._mode == "trade":
            await self._open_venues()
            self._trader = self._compose()

    async def _find_access(self) -> dict[VenueId, Any]:
        from adapters import registry

        gate.real_money(self.settings)  # no connection is made where it refuses
        order = self.settings.venues.order
        if self.settings.sandbox is not None:
            secrets.withdraw(os.environ, order)  # before a process is started that inherits it
            from adapters.sandbox.options import SandboxOptions
            from adapters.sandbox.process import ensure_running

            line = await ensure_running(
                self._home.root, SandboxOptions.of(self.settings.sandbox), self._clock
            )
            tier = self.settings.sandbox.tier
            found = {venue: registry.factory(venue).sandbox(line, tier) for venue in order}
            log.hide(value for access in found.values() for value in access.secrets.values())
            return found
        secrets.close_memory()
        known = secrets.load(self._home, os.environ, order)
        return {
            venue: registry.Access(
                options=self.settings.venues.options.get(venue, {}), secrets=known[venue]
            )
            for venue in order
        }

    def _names(self, venue: VenueId) -> Mapping[Symbol, str]:
        """The venue's spelling of the symbols that it spells in its own way."""
        return {
            symbol: names[venue]
            for symbol, names in self.settings.symbols.names.items()
            if venue in names
        }

    @property
    def _timeout_s(self) -> float:
        return self.settings.execution.order_timeout_s

    async def _open_venues(self) -> None:
        """Both accounts, leg A's first; closed in the opposite order."""
        from adapters import registry

        for id_ in self.settings.venues.order:
            if id_ in self._venues:
                continue
            venue = crashpoints.around(
                registry.factory(id_).venue(
                    id_, self._access[id_], self._names(id_), self._clock, self._timeout_s
                )
            )
            self._stack.push_async_callback(venue.close)
            await venue.start()
            self._venues[id_] = venue

    def _compose(self) -> Trader:
        from hedger.compose import compose
        from hedger.ledger import migrate
        from hedger.ledger.room import Room
        from hedger.ledger.store import open_store

        done = migrate.upgrade(self._home.ledger, self._clock)
        if done.before != done.after:
            logger.info("the ledger is at version {}", done.after)
        store = open_store(self._home.ledger, self._clock, room=Room(self._home.ledger))
        self._stack.callback(store.close)
        return compose(
            self.settings,
            venues=self._venues,
            quotes=self._quotes,
            store=store,
            clock=self._clock,
            chance=random.SystemRandom(),  # noqa: TID251 - the root of all chance
            kill_file=self._home.kill_file,
        )

    @property
    def trader(self) -> Trader:
        """What trades; only in mode ``trade``."""
        assert self._trader is not None, "opened for reading only"
        return self._trader

    # -- what commands ask ------------------------------------------------------------------

    async def scan(self) -> Row:
        """Rank what both venues quote now."""
        from hedger.scanner import scan
        from hedger.views import scan_view

        return scan_view(await scan(self._quotes, scan_rules(self.settings), self._clock))

    async def record(self, folder: Path, **how: Any) -> Row:
        """Write down what both venues quote; see ``hedger.recording.jobs.record``."""
        from hedger.recording import jobs

        return await jobs.record(
            folder, quotes=self._quotes, venues=self.settings.venues.order, clock=self._clock, **how
        )

    async def fetch_history(self, folder: Path, **how: Any) -> Row:
        """Pull settled rates of both venues; see ``hedger.recording.jobs.fetch``."""
        from hedger.recording import jobs

        return await jobs.fetch(
            folder,
            quotes=self._quotes,
            histories=self._histories(),
            venues=self.settings.venues.order,
            clock=self._clock,
            **how,
        )

    def _histories(self) -> Mapping[VenueId, History]:
        from adapters import registry

        found = {}
        for venue in self.settings.venues.order:
            history = registry.factory(venue).history(
                venue, self._access[venue], self._names(venue), self._clock, self._timeout_s
            )
            self._stack.push_async_callback(history.close)
            found[venue] = history
        return found

    async def preview_rollback(
        self, *, hedge: str | None, market: Symbol | None, everything: bool
    ) -> list[Row]:
        """What a rollback would send; reads the venues and the ledger, writes nothing."""
        if self._trader is not None:
            return await self._trader.preview_rollback(
                hedge=hedge, market=market, everything=everything
            )
        from hedger.preview import exposures, preview_rows

        await self._open_venues()
        found = await exposures(
            self._venues, self._live(), hedge=hedge, market=market, everything=everything
        )
        return await preview_rows(self._venues, self._quotes, found)

    def _live(self) -> Any:
        """The live hedges of the ledger, if there is one yet."""
        from hedger.ledger.store import open_store

        if not self._home.ledger.exists():
            return []
        store = open_store(self._home.ledger, self._clock, readonly=True)
        try:
            return store.live()
        finally:
            store.close()

    async def pause(self, scope: str, *, who: str, reason: str, progress: Progress) -> Row:
        """See ``Trader.pause``."""
        return await self.trader.pause(scope, who=who, reason=reason, progress=progress)

    async def resume(self, scope: str | None, *, losses: bool, who: str, progress: Progress) -> Row:
        """See ``Trader.resume``."""
        return await self.trader.resume(scope, losses=losses, who=who, progress=progress)

    async def acknowledge(
        self, numbers: Sequence[int], *, who: str, progress: Progress
    ) -> list[Row]:
        """See ``Trader.acknowledge``."""
        return await self.trader.acknowledge(numbers, who=who, progress=progress)

    async def open_hedge(self, symbol: Symbol, usd: Any, progress: Progress) -> Row:
        """See ``Trader.open_hedge``. Without a daemon, units are checked by whoever opens."""
        await self.trader.riskdesk.units.fresh()
        return await self.trader.open_hedge(symbol, usd, progress)

    async def close_hedge(self, prefix: str, progress: Progress, *, anyway: bool = False) -> Row:
        """See ``Trader.close_hedge``."""
        return await self.trader.close_hedge(prefix, progress, anyway=anyway)

    async def preview_close(self, prefix: str) -> list[Row]:
        """What closing a hedge would send; reads the venues and the ledger, writes nothing."""
        if self._trader is not None:
            return await self._trader.preview_close(prefix)
        from hedger.execution.closepreview import close_rows
        from hedger.ledger.store import open_store

        if not self._home.ledger.exists():
            raise UsageError(f"no hedge begins with {prefix!r}: there is no ledger here yet")
        await self._open_venues()
        with open_store(self._home.ledger, self._clock, readonly=True) as ledger:
            hedge = ledger.find(prefix)
            worst_bps = self.settings.rollback.slippage_bps[-1]
            return await close_rows(self._venues, self._quotes, ledger, hedge, worst_bps)

    async def settle_hedge(
        self, prefix: str, *, who: str, reason: str, force: bool, progress: Progress
    ) -> Row:
        """See ``Trader.settle_hedge``."""
        return await self.trader.settle_hedge(
            prefix, who=who, reason=reason, force=force, progress=progress
        )

    async def rollback(
        self, *, hedge: str | None, market: Symbol | None, everything: bool, progress: Progress
    ) -> list[Row]:
        """See ``Trader.rollback``."""
        return await self.trader.rollback(
            hedge=hedge, market=market, everything=everything, progress=progress
        )

    async def reconcile(self, progress: Progress) -> Row:
        """See ``Trader.reconcile``."""
        return await self.trader.reconcile(progress)

    async def ledger_in_use(self) -> Row:
        """See ``Trader.ledger_in_use``."""
        return await self.trader.ledger_in_use()

    async def recover(self, progress: Progress) -> Row:
        """See ``Trader.recover``."""
        return await self.trader.recover(progress)

    async def send_alerts(self) -> None:
        """What a command without a daemon has to tell a person; bounded by the channels."""
        await self.trader.alerter.run()

    async def run_daemon(self, stop: asyncio.Event) -> None:
        """Serve until ``stop`` is set."""
        from hedger.daemon import Daemon

        await Daemon(self.trader, self._home).run(stop)


# -- the sandbox of a state directory ---------------------------------------------------------


def run_sandbox(settings: SandboxSettings, home: Home, **ports: int) -> int:
    """Be the sandbox of a state directory until SIGTERM; prints its JSON line when ready."""
    from adapters.sandbox import runner
    from adapters.sandbox.options import SandboxOptions

    return asyncio.run(runner.run(SandboxOptions.of(settings, **ports), home.root))


async def stop_sandbox(home: Home) -> bool:
    """End the running sandbox of a state directory; False when there was none."""
    from adapters.sandbox import process

    return await process.stop(home.root, SystemClock())


def sandbox_status(home: Home) -> dict[str, Any] | None:
    """What the running sandbox announced, with its pid; None when there is none."""
    from adapters.sandbox import process

    return process.status(home.root)


def ask_sandbox(home: Home, method: str, path: str, body: Any = None) -> Any:
    """
    One request to the running sandbox's control API.

    Raises:
        UsageError: no sandbox is running here, or it refused the request.
        StateError: it does not answer.
    """
    import httpx

    from adapters.sandbox import process

    line = process.status(home.root)
    if line is None:
        raise UsageError("no sandbox is running here; start one with any command, such as scan")
    try:
        answer = httpx.request(
            method, line["control_url"] + path, json=body, timeout=30, trust_env=False
        )
    except httpx.HTTPError as error:
        raise StateError(f"the sandbox does not answer: {error}") from error
    found = answer.json() if answer.content else {}
    if answer.status_code == httpx.codes.BAD_REQUEST:
        raise UsageError(f"the sandbox refuses: {found.get('error')}")
    if not answer.is_success:
        raise StateError(f"the sandbox answers {method} {path} with HTTP {answer.status_code}")
    return found


def verify_sandbox(home: Home, *, flat: bool) -> tuple[str, list[str]]:
    """
    What was compared, and every difference between the ledger and what the venues truly did.

    With ``flat``, a position that is still open is one, too.

    Raises:
        UsageError: no sandbox is running here.
        StateError: the ledger or the sandbox cannot be read.
    """
    from adapters.sandbox import verify
    from hedger import audit

    state = ask_sandbox(home, "GET", "/state")
    everything = audit.Filters(limit=0)
    orders, fills, payments = (
        list(audit.rows(home.ledger, kind, everything)) for kind in ("orders", "fills", "funding")
    )
    counted = f"{len(orders)} orders, {len(fills)} fills, {len(payments)} funding payments"
    found = verify.differences(orders, fills, payments, state)
    return counted, found + (verify.exposed(state) if flat else [])
