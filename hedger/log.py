"""
Logging: a sentence and its fields, and never a secret.

Every line is masked twice before it leaves: by value (whatever was given to ``hide``) and by
form (private keys, API keys, Lighter auth tokens, authorisation headers), in the message, the
fields and the text of exceptions alike (reliability.md §6, S10). Tracebacks never show the
values of variables. What other libraries log through the standard library comes here too.
"""

import logging
import os
import re
import sys
import traceback
from collections.abc import Iterable
from datetime import UTC
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TextIO

from loguru import logger

if TYPE_CHECKING:
    from loguru import Record

MASK: Final = "***"
VALUE_MIN_CHARS: Final = 8  # a shorter "secret" would mask ordinary numbers

_COLON = r"(?::|%3A)"
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
        self._values: frozenset[str] = frozenset()
        self._pattern: re.Pattern[str] | None = None

    def add(self, values: Iterable[str]) -> None:
        """Mask these from now on, with or without ``0x``, in any case."""
        bare = (value.strip().lower().removeprefix("0x") for value in values)
        self._values |= {value for value in bare if len(value) >= VALUE_MIN_CHARS}
        if self._values:
            longest_first = sorted(self._values, key=len, reverse=True)
            self._pattern = re.compile(
                "(?:0x)?(?:" + "|".join(map(re.escape, longest_first)) + ")", re.IGNORECASE
            )

    def mask(self, text: str) -> str:
        """``text`` without any of them."""
        return text if self._pattern is None else self._pattern.sub(MASK, text)


_hidden = _Hidden()
_sinks: list[int] = []  # loguru's own first sink, which would print variables, is not among them


def hide(values: Iterable[str]) -> None:
    """Mask these values in everything that is logged from now on."""
    _hidden.add(values)


def redact(text: str) -> str:
    """``text`` without secrets, for whatever else leaves the process."""
    text = _hidden.mask(text)
    for form, instead in _FORMS:
        text = form.sub(instead, text)
    return text


def configure(
    *,
    level: str = "INFO",
    stream: TextIO | None = None,
    file: Path | None = None,
    file_level: str | None = None,
    file_max_mb: int = 10,
    file_keep: int = 5,
) -> None:
    """
    Send the log to ``stream`` (standard error unless told) and to a bounded, owner-only file.

    ``file`` belongs to the holder of the state directory's lock alone: two processes must not
    rotate one file. At most ``file_max_mb * (file_keep + 1)`` MB are kept.

    Raises:
        OSError: the file cannot be opened.
    """
    logger.remove()
    _sinks.clear()
    logger.configure(patcher=_mask_record)
    common: dict[str, Any] = {
        "format": _line,
        "colorize": False,
        "backtrace": False,
        "diagnose": False,  # it would print local variables, keys among them
    }
    target = sys.stderr if stream is None else stream
    _sinks.append(logger.add(target, level=level, **common))
    if file is not None:
        logger.add(
            file,
            level=file_level or level,
            rotation=file_max_mb * 1_000_000,
            retention=file_keep,
            opener=_owner_only,
            encoding="utf-8",
            **common,
        )
    logging.captureWarnings(capture=True)
    logging.basicConfig(handlers=[_Intercept()], level=logging.WARNING, force=True)


def ensure() -> None:
    """Before a configuration is known: warnings and worse to standard error."""
    if not _sinks:
        configure(level="WARNING")


def _owner_only(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _mask_record(record: "Record") -> None:
    """Before any sink sees it: also loguru's own report of a broken sink shows this record."""
    record["message"] = redact(record["message"])
    extra = record["extra"]
    for name, value in extra.items():
        if isinstance(value, str):
            extra[name] = redact(value)


def _line(record: "Record") -> str:
    """The finished, masked text goes in as a field, so that loguru formats nothing itself."""
    extra = record["extra"]
    fields = " ".join(f"{name}={value}" for name, value in extra.items() if name != "_line")
    instant = record["time"].astimezone(UTC).isoformat(timespec="milliseconds")
    text = (
        f"{instant.replace('+00:00', 'Z')} {record['level'].name:<7} {record['name']}: "
        f"{record['message']}" + (f" | {fields}" if fields else "")
    )
    if record["exception"] is not None:
        text += "\n" + "".join(traceback.format_exception(record["exception"].value)).rstrip()
    extra["_line"] = redact(text)
    return "{extra[_line]}\n"


class _Intercept(logging.Handler):
    """Hands what libraries log on to loguru, under the library's own name."""

    def emit(self, record: logging.LogRecord) -> None:
        known = {"DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"}
        level: str | int = record.levelname if record.levelname in known else record.levelno
        named = logger.patch(lambda entry: _rename(entry, record.name))
        named.opt(exception=record.exc_info or None).log(level, "{}", record.getMessage())


def _rename(entry: "Record", name: str) -> None:
    entry["name"] = name
