"""Done-when 4 of issue C in short: a real bot's outcome rates, and what ``audit stats`` says."""

import random
from collections import Counter
from decimal import Decimal
from typing import Any

import pytest

from hedger.audit import Filters, stats
from hedger.domain.hedge import State
from tests import soak_rates
from tests.desk import Desk
from tests.scenarios.books import assert_statement_is_the_balance, read_books

SYMBOLS = ("ETH", "SOL", "BNB", "XRP", "DOGE", "AVAX", "LINK", "LTC")


def fault_of(fate: str) -> dict[str, Any] | None:
    return dict(soak_rates.FAULTS[fate]) if fate in soak_rates.FAULTS else None


@pytest.mark.config(circuit_breaker={"consecutive_failures_threshold": 100})
async def test_seed004_with_the_outcome_rates_of_a_real_bot_no_rollback_is_our_own_doing(
    desk: Desk,
) -> None:
    chance = random.Random(4)
    fates: dict[str, str] = {}
    await desk.trader.accounts.run()
    for number, fate in enumerate(soak_rates.deck(15, chance)):
        if body := fault_of(fate):
            desk.world.fault(body.pop("venue"), body.pop("kind"), **body)
        hedge = await desk.open(SYMBOLS[number % len(SYMBOLS)], 200)
        desk.world.no_faults()
        fates[hedge.id] = fate
        if hedge.state is State.OPEN:
            hedge = await desk.close(hedge)
        assert hedge.state.terminal
    await read_books(desk)

    assert soak_rates.judged(desk.path, fates) == []
    found = {row["metric"]: row for row in stats.rows(desk.path, Filters(limit=0))}
    assert found["rollback rate"]["count"] == 2  # one refused, one never appeared
    assert found["… our own doing"]["count"] == found["size errors"]["count"] == 0
    assert Decimal(found["balance errors"]["value"]) == 0
    desk.assert_flat()
    desk.assert_ledger_is_true()
    assert_statement_is_the_balance(desk)


async def test_a_rollback_that_nobody_injected_is_seen(desk: Desk) -> None:
    """The judge can say no: the same hedge with and without an injected refusal."""
    await desk.trader.accounts.run()
    desk.world.fault("lighter", "no_fill", reduce_only=False)
    hedge = await desk.open("ETH", 200)
    await read_books(desk)

    assert soak_rates.judged(desk.path, {hedge.id: "rollback, never appeared"}) == []
    (wrong,) = soak_rates.judged(desk.path, {hedge.id: "success"})
    assert "1 rollbacks were not caused by an injected refusal" in wrong


async def test_a_statement_that_is_not_what_the_venues_hold_is_seen(desk: Desk) -> None:
    """And so is one that leaves a venue out."""
    nothing = soak_rates.unlike_the_venues(desk.path, desk.world.state())
    assert nothing == [f"{venue}: there is no statement" for venue in ("x10", "lighter")]
    await desk.trader.accounts.run()
    state = desk.world.state()
    assert soak_rates.unlike_the_venues(desk.path, state) == []

    state["x10"]["balance"]["collateral"] = "9999.99"
    wrong = soak_rates.unlike_the_venues(desk.path, state)
    assert wrong == [
        f"x10: {name} is 10000, the venue holds 9999.99" for name in ("closing_usd", "reading_usd")
    ]


def test_the_deck_has_the_shares_of_the_record() -> None:
    deck = Counter(soak_rates.deck(571, random.Random(1)))
    assert dict(deck) == dict(soak_rates.SHARES)
    assert sum(Counter(soak_rates.deck(500, random.Random(1))).values()) == 500
    assert set(soak_rates.deck(15, random.Random(1))) == set(soak_rates.SHARES)
