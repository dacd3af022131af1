"""
``bin/soak --market-hours 48``: so many hours of the tape at speed, then the books are compared.

Hedges are opened side by side and closed again at random, some of them after a partial or a
refused second leg, while settlements pass every ``hour_s`` seconds; funding and the venues' own
books are read as the daemon does. At the end each hedge has to be worth the same by our fills, by
the venues' history and by their balances, and the statement has to be the balance.
"""

import random
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx

from hedger.app import App
from hedger.audit import Filters, accounts, statement
from hedger.audit.statement import By
from hedger.cli.output import Format, emit
from hedger.clock import Clock
from hedger.domain.ids import Symbol
from hedger.errors import UsageError, VenueError
from tests import soak_rates

SYMBOLS = ("ETH", "SOL", "BNB", "XRP", "DOGE", "AVAX", "LINK", "LTC", "SUI", "HYPE")
LIVE_MAX = 4
HOLD_MAX_H = 8
HOUR_MS = 3_600_000
READS = 12
READ_EVERY_S = 3.0
FAULTS: tuple[dict[str, Any] | None, ...] = (
    None,
    None,
    None,
    {"venue": "lighter", "kind": "partial_fill", "fraction": "0.6", "reduce_only": False},
    {"venue": "lighter", "kind": "refuse", "code": 21733, "status": 400, "reduce_only": False},
)


class Hours:
    """One run over a sandbox that goes fast."""

    def __init__(self, app: App, control_url: str, path: Path, clock: Clock, seed: int) -> None:
        self._app = app
        self._path = path
        self._clock = clock
        self._chance = random.Random(seed)
        self._http = httpx.AsyncClient(base_url=control_url, trust_env=False, timeout=30)
        self._live: dict[str, tuple[str, float]] = {}  # symbol -> hedge, until which hour
        self.came_to: Counter[str] = Counter()

    async def run(self, hours: int) -> list[str]:
        """All of it; what does not agree."""
        began = await self._hour()
        await self._app.trader.accounts.run()
        told = began
        while (hour := await self._hour()) - began < hours:
            if hour - told >= 6:
                told = hour
                so_far = ", ".join(f"{n} {came}" for came, n in self.came_to.items())
                print(f"market hour {hour - began:.0f}: {so_far}")
            await self._step(hour)
        for hedge, _ in list(self._live.values()):
            await self._close(hedge)
        for _ in range(READS):
            await self._clock.sleep(READ_EVERY_S)
            await self._read()
        return await self._judge()

    async def close(self) -> None:
        """Give back the connection."""
        await self._http.aclose()

    async def _step(self, hour: float) -> None:
        for symbol, (hedge, until) in list(self._live.items()):
            if hour >= until:
                await self._close(hedge)
                del self._live[symbol]
        if len(self._live) < LIVE_MAX:
            await self._open(hour)
        await self._read()

    async def _open(self, hour: float) -> None:
        symbol = self._chance.choice([name for name in SYMBOLS if name not in self._live])
        fault = self._chance.choice(FAULTS)
        if fault is not None:
            await self._http.post("/faults", json={**fault, "market": symbol, "times": 1})
        usd = Decimal(self._chance.choice([90, 210, 640]))
        try:
            row = await self._app.open_hedge(Symbol(symbol), usd, lambda _: None)
        except UsageError as error:  # its text names the market
            self.came_to["not opened"] += 1
            print(error)
        except VenueError as error:
            self.came_to["not opened"] += 1
            print(f"{symbol} is not opened: {error}")
        else:
            self.came_to[row["state"]] += 1
            if row["state"] == "open":
                until = hour + self._chance.uniform(0.5, HOLD_MAX_H)
                self._live[symbol] = row["hedge"], until
        (await self._http.delete("/faults")).raise_for_status()

    async def _close(self, hedge: str) -> None:
        row = await self._app.close_hedge(hedge, lambda _: None)
        self.came_to[f"then {row['state']}"] += 1

    async def _read(self) -> None:
        await self._app.trader.accruals.run()
        await self._app.trader.accounts.run()

    async def _judge(self) -> list[str]:
        legs = list(accounts.rows(self._path, Filters(limit=0)))
        counted = Counter(row["state"] for row in legs)
        print(f"three views of {len(legs)} legs: {dict(counted)}")
        wrong = [
            f"{row['hedge_id']} on {row['venue']}: {row['state']} {row['why']}"
            for row in legs
            if row["state"] != "agree"
        ]
        for by in (By.DAY, By.VENUE):
            emit(statement.rows(self._path, statement.month(None), by), Format.TABLE)
        state = (await self._http.get("/state")).json()
        return wrong + soak_rates.unlike_the_venues(self._path, state)

    async def _hour(self) -> float:
        clocks = (await self._http.get("/health")).raise_for_status().json()
        return float(clocks["market_ms"]) / HOUR_MS
