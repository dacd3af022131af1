from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.sandbox.faults import BadFaultError, Fault, FaultBox, Kind, first, lag_s
from tests.clocks import ManualClock

REFUSE = {"venue": "lighter", "kind": "refuse", "code": 21739}


def box_with(*faults: dict[str, Any]) -> FaultBox:
    box = FaultBox(ManualClock(), markets=frozenset({"ETH", "BTC"}))
    box.add(list(faults))
    return box


def kinds(box: FaultBox, *request: Any, **more: Any) -> list[Kind]:
    return [fault.kind for fault in box.take(*request, **more)]


def test_a_fault_fires_once_and_is_gone():
    box = box_with(REFUSE)
    assert kinds(box, "lighter", "order") == [Kind.REFUSE]
    assert kinds(box, "lighter", "order") == []
    assert box.listing() == []


def test_a_fault_lets_the_first_requests_pass_and_counts_only_those_it_matches():
    box = box_with({**REFUSE, "skip": 2, "times": 2, "market": "ETH"})
    symbols = ("ETH", "BTC", "ETH", "BTC", "ETH", "ETH", "ETH")
    fired = [bool(box.take("lighter", "order", symbol)) for symbol in symbols]
    assert fired == [False, False, False, False, True, True, False]


def test_times_zero_means_for_ever():
    box = box_with({**REFUSE, "times": 0})
    assert all(kinds(box, "lighter", "order") for _ in range(50))
    assert box.clear() == 1
    assert kinds(box, "lighter", "order") == []


def test_a_fault_of_one_venue_leaves_the_other_alone():
    box = box_with(REFUSE)
    assert kinds(box, "x10", "order") == []
    assert kinds(box, "lighter", "cancel") == []


def test_reduce_only_chooses_between_opening_and_closing_orders():
    box = box_with({**REFUSE, "reduce_only": True})
    assert kinds(box, "lighter", "order", "ETH", reduce_only=False) == []
    assert kinds(box, "lighter", "order", "ETH", reduce_only=True) == [Kind.REFUSE]


def test_two_faults_of_one_kind_strike_one_request_each():
    box = box_with(REFUSE, {**REFUSE, "code": 21104})
    assert [fault.code for fault in box.take("lighter", "order")] == [21739]
    assert [fault.code for fault in box.take("lighter", "order")] == [21104]


def test_a_fault_before_the_effect_keeps_later_ones_for_the_next_request():
    box = box_with(
        {"venue": "x10", "kind": "hang", "seconds": 9},
        {"venue": "x10", "kind": "partial_fill", "fraction": "0.4"},
        {"venue": "x10", "kind": "rate_limit"},
    )
    assert kinds(box, "x10", "order") == [Kind.RATE_LIMIT]
    assert kinds(box, "x10", "order") == [Kind.PARTIAL_FILL, Kind.HANG]


def test_an_answer_is_lost_in_one_way_only_and_an_order_ends_in_one_way_only():
    box = box_with(
        {"venue": "x10", "kind": "server_error", "when": "after"},
        {"venue": "x10", "kind": "drop_answer", "when": "after"},
        {"venue": "x10", "kind": "no_fill"},
        {"venue": "x10", "kind": "reject", "reason": "margin"},
    )
    assert kinds(box, "x10", "order") == [Kind.REJECT, Kind.DROP_ANSWER]
    assert kinds(box, "x10", "order") == [Kind.NO_FILL, Kind.SERVER_ERROR]


def test_lag_and_bad_reads_strike_only_the_reads_they_name():
    box = box_with(
        {"venue": "lighter", "kind": "lag", "what": ["positions"], "seconds": 4, "times": 2},
        {"venue": "lighter", "kind": "bad_reads", "what": ["balance"], "status": 500},
    )
    assert kinds(box, "lighter", "orders") == []
    assert lag_s(box.take("lighter", "positions"), 0.3) == 4
    assert lag_s(box.take("lighter", "orders"), 0.3) == 0.3
    failed = first(box.take("lighter", "balance"), Kind.BAD_READS)
    assert failed is not None
    assert failed.status == 500


def test_an_outage_lasts_for_its_seconds_and_strikes_every_request():
    clock = ManualClock()
    box = FaultBox(clock)
    box.add({"venue": "x10", "kind": "outage", "seconds": 30})
    assert all(
        kinds(box, "x10", op) == [Kind.OUTAGE] for op in ("order", "positions", "public", "stream")
    )
    assert box.outage("x10")
    assert not box.outage("lighter")
    clock.advance(30)
    assert not box.outage("x10")
    assert kinds(box, "x10", "order") == []


def test_an_outage_without_an_end_lasts_until_it_is_deleted():
    clock = ManualClock()
    box = FaultBox(clock)
    (name,) = box.add({"venue": "x10", "kind": "outage", "seconds": 0})
    clock.advance(86_400)
    assert box.outage("x10")
    assert box.clear(name) == 1
    assert box.clear(name) == 0
    assert not box.outage("x10")


def test_a_stolen_nonce_can_be_that_of_one_key():
    box = box_with({"venue": "lighter", "kind": "steal_nonce", "api_key_index": 6})
    assert kinds(box, "lighter", "order", api_key_index=5) == []
    assert kinds(box, "lighter", "order", api_key_index=6) == [Kind.STEAL_NONCE]


def test_a_liquidation_happens_at_once_and_is_not_kept():
    struck: list[Fault] = []
    box = FaultBox(ManualClock(), strike=struck.append)
    box.add({"venue": "x10", "kind": "liquidate", "market": "ETH", "fraction": "0.5"})
    assert [(fault.market, str(fault.fraction)) for fault in struck] == [("ETH", "0.5")]
    assert box.listing() == []


def test_of_a_list_with_one_wrong_fault_none_is_taken():
    box = box_with()
    with pytest.raises(BadFaultError):
        box.add([REFUSE, {"venue": "x10", "kind": "refuse"}])
    assert box.listing() == []


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("x", "must be an object"),
        ({}, "venue is None; it must be one of x10, lighter"),
        ({"venue": "binance", "kind": "refuse"}, "must be one of x10, lighter"),
        ({"venue": "x10", "kind": "explode"}, "kind is 'explode'; it must be one of outage"),
        ({"venue": "x10", "kind": "refuse"}, "needs the key code"),
        ({"venue": "x10", "kind": "refuse", "code": "abc"}, "code is 'abc'"),
        ({"venue": "x10", "kind": "refuse", "code": True}, "code is True"),
        ({**REFUSE, "times": -1}, "times is -1"),
        ({**REFUSE, "times": 1.5}, "times is 1.5"),
        ({**REFUSE, "second": 3}, "has no key 'second'"),
        ({**REFUSE, "market": "DOGE9"}, "no such market is on the tape"),
        ({**REFUSE, "reduce_only": "yes"}, "must be true or false"),
        ({"venue": "x10", "kind": "hang", "seconds": float("nan")}, "seconds is nan"),
        ({"venue": "x10", "kind": "hang", "seconds": "30"}, "must be a number"),
        ({"venue": "x10", "kind": "partial_fill", "fraction": "1.1"}, "from 0 to 1"),
        ({"venue": "x10", "kind": "partial_fill", "fraction": "NaN"}, "from 0 to 1"),
        ({"venue": "x10", "kind": "rate_limit", "status": 503}, "must be 429 or 405"),
        ({"venue": "x10", "kind": "rate_limit", "status": []}, "must be 429 or 405"),
        ({"venue": "x10", "kind": "lag", "seconds": 1, "what": ["prices"]}, "what is 'prices'"),
        ({"venue": "x10", "kind": "lag", "seconds": 1, "what": []}, "what is []"),
        ({"venue": "x10", "kind": "reject", "reason": "mood"}, "must be one of margin"),
        ({"venue": "x10", "kind": "steal_nonce"}, "x10 has no nonce sequence"),
        ({"venue": "x10", "kind": "liquidate"}, "needs the key market"),
        ({"venue": "x10", "kind": "outage", "seconds": 1, "times": 2}, "remove the key times"),
        ({"venue": "x10", "kind": "outage", "seconds": 1, "market": "ETH"}, "whole venue"),
    ],
)
def test_a_wrong_fault_is_one_clear_sentence(fault, words):
    with pytest.raises(BadFaultError) as caught:
        box_with().add(fault)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


_words = st.text(alphabet="ab1.-", max_size=4)
_values = st.none() | st.booleans() | st.integers() | st.floats() | _words | st.lists(_words)
_keys = st.sampled_from([*Fault.__dataclass_fields__, "what", "op", "surprise"])


@given(
    venue=st.sampled_from(["x10", "lighter"]),
    kind=st.sampled_from(list(Kind)),
    rest=st.dictionaries(_keys, _values, max_size=3),
)
def test_any_json_is_either_a_fault_or_a_sentence(venue, kind, rest):
    box = FaultBox(ManualClock())
    with suppress(BadFaultError):  # anything else is a bug
        box.add({**rest, "venue": venue, "kind": kind.value})
    for op in ("order", "positions", "stream"):
        box.take(venue, op, "ETH", reduce_only=True)
