"""
What a refusal says about a sequence, where a venue says it in words.

Lighter says it by code 21104, which its adapter reads. Dense account sequences (Cosmos, XRPL,
EVM) and time-based nonces (Kraken) say it in a text, and the first kind often names the value
it expects (seeds 000, 001, 002, 003).
"""

import re
from enum import StrEnum
from typing import Final


class Trouble(StrEnum):
    """Four classes, each with a recovery of its own."""

    MISMATCH = "mismatch"  # not the next value: pause, drain, resynchronise
    EXPIRED = "expired"  # it took too long: wait for the fence, then a fresh intent
    AHEAD = "ahead"  # we are too far ahead: what the venue says counts
    OTHER = "other"  # not about the sequence: not ours to repair


_AHEAD: Final = re.compile(
    r"terpre_seq|(sequence|nonce)( is)? too (high|large)|too far ahead|nonce gap|future nonce"
)
_MISMATCH: Final = re.compile(
    r"sequence mismatch|incorrect account sequence|invalid nonce|invalid sequence|tefpast_seq"
    r"|(sequence|nonce)( is)? too (low|small)|nonce (was )?already used|\b21104\b"
)
_EXPIRED: Final = re.compile(
    r"timeout height|tefmax_ledger|expired|timed? ?out|deadline exceeded|lastledgersequence"
)
_EXPECTED: Final = re.compile(
    r"expect(?:s|ed|ing)?\W{0,3}(?:nonce|sequence|seq)?\W{0,3}(\d{1,20})"
    r"|next (?:nonce|sequence)[^\d]{0,6}(\d{1,20})",
    re.IGNORECASE,
)
_GOT: Final = re.compile(r"\b(?:got|received)\W{1,3}(\d{1,20})", re.IGNORECASE)


def classify(text: str) -> Trouble:
    """
    The class of a refusal by its text.

    A mismatch that names both values is ``AHEAD`` when ours was the larger one.
    """
    lower = text.lower()
    if _AHEAD.search(lower):
        return Trouble.AHEAD
    if _MISMATCH.search(lower):
        wanted, got = expected(text), _GOT.search(text)
        if wanted is not None and got is not None and int(got[1]) > wanted:
            return Trouble.AHEAD
        return Trouble.MISMATCH
    return Trouble.EXPIRED if _EXPIRED.search(lower) else Trouble.OTHER


def expected(text: str) -> int | None:
    """The value that the venue says it expects, if it says one."""
    found = _EXPECTED.search(text)
    return None if found is None else int(found[1] or found[2])
