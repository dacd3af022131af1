"""What is ours on a shared account, from our fills and what was taken from them."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from hedger.domain.hedge import Hedge
from hedger.domain.money import ZERO
from hedger.ledger import lost
from hedger.ledger.records import lost_key, taken_key
from hedger.ledger.store import Store
from hedger.owned import note_taken, own_size, tell_unaccounted, unclear
from tests.unit.ledger.build import (
    LIGHTER,
    X10,
    a_hedge,
    a_position,
    a_store,
    an_order,
    filled,
)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with a_store(tmp_path) as store:
        yield store


@pytest.fixture
def hedge(store: Store) -> Hedge:
    """A hedge whose fills make 0.04 on X10."""
    planned = a_hedge()
    store.plan(planned)
    prepared = an_order(size="0.04")
    store.intend(prepared)
    store.settle(filled(prepared, ("0.04", "2500")))
    return store.hedge(planned.id)


def holding(store: Store, hedge: Hedge, size: str) -> Decimal:
    """What is ours after a proven reading of X10."""
    note_taken(store, hedge, a_position(size))
    return own_size(store, hedge.id, X10)


def texts(store: Store) -> list[str]:
    return [alert.text for alert in store.unacknowledged()]


def test_what_was_taken_is_told_though_the_process_dies_while_it_is_noted(
    store: Store, hedge: Hedge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Noted and not told, a person would never have heard of it."""
    with monkeypatch.context() as patched:
        patched.setattr(Store, "_committed", lambda _: 1 / 0)  # right after the first transaction
        with pytest.raises(ZeroDivisionError):
            note_taken(store, hedge, a_position("0.01"))

    assert holding(store, hedge, "0.01") == Decimal("0.01")
    assert len(texts(store)) == 2


def test_what_was_taken_stays_taken_whatever_appears_later(store: Store, hedge: Hedge) -> None:
    assert holding(store, hedge, "0.01") == Decimal("0.01")
    assert holding(store, hedge, "0.03") == Decimal("0.01")
    assert holding(store, hedge, "-0.03") == ZERO
    assert [text.split(" ETH")[0] for text in texts(store)] == [
        "somebody else took 0.03",
        "somebody else took 0.01",
    ]


@pytest.mark.parametrize("size", ["0.04", "0.5"])
def test_a_whole_leg_was_not_taken(store: Store, hedge: Hedge, size: str) -> None:
    assert holding(store, hedge, size) == Decimal("0.04")
    assert texts(store) == []
    assert store.meta(taken_key(hedge.id, X10)) is None


def test_only_what_our_fills_would_have_room_for_is_unclear(store: Store, hedge: Hedge) -> None:
    assert unclear(store, hedge, X10, Decimal("0.06")) is None
    holding(store, hedge, "0.01")

    assert unclear(store, hedge, X10, Decimal("0.01")) is None
    assert unclear(store, hedge, X10, Decimal("-0.01")) is None
    assert unclear(store, hedge, LIGHTER, Decimal("0.03")) is None
    told = unclear(store, hedge, X10, Decimal("0.03"))
    assert told is not None
    assert told.startswith("x10 holds 0.03 ETH, of which 0.01 is taken to be ours, for 0.03 was")


def test_a_person_is_told_where_a_hedge_ends_and_its_fills_are_not_accounted_for(
    store: Store, hedge: Hedge
) -> None:
    tell_unaccounted(store, hedge)

    (told,) = texts(store)
    assert told.startswith(f"hedge {hedge.id} ends while our fills make 0.04 ETH on x10")


def test_a_hedge_of_which_all_was_taken_is_accounted_for(store: Store, hedge: Hedge) -> None:
    holding(store, hedge, "0")
    before = texts(store)

    tell_unaccounted(store, hedge)

    assert texts(store) == before


def test_what_is_missing_where_a_hedge_ends_is_kept_once_and_may_come_back(
    store: Store, hedge: Hedge
) -> None:
    tell_unaccounted(store, hedge)
    before = texts(store)

    tell_unaccounted(store, hedge)

    assert texts(store) == before
    kept = store.meta(lost_key(hedge.id, X10))
    assert lost.size_in(kept) == Decimal("0.04")
    assert lost.is_unexplained(kept)
