"""
Logging: a sentence and its fields, and never a secret.

Every line is masked twice before it leaves: by value (whatever was given to ``hide``) and by
form (private keys, API keys, Lighter auth tokens, authorisation headers), in the message, the
fields and the text of exceptions alike (reliability.md §6, S10). Tracebacks never show the
values of variables. What other libraries log through the standard library comes here too.
Control characters are taken out, so that no foreign text drives a terminal or forges an entry.
"""

import logging
import os
import stat
import sys
import traceback
from datetime import UTC
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TextIO

from loguru import logger

from hedger.common import console
from hedger.common.masking import MASK, hide, redact
from hedger.common.words import printable

if TYPE_CHECKING:
    from loguru import Record

__all__ = ["MASK", "configure", "ensure", "hide", "redact"]

CONTINUED: Final = "    "
"""Before each further line of an entry: only an entry's first line begins with an instant."""

_sinks: list[int] = []  # loguru's own first sink, which would print variables, is not among them


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
    if isinstance(target, console.Stream):
        _sinks.append(logger.add(target.console.write, level=level, **common))
    else:
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
    """A file and nothing else: a pipe would have to be read by somebody."""
    handle = os.open(path, flags | os.O_NONBLOCK, 0o600)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError(f"{path} is not a file")
    return handle


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
    # masked first: a key that is broken over two lines would not be seen as one
    lines = redact(text).split("\n")
    extra["_line"] = f"\n{CONTINUED}".join(map(printable, lines))
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
