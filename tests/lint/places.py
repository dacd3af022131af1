"""
The places where a rule does not hold, each with its reason.

The sandbox's engine, its faces and everything that decides have none. A place that nobody needs
any more is a finding of its own.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tests.lint.finding import Finding


@dataclass(frozen=True, slots=True)
class Place:
    """``names`` are those that may be used there; without any, all that the rule is about."""

    rule: str
    paths: tuple[str, ...]
    why: str
    names: frozenset[str] = frozenset()

    def covers(self, finding: Finding) -> bool:
        """Whether this is one of its uses."""
        known = not self.names or finding.what in self.names
        return finding.rule == self.rule and finding.path in self.paths and known


def _place(rule: str, paths: str, why: str, *names: str) -> Place:
    return Place(rule, tuple(paths.split()), why, frozenset(names))


LOOP_TIME = "asyncio.events.AbstractEventLoop.time"

PLACES: Sequence[Place] = (
    # -- clock
    _place(
        "clock", "hedger/clock.py", "SystemClock is the one place that asks the machine",
        "datetime.datetime.now", "time.monotonic", LOOP_TIME,
    ),
    _place(
        "clock", "hedger/daemon.py", "a deadline of asyncio's is counted by the loop's own clock",
        LOOP_TIME,
    ),
    _place(
        "clock", "hedger/home.py adapters/sandbox/record.py",
        "waits for another process to let go of a lock, before any clock is there", "time.sleep",
    ),
    _place(
        "clock",
        "tests/simulation/__main__.py tests/simulation/matrix.py tests/simulation/mutants.py",
        "how long a run of worlds takes, around them", "time.monotonic",
    ),
    # -- chance
    _place(
        "chance", "hedger/app.py", "ids of hedges and pauses of a real daemon; worlds seed theirs",
        "random.SystemRandom", "random.Random()",
    ),
    _place(
        "chance", "adapters/sandbox/credentials.py",
        "keys of a sandbox that was given no seed; worlds give one", "secrets.randbelow",
    ),
    _place(
        "chance", "adapters/sandbox/lighter_face/streams.py",
        "names the session of a stream, which no world opens", "uuid.uuid4",
    ),
    # -- hash
    _place(
        "hash", "adapters/sandbox/reply.py tests/simulation/faults.py",
        "the key of what is remembered and kept; nothing goes by its order", "builtins.id",
    ),
    # -- hidden
    _place(
        "hidden", "adapters/common/sdk.py", "the SDKs are loaded when they are first needed",
        "importlib.import_module",
    ),
    # -- io: the shells. None of them decides.
    _place(
        "io", "adapters/http_quotes.py adapters/lighter/gateway.py",
        "the ports' own wire; worlds put another one in its place (clients.py, quotes.py)",
    ),
    _place(
        "io",
        "hedger/ledger/copies.py hedger/ledger/damage.py"
        " hedger/ledger/migrate.py hedger/ledger/room.py hedger/ledger/sqlite.py"
        " hedger/ledger/starts.py hedger/ledger/store.py hedger/ledger/watch.py",
        "the ledger's file; worlds keep it in memory (store.py)",
    ),
    _place(
        "io", "hedger/alerts.py hedger/log.py hedger/common/console.py",
        "what is told to people, at the far end of a queue or of a thread of its own",
    ),
    _place(
        "io", "hedger/app.py hedger/control.py hedger/daemon.py hedger/home.py hedger/switches.py",
        "the daemon around the core: its directory, socket, kill file, copies of the ledger",
    ),
    _place(
        "io", "hedger/crashpoints.py", "kills the real process where a test of it says so",
    ),
    _place(
        "io", "hedger/config/document.py hedger/secrets.py hedger/resources.py",
        "read once, at the start",
    ),
    _place("io", "hedger/audit/bundle.py", "writes the file that a person asked for"),
    _place("io", "hedger/sequence/turns.py", "plain threads may wait for a turn; no task does"),
    _place(
        "io",
        "hedger/cli/backtest.py hedger/cli/bundling.py hedger/cli/configuration.py"
        " hedger/cli/daemon.py"
        " hedger/cli/ledgercheck.py hedger/cli/output.py hedger/cli/queries.py hedger/cli/root.py"
        " hedger/cli/running.py hedger/cli/sandbox_control.py hedger/cli/switching.py"
        " hedger/cli/trading.py hedger/cli/watching.py",
        "commands: to read what is given to them and to show what they found is all they do",
    ),
    _place(
        "io",
        "hedger/backtest/columns.py hedger/backtest/decisions.py hedger/backtest/package.py"
        " hedger/backtest/report.py hedger/backtest/sweep.py hedger/backtest/data/build.py"
        " hedger/decayfile.py hedger/recording/fetching.py hedger/recording/files.py"
        " hedger/recording/recorder.py",
        "files of rates: recorded, fitted and played back; no world has any",
    ),
    _place(
        "io",
        "adapters/sandbox/control.py adapters/sandbox/data/build.py adapters/sandbox/process.py"
        " adapters/sandbox/record.py adapters/sandbox/runner.py",
        "the sandbox as a process; worlds use its engine and its faces alone",
    ),
    _place(
        "io",
        "tests/simulation/ledgerfile.py tests/simulation/oracle.py tests/simulation/payouts.py"
        " tests/simulation/run.py tests/simulation/store.py",
        "where ledgers lie: a directory in memory for each process, empty before each world",
    ),
    _place(
        "io",
        "tests/simulation/replaying/recorded.py tests/simulation/replaying/stage.py"
        " tests/simulation/replaying/world.py",
        "a bundle, and the configuration that it is played with",
    ),
    _place(
        "io",
        "tests/simulation/walk.py tests/simulation/mutants.py tests/simulation/record.py",
        "worlds side by side, copies of the program, the record: around worlds, not in them",
    ),
)  # fmt: skip


def unexplained(findings: Iterable[Finding]) -> list[Finding]:
    """What stands where it may not, and places that cover nothing."""
    used: set[tuple[Place, str]] = set()
    left: list[Finding] = []
    for finding in findings:
        covers = [place for place in PLACES if place.covers(finding)]
        used |= {(place, finding.path) for place in covers}
        if not covers:
            left.append(finding)
    for place in PLACES:
        for path in place.paths:
            if (place, path) not in used:
                text = f"tests/lint/places.py need not let {place.rule} be used here any more"
                left.append(Finding(path, 1, "place", place.rule, text))
    return left
