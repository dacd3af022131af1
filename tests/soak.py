"""
Hedges in a row through hedger's own path, the second leg going well or badly by chance.

    bin/soak --hedges 200 --seed 1
    bin/soak --hedges 500 --rates ground-truth    the fates of a real bot (tests/soak_rates.py)
    bin/soak --market-hours 48                    settlements at speed (tests/soak_hours.py)

Each hedge is opened, and closed if it opened, by the same ``App`` that the daemon runs, through
the official SDKs and real HTTP, against a sandbox process of its own. After every hedge the
ledger is held against the venues' own ``/state``, order by order and to the last decimal. Funding
and the venues' books are read between the hedges, as the daemon does. What hedger's own request
limit keeps back is asked again when it is free, as a patient person would.
Nothing sweeps up at the end. Exit status 1 on any difference.
"""

import argparse
import asyncio
import random
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import yaml

from adapters.budget import KEPT_BACK
from adapters.sandbox import process, verify
from hedger import audit, log, resources, settings
from hedger.app import App
from hedger.audit import legrows
from hedger.clock import Clock, SystemClock
from hedger.domain.ids import Symbol
from hedger.errors import KeptBackError, UsageError
from hedger.home import Home
from tests import soak_hours, soak_rates

OUTCOMES = ("filled", "partial", "refused", "dropped")
LEAST_SHARE = 5  # at least one hedge in five of each outcome
SYMBOLS = ("ETH", "SOL", "BNB", "XRP", "DOGE", "AVAX", "LINK", "LTC", "SUI", "HYPE")
USD = Decimal(200)
FLAT = {
    "timeout": ("closed_flat",),
    "aborted": ("closed_flat",),
    "aborted in an outage": ("refused",),
}
"""How a hedge may end that never held anything."""
READ_EVERY = 10  # hedges between two readings of funding and of the venues' own books
LAST_READS = 20  # at most so many at the end, until every hedge was compared
PATIENCE = 5  # times that one hedge waits for our own request limit
FOR_LIMIT_S = 15.0  # each time, where nobody says how long


def sandbox_settings(seed: int, hour_s: float = 3600.0) -> settings.Settings:
    """The shipped sandbox configuration without the daemon's limits and without rate limits."""
    path = resources.config() / "sandbox.yaml"
    data = yaml.safe_load(path.read_text(encoding="utf-8"))
    data["sandbox"] |= {"seed": seed, "tier": "none", "hour_s": hour_s, "balance_usd": 100_000}
    data["circuit_breaker"] = {"consecutive_failures_threshold": 100}
    data["risk"] |= {"rollback_cooldown_s_per_usd": 0}  # rollbacks are what is tried here
    return settings.parse(data, str(path))


def fault(outcome: str, symbol: str, chance: random.Random) -> dict[str, Any] | None:
    """What is to happen to the second leg."""
    leg_b = {"venue": "lighter", "market": symbol, "reduce_only": False, "times": 1}
    match outcome:
        case "partial":
            share = chance.choice(["0.2", "0.4", "0.6", "0.8"])
            return {**leg_b, "kind": "partial_fill", "fraction": share}
        case "refused":
            return {**leg_b, "kind": "refuse", "code": 21739, "status": 400}
        case "dropped":
            return {**leg_b, "kind": "drop_answer", "when": chance.choice(["before", "after"])}
        case _:
            return None


def naked_spans(state: Mapping[str, Any]) -> list[float]:
    """How long each stretch lasted in which the two venues were not equal and opposite, in s."""
    trades = sorted(
        (trade["at_ms"], trade["symbol"], 1 if trade["side"] == "buy" else -1, trade["size"])
        for venue in verify.VENUES
        for trade in state[venue]["trades"]
    )
    net: dict[str, Decimal] = {}
    since: dict[str, int] = {}
    spans: list[float] = []
    for at_ms, symbol, sign, size in trades:
        net[symbol] = net.get(symbol, Decimal(0)) + sign * Decimal(size)
        if net[symbol] == 0 and symbol in since:
            spans.append((at_ms - since.pop(symbol)) / 1000)
        elif net[symbol] != 0:
            since.setdefault(symbol, at_ms)
    if since:
        raise SystemExit(f"still naked: {', '.join(sorted(since))}")
    return sorted(spans)


class Soak:
    """One run."""

    def __init__(self, app: App, control_url: str, home: Home, clock: Clock, seed: int) -> None:
        self._app = app
        self._home = home
        self._clock = clock
        self._http = httpx.AsyncClient(base_url=control_url, trust_env=False, timeout=30)
        self._chance = random.Random(seed)
        self.came_to: Counter[str] = Counter()
        self.fates: dict[str, str] = {}  # by hedge id
        self.waits_s: list[float] = []  # for our own request limit

    async def hedge(self, outcome: str) -> list[str]:
        """Open one, close it if it opened; what disagrees afterwards."""
        symbol = self._chance.choice(SYMBOLS)
        body = fault(outcome, symbol, self._chance)
        if outcome in soak_rates.FAULTS:
            body = dict(soak_rates.FAULTS[outcome])
        try:
            row = await self._open(symbol, body)
        except UsageError as error:  # risk could not read what it has to know
            return await self._not_begun(outcome, str(error))
        self.fates[row["hedge"]] = outcome
        (await self._http.delete("/faults")).raise_for_status()
        found = await self._compare()
        first = row["state"]
        if first == "open":
            row = await self._app.close_hedge(row["hedge"], lambda _: None)
            found += await self._compare()
        self.came_to[f"{outcome}: {first} -> {row['state']}"] += 1
        if row["state"] not in {"closed", *FLAT.get(outcome, ())}:
            found.append(f"hedge {row['hedge']} ended {row['state']}: {row['reason']}")
        return found

    async def _open(self, symbol: str, body: Mapping[str, Any] | None) -> Mapping[str, Any]:
        """Open one with that fault under way; wait, a bounded time, for our own request limit."""
        for attempt in range(PATIENCE + 1):
            if body is not None:
                (await self._http.post("/faults", json=body)).raise_for_status()
            wait_s, last = FOR_LIMIT_S, attempt == PATIENCE
            try:
                row = await self._app.open_hedge(Symbol(symbol), USD, lambda _: None)
                if last or row["state"] != "refused" or KEPT_BACK not in row["reason"]:
                    return row
            except KeptBackError as error:
                if last:
                    raise
                wait_s = error.wait_s
            except UsageError as error:
                if last or KEPT_BACK not in str(error):
                    raise
            (await self._http.delete("/faults")).raise_for_status()
            self.waits_s.append(wait_s)
            await self._clock.sleep(wait_s)
        raise AssertionError  # the last attempt came back or raised

    async def _not_begun(self, outcome: str, why: str) -> list[str]:
        """Right where a venue answers nothing, and wrong with any other fate."""
        (await self._http.delete("/faults")).raise_for_status()
        self.came_to[f"{outcome}: not begun"] += 1
        found = await self._compare()
        return found if outcome.startswith("aborted") else [*found, why]

    async def state(self) -> dict[str, Any]:
        """What the venues truly hold and did."""
        answer = (await self._http.get("/state")).raise_for_status()
        found: dict[str, Any] = answer.json()
        return found

    async def _compare(self) -> list[str]:
        everything = audit.Filters(limit=0)
        orders, fills, funding = (
            list(audit.rows(self._home.ledger, kind, everything))
            for kind in ("orders", "fills", "funding")
        )
        return verify.differences(orders, fills, funding, await self.state())

    async def close(self) -> None:
        """Give back the connection."""
        await self._http.aclose()


def deck(hedges: int, chance: random.Random) -> list[str]:
    """As many of each outcome as possible, in random order."""
    cards = [OUTCOMES[i % len(OUTCOMES)] for i in range(hedges)]
    chance.shuffle(cards)
    return cards


async def run(hedges: int, seed: int, root: Path, *, ground_truth: bool = False) -> int:
    """All of it; the exit status."""
    home, clock = Home(root), SystemClock()
    home.prepare("sandbox")
    chance = random.Random(seed)
    cards = soak_rates.deck(hedges, chance) if ground_truth else deck(hedges, chance)
    began_s, failures = clock.monotonic_s(), 0
    try:
        async with App.open(sandbox_settings(seed), home, mode="trade") as app:
            line = process.status(home.root)
            assert line is not None
            soak = Soak(app, line["control_url"], home, clock, seed)
            await read_books(app)
            for number, outcome in enumerate(cards, start=1):
                found = await soak.hedge(outcome)
                failures += len(found)
                for text in found:
                    print(f"hedge {number} ({outcome}): {text}")
                if number % READ_EVERY == 0:
                    await read_books(app)
                if number % 20 == 0 or number == hedges:
                    passed_s = clock.monotonic_s() - began_s
                    print(f"{number} hedges in {passed_s:.0f} s, {failures} differences")
            _tell(soak, naked_spans(await soak.state()), failures)
            if ground_truth:
                failures += await _judge_rates(app, soak, home, clock)
            await soak.close()
    finally:
        await process.stop(home.root, clock)
    few = [o for o in OUTCOMES if cards.count(o) * LEAST_SHARE < hedges]
    return 1 if failures or (few and not ground_truth) else 0


async def read_books(app: App) -> None:
    """As the daemon's jobs ``funding`` and ``accounts`` do."""
    await app.trader.accruals.run()
    await app.trader.accounts.run()


async def _judge_rates(app: App, soak: Soak, home: Home, clock: SystemClock) -> int:
    for _ in range(LAST_READS):
        await clock.sleep(views_settled_s())
        await read_books(app)
        if not app.trader.store.unchecked(clock.now()):
            break
    wrong = soak_rates.judged(home.ledger, soak.fates)
    wrong += soak_rates.unlike_the_venues(home.ledger, await soak.state())
    for text in wrong:
        print(text)
    print(
        "every judged figure is within its target"
        if not wrong
        else f"{len(wrong)} things do not hold"
    )
    return len(wrong)


def views_settled_s() -> float:
    """How long after its end a hedge's books are believed, and a little more."""
    return legrows.SETTLED.total_seconds() + 1


async def run_hours(hours: int, hour_s: float, seed: int, root: Path) -> int:
    """So many market hours at speed; the exit status."""
    home, clock = Home(root), SystemClock()
    home.prepare("sandbox")
    try:
        async with App.open(sandbox_settings(seed, hour_s), home, mode="trade") as app:
            line = process.status(home.root)
            assert line is not None
            run = soak_hours.Hours(app, line["control_url"], home.ledger, clock, seed)
            wrong = await run.run(hours)
            await run.close()
    finally:
        await process.stop(home.root, clock)
    for text in wrong:
        print(text)
    print("all books agree" if not wrong else f"{len(wrong)} things do not agree")
    return 1 if wrong else 0


def _tell(soak: Soak, spans: Sequence[float], failures: int) -> None:
    fates = Counter(soak.fates.values())
    print("fates: " + ", ".join(f"{name} {count}" for name, count in sorted(fates.items())))
    for name, count in sorted(soak.came_to.items()):
        print(f"  {name}: {count}")
    if spans:
        p99 = spans[min(len(spans) - 1, len(spans) * 99 // 100)]
        print(
            f"naked spans: {len(spans)}, median {spans[len(spans) // 2]:.2f} s,"
            f" p99 {p99:.2f} s, longest {spans[-1]:.2f} s"
        )
    if soak.waits_s:
        waited = f"{len(soak.waits_s)} times, {sum(soak.waits_s):.0f} s in all"
        print(f"waited for our own request limit: {waited}")
    print(f"differences between ledger and venues: {failures}")


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0] if __doc__ else None)
    parser.add_argument("--hedges", type=int, default=200, help="how many, default 200")
    parser.add_argument("--seed", type=int, default=1, help="of the sandbox and of all chance")
    parser.add_argument("--rates", choices=["quarters", "ground-truth"], default="quarters")
    parser.add_argument("--market-hours", type=int, help="pass so many market hours instead")
    parser.add_argument("--hour-s", type=float, default=6.0, help="seconds per market hour there")
    parser.add_argument("--verbose", action="store_true", help="show hedger's own log")
    options = parser.parse_args()
    log.configure(level="INFO" if options.verbose else "CRITICAL")
    with tempfile.TemporaryDirectory(prefix="hedger-soak-") as folder:
        home = Path(folder) / "home"
        if options.market_hours is not None:
            work = run_hours(options.market_hours, options.hour_s, options.seed, home)
        else:
            truth = options.rates == "ground-truth"
            work = run(options.hedges, options.seed, home, ground_truth=truth)
        sys.exit(asyncio.run(work))


if __name__ == "__main__":
    main()
