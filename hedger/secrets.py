"""
Keys of the venues: from the environment, or from a file that only its owner can read.

    HEDGER_<VENUE>_<NAME>          for example HEDGER_X10_API_KEY, HEDGER_X10_PRIVATE_KEY,
                                   HEDGER_LIGHTER_PRIVATE_KEY_2 (api key index 2)
    HEDGER_SECRETS_FILE            YAML or JSON: {x10: {api_key: ..., private_key: ...}, ...}
    <state directory>/secrets.yaml the same, where the variable is not set

A variable wins over the file, and is removed from the environment once read: from this process's
own block, which the system shows to whoever may look, and so that no child process inherits it.
What is read is masked in whatever leaves the process from then on (S9, S10).
"""

import ctypes
import os
import stat
import sys
from collections.abc import Iterable, Mapping, MutableMapping
from pathlib import Path

from hedger import log
from hedger.config import document
from hedger.domain.ids import VenueId
from hedger.errors import ConfigError
from hedger.home import Home

FILE_MAX_BYTES = 64 * 1024
PR_SET_DUMPABLE = 4


class Secrets(dict[str, str]):
    """Names and values of one venue's secrets; printing it shows the names only."""

    def __repr__(self) -> str:
        return f"Secrets({', '.join(sorted(self))})"

    __str__ = __repr__


def load(
    home: Home, environ: MutableMapping[str, str], venues: Iterable[VenueId]
) -> Mapping[VenueId, Mapping[str, str]]:
    """
    Everything known about each venue; a venue without secrets has an empty mapping.

    Raises:
        ConfigError: the file cannot be read, is not of the right form, or others can read it.
    """
    named = environ.get("HEDGER_SECRETS_FILE")
    path = Path(named).expanduser() if named else home.secrets
    filed = _from_file(path) if named or path.exists() else {}
    found = {
        venue: Secrets(filed.get(venue, {}) | _from_environment(venue, environ)) for venue in venues
    }
    log.hide(value for secrets in found.values() for value in secrets.values())
    return found


def withdraw(environ: MutableMapping[str, str], venues: Iterable[VenueId]) -> None:
    """Take the keys out of an environment in which nobody needs them, as ``load`` does."""
    for venue in venues:
        log.hide(_from_environment(venue, environ).values())


def _from_environment(venue: VenueId, environ: MutableMapping[str, str]) -> dict[str, str]:
    prefix = f"HEDGER_{venue.upper().replace('-', '_')}_"
    names = [name for name in environ if name.startswith(prefix) and name != prefix]
    taken = {}
    for name in names:
        if environ is os.environ:
            _blank(name)
        taken[name.removeprefix(prefix).lower()] = environ.pop(name).strip()
    return {name: value for name, value in taken.items() if value}


def _blank(name: str) -> None:
    """
    Overwrite a variable where the system put it when the process began.

    To remove it from the environment leaves its text in that block, which ``ps`` and /proc show.
    """
    libc = ctypes.CDLL(None)
    libc.getenv.restype = ctypes.c_void_p
    where = libc.getenv(os.fsencode(name))
    if where:
        ctypes.memset(where, 0, len(ctypes.string_at(where)))


def close_memory() -> bool:
    """
    Let nobody else of the same user read this process's memory, where the system can do that.

    It also means that a crash leaves no dump. False where it was not done.
    """
    if not sys.platform.startswith("linux"):
        return False
    return bool(ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0)


def _from_file(path: Path) -> dict[str, dict[str, str]]:
    text = _read_owner_only(path)
    data = document.read(text, str(path), as_text=True).data
    if not isinstance(data, dict) or not all(
        isinstance(names, dict) and all(isinstance(value, str) for value in names.values())
        for names in data.values()
    ):
        raise ConfigError(
            f"{path}: must map venue to name to value, for example x10: {{api_key: ...}}"
        )
    return data


def _read_owner_only(path: Path) -> str:
    """Check the very file that is read, not another one of the same name a moment later."""
    try:
        with path.open("rb") as file:
            found = os.fstat(file.fileno())
            _refuse_shared(path, found)
            return file.read(FILE_MAX_BYTES).decode("utf-8")
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: this is not UTF-8 text; write it again") from None
    except OSError as error:
        reason = error.strerror or str(error)
        raise ConfigError(
            f"{path}: the secrets cannot be read ({reason}); correct HEDGER_SECRETS_FILE"
        ) from error


def _refuse_shared(path: Path, found: os.stat_result) -> None:
    """
    Whoever can read the file can trade with the account.

    Raises:
        ConfigError: naming the command that puts it right.
    """
    if not stat.S_ISREG(found.st_mode):
        raise ConfigError(f"{path}: is not a file; name one with HEDGER_SECRETS_FILE")
    if found.st_uid not in {0, os.geteuid()}:
        raise ConfigError(f"{path}: belongs to another user; make a copy of your own")
    if found.st_mode & 0o077:
        raise ConfigError(f"{path}: other users can read it; run chmod 600 {path}")
    if found.st_size > FILE_MAX_BYTES:
        raise ConfigError(f"{path}: is larger than {FILE_MAX_BYTES} bytes; it holds only keys")
    folder = path.resolve().parent
    mode = folder.stat().st_mode
    if mode & (stat.S_IWGRP | stat.S_IWOTH) and not mode & stat.S_ISVTX:
        raise ConfigError(
            f"{folder}: other users can replace what is in it; run chmod 700 {folder}"
        )
