"""
``bin/soak --rates ground-truth``: hedges with the fates of a real bot on this pair.

The shares are those of ground_truth.json (571 attempts of 2025-12-12 to 14): 278 succeeded, 144
timed out with an unfilled first leg, 131 were aborted before anything was sent, 115 of them in an
outage (HTTP 503), and 18 were rolled back: 12 after an order that was accepted and never appeared,
6 after one that was refused. The refusal is the one that bot met most often, 21733.
"""

import random
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

from adapters.sandbox import verify
from hedger.audit import Filters, accounts, statement, stats
from hedger.audit.statement import By
from hedger.cli.output import Format, emit

SHARES: Mapping[str, int] = {
    "success": 278,
    "timeout": 144,
    "aborted in an outage": 115,
    "aborted": 16,
    "rollback, never appeared": 12,
    "rollback, refused": 6,
}
FAULTS: Mapping[str, dict[str, Any]] = {
    "timeout": {"venue": "x10", "kind": "no_fill", "reduce_only": False},
    "aborted in an outage": {
        "venue": "lighter",
        "kind": "bad_reads",
        "what": ["balance"],
        "status": 503,
        "times": 0,
    },
    "aborted": {
        "venue": "x10",
        "kind": "refuse",
        "code": 1100,
        "status": 400,
        "reduce_only": False,
    },
    "rollback, never appeared": {"venue": "lighter", "kind": "no_fill", "reduce_only": False},
    "rollback, refused": {
        "venue": "lighter",
        "kind": "refuse",
        "code": 21733,
        "status": 400,
        "reduce_only": False,
    },
}
INJECTED = frozenset({"rollback, never appeared", "rollback, refused"})
"""Fates in which a venue turned down the second leg."""

OWN_MAX = Decimal("0.05")


def deck(hedges: int, chance: random.Random) -> list[str]:
    """As near to the shares as so many hedges allow, but each fate at least once; shuffled."""
    total = sum(SHARES.values())
    counts = {name: max(1, share * hedges // total) for name, share in SHARES.items()}
    while sum(counts.values()) > hedges:
        counts[max(counts, key=lambda name: counts[name])] -= 1
    while sum(counts.values()) < hedges:
        lacking = {name: SHARES[name] * hedges / total - counts[name] for name in SHARES}
        counts[max(lacking, key=lambda name: lacking[name])] += 1
    cards = [name for name, count in counts.items() for _ in range(count)]
    chance.shuffle(cards)
    return cards


def judged(path: Path, fates: Mapping[str, str]) -> list[str]:
    """What is not within its target; prints the tables. ``fates`` are by hedge id."""
    found = list(stats.rows(path, Filters(limit=0)))
    emit(found, Format.TABLE)
    by_metric = {row["metric"]: row for row in found}
    rolled = _rolled_back(path)
    own = [hedge for hedge in rolled if fates.get(hedge) not in INJECTED]
    print(
        f"rollbacks: {len(rolled)} of {len(fates)} hedges, of them {len(rolled) - len(own)} after "
        f"an injected refusal and {len(own)} not ({100 * len(own) / len(fates):.2f} %)"
    )
    wrong = []
    if Decimal(len(own)) >= OWN_MAX * len(fates):
        wrong.append(f"{len(own)} rollbacks were not caused by an injected refusal: {own}")
    for metric in ("size errors", "balance errors"):
        if by_metric[metric]["met"] is not True:
            row = by_metric[metric]
            wrong.append(f"{metric}: {row['value']} {row['unit']}, target {row['target']}")
    legs = list(accounts.rows(path, Filters(limit=0)))
    states = sorted({row["state"] for row in legs})
    print(f"three views: {len(legs)} legs, {', '.join(states)}")
    wrong += [
        f"{row['hedge_id']} on {row['venue']}: {row['state']} {row['why']}"
        for row in legs
        if row["state"] not in {"agree", "two agree"}
    ]
    return wrong


def _rolled_back(path: Path) -> list[str]:
    from hedger import audit

    fills = audit.rows(path, "fills", Filters(limit=0))
    return sorted({row["hedge_id"] for row in fills if row["purpose"] == "rollback"})


def unlike_the_venues(path: Path, state: Mapping[str, Any]) -> list[str]:
    """Where the statement is not what a venue holds; ``state`` is the sandbox's ``/state``."""
    rows = {row["venue"]: row for row in statement.rows(path, statement.month(None), By.VENUE)}
    found = [f"{venue}: there is no statement" for venue in verify.VENUES if venue not in rows]
    for venue, row in rows.items():
        found += _unlike(row, state[venue]["balance"])
    return found


def _unlike(row: Mapping[str, Any], balance: Mapping[str, str]) -> list[str]:
    """Where the statement is not what the venue holds."""
    cash = Decimal(balance["collateral"])
    names = ("closing_usd", "reading_usd")
    found = [
        f"{row['venue']}: {name} is {row[name]}, the venue holds {cash}"
        for name in names
        if row[name] is None or Decimal(row[name]) != cash
    ]
    if Decimal(row["unexplained_usd"]) != 0:
        found.append(f"{row['venue']}: {row['unexplained_usd']} USD are unexplained")
    return found
