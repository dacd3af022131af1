"""
``hedger audit bundle``: one hedge as one file, with everything that is needed to play it again.

The file names no account, key, address, signature or host: ids are words (``placeholders``), and
what cannot be told without them is left out and said to be (``left_out``). It is made from the
ledger alone, read in one view while a daemon may write, and of any schema up to this program's.
"""

import contextlib
import json
import os
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from hedger import __version__
from hedger.audit.bundlelife import life
from hedger.audit.bundleparts import parts, words_of
from hedger.audit.bundlerows import Ledger, found
from hedger.common import masking
from hedger.errors import StateError, UsageError
from hedger.ledger import sqlite
from hedger.ledger.records import REVISION
from hedger.ledger.text import instant_text

FORMAT: Final = "hedger-bundle"
VERSION: Final = 1
OWNER_ONLY: Final = 0o600

KEPT_SETTINGS: Final = (
    "account", "trading", "risk", "units", "economics", "entry", "exit", "execution", "rollback",
    "funding", "position_cache", "retry_policy", "circuit_breaker", "sequence", "read_lag",
    "recovery", "jobs",
)  # fmt: skip
"""Sections that decide; those about addresses, keys, files and channels are left out."""

ALWAYS_OUT: Final = (
    "what was sent (it holds signatures) and its hashes; X10's salts",
    "accounts, keys, addresses and who gave an order; ids are words of this file",
    "answers that proved nothing (the ledger does not keep them), and the order books",
    "readings of the accounts' cash, and everything about other hedges",
    "settings about venues' addresses, alerts, logs and the sandbox",
)


def gathered(
    path: Path, hedge: str, *, settings: Mapping[str, Any], environment: str, now: datetime
) -> dict[str, Any]:
    """
    The bundle of one hedge.

    ``hedge`` is an id or the beginning of one; ``settings`` is the whole configuration as it is
    now, as JSON has it, of which only sections that decide are kept.

    Raises:
        UsageError: no hedge has that id, or several begin so.
        StateError: there is no ledger at ``path``, or it cannot be read.
    """
    schema = sqlite.revision(path)
    if schema is None:
        raise StateError(f"{path} is no ledger of hedger; name its directory with HEDGER_HOME")
    if schema > REVISION:
        sqlite.check_revision(path, REVISION)
    with (
        contextlib.closing(sqlite.connect(path, readonly=True)) as connection,
        sqlite.explained(path),
        sqlite.Snapshot(connection),
    ):
        ledger = Ledger(connection)
        told = life(ledger, found(ledger, hedge))
    words = words_of(told, settings)
    whole = {
        "format": FORMAT,
        "version": VERSION,
        "written_at": instant_text(now),
        "hedger": __version__,
        "schema": schema,
        "environment": environment,
        **parts(told, words),
        "settings": {
            name: words.tidy(settings[name]) for name in KEPT_SETTINGS if name in settings
        },
        "left_out": [*ALWAYS_OUT, *told.left_out],
    }
    masked: dict[str, Any] = masking.redacted(whole)
    return masked


def written(bundle: Mapping[str, Any], to: Path) -> None:
    """
    Write a bundle into a new file of its owner's alone.

    Raises:
        UsageError: there is a file of that name already.
        StateError: it cannot be written.
    """
    text = json.dumps(bundle, indent=1, ensure_ascii=False) + "\n"
    flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        handle = os.open(to, flags, OWNER_ONLY)
    except FileExistsError:
        raise UsageError(
            f"{to} is there already and is not overwritten; give --to another"
        ) from None
    except OSError as error:
        raise StateError(f"{to} cannot be written ({error.strerror}); give --to another") from error
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            os.fchmod(file.fileno(), OWNER_ONLY)
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        with contextlib.suppress(OSError):
            to.unlink()
        raise StateError(
            f"{to} cannot be written ({error.strerror}); nothing is left of it"
        ) from error
