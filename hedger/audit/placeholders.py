"""
What a bundle must not name, replaced by words that stay the same within it.

An id becomes ``order-3``: numbered in the order in which the ids are first met, so that the same
rows always give the same words, and nothing can be computed back from them. Known ids are
replaced as they are; prose is searched besides for whatever has the form of an account, an
address, a host, a path or a key, known or not.
"""

import re
from collections.abc import Collection, Mapping
from typing import Any, Final

from hedger.ledger.text import instant_text, parse_instant

ACCOUNT_LEAST: Final = 4
NUMBER_MAX: Final = 10**9
LONG: Final = 8  # characters; a shorter number in prose is replaced only beside a word for ids
DROPPED: Final = frozenset(
    {"tx_hash", "payload", "payload_sha256", "signature", "sig", "client_id", "identity", "nonce"}
)
"""Keys of an event's data that are left out; the nonce stands with its order, where it is one."""

NAMING: Final = frozenset(
    {
        "account", "account_index", "before", "hedge", "id", "lane", "order", "order_id",
        "order_ref", "orders", "payment", "payment_id", "ref", "trade", "trade_id", "trades",
        "unknown_orders", "vault", "venue_order_id",
    }
)  # fmt: skip
"""Keys whose values are ids. A short number elsewhere is an amount, though it may look like one."""

PERSON: Final = "[person]"
FILES: Final = frozenset(
    {"bak", "db", "json", "log", "md", "py", "reserve", "start", "yaml", "yml"}
)

_OURS: Final = re.compile(
    r"(?<![\w-])([^\s:;,'\"()\[\]]{1,30}-\d{12}-[a-z0-9]{4})"
    r"((?:-[0-9a-z]{7})?-[1-9]\d{0,3})?(?![\w-])"
)
_NAMED: Final = re.compile(
    r"\b((?:trade|order|payment|id|index|lighter|x10)s?(?:\s+|:|#|=))(\d{1,7})(?![\d.])"
)
_ACCOUNT: Final = re.compile(
    r"\b((?:sub-?)?accounts?|vaults?|api[ _]?key)"
    r"((?:[ _]?(?:index|id|number))?[\"']?[\s:=#]+[\"']?)"
    r"(?:0x)?[0-9a-f]*\d[0-9a-f]*(?![\w.])",
    re.IGNORECASE,
)
_HOST: Final = re.compile(
    r"(?<![\w.@-])((?:[a-z0-9-]+\.)+([a-z]{2,}))(:\d{1,5})?(?![\w-])", re.IGNORECASE
)
_PATH: Final = re.compile(
    r"(?<![\w.~/])~?/(?!(?:api|info|user|public)/)[^\s/,;:'\"()]+/[^\s,;:'\"()]*"
)


_OFFSET: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?\+00:00")


def _with_a_z(text: str) -> str:
    """An instant as the ledger's own columns have it."""
    return instant_text(parse_instant(text)) if _OFFSET.fullmatch(text) else text


def _form(pattern: str, instead: str) -> tuple[re.Pattern[str], str]:
    return re.compile(pattern, re.IGNORECASE), instead


_FORMS: Final = (
    _form(r"\b[a-z][a-z0-9+.-]*://[^\s'\"<>)]+", "[host]"),
    _form(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+", "[address]"),
    _form(r"\b0x[0-9a-f]{4,}\b", "[hex]"),
    _form(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", "[id]"),
    _form(r"\b(?=[0-9a-f]*[a-f])[0-9a-f]{12,}", "[hex]"),
    # base64 and the like: letters of both cases with figures among them
    (
        re.compile(r"(?<![\w/+=])(?=[\w/+=-]*\d)(?=[\w/+=-]*[A-Z])(?=[\w/+=-]*[a-z])[\w/+=-]{20,}"),
        "[key]",
    ),
    _form(r"\b\d{1,3}(?:\.\d{1,3}){3}(?::\d{1,5})?\b", "[host]"),
    _form(r"(?<![\w:])(?:[0-9a-f]{1,4}:){4,7}[0-9a-f]{1,4}(?![\w:])", "[host]"),
    _form(r"(?<![\w:])(?:[0-9a-f]{1,4}(?::[0-9a-f]{1,4})*)?::[0-9a-f:]+(?![\w:])", "[host]"),
    _form(r"\blocalhost(?::\d{1,5})?\b", "[host]"),
    _form(r"(?<![\d.])\d{10,}(?![\d.])", "[number]"),
    _form(r"(, says )\S+", rf"\1{PERSON}"),
)


def _is_certain(text: str, word: str) -> bool:
    """Whether a known id is one wherever it stands alone in prose; accounts rather too often."""
    least = ACCOUNT_LEAST if word.startswith("account-") else LONG
    return len(text) >= least or not text.isdigit()


class Placeholders:
    """
    The words of one bundle.

    ``sections`` are first words of dotted names that are no hosts: those of the configuration.
    """

    def __init__(self, sections: Collection[str] = ()) -> None:
        self._sections = frozenset(sections)
        self._words: dict[str, str] = {}
        self._counts: dict[str, int] = {}
        self._known: re.Pattern[str] | None = None

    def word(self, kind: str, value: object) -> str | None:
        """What stands for an id from now on; None stays None."""
        if value is None:
            return None
        text = str(value)
        if text not in self._words:
            self._counts[kind] = number = self._counts.get(kind, 0) + 1
            self._words[text] = f"{kind}-{number}"
            self._known = None
        return self._words[text]

    def also(self, value: object, word: str | None) -> None:
        """Another spelling of something that has its word already."""
        if value is not None and word is not None and str(value) not in self._words:
            self._words[str(value)] = word
            self._known = None

    def prose(self, text: str | None) -> str | None:
        """A sentence without ids, accounts, addresses, hosts, paths and keys."""
        if not text:
            return text
        if self._words:
            text = self._pattern().sub(lambda found: self._words[found[0]], text)
        text = _OURS.sub(self._another, text)
        text = _NAMED.sub(self._beside_a_word, text)
        text = _ACCOUNT.sub(r"\1\2[account]", text)
        for form, instead in _FORMS:
            text = form.sub(instead, text)
        return _HOST.sub(self._host, _PATH.sub("[path]", text))

    def tidy(self, value: Any, key: str = "") -> Any:
        """The same of everything in a structure; whatever names a key, a hash or a person goes."""
        match value:
            case str():
                return self._id(value, key) or self.prose(_with_a_z(value))
            case Mapping():
                return {
                    self.prose(str(name)): PERSON if name == "who" else self.tidy(part, str(name))
                    for name, part in value.items()
                    if name not in DROPPED
                }
            case list() | tuple():
                return [self.tidy(part, key) for part in value]
            case bool() | float() | None:
                return value
            case int():
                return self._id(str(value), key) or (value if value < NUMBER_MAX else "[number]")
            case _:
                return self.prose(str(value))

    def _id(self, text: str, key: str) -> str | None:
        certain = key in NAMING or len(text) >= LONG or not text.isdigit()
        return self._words.get(text) if certain else None

    def _pattern(self) -> re.Pattern[str]:
        """Every known id that is long enough to be nothing else."""
        if self._known is None:
            certain = [text for text, word in self._words.items() if _is_certain(text, word)]
            longest_first = sorted(certain, key=lambda text: (-len(text), text)) or ["\0"]
            joined = "|".join(map(re.escape, longest_first))
            self._known = re.compile(rf"(?<![0-9A-Za-z.])(?:{joined})(?![0-9A-Za-z]|\.\d)")
        return self._known

    def _another(self, found: re.Match[str]) -> str:
        """An id of ours that the bundle is not about."""
        word = self.word("other-order" if found[2] else "other-hedge", found[0])
        assert word is not None
        return word

    def _beside_a_word(self, found: re.Match[str]) -> str:
        return found[1] + self._words.get(found[2], found[2])

    def _host(self, found: re.Match[str]) -> str:
        first, last = found[1].partition(".")[0], found[2].lower()
        return found[0] if first in self._sections or last in FILES else "[host]"
