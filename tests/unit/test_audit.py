"""What the ledger answers when it is asked."""

import contextlib
import io
import json
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from hedger.audit import KINDS, Filters, accounts, columns, json_array, rows
from hedger.domain.hedge import Hedge, State
from hedger.domain.ids import HedgeId, LaneId, VenueId
from hedger.domain.market import FundingQuote
from hedger.domain.order import Purpose, Side, Unresolved
from hedger.errors import StateError, UsageError
from hedger.ledger.records import Decision, LaneNote, LaneState
from hedger.ledger.store import Store
from tests.unit.ledger.build import (
    ETH,
    LIGHTER,
    START,
    X10,
    StepClock,
    a_hedge,
    a_payment,
    a_position,
    a_store,
    an_order,
    filled,
    settlement,
)
from tests.unit.ledger.connections import every_connection_closed


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with a_store(tmp_path) as store:
        yield store


class Story:
    """A hedge told in fills."""

    def __init__(self, store: Store, hedge: Hedge) -> None:
        self.store = store
        self.id = hedge.id
        self.symbol = hedge.symbol
        store.plan(hedge)

    def trade(
        self, venue: VenueId, purpose: Purpose, side: Side, *parts: tuple[str, str], fee: str
    ) -> None:
        prepared = an_order(
            self.id,
            len(self.store.orders_of(self.id)) + 1,
            venue=venue,
            purpose=purpose,
            side=side,
            size="1000",
            symbol=self.symbol,
        )
        self.store.intend(prepared)
        self.store.settle(filled(prepared, *parts, fee=fee))

    def go(self, *states: State, **changes: Any) -> None:
        for state in states:
            hedge = self.store.hedge(self.id)
            self.store.move(hedge, state, "so", **(changes if state is states[-1] else {}))

    def pnl(self) -> dict[str, Any]:
        (row,) = rows(self.store.path, "pnl", Filters(hedge=self.id))
        return row


def parts(row: dict[str, Any]) -> list[str | None]:
    return [row[f"{name}_usd"] for name in ("price", "fees", "funding", "rollback_cost", "net")]


def test_a_hedge_that_was_closed_splits_into_price_fees_and_funding(store: Store) -> None:
    story = Story(
        store, a_hedge(first_settlement_a=settlement(0), first_settlement_b=settlement(0))
    )
    story.trade(X10, Purpose.OPEN, Side.BUY, ("0.04", "2500"), fee="0.025")
    story.trade(LIGHTER, Purpose.OPEN, Side.SELL, ("0.04", "2502"), fee="0.028")
    story.go(State.OPENING_A, State.OPENING_B, State.OPEN)
    story.trade(X10, Purpose.CLOSE, Side.SELL, ("0.04", "2510"), fee="0.025")
    story.trade(LIGHTER, Purpose.CLOSE, Side.BUY, ("0.04", "2509"), fee="0.028")
    store.book_payments([a_payment(0, "0.5"), a_payment(0, "-0.2", LIGHTER)])
    story.go(
        State.CLOSING,
        State.CLOSED,
        last_settlement_a=settlement(0),
        last_settlement_b=settlement(0),
    )
    assert parts(story.pnl()) == ["0.12", "-0.106", None, "0", None]

    store.funding_complete(story.id, X10, settlement(0))
    store.funding_complete(story.id, LIGHTER, settlement(0))

    assert parts(story.pnl()) == ["0.12", "-0.106", "0.3", "0", "0.314"]


def test_a_hedge_that_lost_a_leg_shows_what_taking_the_other_back_cost(store: Store) -> None:
    story = Story(store, a_hedge())
    story.go(State.OPENING_A)
    story.trade(X10, Purpose.OPEN, Side.BUY, ("0.03", "2500"), fee="0.01875")
    story.trade(X10, Purpose.ROLLBACK, Side.SELL, ("0.02", "2499"), ("0.01", "2498"), fee="0.01")
    story.go(
        State.CONVERGING,
        State.CLOSED,
        first_settlement_a=settlement(0),
        last_settlement_a=settlement(-1),
    )
    # 0.02 and 0.02 lost in price, 0.02 paid for going out and 0.01875 for having gone in
    assert parts(story.pnl()) == ["0", "0", "0", "-0.07875", "-0.07875"]
    assert story.pnl()["lost_usd"] == "0"  # nothing was lost, and that is known


def test_the_coins_that_were_kept_carry_their_own_share_of_the_fees(store: Store) -> None:
    story = Story(store, a_hedge())
    story.go(State.OPENING_A)
    story.trade(X10, Purpose.OPEN, Side.BUY, ("0.03", "2500"), fee="0.03")
    story.trade(LIGHTER, Purpose.OPEN, Side.SELL, ("0.02", "2500"), fee="0")
    story.go(State.OPENING_B, State.CONVERGING)
    story.trade(X10, Purpose.ROLLBACK, Side.SELL, ("0.01", "2490"), fee="0.005")
    story.go(State.OPEN)

    row = story.pnl()

    assert parts(row) == [None, "-0.02", None, "-0.115", None]
    assert row["fees_paid_usd"] == "0.035"


def test_price_fees_and_rollback_add_up_to_the_cash_even_when_the_share_does_not_divide(
    store: Store,
) -> None:
    story = Story(store, a_hedge())
    story.go(State.OPENING_A)
    story.trade(X10, Purpose.OPEN, Side.BUY, ("0.07", "2501.37"), fee="0.0137")
    story.trade(LIGHTER, Purpose.OPEN, Side.SELL, ("0.06", "2500.01"), fee="0")
    story.go(State.OPENING_B, State.CONVERGING)
    story.trade(X10, Purpose.ROLLBACK, Side.SELL, ("0.01", "2499.99"), fee="0.001")
    story.trade(X10, Purpose.CLOSE, Side.SELL, ("0.06", "2503.33"), fee="0.01")
    story.trade(LIGHTER, Purpose.CLOSE, Side.BUY, ("0.06", "2502"), fee="0")
    story.go(State.CLOSED)

    row = story.pnl()

    price, fees, _, rollback, _ = (Decimal(value or 0) for value in parts(row))
    assert price + fees + rollback == Decimal(row["cash_usd"]) - Decimal(row["fees_paid_usd"])


def test_an_open_hedge_has_no_price_result_yet(store: Store) -> None:
    story = Story(store, a_hedge(first_settlement_a=settlement(0)))
    story.trade(X10, Purpose.OPEN, Side.BUY, ("0.04", "2500"), fee="0.025")
    store.book_payments([a_payment(0, "0.5")])
    row = story.pnl()
    assert parts(row) == [None, "-0.025", None, "0", None]
    assert row["funding_booked_usd"] == "0.5"


def test_an_unsettled_order_makes_everything_it_could_change_unknown(store: Store) -> None:
    store.plan(a_hedge())
    prepared = an_order()
    store.intend(prepared)
    store.settle(Unresolved(prepared, "no answer"))
    (row,) = rows(store.path, "pnl")
    assert parts(row) == [None, None, None, None, None]


def test_coins_that_our_fills_do_not_explain_leave_the_price_unknown(store: Store) -> None:
    story = Story(
        store, a_hedge(last_settlement_a=settlement(-1), first_settlement_a=settlement(0))
    )
    story.go(State.OPENING_A)
    story.trade(X10, Purpose.OPEN, Side.BUY, ("0.04", "2500"), fee="0.025")
    story.go(State.CONVERGING, State.CLOSED)  # the venue liquidated it
    row = story.pnl()
    assert parts(row) == [None, "-0.025", "0", "0", None]
    assert row["size_a"] == "0.04"


def test_the_rollback_of_an_orphan_has_no_known_cost(store: Store) -> None:
    store.adopt(a_hedge("orphan", state=State.ORPHAN))
    prepared = an_order("orphan", purpose=Purpose.ROLLBACK, side=Side.SELL)
    store.intend(prepared)
    store.settle(filled(prepared, ("0.04", "2500"), fee="0.02"))
    (row,) = rows(store.path, "pnl")
    assert row["rollback_cost_usd"] is row["net_usd"] is None
    assert row["fees_paid_usd"] == "0.02"


def test_a_hedge_that_was_refused_earned_nothing_and_that_is_known(store: Store) -> None:
    Story(store, a_hedge()).go(State.REFUSED)
    (row,) = rows(store.path, "pnl")
    assert parts(row) == ["0", "0", "0", "0", "0"]


# -- every kind -----------------------------------------------------------------------------


@pytest.fixture
def busy(store: Store) -> Store:
    """Two hedges on two markets with a bit of everything."""
    for name, symbol in (("eth-1", "ETH"), ("btc-1", "BTC")):
        story = Story(store, a_hedge(name, symbol, first_settlement_a=settlement(0)))
        story.go(State.OPENING_A)
        story.trade(X10, Purpose.OPEN, Side.BUY, ("0.04", "2500"), fee="0.025")
        story.trade(LIGHTER, Purpose.OPEN, Side.SELL, ("0.03", "2500"), fee="0.025")
        story.go(State.OPENING_B, State.CONVERGING)
        story.trade(X10, Purpose.ROLLBACK, Side.SELL, ("0.01", "2499"), fee="0.01")
    store.observe([a_position(), a_position("-0.03", venue=LIGHTER)], HedgeId("eth-1"))
    store.book_payments([a_payment(0), a_payment(1)])
    store.observe_funding(
        [
            FundingQuote(
                venue=X10,
                symbol=ETH,
                rate_1h=Decimal("0.0000125"),
                next_settlement_at=settlement(0),
                interval_s=3600,
                mark_price=Decimal(2500),
                index_price=None,
                open_interest_usd=None,
                as_of=START,
                source="/markets fundingRate",
            )
        ]
    )
    store.decide(
        [Decision(symbol=ETH, about="entry", code=code, text="why") for code in ("value", "risk")]
    )
    store.decide([Decision(symbol=ETH, about="entry", code="value", text="again")])
    store.note_lane(
        LaneNote(
            lane=LaneId("lighter:1:2"),
            venue=LIGHTER,
            carries="opening orders",
            state=LaneState.READY,
            reason="in step",
        )
    )
    return store


def count(store: Store, kind: str, **filters: Any) -> int:
    return sum(1 for _ in rows(store.path, kind, Filters(**filters)))


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_row_of_a_kind_has_the_same_keys_in_the_same_order(busy: Store, kind: str) -> None:
    found = list(rows(busy.path, kind))
    assert found
    assert {tuple(row) for row in found} == {columns(kind)}


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_row_is_ready_for_json(busy: Store, kind: str) -> None:
    out = io.StringIO()
    written = json_array(rows(busy.path, kind), out)
    assert json.loads(out.getvalue()) == list(rows(busy.path, kind))
    assert written == count(busy, kind)


@pytest.mark.parametrize(
    ("kind", "filters", "expected"),
    [
        ("orders", {}, 6),
        ("orders", {"market": "ETH"}, 3),
        ("orders", {"venue": "lighter"}, 2),
        ("orders", {"market": "ETH", "venue": "x10"}, 2),
        ("orders", {"hedge": "btc"}, 3),
        ("orders", {"hedge": "btc-1"}, 3),
        ("orders", {"hedge": "%"}, 0),
        ("orders", {"state": "partial"}, 6),
        ("orders", {"state": "filled"}, 0),
        ("orders", {"limit": 2}, 2),
        ("orders", {"limit": 0}, 6),
        ("orders", {"market": "'; DROP TABLE orders"}, 0),
        ("fills", {"hedge": "eth-1", "venue": "x10"}, 2),
        ("hedges", {"state": "converging"}, 2),
        ("hedges", {"venue": "lighter"}, 2),
        ("hedges", {"venue": "other"}, 0),
        ("funding", {"hedge": "eth-1"}, 2),
        ("funding", {"until": settlement(1)}, 1),
        ("funding", {"since": settlement(1)}, 1),
        ("rates", {"market": "ETH"}, 1),
        ("rates", {"hedge": "eth-1"}, 0),
        ("positions", {"hedge": "eth-1", "venue": "lighter"}, 1),
        ("events", {"state": "converging"}, 2),
        ("events", {"market": "BTC", "state": "planned"}, 1),
        ("pnl", {"market": "BTC"}, 1),
        ("decisions", {}, 2),
        ("decisions", {"state": "value"}, 1),
        ("decisions", {"market": "BTC"}, 0),
    ],
)
def test_filters_leave_out_the_rest(
    busy: Store, kind: str, filters: dict[str, Any], expected: int
) -> None:
    assert count(busy, kind, **filters) == expected


def test_a_limit_keeps_the_newest_rows_and_shows_them_oldest_first(busy: Store) -> None:
    every = [row["id"] for row in rows(busy.path, "orders", Filters(limit=0))]
    assert every == ["eth-1-1", "eth-1-2", "eth-1-3", "btc-1-1", "btc-1-2", "btc-1-3"]
    some = [row["id"] for row in rows(busy.path, "orders", Filters(limit=2))]
    assert some == every[-2:]


def test_a_row_of_an_order_says_what_was_asked_and_what_came(busy: Store) -> None:
    row = list(rows(busy.path, "orders", Filters(market="ETH")))[-1]
    assert (row["id"], row["purpose"], row["side"]) == ("eth-1-3", "rollback", "sell")
    assert (row["size"], row["filled_size"], row["avg_price"]) == ("1000", "0.01", "2499")
    assert (row["reduce_only"], row["state"], row["fee_usd"]) == (True, "partial", "0.01")
    assert row["prepared_at"].startswith("2026-01-02T21:30:00.")
    assert row["prepared_at"].endswith("Z")
    assert "payload" not in row


def test_a_hedge_shows_the_coins_that_our_fills_left(busy: Store) -> None:
    row = next(rows(busy.path, "hedges", Filters(market="ETH")))
    assert (row["size_a"], row["size_b"]) == ("0.03", "-0.03")


def test_an_empty_answer_is_an_empty_array(store: Store) -> None:
    out = io.StringIO()
    assert json_array(rows(store.path, "orders"), out) == 0
    assert json.loads(out.getvalue()) == []


def test_what_cannot_be_asked_is_said_in_one_sentence(store: Store) -> None:
    with pytest.raises(UsageError, match="nothing to audit called 'cats'; one of hedges, orders"):
        rows(store.path, "cats")
    with pytest.raises(UsageError, match="fills have no state; leave --state out"):
        rows(store.path, "fills", Filters(state="filled"))
    with pytest.raises(UsageError, match="--limit -1 is negative"):
        rows(store.path, "orders", Filters(limit=-1))


def test_an_audit_without_a_ledger_makes_none(tmp_path: Path) -> None:
    with pytest.raises(StateError, match="there is no ledger"):
        rows(tmp_path / "none.db", "orders")
    assert list(tmp_path.iterdir()) == []


def test_an_answer_that_is_left_half_way_gives_the_file_back(
    busy: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever was to read it has raised, or does not want the rest."""
    with every_connection_closed(monkeypatch):
        next(rows(busy.path, "hedges", Filters(limit=0)))
        next(accounts.rows(busy.path, Filters(limit=0)))


def test_an_audit_sees_what_a_running_writer_has_committed_and_changes_nothing(
    tmp_path: Path,
) -> None:
    with a_store(tmp_path, StepClock(START + timedelta(days=1))) as store:
        store.plan(a_hedge())
        answer = rows(store.path, "hedges")
        assert next(answer)["id"] == "eth-1"
        store.move(store.hedge(HedgeId("eth-1")), State.REFUSED, "while it is read")
        answer.close()  # type: ignore[attr-defined]  # it is a generator


def test_the_file_is_read_without_sqlalchemy() -> None:
    loaded = subprocess.run(
        [sys.executable, "-c", "import hedger.audit, sys; print('sqlalchemy' in sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert loaded.stdout.strip() == "False"


def test_an_answer_is_streamed_and_not_gathered(store: Store) -> None:
    values = [("2026-01-01T00:00:00.000000Z", 1, "info", "x", "y" * 500, "{}")] * 20_000
    columns_ = "at, epoch, level, kind, text, data"
    with contextlib.closing(sqlite3.connect(store.path)) as connection, connection:
        connection.executemany(f"INSERT INTO events ({columns_}) VALUES (?,?,?,?,?,?)", values)
    peak_kb = subprocess.run(
        [sys.executable, "-c", STREAM, str(store.path)], capture_output=True, text=True, check=True
    ).stdout
    assert int(peak_kb) < 2_000


STREAM = """
import sys, tracemalloc
from pathlib import Path
from hedger.audit import Filters, json_array, rows
class Nowhere:
    def write(self, text): pass
tracemalloc.start()
json_array(rows(Path(sys.argv[1]), "events", Filters(limit=0)), Nowhere())
print(tracemalloc.get_traced_memory()[1] // 1024)
"""
