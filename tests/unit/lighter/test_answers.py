"""What an answer to sendTx proves: the table, the traps and the recorded answers."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.lighter.answers import INVALID_NONCE, REASONS, THROTTLED, classify
from hedger.domain.order import Accepted, Declined, NoProof, Reason

OBSERVED = json.loads((Path(__file__).parent / "data" / "rest_observed.json").read_text())
HASH = "ab" * 40


def error(code: int, message: str = "no") -> str:
    return json.dumps({"code": code, "message": message})


def test_a_recorded_acceptance_is_accepted() -> None:
    body = {**OBSERVED["sendTx ok"], "tx_hash": HASH}
    assert isinstance(classify(200, json.dumps(body), HASH), Accepted)


def test_an_acceptance_under_another_hash_proves_nothing() -> None:
    body = {**OBSERVED["sendTx ok"], "tx_hash": "cd" * 40}
    assert isinstance(classify(200, json.dumps(body), HASH), NoProof)


@pytest.mark.parametrize("recorded", OBSERVED["sendTx errors"], ids=lambda each: str(each["code"]))
def test_recorded_refusals_are_declined_except_an_invalid_nonce(recorded: dict[str, Any]) -> None:
    answer = classify(400, json.dumps(recorded), HASH)
    if recorded["code"] == INVALID_NONCE:
        assert isinstance(answer, NoProof)
    else:
        assert answer == Declined(
            REASONS[recorded["code"]], str(recorded["code"]), recorded["message"]
        )


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (21739, Reason.MARGIN),
        (21740, Reason.REDUCE_ONLY),
        (21614, Reason.REDUCE_ONLY),
        (21732, Reason.REDUCE_ONLY),
        (21733, Reason.RULES),
        (21605, Reason.MARKET_STATE),
        (21120, Reason.AUTH),
        (21506, Reason.RATE),
    ],
)
def test_a_code_on_the_list_says_why(code: int, reason: Reason) -> None:
    answer = classify(400, error(code), HASH)
    assert isinstance(answer, Declined)
    assert answer.reason is reason


def test_an_invalid_nonce_may_be_our_own_bytes_sent_again() -> None:
    answer = classify(400, error(21104, "invalid nonce"), HASH)
    assert isinstance(answer, NoProof)
    assert "hash" in answer.detail


def test_a_duplicate_client_id_is_looked_up_and_not_believed() -> None:
    assert isinstance(classify(400, error(21728), HASH), NoProof)


@pytest.mark.parametrize("status", sorted(THROTTLED))
@pytest.mark.parametrize("body", ["<html>busy</html>", error(23000, "Too Many Requests!"), ""])
def test_throttling_comes_before_the_nonce_check(status: int, body: str) -> None:
    answer = classify(status, body, HASH)
    assert isinstance(answer, Declined)
    assert answer.reason is Reason.RATE


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, "<html>ok</html>"),
        (200, ""),
        (200, "[]"),
        (200, error(21506)),
        (200, error(21739)),
        (400, "<html>bad request</html>"),
        (400, error(99999)),
        (400, error(29500)),
        (400, json.dumps({"code": "21739", "message": "a text where a number was"})),
        (404, error(21739)),
        (500, error(29500)),
        (500, error(21739)),
        (503, "<html>unavailable</html>"),
        (504, ""),
    ],
)
def test_everything_else_proves_nothing(status: int, body: str) -> None:
    assert isinstance(classify(status, body, HASH), NoProof)


@given(st.integers(min_value=100, max_value=599), st.integers(), st.text(max_size=40))
def test_only_the_allow_list_and_the_gateway_decline(status: int, code: int, message: str) -> None:
    answer = classify(status, error(code, message), HASH)
    assert isinstance(answer, Accepted | Declined | NoProof)
    if isinstance(answer, Declined):
        assert status in THROTTLED or (status in (400, 401) and code in REASONS)


@given(st.integers(min_value=100, max_value=599), st.text(max_size=60))
def test_no_body_makes_it_raise(status: int, body: str) -> None:
    classify(status, body, HASH)
