"""Statements, statistics and rollback costs, from rows that a test wrote itself."""

import csv
import io
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from hedger.audit import Filters, stats
from hedger.audit.rollbacks import RollbackCost, rollback_costs
from hedger.audit.statement import COLUMNS, By, month, rows
from hedger.cli.output import Format, emit
from hedger.cli.reports import balance_sentence
from hedger.domain.account import Entry, EntryKind
from hedger.domain.hedge import State
from hedger.domain.ids import Symbol, VenueId
from hedger.domain.market import Balance
from hedger.domain.order import Outcome, Prepared, Purpose, Reason, Refused, Side
from hedger.errors import UsageError
from hedger.ledger.store import Store
from tests.unit.ledger.build import (
    ETH,
    LIGHTER,
    START,
    X10,
    StepClock,
    a_hedge,
    a_store,
    an_order,
    filled,
)

Row = dict[str, Any]
JANUARY = month("2026-01")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with a_store(tmp_path) as store:
        yield store


# -- statements -----------------------------------------------------------------------------------


def book(
    store: Store,
    kind: EntryKind,
    amount: str,
    *,
    days: float = 0,
    symbol: str = "ETH",
    venue: VenueId = X10,
) -> None:
    entry = Entry(
        venue=venue,
        kind=kind,
        ref=f"{kind}-{days}-{symbol}",
        symbol=Symbol(symbol),
        amount_usd=Decimal(amount),
        at=START + timedelta(days=days),
        size=Decimal("0.5"),
        price=Decimal(2500),
    )
    store.book_entries("1", [entry], ("account_mark", "{}"))


def read(store: Store, cash: str, *, at: datetime | None = None, venue: VenueId = X10) -> None:
    now = at or datetime(2026, 1, 31, tzinfo=UTC)
    usd = Decimal(cash)
    balance = Balance(venue=venue, available_usd=usd, equity_usd=usd, cash_usd=usd, as_of=now)
    store.note_reading(balance, "1", now, give_up_s=900)


def told(store: Store, by: By, text: str = "2026-01", **filters: Any) -> list[Row]:
    return list(rows(store.path, month(text), by, **filters))


def test_a_statement_adds_up_day_by_day_and_to_the_balance(store: Store) -> None:
    read(store, "100", at=START)
    book(store, EntryKind.FEE, "-0.25")
    book(store, EntryKind.REALISED, "1.5")
    book(store, EntryKind.FUNDING, "0.000001", days=2)
    read(store, "101.250001")

    first, second = told(store, By.DAY)
    assert (first["day"], first["opening_usd"], first["closing_usd"]) == (
        "2026-01-02",
        "100",
        "101.25",
    )
    assert (second["day"], second["funding_usd"]) == ("2026-01-04", "0.000001")
    (row,) = told(store, By.VENUE)
    assert (row["closing_usd"], row["reading_usd"], row["difference_usd"]) == (
        "101.250001",
        "101.250001",
        "0",
    )
    assert "equal" in balance_sentence(row)


def test_money_that_no_entry_explains_is_the_difference(store: Store) -> None:
    read(store, "100", at=START)
    book(store, EntryKind.FEE, "-0.25")
    read(store, "98.75")
    (row,) = told(store, By.VENUE)
    assert row["difference_usd"] == "-1"
    assert "-1 USD are not explained (yet)" in balance_sentence(row)


def test_a_lost_entry_shows_as_a_difference(store: Store) -> None:
    read(store, "100", at=START)
    book(store, EntryKind.FEE, "-0.25")
    read(store, "99.75")
    with store._writing("set_meta") as session:
        session.conn.execute("DELETE FROM account_entries")
    assert told(store, By.VENUE)[0]["difference_usd"] == "-0.25"


def test_a_month_begins_with_what_the_months_before_left(store: Store) -> None:
    read(store, "100", at=START)
    book(store, EntryKind.FEE, "-10")
    book(store, EntryKind.FEE, "-1", days=30)
    read(store, "89", at=datetime(2026, 2, 10, tzinfo=UTC))

    (january,) = told(store, By.VENUE)
    (february,) = told(store, By.VENUE, "2026-02")
    assert (january["opening_usd"], january["closing_usd"]) == ("100", "90")
    assert (february["opening_usd"], february["closing_usd"]) == ("90", "89")
    assert february["difference_usd"] == "0"
    assert told(store, By.VENUE, "2026-03")[0]["opening_usd"] == "89"


def test_an_entry_booked_after_a_reading_but_stamped_before_it_is_counted_to_its_month(
    store: Store,
) -> None:
    read(store, "100", at=START)
    read(store, "99", at=datetime(2026, 1, 31, 23, tzinfo=UTC))  # the cash is ahead of the list
    book(store, EntryKind.FUNDING, "-1", days=29)
    read(store, "99", at=datetime(2026, 2, 1, 1, tzinfo=UTC))
    assert told(store, By.VENUE)[0]["difference_usd"] == "-1"  # that reading is not settled
    assert told(store, By.VENUE, "2026-02")[0]["difference_usd"] == "0"


def test_markets_are_told_apart_and_add_up(store: Store) -> None:
    for symbol, amount in (("ETH", "-0.5"), ("SOL", "-0.25"), ("SOL", "0.125")):
        kind = EntryKind.FEE if amount.startswith("-") else EntryKind.FUNDING
        book(store, kind, amount, symbol=symbol)
    eth, sol = told(store, By.MARKET)
    assert (eth["symbol"], eth["trades"], eth["traded_usd"]) == ("ETH", 1, "1250")
    assert (sol["fees_usd"], sol["funding_usd"], sol["net_usd"]) == ("-0.25", "0.125", "-0.125")
    assert [row["symbol"] for row in told(store, By.MARKET, market="SOL")] == ["SOL"]


def test_venues_are_never_added_to_each_other(store: Store) -> None:
    for venue in (X10, LIGHTER):
        read(store, "100", at=START, venue=venue)
        book(store, EntryKind.FEE, "-1", venue=venue)
    assert [row["venue"] for row in told(store, By.DAY)] == [LIGHTER, X10]
    assert [row["venue"] for row in told(store, By.DAY, venue=X10)] == [X10]


def test_without_a_reading_the_balance_is_unknown_and_not_zero(store: Store) -> None:
    book(store, EntryKind.FEE, "-1")
    (row,) = told(store, By.VENUE)
    assert row["opening_usd"] is row["closing_usd"] is row["difference_usd"] is None
    assert row["fees_usd"] == "-1"
    assert "was not read" in balance_sentence(row)


def test_a_tax_tool_reads_every_line_from_csv(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    book(store, EntryKind.FEE, "-0.000001")
    book(store, EntryKind.FUNDING, "1234567.123456", days=1)
    emit(rows(store.path, JANUARY, By.ENTRY), Format.CSV, columns=COLUMNS[By.ENTRY])
    fee, funding = csv.DictReader(io.StringIO(capsys.readouterr().out))
    assert tuple(fee) == COLUMNS[By.ENTRY]
    assert (fee["type"], fee["amount_usd"], fee["currency"]) == ("fee", "-0.000001", "USD")
    assert funding["amount_usd"] == "1234567.123456"
    assert datetime.fromisoformat(funding["at"]).tzinfo is not None


@pytest.mark.parametrize("text", ["2026", "2026-13", "january", "2026-1-1", "0000-01", "9999-12"])
def test_a_month_that_is_none_is_refused_in_a_sentence(text: str) -> None:
    with pytest.raises(UsageError, match=f"--month {text} is no month; write it as in 2026-01"):
        month(text)


def test_a_balance_has_no_market(store: Store) -> None:
    with pytest.raises(UsageError, match="use --by market"):
        told(store, By.DAY, market="ETH")


# -- rollbacks and statistics ---------------------------------------------------------------------


class Trades:
    """Hedges of given fates, each with the orders that such a hedge has."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._number = 0

    def hedge(self, symbol: str = "ETH", *, created_at: datetime = START) -> str:
        self._number += 1
        name = f"{symbol.lower()}-{self._number}"
        self.store.plan(a_hedge(name, symbol, created_at=created_at))
        return name

    def over(self, name: str, *, opened: bool = False) -> None:
        hedge = self.store.find(name)
        states = [State.OPENING_A, State.OPENING_B, State.OPEN, State.CLOSING, State.CLOSED]
        for state in states if opened else [State.OPENING_A, State.CONVERGING, State.CLOSED]:
            changes: Any = {"opened_at": START} if state is State.OPEN else {}
            hedge = self.store.move(hedge, state, "so", **changes)

    def order(
        self,
        name: str,
        venue: VenueId,
        purpose: Purpose = Purpose.OPEN,
        side: Side = Side.BUY,
        *,
        parts: tuple[tuple[str, str], ...] = (),
        refused: tuple[Reason, str] | None = None,
        status: str = "FILLED",
        fee: str = "0.01",
    ) -> None:
        number = len(self.store.orders_of(self.store.find(name).id)) + 1
        symbol = name.split("-", maxsplit=1)[0].upper()
        prepared: Prepared = an_order(
            name, number, venue=venue, purpose=purpose, side=side, symbol=symbol
        )
        self.store.intend(prepared)
        outcome: Outcome
        if refused is not None:
            outcome = Refused(prepared, refused[0], "1", refused[1])
        else:
            done = filled(prepared, *parts, fee=fee)
            outcome = type(done)(prepared, done.size, done.fills, "77", status)
        self.store.settle(outcome)


def table(store: Store, **filters: Any) -> dict[str, dict[str, Any]]:
    return {row["metric"]: row for row in stats.rows(store.path, Filters(limit=0, **filters))}


@pytest.fixture
def trades(store: Store) -> Trades:
    """One success, one refused, one that was never filled, one lost on our own doing."""
    trades = Trades(store)
    good = trades.hedge()
    trades.order(good, X10, parts=(("0.04", "2500"),))
    trades.order(good, LIGHTER, side=Side.SELL, parts=(("0.04", "2500"),))
    trades.over(good, opened=True)
    fates: tuple[tuple[str, dict[str, Any]], ...] = (
        ("SOL", {"refused": (Reason.RULES, "order price flagged as an accidental price")}),
        ("SOL", {"status": "canceled-not-enough-liquidity"}),
    )
    for symbol, leg_b in fates:
        bad = trades.hedge(symbol)
        trades.order(bad, X10, parts=(("0.04", "2500"),))
        trades.order(bad, LIGHTER, side=Side.SELL, **leg_b)
        trades.order(bad, X10, Purpose.ROLLBACK, Side.SELL, parts=(("0.04", "2490"),))
        trades.over(bad)
    own = trades.hedge("BNB")
    trades.order(own, X10, parts=(("0.04", "2500"),))
    trades.order(own, X10, Purpose.ROLLBACK, Side.SELL, parts=(("0.04", "2495"),))
    trades.over(own)
    return trades


def test_rollbacks_are_counted_by_their_cause(trades: Trades) -> None:
    found = table(trades.store)
    assert (found["rollback rate"]["count"], found["rollback rate"]["of"]) == (3, 4)
    assert found["rollback rate"]["value"] == "75.00"
    assert found["… a venue refused a leg"]["count"] == 1
    assert found["… a leg was taken and not filled"]["count"] == 1
    assert found["… our own doing"]["count"] == 1
    unrefused = found["… all but those that a venue refused"]
    assert (unrefused["count"], unrefused["value"], unrefused["met"]) == (2, "50.00", False)
    success = found["trade success: opened, of those with a first leg"]
    assert (success["count"], success["of"], success["met"]) == (1, 4, False)


@pytest.mark.parametrize(
    ("order", "metric"),
    [
        ({"refused": (Reason.REDUCE_ONLY, "size exceeds position")}, "size errors"),
        ({"refused": (Reason.RULES, "Order quantity less than min trade size")}, "size errors"),
        ({"refused": (Reason.RULES, "invalid order base or quote amount")}, "size errors"),
        ({"status": "canceled-reduce-only"}, "size errors"),
        ({"status": "CANCELLED REDUCE_ONLY_FAILED"}, "size errors"),
        ({"refused": (Reason.MARGIN, "not enough margin")}, "balance errors"),
        ({"status": "canceled-margin-not-allowed"}, "balance errors"),
        ({"status": "CANCELLED NOT_ENOUGH_FUNDS"}, "balance errors"),
        ({"refused": (Reason.RULES, "order price flagged as an accidental price")}, None),
        ({"status": "canceled-not-enough-liquidity"}, None),
        ({"refused": (Reason.RATE, "too many requests")}, None),
    ],
)
def test_what_a_venue_complains_of_is_counted_as_what_it_is(
    store: Store, order: dict[str, Any], metric: str | None
) -> None:
    trades = Trades(store)
    trades.order(trades.hedge(), X10, **order)
    found = table(store)
    counted = [name for name in ("size errors", "balance errors") if found[name]["count"]]
    assert counted == ([metric] if metric else [])


def test_errors_per_hour_are_over_the_hours_between_first_and_last_order(tmp_path: Path) -> None:
    clock = StepClock()
    with a_store(tmp_path, clock) as store:
        trades = Trades(store)
        name = trades.hedge()
        trades.order(name, X10, refused=(Reason.MARGIN, "not enough margin"))
        clock.at += timedelta(hours=4)
        trades.order(name, LIGHTER, parts=(("0.04", "2500"),))
        row = table(store)["balance errors"]
    assert (row["value"], row["of"], row["met"]) == ("0.25", "4.00 h", True)


def test_without_hedges_nothing_is_known_and_nothing_is_met_by_accident(store: Store) -> None:
    found = table(store)
    assert found["rollback rate"]["value"] is None
    assert found["trade success: opened, of those with a first leg"]["met"] is None


def test_statistics_can_be_asked_of_a_market_or_a_time(trades: Trades) -> None:
    assert table(trades.store, market="SOL")["rollback rate"]["of"] == 2
    later = START + timedelta(days=1)
    assert table(trades.store, since=later)["rollback rate"]["of"] == 0
    with pytest.raises(UsageError, match="leave --venue out"):
        table(trades.store, venue="x10")


def test_what_taking_legs_back_cost_is_told_by_market(trades: Trades) -> None:
    found = rollback_costs(trades.store.path, START)
    # 0.04 coins lost 10 USD each, a fee in and a fee out; twice
    assert found[Symbol("SOL")] == RollbackCost(2, Decimal("0.84"))
    assert found[Symbol("BNB")] == RollbackCost(1, Decimal("0.22"))
    assert ETH not in found
    assert rollback_costs(trades.store.path, START + timedelta(seconds=1)) == {}


def test_a_rollback_of_coins_that_were_not_ours_costs_an_unknown_amount(store: Store) -> None:
    trades = Trades(store)
    trades.order(trades.hedge(), X10, Purpose.ROLLBACK, Side.SELL, parts=(("0.04", "2490"),))
    assert rollback_costs(store.path, START) == {ETH: RollbackCost(1, None)}
