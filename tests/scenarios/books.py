"""What the accounts have to say after a test: three views, statements, balances."""

import itertools
from decimal import Decimal
from typing import Any

from hedger.audit import Filters, accounts, statement
from hedger.audit.statement import By
from tests.desk import Desk
from tests.world import LIGHTER, X10

Row = dict[str, Any]
LISTED_S = 6.0  # funding.payment_lag_s of the sandbox's configuration is 5
LISTED_H = 0.02  # of market time: X10 lists a payment 41 s after its hour


async def read_books(desk: Desk) -> None:
    """Everything that both venues know by now is read, theirs and ours."""
    for _ in range(2):
        desk.world.advance_market(hours=LISTED_H)
        await desk.world.pass_time(LISTED_S)
        await desk.trader.accruals.run()
        await desk.trader.accounts.run()


def legs(desk: Desk, **filters: Any) -> list[Row]:
    """``hedger audit reconcile``."""
    return list(accounts.rows(desk.path, Filters(limit=0, **filters)))


def stated(desk: Desk, by: By, month: str | None = None, **filters: Any) -> list[Row]:
    """``hedger audit statement``."""
    return list(statement.rows(desk.path, statement.month(month), by, **filters))


def assert_all_agree(desk: Desk) -> None:
    """Each leg of each hedge in all three views, line by line and to the last decimal."""
    found = legs(desk)
    assert found
    odd = [row for row in found if (row["state"], row["why"]) != ("agree", "")]
    assert not odd, odd
    for row in found:
        assert row["fills_usd"] == row["history_usd"] == row["balance_usd"]


def assert_statement_is_the_balance(desk: Desk) -> None:
    """Opening and entries make the closing, in every form, and that is the venue's cash."""
    state = desk.world.state()
    rows = {row["venue"]: row for row in stated(desk, By.VENUE)}
    for venue in (X10, LIGHTER):
        cash = Decimal(state[venue]["balance"]["collateral"])
        row = rows[venue]
        assert Decimal(row["closing_usd"]) == Decimal(row["reading_usd"]) == cash
        assert Decimal(row["difference_usd"]) == 0
        opening = Decimal(row["opening_usd"])
        assert opening == desk.world.sandbox.options.balance_usd
        assert opening + _sum(stated(desk, By.ENTRY, venue=venue), "amount_usd") == cash
        assert opening + _sum(stated(desk, By.MARKET, venue=venue), "net_usd") == cash
        days = stated(desk, By.DAY, venue=venue)
        assert not days or Decimal(days[0]["opening_usd"]) == opening
        assert not days or Decimal(days[-1]["closing_usd"]) == cash
        for before, after in itertools.pairwise(days):
            assert before["closing_usd"] == after["opening_usd"]


def _sum(rows: list[Row], key: str) -> Decimal:
    return sum((Decimal(row[key]) for row in rows), Decimal(0))
