"""
How long `hedger audit` takes on a ledger of 100,000 orders, whole process included.

    python tests/bench/audit_bench.py [--orders 100000] [--keep FOLDER] [-- COMMAND ...]

COMMAND is what answers, for example ``bin/hedger audit``; it is given a kind and options, and
finds the ledger in HEDGER_HOME. Without it, the audit module itself is run.
"""

import argparse
import contextlib
import hashlib
import json
import os
import random
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from hedger.clock import SystemClock
from hedger.ledger import sqlite
from hedger.ledger.migrate import upgrade
from hedger.ledger.text import decimal_text, instant_text

ORDERS_PER_HEDGE = 4
SYMBOLS = ("BTC", "ETH", "SOL", "DOGE", "XRP", "AVAX", "LINK", "HYPE")
START = datetime(2026, 1, 1, tzinfo=UTC)
QUESTIONS = (  # limit in seconds, as the issue sets it
    (3.0, ["orders", "--limit", "0"]),
    (1.0, ["orders"]),
    (1.0, ["orders", "--market", "ETH", "--venue", "lighter", "--limit", "500"]),
    (1.0, ["orders", "--state", "partial"]),
    (1.0, ["orders", "--hedge", "eth-00017"]),
    (1.0, ["orders", "--since", "2026-01-20T00:00:00Z", "--until", "2026-01-21T00:00:00Z"]),
    (1.0, ["fills", "--market", "BTC"]),
    (1.0, ["hedges", "--state", "closed"]),
    (1.0, ["events", "--hedge", "eth-00017"]),
    (1.0, ["lanes"]),
    (1.0, ["pnl"]),
    (3.0, ["fills", "--limit", "0"]),
    (3.0, ["pnl", "--limit", "0"]),
)
DIRECT = """
import sys
from datetime import datetime
from pathlib import Path
from hedger.audit import Filters, json_array, rows
kind, *options = sys.argv[1:]
given = dict(zip((o[2:] for o in options[::2]), options[1::2], strict=True))
for name, convert in (("limit", int), ("since", datetime.fromisoformat),
                      ("until", datetime.fromisoformat)):
    if name in given:
        given[name] = convert(given[name])
json_array(rows(Path(__import__("os").environ["HEDGER_HOME"]) / "ledger.db", kind,
                Filters(**given)), sys.stdout)
"""


def generate(path: Path, orders: int, seed: int = 1) -> None:
    """A ledger of hedges that were opened and closed on two venues, with all that belongs to it."""
    upgrade(path, SystemClock())
    with contextlib.closing(sqlite.connect(path, readonly=False)) as connection:
        _fill(connection, orders, random.Random(seed))


def _fill(connection: sqlite3.Connection, orders: int, chance: random.Random) -> None:
    connection.execute("PRAGMA synchronous = OFF")
    connection.execute("BEGIN")
    for number in range(orders // ORDERS_PER_HEDGE):
        for table, row in _hedge(number, chance):
            names = ", ".join(row)
            marks = ", ".join("?" * len(row))
            connection.execute(
                f"INSERT INTO {table} ({names}) VALUES ({marks})", list(row.values())
            )
    connection.execute(
        "INSERT INTO lanes (lane, venue, carries, state, reason, changed_at, mismatches, resyncs,"
        " drifts, gaps, cool_downs) VALUES ('lighter:1:2', 'lighter', 'opening orders', 'ready',"
        " 'in step', ?, 0, 1, 0, 0, 0)",
        [instant_text(START)],
    )
    connection.execute("COMMIT")


def _hedge(number: int, chance: random.Random) -> Iterator[tuple[str, dict[str, Any]]]:
    symbol = SYMBOLS[number % len(SYMBOLS)]
    name = f"{symbol.lower()}-{number:05d}"
    at = START + timedelta(minutes=2 * number)
    closed = at + timedelta(hours=3)
    settled = at.replace(minute=0) + timedelta(hours=1)
    yield (
        "hedges",
        {
            "id": name,
            "symbol": symbol,
            "venue_a": "x10",
            "venue_b": "lighter",
            "side_a": "buy",
            "requested_usd": "100",
            "planned_size": "0.04",
            "state": "closed",
            "target": "flat",
            "reason": "rates flipped",
            "created_at": instant_text(at),
            "updated_at": instant_text(closed),
            "opened_at": instant_text(at),
            "closed_at": instant_text(closed),
            "first_settlement_a": instant_text(settled),
            "first_settlement_b": instant_text(settled),
            "last_settlement_a": instant_text(settled + timedelta(hours=1)),
            "last_settlement_b": instant_text(settled + timedelta(hours=1)),
            "expected_net_bps": "12.5",
        },
    )
    for step, state in enumerate(("planned", "opening_a", "opening_b", "open", "closed")):
        yield "events", _event(name, at + timedelta(seconds=step), state)
    for leg, venue in enumerate(("x10", "lighter")):
        sums = dict.fromkeys(
            (
                f"{p}_{w}"
                for p in ("open", "close", "rollback")
                for w in ("size", "usd", "fees_usd")
            ),
            Decimal(0),
        )
        for turn, purpose in enumerate(("open", "close")):
            sign = 1 if leg == turn else -1
            order, fills = _order(
                name,
                2 * turn + leg + 1,
                chance,
                venue=venue,
                symbol=symbol,
                purpose=purpose,
                sign=sign,
                at=at,
            )
            yield "orders", order
            for fill in fills:
                yield "fills", fill
            size = Decimal("0.04")
            price = Decimal(str(order["avg_price"]))
            sums[f"{purpose}_size"] = sign * size
            sums[f"{purpose}_usd"] = -sign * size * price
            sums[f"{purpose}_fees_usd"] = Decimal("0.025")
        yield (
            "legs",
            {"hedge_id": name, "venue": venue, "funding_usd": "0.0125", "funding_due": 0}
            | {"funding_through": instant_text(settled + timedelta(hours=1))}
            | {key: decimal_text(value) for key, value in sums.items()},
        )
        yield (
            "position_observations",
            {
                "hedge_id": name,
                "venue": venue,
                "symbol": symbol,
                "size": "0.04",
                "entry_price": "2500",
                "read_started_at": instant_text(at),
                "as_of": instant_text(at),
                "source": "rest",
            },
        )


def _event(hedge: str, at: datetime, state: str) -> dict[str, Any]:
    return {
        "at": instant_text(at),
        "epoch": 1,
        "level": "info",
        "kind": "transition",
        "hedge_id": hedge,
        "to_state": state,
        "text": f"it is {state}",
        "data": '{"reason":"bench"}',
    }


def _order(
    hedge: str,
    number: int,
    chance: random.Random,
    *,
    venue: str,
    symbol: str,
    purpose: str,
    sign: int,
    at: datetime,
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    at += timedelta(milliseconds=700 * number)
    price = Decimal(chance.randrange(240_000, 260_000)) / 100
    side = "buy" if sign > 0 else "sell"
    payload = json.dumps({"id": f"{hedge}-{number}", "settlement": "ab" * 300})
    order = {
        "id": f"{hedge}-{number}",
        "hedge_id": hedge,
        "venue": venue,
        "symbol": symbol,
        "purpose": purpose,
        "attempt": 1,
        "side": side,
        "size": "0.04",
        "limit_price": "2510.5",
        "order_expires_at": instant_text(at + timedelta(seconds=10)),
        "state": "partial" if chance.random() < 0.01 else "filled",
        "filled_size": "0.04",
        "filled_usd": decimal_text(price * Decimal("0.04")),
        "avg_price": decimal_text(price),
        "fee_usd": "0.025",
        "venue_order_id": str(2**53 + chance.getrandbits(40)),
        "status": "FILLED",
        "prepared_at": instant_text(at),
        "done_at": instant_text(at + timedelta(milliseconds=400)),
        "epoch": 1,
        "account": "10002",
        "client_id": f"{hedge}-{number}" if venue == "x10" else str(chance.getrandbits(48)),
        "expires_at": instant_text(at + timedelta(seconds=12)),
        "lane": None if venue == "x10" else "lighter:1:2",
        "nonce": None if venue == "x10" else int(hedge.split("-")[1]) * 4 + number,
        "tx_hash": None if venue == "x10" else hashlib.sha256(payload.encode()).hexdigest(),
        "payload_sha256": hashlib.sha256(payload.encode()).hexdigest(),
        "payload": payload,
    }
    fill = {
        "venue": venue,
        "trade_id": f"{hedge}-{number}",
        "order_id": order["id"],
        "hedge_id": hedge,
        "symbol": symbol,
        "side": side,
        "size": "0.04",
        "price": decimal_text(price),
        "fee_usd": "0.025",
        "at": instant_text(at + timedelta(milliseconds=300)),
    }
    return order, [fill]


def measure(home: Path, command: list[str]) -> bool:
    """Ask every question, print how long it took and how much came; whether all were in time."""
    in_time = True
    for limit_s, question in QUESTIONS:
        started = time.perf_counter()
        done = subprocess.run(
            [*command, *question],
            env={**os.environ, "HEDGER_HOME": str(home)},
            stdout=subprocess.PIPE,
            check=True,
        )
        took_s = time.perf_counter() - started
        count = len(json.loads(done.stdout))
        late = "" if took_s < limit_s else f"   LATE (limit {limit_s} s)"
        in_time = in_time and not late
        _say(f"{took_s:6.3f} s  {count:7d} rows  audit {' '.join(question)}{late}")
    return in_time


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--orders", type=int, default=100_000)
    parser.add_argument("--keep", type=Path)
    parser.add_argument("command", nargs="*")
    asked = parser.parse_args()
    command = [*asked.command] if asked.command else [sys.executable, "-c", DIRECT]
    with tempfile.TemporaryDirectory() as folder:
        home = asked.keep or Path(folder)
        home.mkdir(parents=True, exist_ok=True)
        path = home / "ledger.db"
        if not path.exists():
            generate(path, asked.orders)
        _say(f"{asked.orders} orders, {sqlite.database_bytes(path) / 1e6:.0f} MB")
        return 0 if measure(home, command) else 1


if __name__ == "__main__":
    sys.exit(main())
