"""What X10's answer to an order proves: every documented code of x10.md §3.4, and the rest."""

import json

import pytest

from adapters.x10.codes import DECLINED, classify, error_code
from hedger.domain.order import Accepted, Declined, NoProof, Reason
from tests.unit.x10.recorded import RECORDED

ID = "eth-260102213005-k3f9-1"

PROOF = {
    Reason.RULES: "1000 1003 1120 1121 1122 1123 1124 1125 1126 1127 1128 1129 1130 1131 "
    "1132 1133 1135 1139 1141 1142 1143 1144 1146",
    Reason.MARKET_STATE: "1001 1002 1010 1011 1012 1014 1145",
    Reason.AUTH: "1004 1008 1009 1100 1101 1102 1500",
    Reason.REDUCE_ONLY: "1136 1137 1138",
    Reason.MARGIN: "1140 1147 1148",
}
NO_PROOF = "1005 1006 1049 1050 10501 1052 1053 1134 1600 1650 1700 9999 0 -1"


def refusal(code: int | str | None, message: str = "no") -> str:
    return json.dumps({"status": "ERROR", "error": {"code": code, "message": message}})


@pytest.mark.parametrize(
    ("code", "reason"),
    [(int(code), reason) for reason, codes in PROOF.items() for code in codes.split()],
)
def test_a_documented_refusal_is_proof_that_the_order_was_not_taken(
    code: int, reason: Reason
) -> None:
    for status in (200, 400, 401, 403, 404, 422):
        assert classify(status, refusal(code), ID) == Declined(reason, str(code), "no")


def test_the_list_of_proofs_holds_the_documented_codes_and_nothing_else() -> None:
    listed = {int(code) for codes in PROOF.values() for code in codes.split()}
    assert set(DECLINED) == listed


@pytest.mark.parametrize("code", [int(code) for code in NO_PROOF.split()])
def test_any_other_code_proves_nothing(code: int) -> None:
    assert isinstance(classify(400, refusal(code), ID), NoProof)


def test_a_duplicate_id_means_that_the_order_has_to_be_looked_up() -> None:
    answer = classify(400, refusal(1134, "Duplicate Order"), ID)
    assert isinstance(answer, NoProof)
    assert "exists already, look it up" in answer.detail


@pytest.mark.parametrize("code", [1140, 1101, 1010])
def test_a_known_code_behind_a_server_error_proves_nothing(code: int) -> None:
    assert isinstance(classify(503, refusal(code), ID), NoProof)


@pytest.mark.parametrize("error", RECORDED["errors"])
def test_the_recorded_refusals_of_the_live_venue_are_proof(error: dict[str, object]) -> None:
    answer = classify(400, json.dumps(error), ID)
    assert isinstance(answer, Declined)
    assert answer.reason in {Reason.RULES, Reason.REDUCE_ONLY, Reason.MARGIN}


def test_a_code_written_as_a_text_counts_as_well() -> None:
    assert classify(400, refusal("1140"), ID) == Declined(Reason.MARGIN, "1140", "no")


def test_the_venues_explanation_is_kept() -> None:
    body = json.dumps(
        {
            "status": "ERROR",
            "error": {
                "code": 1140,
                "message": "New order cost exceeds available balance",
                "debugInfo": "Order cost 2.000000 exceeds available for trade 0\nOrder price = 200",
            },
        }
    )
    answer = classify(400, body, ID)
    assert isinstance(answer, Declined)
    assert answer.detail.startswith("New order cost exceeds available balance Order cost 2.0")
    assert "\n" not in answer.detail


def test_the_gateways_own_refusals_are_proof() -> None:
    assert classify(429, "<html>slow down</html>", ID) == Declined(
        Reason.RATE, "429", "HTTP 429: too many requests"
    )
    assert classify(429, refusal(429, "Rate limit exceeded"), ID) == Declined(
        Reason.RATE, "429", "Rate limit exceeded"
    )
    answer = classify(401, "", ID)
    assert isinstance(answer, Declined)
    assert answer.reason is Reason.AUTH


@pytest.mark.parametrize(
    "status", [100, 204, 301, 307, 400, 403, 404, 405, 408, 500, 502, 503, 504]
)
@pytest.mark.parametrize("body", ["", "<html>502 Bad Gateway</html>", "{", "[]", "null", "{}"])
def test_an_answer_without_a_known_code_proves_nothing(status: int, body: str) -> None:
    assert isinstance(classify(status, body, ID), NoProof)


def test_an_acceptance_must_name_our_order() -> None:
    def accepted(external_id: object) -> str:
        return json.dumps({"status": "OK", "data": {"id": 2**61, "externalId": external_id}})

    assert classify(200, accepted(ID), ID) == Accepted(f"order {2**61}")
    assert isinstance(classify(200, accepted("another"), ID), NoProof)
    assert isinstance(classify(200, accepted(None), ID), NoProof)


@pytest.mark.parametrize(
    "body",
    ["", "OK", "[]", '{"status":"OK"}', '{"status":"OK","data":null}', '{"data":{"id":1}}'],
)
def test_a_success_that_says_nothing_proves_nothing(body: str) -> None:
    assert isinstance(classify(200, body, ID), NoProof)


def test_the_code_of_an_error_is_found_only_where_there_is_one() -> None:
    assert error_code(refusal(1006)) == 1006
    assert error_code(refusal("1006")) == 1006
    for body in ("", "<html>", '{"status":"OK"}', refusal(None), refusal("x"), '{"error":1}'):
        assert error_code(body) is None
