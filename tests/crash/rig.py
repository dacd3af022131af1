"""
One state directory with its sandbox process and its daemon process, and the means to hurt it.

Daemon and sandbox are ``hedger run`` and ``hedger sandbox`` as anyone would start them; what is
asked of the daemon goes through its socket. The truth is the sandbox's ``/state``.
"""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import yaml

from adapters.sandbox import process, verify
from hedger import audit, control, crashpoints, resources
from hedger.clock import SystemClock
from hedger.errors import HedgerError, StateError
from hedger.home import Home
from tests.crash import truth

READY_S = 90.0
REST_S = 150.0
STOP_S = 25.0  # what SIGTERM may take (hedger/daemon.py, GRACE_S)
POLL_S = 0.05
UNFINISHED = ("planned", "opening_a", "opening_b", "closing", "converging", "escalated", "orphan")


class Wrong(Exception):  # noqa: N818 - reads as what it is where it is raised
    """What must not be: the text says what was found."""


def configuration(**sections: Mapping[str, Any]) -> dict[str, Any]:
    """The shipped sandbox configuration with quick jobs, no rate limits and a small read lag."""
    data: dict[str, Any] = yaml.safe_load(
        (resources.config() / "sandbox.yaml").read_text(encoding="utf-8")
    )
    changes: dict[str, Mapping[str, Any]] = {
        "entry": {"enabled": False},
        "trading": {"max_open_hedges": 20},
        "circuit_breaker": {"consecutive_failures_threshold": 100},
        "rollback": {"budget_s": 15, "max_attempts": 4},
        "funding": {"payment_lag_s": 0.5},
        "jobs": {
            "scan": {"interval_s": 4},
            "monitor": {"interval_s": 2},
            "reconcile": {"interval_s": 5},
            "funding": {"interval_s": 2},
        },
        "sandbox": {"tier": "none", "lag_s": 0.2, "hour_s": 3600, "balance_usd": 1_000_000},
    }
    for name, section in (*changes.items(), *sections.items()):
        data[name] = {**data.get(name, {}), **section}
    return data


class Rig:
    """A home, its sandbox, and one daemon at a time."""

    def __init__(self, folder: Path, data: Mapping[str, Any] | None = None) -> None:
        self.home = Home(folder / "home")
        self.config = folder / "sandbox.yaml"
        self.log = folder / "daemon.log"
        self._data = data or configuration()
        self._daemon: subprocess.Popen[bytes] | None = None
        self._http: httpx.AsyncClient | None = None
        self.foreign: set[str] = set()  # client ids of orders that somebody else sent
        self.stop_seconds: list[float] = []

    # -- processes --------------------------------------------------------------------------

    async def begin(self) -> None:
        """Prepare the directory and start the sandbox."""
        from adapters.sandbox.options import SandboxOptions
        from hedger import settings

        self.home.root.parent.mkdir(parents=True, exist_ok=True)
        self.config.write_text(yaml.safe_dump(dict(self._data)), encoding="utf-8")
        self.home.prepare("sandbox")
        found = settings.load(self.config).sandbox
        assert found is not None
        await process.ensure_running(self.home.root, SandboxOptions.of(found), SystemClock())
        self._http = httpx.AsyncClient(
            base_url=self.line()["control_url"], trust_env=False, timeout=30
        )

    async def end(self) -> None:
        """End whatever of ours still runs."""
        if self._daemon is not None and self._daemon.poll() is None:
            self._daemon.kill()
            self._daemon.wait()
        if self._http is not None:
            await self._http.aclose()
        await process.stop(self.home.root, SystemClock())

    def start(self, crash_at: str = "") -> None:
        """Start the daemon, armed if asked; does not wait for it."""
        assert not self.alive
        environ = {**os.environ, "HEDGER_HOME": str(self.home.root)}
        environ.pop(crashpoints.VARIABLE, None)
        if crash_at:
            environ[crashpoints.VARIABLE] = crash_at
        with self.log.open("ab") as log:
            self._daemon = subprocess.Popen(
                [sys.executable, "-P", "-m", "hedger", "run", "--config", str(self.config)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
                env=environ,
            )

    @property
    def alive(self) -> bool:
        """Whether the daemon's process is there."""
        return self._daemon is not None and self._daemon.poll() is None

    @property
    def exit_code(self) -> int | None:
        """Of the last daemon; negative for the signal that ended it."""
        return None if self._daemon is None else self._daemon.poll()

    async def ready(self) -> bool:
        """Wait until the daemon takes commands; False when it died before."""
        until = time.monotonic() + READY_S
        while time.monotonic() < until:
            if not self.alive:
                return False
            try:
                _, writer = await asyncio.open_unix_connection(self.home.control_socket)
            except OSError:
                await asyncio.sleep(POLL_S)
                continue
            writer.close()
            return self.alive
        raise Wrong(f"the daemon is not ready after {READY_S:g} s: {self.tail()}")

    async def recovering(self) -> None:
        """Wait until the daemon has begun to take something up."""
        until = time.monotonic() + READY_S
        start = self.log.stat().st_size
        while time.monotonic() < until:
            with self.log.open("rb") as log:
                log.seek(start)
                if b"taking it up" in log.read():
                    return
            await asyncio.sleep(POLL_S)
        raise Wrong(f"nothing is taken up: {self.tail()}")

    def send(self, number: signal.Signals) -> None:
        """Signal the daemon."""
        assert self._daemon is not None
        self._daemon.send_signal(number)

    async def died(self, within_s: float) -> bool:
        """Wait for the daemon's end."""
        until = time.monotonic() + within_s
        while self.alive and time.monotonic() < until:
            await asyncio.sleep(POLL_S)
        return not self.alive

    def frozen(self) -> bool:
        """Whether the daemon stands still under SIGSTOP."""
        assert self._daemon is not None
        stat = Path(f"/proc/{self._daemon.pid}/stat").read_text(encoding="utf-8")
        return stat.rpartition(")")[2].split()[0] == "T"

    async def stop(self) -> float:
        """SIGTERM; the seconds it took. It must be in time, and well."""
        began = time.monotonic()
        self.send(signal.SIGTERM)
        if not await self.died(STOP_S + 5):
            raise Wrong(f"SIGTERM did not end the daemon within {STOP_S:g} s: {self.tail()}")
        took_s = time.monotonic() - began
        self.stop_seconds.append(took_s)
        if self.exit_code != 0 or took_s > STOP_S:
            raise Wrong(f"SIGTERM ended in {took_s:.1f} s, status {self.exit_code}: {self.tail()}")
        return took_s

    def tail(self) -> str:
        """The last lines of the daemon's log."""
        return " | ".join(self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-4:])

    # -- asking -----------------------------------------------------------------------------

    async def ask(self, command: str, **args: Any) -> dict[str, Any] | None:
        """A command to the daemon; None when the daemon died over it, or refused."""
        try:
            return await control.call(
                self.home.control_socket, command, args, lambda _: None, environment="sandbox"
            )
        except HedgerError:
            return None

    async def told(self, command: str, **args: Any) -> str:
        """What a command is refused with; its result as text if it is not."""
        try:
            return str(
                await control.call(
                    self.home.control_socket, command, args, lambda _: None, environment="sandbox"
                )
            )
        except HedgerError as error:
            return str(error)

    async def fault(self, venue: str, kind: str, **parameters: Any) -> None:
        """Make the sandbox misbehave."""
        assert self._http is not None
        body = {"venue": venue, "kind": kind, **parameters}
        (await self._http.post("/faults", json=body)).raise_for_status()

    async def clear(self) -> None:
        """No more faults."""
        assert self._http is not None
        (await self._http.delete("/faults")).raise_for_status()

    async def advance(self, hours: int) -> None:
        """Let the venues settle funding."""
        assert self._http is not None
        (await self._http.post("/clock/advance", json={"hours": hours})).raise_for_status()

    async def state(self) -> dict[str, Any]:
        """What the venues truly did."""
        assert self._http is not None
        found: dict[str, Any] = (await self._http.get("/state")).raise_for_status().json()
        return found

    async def working(self) -> list[str]:
        """Client ids of orders that a venue may still fill."""
        return truth.working(await self.state())

    def rows(self, kind: str) -> list[dict[str, Any]]:
        """The ledger's own account."""
        if not self.home.ledger.exists():
            return []
        try:
            return list(audit.rows(self.home.ledger, kind, audit.Filters(limit=0)))
        except StateError:
            return []  # killed before the schema was made

    def unfinished(self) -> list[dict[str, Any]]:
        """Hedges that are not at rest."""
        return [row for row in self.rows("hedges") if row["state"] in UNFINISHED]

    def line(self) -> dict[str, Any]:
        """What the sandbox said of itself, with its keys."""
        line = process.status(self.home.root)
        assert line is not None
        return line

    # -- comparing --------------------------------------------------------------------------

    async def at_rest(self, within_s: float = REST_S) -> None:
        """Wait until every hedge is at rest and no order is unknown."""
        until = time.monotonic() + within_s
        while time.monotonic() < until:
            unknown = [r for r in self.rows("orders") if r["state"] in verify.OPEN]
            if not self.unfinished() and not unknown:
                return
            if not self.alive:
                raise Wrong(f"the daemon ended by itself, {self.exit_code}: {self.tail()}")
            await asyncio.sleep(0.2)
        left = [f"{row['id']} {row['state']}: {row['reason']}" for row in self.unfinished()]
        raise Wrong(f"not at rest after {within_s:g} s: {'; '.join(left)}; {self.tail()}")

    async def intents_come_first(self) -> None:
        """Promise 1, right after a kill: what reached a venue stands in the ledger."""
        known = {row["client_id"] for row in self.rows("orders")} | self.foreign
        state = await self.state()
        sent = [order["client_id"] for v in verify.VENUES for order in state[v]["orders"]]
        if strangers := [name for name in sent if name not in known]:
            raise Wrong(f"sent without an intent: {', '.join(strangers)}")

    async def compare(self, *, flat: bool = False) -> None:
        """0 orphans, 0 lost, 0 doubled: ledger and venues agree to the last decimal."""
        state = await self.state()
        ours = truth.without(state, self.foreign)
        found = truth.doubled(ours)
        orders, fills, funding = (self.rows(kind) for kind in ("orders", "fills", "funding"))
        found += verify.differences(orders, fills, funding, ours)
        if flat:
            found += verify.exposed(state)
        else:
            found += truth.naked(state, self.rows("hedges"), self.rows("events"))
        if found:
            raise Wrong("; ".join(found))
