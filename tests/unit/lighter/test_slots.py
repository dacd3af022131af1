"""Whose a nonce is: only another transaction that has used it for good proves anything."""

from typing import Any

import pytest

from adapters.lighter.fields import UnreadableError
from adapters.lighter.slots import used_by_other

OURS = "ab" * 40
THEIRS = "cd" * 40
CLIENT = 4711


def row(tx_hash: str = THEIRS, **changes: Any) -> dict[str, Any]:
    return {
        "hash": tx_hash,
        "type": 15,
        "info": '{"Index":1}',
        "event_info": "",
        "status": 2,
        "nonce": 7,
        "account_index": 65,
        "api_key_index": 3,
        **changes,
    }


def other(*rows: dict[str, Any]) -> str | None:
    return used_by_other(
        {"txs": list(rows)}, account=65, key=3, nonce=7, tx_hash=OURS, client_index=CLIENT
    )


def test_another_transaction_that_was_executed_proves_it() -> None:
    assert other(row("ef" * 40, nonce=8), row()) == THEIRS


def test_one_that_found_nothing_to_cancel_has_used_its_nonce_all_the_same() -> None:
    assert other(row(status=0, event_info='{"ae":"order is not active"}')) == THEIRS


@pytest.mark.parametrize(
    "changes",
    [
        {"nonce": 6},
        {"api_key_index": 4},
        {"account_index": 66},
        {"status": 1},
        {"status": 3},
        {"status": 0},
        {"status": 0, "event_info": '{"ae":"invalid nonce"}'},
        {"status": 0, "event_info": '{"ae":"transaction is expired"}'},
    ],
)
def test_what_did_not_use_this_nonce_for_good_proves_nothing(changes: dict[str, Any]) -> None:
    assert other(row(**changes)) is None


@pytest.mark.parametrize("written", [OURS, "0x" + OURS, OURS.upper()])
def test_our_own_transaction_is_known_however_its_hash_is_written(written: str) -> None:
    assert other(row(written)) is None


@pytest.mark.parametrize("info", ['{"ClientOrderIndex":4711}', "{}"])
def test_an_order_that_may_be_ours_by_its_id_proves_nothing(info: str) -> None:
    assert other(row(type=14, info=info)) is None


def test_an_order_of_somebody_else_proves_it() -> None:
    assert other(row(type=14, info='{"ClientOrderIndex":4712}')) == THEIRS


def test_two_others_with_one_nonce_contradict_each_other() -> None:
    assert other(row(), row("ef" * 40)) is None


def test_nothing_shown_proves_nothing() -> None:
    assert other() is None


@pytest.mark.parametrize(
    "changes", [{"hash": None}, {"type": 14, "info": "no JSON"}, {"status": None}]
)
def test_a_row_that_matters_and_cannot_be_read_is_no_answer(changes: dict[str, Any]) -> None:
    with pytest.raises(UnreadableError):
        other(row(**changes))
