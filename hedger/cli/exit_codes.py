"""What the exit code of a command means. Stable: scripts may rely on it."""

from enum import IntEnum


class ExitCode(IntEnum):
    """One meaning each; the texts are what ``hedger --help`` prints."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    STATE = 3
    VENUE = 4
    NOT_DONE = 5
    EXPOSED = 6
    UNWATCHED = 8
    BUG = 70
    LOCKED = 75
    INTERRUPTED = 130
    NO_READER = 141


MEANING = {
    ExitCode.DONE: "done",
    ExitCode.FAILED: "failed for another reason; the sentence says which",
    ExitCode.USAGE: "wrong usage or configuration, or a limit refuses it: nothing was done",
    ExitCode.STATE: "the state directory or its database cannot be used",
    ExitCode.VENUE: "a venue could not be asked, or said no",
    ExitCode.NOT_DONE: "not done, and nothing is left open by it",
    ExitCode.EXPOSED: "the legs differ or positions are unexplained: look at it now",
    ExitCode.UNWATCHED: "hedges are open and no daemon runs: nobody watches them",
    ExitCode.BUG: "an error in hedger itself; the log says where",
    ExitCode.LOCKED: "another process works with this state directory; try again",
    ExitCode.INTERRUPTED: "interrupted from the keyboard",
    ExitCode.NO_READER: "the reader of the output went away",
}


def table() -> str:
    """All codes, one per line, for the help text."""
    return "\n".join(f"  {code.value:>3}  {text}" for code, text in MEANING.items())
