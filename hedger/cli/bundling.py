"""``hedger audit bundle HEDGE``: one hedge as a file, to be looked at and played elsewhere."""

import contextlib
import os
import re
from pathlib import Path
from typing import Final

from hedger.cli.configuration import Session
from hedger.cli.exit_codes import ExitCode
from hedger.cli.output import Format, emit_object, say
from hedger.errors import ConfigError, UsageError

KIND: Final = "bundle"
_ID: Final = re.compile(r"[\w.&$+-]{1,80}")


def check(kind: str, named: str | None, to: Path | None, **filters: str | None) -> None:
    """
    A hedge and a file are of a bundle, and filters of everything else.

    Raises:
        UsageError: one was given where it has no meaning.
    """
    if kind != KIND and (named is not None or to is not None):
        what = f"{named!r}" if named is not None else "--to"
        raise UsageError(f"{what} belongs to audit {KIND}; {kind} take --hedge HEDGE")
    given = [f"--{name}" for name, value in filters.items() if value is not None]
    if kind == KIND and given:
        raise UsageError(f"a bundle is of one hedge, whole: leave {', '.join(given)} out")


def write(session: Session, hedge: str | None, to: Path | None, output: Format) -> int:
    """
    Write the bundle of one hedge; the ledger is only read.

    Raises:
        UsageError: no such hedge, or the file is there already.
        StateError: the ledger cannot be read, or the file cannot be written.
    """
    if not hedge:
        raise UsageError("audit bundle needs a hedge's id; `hedger audit hedges` lists them")
    if not _ID.fullmatch(hedge):
        raise UsageError(
            f"{hedge!r} cannot be a hedge's id, which looks like eth-260102213005-k3f9;"
            " `hedger audit hedges` lists them"
        )
    from hedger import secrets
    from hedger.audit import bundle
    from hedger.clock import SystemClock

    with contextlib.suppress(ConfigError):  # what is known of keys is masked besides
        secrets.load(session.home, os.environ, session.settings.venues.order)
    made = bundle.gathered(
        session.home.ledger,
        hedge,
        settings=session.settings.model_dump(mode="json"),
        environment=session.settings.environment,
        now=SystemClock().now(),
    )
    path = Path(f"{hedge}.bundle.json") if to is None else to
    bundle.written(made, path)
    counts = {name: len(made[name]) for name in ("orders", "fills", "events", "alerts", "reads")}
    found = {"file": str(path), "state": made["hedge"]["state"], **counts}
    emit_object({**found, "left_out": made["left_out"]} if output is Format.JSON else found, output)
    if output is Format.TABLE:
        for text in made["left_out"]:
            say(f"left out: {text}")
    return ExitCode.DONE
