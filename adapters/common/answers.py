"""The one reader of venues' answers: JSON within bounds, or an error that says what to do."""

from functools import lru_cache
from http import HTTPStatus
from typing import Any, Final

from hedger.common.bounds import loads
from hedger.common.words import clean
from hedger.domain.ids import VenueId
from hedger.errors import DeniedError, DriftError, UnavailableError, VenueError

TEXT_LIMIT: Final = 200
"""How much of a foreign text goes into one of our sentences."""

SHORT_TEXT: Final = 8_192
"""Characters of an answer that is remembered: an account's are shorter, a market list is not."""

ASK_AGAIN: Final = frozenset({405, 408, 425, 429})
"""
Statuses that a later repetition may change. 405 is here because a firewall in front of Lighter
answers it when there were too many requests (lighter.md §2).
"""


def failure(venue: VenueId, what: str, status: int, text: str) -> VenueError:
    """What an HTTP status that is not 2xx means for a read."""
    detail = f"{what}: HTTP {status} {_short(text)}".rstrip()
    if status == HTTPStatus.FORBIDDEN and is_page(text):
        return UnavailableError(venue, detail)  # a content network's, for reasons of its own
    if status >= 500 or status in ASK_AGAIN or 300 <= status < 400:
        return UnavailableError(venue, detail)
    return DeniedError(venue, detail)


def parse_json(venue: VenueId, what: str, text: str) -> Any:
    """
    Decode one JSON document without ever making a float.

    It is only for reading: most short answers repeat one of the last ones word by word, and
    then it is the same object.

    Raises:
        UnavailableError: it is the page of a proxy in front of the venue.
        DriftError: it is not JSON, or none of a size and depth that a venue sends.
    """
    try:
        return _decoded(text) if len(text) <= SHORT_TEXT else loads(text)
    except (ValueError, RecursionError, MemoryError) as error:
        if is_page(text):
            raise UnavailableError(venue, f"{what}: a web page instead of an answer") from error
        raise DriftError(venue, f"{what}: not JSON: {_short(text)!r}") from error


def envelope(text: str) -> dict[str, Any]:
    """The JSON object of an answer; an empty one where it is none, or cannot be read."""
    try:
        value = _decoded(text) if len(text) <= SHORT_TEXT else loads(text)
    except (ValueError, RecursionError, MemoryError):
        return {}
    return value if isinstance(value, dict) else {}


def is_page(text: str) -> bool:
    """Whether this is HTML, which only a proxy or firewall before the venue sends."""
    return text[:TEXT_LIMIT].lstrip()[:1] == "<"


_decoded = lru_cache(maxsize=64)(loads)


def _short(text: str) -> str:
    return "(a web page)" if is_page(text) else clean(text, TEXT_LIMIT)
