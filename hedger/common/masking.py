"""
What no text may show: by value, in every form a key is held in, and by form.

A key is an 80-digit hexadecimal text in one place, an integer in another, base64 in a header and
escaped in an address. So each is hidden in all of these, and any 16 characters of one are, too:
texts are cut, and a part of a key is a part too many. Knows neither log nor ledger; both ask it.
"""

import base64
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final
from urllib.parse import quote

MASK: Final = "***"
VALUE_MIN_CHARS: Final = 8  # a shorter "secret" would mask ordinary numbers
PART_CHARS: Final = 16
LETTERS_MIN: Final = 5  # a part of fewer different characters is no one's key: sixteen zeros

_PART: Final = re.compile(rf"[0-9A-Za-z+/=_%\\-]{{{PART_CHARS},}}")
_HEX: Final = re.compile(r"[0-9a-f]{16,}")
_BASE64_SHIFTS: Final = 3

_COLON: Final = r"(?::|%3A)"
_FORMS: Final = (
    # Lighter auth token: expiry, account index, key index, signature (lighter.md §6)
    (
        re.compile(rf"\b\d{{9,13}}{_COLON}\d+{_COLON}\d+{_COLON}[0-9a-f]{{32,}}", re.IGNORECASE),
        MASK,
    ),
    # a private key; public keys and hashes of that length go with it, which is harmless
    (re.compile(r"0x[0-9a-f]{60,}", re.IGNORECASE), MASK),
    (
        re.compile(
            r"((?:authorization|x-api-key)[\"']?\s*[:=,]\s*[\"']?)(?:bearer\s+)?[^\s\"',;)}]+",
            re.IGNORECASE,
        ),
        rf"\1{MASK}",
    ),
    (re.compile(r"\bbearer\s+[\w.~+/=:-]{8,}", re.IGNORECASE), f"Bearer {MASK}"),
    (
        re.compile(
            r"((?:private_?key(?:_\d+)?|api_?key(?!_)|api_?secret|secret|password|auth_?token|auth)"
            r"[\"']?\s*[:=]\s*[\"']?)(?!\*\*\*)[^\s\"',;&)}]{8,}",
            re.IGNORECASE,
        ),
        rf"\1{MASK}",
    ),
)


class _Hidden:
    """The values to mask. One per process, like the log itself."""

    def __init__(self) -> None:
        self._forms: frozenset[str] = frozenset()
        self._parts: frozenset[str] = frozenset()
        self._pattern: re.Pattern[str] | None = None

    def add(self, values: Iterable[str]) -> None:
        """Mask these from now on, with or without ``0x``, in any case and form."""
        forms = {form for value in values for form in _forms(value)} - self._forms
        if not forms:
            return
        self._forms |= forms
        self._parts |= {part for form in forms for part in _parts(form)}
        longest_first = sorted(sorted(self._forms), key=len, reverse=True)
        self._pattern = re.compile(
            "(?:0x)?0*(?:" + "|".join(map(re.escape, longest_first)) + ")", re.IGNORECASE
        )

    def mask(self, text: str) -> str:
        """``text`` without any of them, and without any sixteen characters of one."""
        if self._pattern is None:
            return text
        lowered = text.lower()
        if any(form in lowered for form in self._forms):
            text = self._pattern.sub(MASK, text)
        return _PART.sub(self._without_parts, text)

    def _without_parts(self, found: re.Match[str]) -> str:
        """A run of characters; from the first to the last that belong to a key it is a mask."""
        run, low = found[0], found[0].lower()
        hits = [
            at
            for at in range(len(low) - PART_CHARS + 1)
            if low[at : at + PART_CHARS] in self._parts
        ]
        if not hits:
            return run
        return run[: hits[0]] + MASK + run[hits[-1] + PART_CHARS :]


def _forms(value: str) -> Iterator[str]:
    """In lower case, without ``0x`` and leading zeros: every spelling of one secret."""
    value = value.strip()
    bare = value.lower().removeprefix("0x")
    if len(bare) < VALUE_MIN_CHARS:
        return
    spelled = {value, bare, quote(value, safe=""), json.dumps(value)[1:-1]}
    raw = [value.encode()]
    if _HEX.fullmatch(bare):
        number = int(bare, 16)
        spelled |= {bare.lstrip("0"), str(number)}
        octets = bytes.fromhex(bare.zfill(len(bare) + len(bare) % 2))
        raw += [bare.encode(), bare.upper().encode(), octets]
        spelled |= {repr(octets)[2:-1], json.dumps(repr(octets)[2:-1])[1:-1]}
    for octets in raw:
        spelled |= set(_base64(octets))
    for form in sorted(spelled):
        low = form.lower().removeprefix("0x")
        if len(low) >= VALUE_MIN_CHARS:
            yield low


def _base64(octets: bytes) -> Iterator[str]:
    """As it stands by itself, or somewhere within a longer text that was encoded as a whole."""
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        yield encode(octets).decode().rstrip("=")
        for shift in range(1, _BASE64_SHIFTS):
            inner = encode(bytes(shift) + octets).decode().rstrip("=")[4:-4]
            if len(inner) >= PART_CHARS:
                yield inner


def _parts(form: str) -> Iterator[str]:
    for run in _PART.finditer(form):
        for at in range(len(run[0]) - PART_CHARS + 1):
            part = run[0][at : at + PART_CHARS]
            if len(set(part)) >= LETTERS_MIN:
                yield part


_hidden = _Hidden()


def hide(values: Iterable[str]) -> None:
    """Mask these values in everything that leaves the process from now on."""
    _hidden.add(values)


def masked(text: str) -> str:
    """``text`` without the values given to ``hide``. JSON stays JSON."""
    return _hidden.mask(text)


def redact(text: str) -> str:
    """``text`` without those values, and without what looks like a secret."""
    text = _hidden.mask(text)
    for form, instead in _FORMS:
        text = form.sub(instead, text)
    return text


def redacted(value: Any) -> Any:
    """The same of every text in a structure of mappings and lists; all else stays."""
    match value:
        case str():
            return redact(value) if type(value) is str else value
        case Mapping():
            return {key: redacted(part) for key, part in value.items()}
        case list() | tuple():
            return [redacted(part) for part in value]
        case _:
            return value
