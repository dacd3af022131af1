"""Every spelling of a secret is masked, and parts of it that a limit left over."""

import base64
import json
from urllib.parse import quote

import pytest

from hedger.common import masking

KEY = "0x5ca1ab1e0c0ffee4209d3b7f60018e4d2a5077b6c3f90e1"
OCTETS = bytes.fromhex(KEY[2:].zfill(len(KEY) - 2 + len(KEY) % 2))
WORD = "Tok3n/with+signs=and&more"

SPELLED = {
    "as it is": KEY,
    "bare": KEY[2:],
    "upper": KEY.upper(),
    "padded": "0x" + KEY[2:].zfill(64),
    "decimal": str(int(KEY, 16)),
    "base64 of its text": base64.b64encode(KEY.encode()).decode(),
    "base64 of its bytes": base64.b64encode(OCTETS).decode(),
    "urlsafe": base64.urlsafe_b64encode(OCTETS).decode(),
    "within a longer base64": base64.b64encode(b"user:" + KEY[2:].encode()).decode(),
    "repr of its bytes": repr(OCTETS),
    "repr in JSON": json.dumps(repr(OCTETS)),
    "its first 25 digits": str(int(KEY, 16))[:25],
    "its middle": KEY[14:40],
    "quoted": quote(WORD, safe=""),
    "a word": WORD,
}


@pytest.fixture(autouse=True)
def _hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(masking, "_hidden", masking._Hidden())
    masking.hide([KEY, WORD, "0" * 64, "short"])


@pytest.mark.parametrize("spelled", SPELLED.values(), ids=list(SPELLED))
def test_security_f7_every_spelling_is_masked(spelled: str) -> None:
    told = masking.masked(f"refused: {spelled} is not known")

    assert masking.MASK in told
    assert told.startswith("refused: ")
    assert told.endswith(" is not known")
    assert spelled[4:20] not in told


@pytest.mark.parametrize(
    "text",
    [
        "order eth-260102213005-k3f9-1 sold 0.0412 at 2500.15, nonce 1767388800123456",
        "short of 0000000000000000 and 0x0000000000000000000000000000 left",
        '{"hash":"8b1c2d3e4f5061728394a5b6c7d8e9f001122334455667788990011223344"}',
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert masking.masked(text) == text


def test_json_stays_json() -> None:
    data = {"why": f"key {KEY}", "list": [str(int(KEY, 16)), 3], "quoted": repr(OCTETS)}

    read = json.loads(masking.masked(json.dumps(data)))

    assert read["why"] == "key ***"
    assert read["list"] == ["***", 3]
