"""Ids of orders: the start of the ledger and a number, for every venue and every copy."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.lighter.orders import client_order_index
from hedger.domain.ids import NUMBER_MAX, START_BITS, HedgeId, OrderId, Sent, hedge_of, order_id
from hedger.errors import StateError
from hedger.ledger import starts
from hedger.ledger.starts import StartFile, age_of, following, same_ledger
from tests.unit.ledger.build import StepClock, a_store

HEDGE = HedgeId("eth-260102213005-k3f9")
NOW = datetime(2026, 1, 2, 21, 30, tzinfo=UTC)
sents = st.builds(Sent, st.integers(1, 2**START_BITS - 1), st.integers(1, NUMBER_MAX))


@given(sents)
def test_an_order_id_carries_its_start_and_number_to_every_venue(sent: Sent) -> None:
    made = order_id(HEDGE, sent)
    assert set(made) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")
    assert Sent.of_order(made) == sent
    assert hedge_of(made) == HEDGE
    assert client_order_index(made) == sent.value < 2**48
    assert Sent.of_value(client_order_index(made)) == sent


@given(sents, sents)
def test_two_orders_never_share_an_index(one: Sent, other: Sent) -> None:
    same = client_order_index(order_id(HEDGE, one)) == client_order_index(order_id(HEDGE, other))
    assert same == (one == other)


@pytest.mark.parametrize("old", [f"{HEDGE}-3", "1000pepe-260102213005-zzzz-12", "eth-1-1"])
def test_an_id_from_before_carries_no_start(old: str) -> None:
    assert Sent.of_order(old) is None
    assert hedge_of(old) is None


def test_an_id_from_before_has_the_index_that_it_had() -> None:
    assert client_order_index(OrderId("eth-260102213005-k3f9-3")) == 31306879498378


@given(st.integers(0, 60 * 24 * 365 * 5))
def test_starts_of_one_ledger_only_grow(minutes: int) -> None:
    first = following(NOW, None)
    now = NOW + timedelta(minutes=minutes - 60 * 24 * 30)  # the clock may have gone back
    second = following(now, first)
    assert age_of(second) > age_of(first)
    assert same_ledger(first, second)
    assert second < 2**START_BITS


def test_another_ledger_draws_other_bits() -> None:
    drawn = {following(NOW + timedelta(microseconds=n), None) >> 24 for n in range(1000)}
    assert len(drawn) > 800


def test_no_ledger_draws_the_bits_that_ids_from_a_clock_begin_with() -> None:
    """Other bots on a shared account name orders by the milliseconds since 1970."""
    drawn = {following(NOW + timedelta(microseconds=n), None) >> 24 for n in range(20_000)}
    instants = [NOW + timedelta(days=n) for n in range(365 * 10)]
    stamps = [Sent.of_value(int(at.timestamp() * 1000)) for at in instants]
    assert drawn.isdisjoint({stamp.start >> 24 for stamp in stamps if stamp is not None})


def test_starts_end_in_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(starts, "AGE_MAX", 5)
    with pytest.raises(StateError, match="no start left"):
        following(NOW, None)


def test_f5_a_copy_takes_a_later_start_than_any_that_was_given_here(tmp_path: Path) -> None:
    with a_store(tmp_path) as store:
        given_ids = {store.next_order_id(HEDGE) for _ in range(3)}
        first = store.start
    older = (tmp_path / "ledger.db").read_bytes()
    for _ in range(3):
        with a_store(tmp_path) as store:
            given_ids |= {store.next_order_id(HEDGE) for _ in range(3)}
    (tmp_path / "ledger.db").write_bytes(older)

    with a_store(tmp_path) as store:
        assert age_of(store.start) == age_of(first) + 4
        assert store.next_order_id(HEDGE) not in given_ids
        (alert,) = store.unacknowledged()
    assert "is an older copy of the ledger that worked here before" in alert.text


def test_numbers_that_are_used_up_begin_a_new_start(tmp_path: Path) -> None:
    with a_store(tmp_path, StepClock()) as store:
        first = store.start
        ids = [store.next_order_id(HEDGE) for _ in range(NUMBER_MAX + 2)]
        assert len(set(ids)) == len(ids)
        assert age_of(store.start) == age_of(first) + 1
        assert StartFile(store.path).read() == store.start
        assert store.meta(starts.META) == str(store.start)
    with a_store(tmp_path) as store:
        assert store.unacknowledged() == []


@pytest.mark.parametrize("text", ["", "0", "-5", "abc", "9" * 40, "1 2"])
def test_a_file_of_starts_that_cannot_be_read_is_none(tmp_path: Path, text: str) -> None:
    kept = StartFile(tmp_path / "ledger.db")
    assert kept.read() is None
    kept.path.write_text(text)
    assert kept.read() is None
