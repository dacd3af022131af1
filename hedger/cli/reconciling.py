"""What a reconciliation could not make sure of: in sentences, and as an exit code."""

from collections.abc import Mapping
from typing import Any

from hedger.cli.exit_codes import ExitCode


def doubts(result: Mapping[str, Any]) -> list[str]:
    """Everything but proven differences that forbids to say that ledger and venues agree."""
    unread = result.get("unread", ())
    lines = [
        f"{venue} could not be read: {why}" if venue in unread else f"{venue} is in doubt: {why}"
        for venue, why in sorted(result.get("in_doubt", {}).items())
    ]
    lines += [
        f"{row['text']}; it is not decided yet, run `hedger reconcile` again"
        for row in result.get("undecided", ())
    ]
    lines += [
        f"hedge {hedge} is not at rest, and needs you; `hedger status` says why"
        for hedge in result.get("escalated", ())
    ]
    return lines


def exit_code(result: Mapping[str, Any]) -> ExitCode:
    """``EXPOSED`` outranks ``VENUE``: a venue that answers wrongly, one that does not."""
    unread = result.get("unread", ())
    contradictory = [venue for venue in result.get("in_doubt", {}) if venue not in unread]
    if contradictory or any(result.get(name) for name in ("differences", "undecided", "escalated")):
        return ExitCode.EXPOSED
    return ExitCode.VENUE if unread else ExitCode.DONE
