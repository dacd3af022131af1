"""What a person or a script sees: sentences on standard error, results on standard output."""

import asyncio
import contextlib
import json
import os
import pty
import resource
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import pytest
import yaml

from adapters.sandbox import credentials
from hedger import audit, crashpoints, log
from hedger.cli import queries, root
from hedger.cli.exit_codes import MEANING, ExitCode
from hedger.control import ControlServer, Progress
from hedger.errors import UnavailableError
from hedger.handlers import handlers
from hedger.home import Home

Row = Mapping[str, Any]
KEY = "0x" + "5d" * 32


class Desk:
    """A daemon's hands: remembers what it was asked, and answers as it was told to."""

    def __init__(self, state: str = "open", *, deaf: bool = False) -> None:
        self.state = state
        self.deaf = deaf
        self.doubts: dict[str, Any] = {}
        self.asked: list[tuple[object, ...]] = []

    async def open_hedge(self, symbol: object, usd: object, progress: Progress) -> Row:
        self.asked.append(("open", symbol, str(usd)))
        progress("leg 1 filled 0.04 at 2500")
        return {"id": "eth-1", "symbol": symbol, "state": self.state}

    async def close_hedge(self, prefix: str, progress: Progress, *, anyway: bool = False) -> Row:
        self.asked.append(("close", prefix, "anyway") if anyway else ("close", prefix))
        return {"id": "eth-1", "state": self.state}

    async def preview_close(self, prefix: str) -> list[Row]:
        self.asked.append(("preview_close", prefix))
        order = {"venue": "lighter", "market": "ETH", "side": "sell", "size": "0.0400"}
        return [order | {"expected_price": None, "leg": "stays", "why": "ETH is closed there"}]

    async def settle_hedge(self, prefix: str, *, progress: Progress, **how: object) -> Row:
        self.asked.append(("settle", prefix, *how.values()))
        return {"id": "eth-1", "state": "closed"}

    async def preview_rollback(self, **scope: object) -> list[Row]:
        if self.deaf:
            raise UnavailableError("lighter", "HTTP 429")
        order = {"venue": "x10", "market": "ETH", "side": "sell", "size": "0.0400"}
        return [order | {"expected_price": "2499.5", "fee_usd": None}]

    async def rollback(self, *, progress: Progress, **scope: object) -> list[Row]:
        self.asked.append(("rollback", *scope.values()))
        return [{"hedge": "eth-1", "state": self.state}]

    async def pause(self, scope: str, *, who: str, reason: str, progress: Progress) -> Row:
        self.asked.append(("pause", scope, reason))
        return {"scope": scope, "since": "now", "who": who, "why": reason}

    async def resume(self, scope: str | None, *, losses: bool, who: str, progress: Progress) -> Row:
        self.asked.append(("resume", scope, losses))
        return {"resumed": [{"scope": scope}], "losses": losses}

    async def acknowledge(
        self, numbers: Sequence[int], *, who: str, progress: Progress
    ) -> list[Row]:
        self.asked.append(("acknowledge", *numbers))
        progress("alert 3 is acknowledged: a leg stands alone")
        return [{"alert": number, "already": False} for number in numbers]

    async def ledger_in_use(self) -> Row:
        return {"trouble": None, "live": [{"id": "eth-1", "state": "open"}]}

    async def reconcile(self, progress: Progress) -> Row:
        self.asked.append(("reconcile",))
        return {"differences": [] if self.state == "open" else [{"venue": "x10"}], **self.doubts}


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Home]:
    monkeypatch.setenv("HEDGER_HOME", str(tmp_path / "home"))
    umask = os.umask(0o022)
    yield Home(tmp_path / "home")
    os.umask(umask)
    log.configure()


def the_error(capsys: pytest.CaptureFixture[str]) -> str:
    """The one sentence that a refused command says."""
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert err.startswith("hedger: ")
    return err


async def ask(home: Home, desk: Desk, *arguments: str, environment: str = "sandbox") -> int:
    """Run one command beside a daemon."""
    home.prepare(environment)
    async with ControlServer(home.control_socket, handlers(desk), environment=environment):
        return await asyncio.to_thread(root.run, arguments)


def a_mainnet_file(folder: Path, **options: object) -> Path:
    shipped = Path(__file__).parents[2] / "config" / "mainnet.yaml"
    data = yaml.safe_load(shipped.read_text(encoding="utf-8"))
    data["account"]["dedicated"] = True
    data["venues"]["options"]["x10"] |= {"vault": 10002, "public_key": "0x1"} | options
    data["venues"]["options"]["lighter"] |= {
        "account_index": 65,
        "api_key_index": 5,
        "rollback_api_key_index": 6,
    }
    path = folder / "mine.yaml"
    path.write_text(yaml.safe_dump(data), encoding="utf-8")
    return path


def test_help_names_every_command_and_every_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    assert root.run(["--help"]) == 0

    text = capsys.readouterr().out
    for name in root.hedger.commands:
        assert f"  {name} " in text
    for code, meaning in MEANING.items():
        assert f"{code.value:>3}  {meaning}" in text


@pytest.mark.parametrize("name", sorted(root.hedger.commands))
def test_every_command_explains_itself(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert root.run([name, "--help"]) == 0
    assert "Usage: hedger " + name in capsys.readouterr().out


def test_a_crash_leaves_no_core_with_keys_in_it() -> None:
    assert root.run(["version"]) == ExitCode.DONE

    assert resource.getrlimit(resource.RLIMIT_CORE)[0] == 0


def test_every_question_of_the_audit_can_be_asked() -> None:
    assert set(queries.KINDS) == set(audit.KINDS)


@pytest.mark.parametrize(
    "arguments",
    [
        ["dance"],
        ["open"],
        ["open", "ETH"],
        ["scan", "--format", "xml"],
        ["rollback"],
        ["rollback", "eth-1", "--all"],
        ["audit", "everything"],
        ["audit", "orders", "--since", "yesterday"],
        ["audit", "orders", "--limit", "-1"],
        ["sandbox", "--seed", "x"],
        ["sandbox", "--balance-usd", "NaN"],
        ["scan", "--config", "/nowhere/at/all.yaml"],
    ],
)
def test_a_wrong_command_line_is_one_sentence(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert root.run(arguments) == ExitCode.USAGE
    the_error(capsys)


async def test_open_tells_its_progress_apart_from_its_result(
    home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    desk = Desk()

    code = await ask(home, desk, "open", "eth", "--usd", "100", "--format", "json")

    out, err = capsys.readouterr()
    assert code == ExitCode.DONE
    assert desk.asked == [("open", "ETH", "100")]
    assert err == "leg 1 filled 0.04 at 2500\n"
    assert json.loads(out) == {"id": "eth-1", "symbol": "ETH", "state": "open"}


@pytest.mark.parametrize(
    ("state", "code"),
    [
        ("open", ExitCode.DONE),
        ("refused", ExitCode.NOT_DONE),
        ("closed_flat", ExitCode.NOT_DONE),
        ("closed", ExitCode.NOT_DONE),
        ("escalated", ExitCode.EXPOSED),
        ("converging", ExitCode.EXPOSED),
    ],
)
async def test_the_exit_code_of_open_says_what_is_left(
    home: Home, state: str, code: ExitCode
) -> None:
    assert await ask(home, Desk(state), "open", "ETH", "--usd", "100") == code


@pytest.mark.parametrize("usd", ["0", "-5", "NaN", "Infinity", "much"])
async def test_an_amount_that_is_none_is_refused(
    home: Home, usd: str, capsys: pytest.CaptureFixture[str]
) -> None:
    desk = Desk()

    assert await ask(home, desk, "open", "ETH", "--usd", usd) == ExitCode.USAGE
    assert repr(usd) in the_error(capsys)
    assert desk.asked == []


async def test_a_rollback_without_terminal_and_without_yes_is_refused(
    home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    desk = Desk()

    assert await ask(home, desk, "rollback", "--all") == ExitCode.USAGE
    assert "--yes" in the_error(capsys)
    assert desk.asked == []


async def test_a_dry_run_shows_the_preview_and_sends_nothing(
    home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    desk = Desk()

    assert await ask(home, desk, "rollback", "--market", "eth", "--dry-run") == ExitCode.DONE

    shown = capsys.readouterr().out
    for word in ("x10", "ETH", "sell", "0.0400", "2499.5", "unknown"):
        assert word in shown
    assert desk.asked == []


async def test_a_rollback_that_is_agreed_to_is_carried_out(home: Home) -> None:
    desk = Desk("closed")

    assert await ask(home, desk, "rollback", "eth-1", "--yes") == ExitCode.DONE
    assert desk.asked == [("rollback", "eth-1", None, False)]


@pytest.mark.parametrize(
    ("answer", "code", "asked"),
    [
        (b"n\n", ExitCode.NOT_DONE, []),
        (b"\n", ExitCode.NOT_DONE, []),
        (b"y\n", ExitCode.DONE, [("rollback", None, None, True)]),
        (b"\x04", ExitCode.INTERRUPTED, []),  # end of input
    ],
)
async def test_at_a_terminal_a_rollback_is_shown_and_asked_for(
    home: Home, answer: bytes, code: ExitCode, asked: list[tuple[object, ...]]
) -> None:
    desk = Desk("closed")
    home.prepare("sandbox")
    keyboard, terminal = pty.openpty()
    async with ControlServer(home.control_socket, handlers(desk), environment="sandbox"):
        process = await asyncio.create_subprocess_exec(
            *hedger_process("rollback", "--all"),
            stdin=terminal,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        assert process.stderr is not None
        shown = await process.stderr.readuntil(b"Send these reduce-only orders? [y/N]: ")
        os.write(keyboard, answer)
        await process.communicate()
    os.close(terminal)
    os.close(keyboard)

    assert process.returncode == code
    assert b"2499.5" in shown
    assert desk.asked == asked


async def test_a_rollback_that_is_agreed_to_does_not_wait_for_a_preview(
    home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    desk = Desk("closed", deaf=True)

    assert await ask(home, desk, "rollback", "--all", "--dry-run") == ExitCode.VENUE
    assert "lighter: HTTP 429" in the_error(capsys)

    assert await ask(home, desk, "rollback", "--all", "--yes") == ExitCode.DONE
    assert desk.asked == [("rollback", None, None, True)]


async def test_a_rollback_that_did_not_end_says_so_by_its_exit_code(home: Home) -> None:
    assert await ask(home, Desk("escalated"), "rollback", "--all", "--yes") == ExitCode.EXPOSED


async def test_a_close_whose_legs_stand_says_so_by_its_exit_code(home: Home) -> None:
    desk = Desk("open")

    assert await ask(home, desk, "close", "eth-1") == ExitCode.VENUE
    assert desk.asked == [("close", "eth-1")]


async def test_close_anyway_shows_which_leg_stays_and_where_before_it_sends(
    home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    desk = Desk("closed")

    assert await ask(home, desk, "close", "eth-1", "--anyway", "--yes") == ExitCode.DONE

    assert "0.0400 ETH on lighter stays, unhedged (ETH is closed there)" in capsys.readouterr().err
    assert desk.asked == [("preview_close", "eth-1"), ("close", "eth-1", "anyway")]


async def test_close_anyway_needs_somebody_who_decides(home: Home) -> None:
    desk = Desk("closed")

    assert await ask(home, desk, "close", "eth-1", "--anyway") == ExitCode.USAGE
    assert desk.asked == []


async def test_a_difference_between_ledger_and_venue_is_an_exit_code(home: Home) -> None:
    assert await ask(home, Desk("open"), "reconcile") == ExitCode.DONE
    assert await ask(home, Desk("escalated"), "reconcile") == ExitCode.EXPOSED


@pytest.mark.parametrize("output", ["table", "json", "csv"])
@pytest.mark.parametrize(
    ("unread", "code", "said"),
    [
        ([], ExitCode.EXPOSED, "lighter is in doubt: it shows 0 SOL, and its own trades make 0"),
        (["lighter"], ExitCode.VENUE, "lighter could not be read: it shows 0 SOL"),
    ],
)
async def test_r1_reconcile_never_says_agree_while_a_venue_is_in_doubt(
    *,
    home: Home,
    capsys: pytest.CaptureFixture[str],
    output: str,
    unread: list[str],
    code: ExitCode,
    said: str,
) -> None:
    desk = Desk("open")
    why = "it shows 0 SOL, and its own trades make 0"
    desk.doubts = {"in_doubt": {"lighter": why}, "unread": unread}

    assert await ask(home, desk, "reconcile", "--format", output) == code
    out, err = capsys.readouterr()
    assert said in err
    assert "agree" not in out + err


@pytest.mark.parametrize(
    "words",
    [
        ["open", "ETH-USD", "--usd", "9"],
        ["rollback", "--market", "ETH-USD", "--yes"],
        ["pause", "--market", "ETH-USD", "--reason", "x"],
        ["audit", "hedges", "--market", "ETH-USD"],
    ],
)
def test_b09_a_market_in_a_venues_spelling_is_refused_and_not_taken_for_nothing(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert root.run(words) == ExitCode.USAGE
    assert "named by its asset alone, such as ETH" in the_error(capsys)


def test_mainnet_is_not_traded_without_live(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = str(a_mainnet_file(tmp_path))

    assert root.run(["open", "ETH", "--usd", "9", "--config", config]) == ExitCode.USAGE
    assert "--live --confirm x10:10002,lighter:65" in the_error(capsys)


@pytest.mark.parametrize("confirm", [[], ["--confirm", "x10:10002,lighter:66"]])
def test_mainnet_is_not_traded_on_accounts_that_were_not_named(
    confirm: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = str(a_mainnet_file(tmp_path))

    assert root.run(["run", "--live", *confirm, "--config", config]) == ExitCode.USAGE
    assert "trades x10:10002,lighter:65" in the_error(capsys)


SENDING = [
    ["open", "ETH", "--usd", "9"],
    ["close", "eth-1"],
    ["rollback", "--all", "--yes"],
    ["reconcile"],
    ["settle", "eth-1", "--reason", "x"],
    ["run"],
]
READING = [
    ["rollback", "--all", "--dry-run"],
    ["scan"],
    ["record", "--data", "DATA"],
    ["fetch-history", "--data", "DATA"],
]


@pytest.mark.parametrize("words", [*SENDING, *READING], ids=" ".join)
@pytest.mark.parametrize(
    ("changes", "said"),
    [
        pytest.param(
            {"environment": "testnet"},
            "venues.options.x10.chain_id is 'SN_MAIN', which trades real money",
            id="F4 only the word says testnet",
        ),
        pytest.param(
            {"environment": "mainnet", "secure": False},
            "keys of real money are not sent unencrypted",
            id="F5 plain http",
        ),
    ],
)
def test_f4_f5_every_command_asks_one_gate_before_any_request(
    *,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    changes: dict[str, Any],
    said: str,
) -> None:
    with Heard() as heard:
        config = heard.a_file(tmp_path, monkeypatch, **changes)
        words = [str(tmp_path / "data") if word == "DATA" else word for word in words]

        assert root.run([*words, "--config", str(config)]) == ExitCode.USAGE

    assert said in the_error(capsys)
    assert heard.connections == 0


@pytest.mark.parametrize("words", SENDING, ids=" ".join)
def test_f4_crash_points_are_not_armed_where_a_chain_is_real(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
) -> None:
    monkeypatch.setenv("HEDGER_CRASH_AT", "intend.before:1")
    with Heard() as heard:
        config = heard.a_file(tmp_path, monkeypatch, environment="testnet")

        assert root.run([*words, "--config", str(config)]) == ExitCode.USAGE

    assert "trades real money" in the_error(capsys)
    assert crashpoints.passes() == {}
    assert heard.connections == 0


class Heard:
    """Both venues as one port on this machine that counts who connects, and says nothing."""

    def __init__(self) -> None:
        self.connections = 0
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._socket.settimeout(0.05)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._listen)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        self._socket.close()

    def _listen(self) -> None:
        while not self._ended.is_set():
            with contextlib.suppress(TimeoutError):
                self._socket.accept()[0].close()
                self.connections += 1

    def a_file(
        self,
        folder: Path,
        environ: pytest.MonkeyPatch,
        *,
        environment: str,
        secure: bool = True,
    ) -> Path:
        """The shipped mainnet file with good keys, as somebody left it who changed the rest."""
        keys = credentials.generate(1)
        environ.setenv("HEDGER_X10_API_KEY", keys.x10.api_key)
        environ.setenv("HEDGER_X10_PRIVATE_KEY", keys.x10.private_key)
        for index, key in keys.lighter.api_keys.items():
            environ.setenv(f"HEDGER_LIGHTER_PRIVATE_KEY_{index}", key)
        path = a_mainnet_file(folder)
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
        here = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        data["environment"] = environment
        data["venues"]["options"]["x10"]["public_key"] = keys.x10.public_key
        if environment == "testnet" or not secure:
            data["venues"]["options"]["x10"]["api_base_url"] = f"{here}/api/v1"
            data["venues"]["options"]["lighter"]["url"] = here
        path.write_text(yaml.safe_dump(data), encoding="utf-8")
        return path


async def test_mainnet_is_traded_when_its_accounts_are_named(home: Home, tmp_path: Path) -> None:
    desk = Desk("closed")
    permission = ["--live", "--confirm", "lighter:65, x10:10002"]
    where = ["--config", str(a_mainnet_file(tmp_path))]

    code = await ask(home, desk, "close", "eth-1", *permission, *where, environment="mainnet")

    assert code == ExitCode.DONE
    assert desk.asked == [("close", "eth-1")]


def test_a_placeholder_that_was_left_is_told_by_its_key(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = str(a_mainnet_file(tmp_path, vault="REPLACE_WITH_THE_VAULT_NUMBER"))

    assert root.run(["run", "--config", config]) == ExitCode.USAGE
    assert "venues.options.x10.vault is still 'REPLACE_WITH_THE_VAULT_NUMBER'" in the_error(capsys)


def test_a_second_daemon_is_refused_with_the_pid_of_the_first(
    home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    home.prepare("sandbox")

    with home.locked():
        assert root.run(["run"]) == ExitCode.LOCKED
    assert f"process {os.getpid()} is working" in the_error(capsys)


def test_without_a_daemon_a_command_is_refused_while_another_one_works(
    home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    home.prepare("sandbox")

    with home.locked():
        assert root.run(["open", "ETH", "--usd", "100"]) == ExitCode.LOCKED
    assert f"process {os.getpid()} is working" in the_error(capsys)


def test_an_audit_without_a_ledger_says_how_to_make_one(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert root.run(["audit", "orders"]) == ExitCode.STATE
    assert "hedger db upgrade" in the_error(capsys)


def test_an_empty_ledger_is_an_empty_array_and_a_header(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert root.run(["db", "upgrade"]) == ExitCode.DONE
    capsys.readouterr()

    assert root.run(["audit", "fills", "--format", "json"]) == ExitCode.DONE
    assert json.loads(capsys.readouterr().out) == []

    assert root.run(["audit", "fills", "--format", "csv"]) == ExitCode.DONE
    assert capsys.readouterr().out == ",".join(audit.columns("fills")) + "\n"


def test_an_error_of_our_own_is_told_without_secrets(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure()

    assert root._bug(ValueError(f"cannot sign with {KEY}")) == ExitCode.BUG

    err = capsys.readouterr().err
    assert "ValueError: cannot sign with ***" in err
    assert err.endswith("hedger: an error in hedger itself (ValueError); see above\n")
    assert KEY not in err


def hedger_process(*arguments: str, options: tuple[str, ...] = ()) -> list[str]:
    return [sys.executable, *options, "-m", "hedger", *arguments]


def test_without_assertions_nothing_starts() -> None:
    done = subprocess.run(
        hedger_process("version", options=("-O",)),
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )

    assert done.returncode == ExitCode.USAGE
    assert "start Python without -O" in done.stderr


def test_a_reader_that_goes_away_is_no_error() -> None:
    with subprocess.Popen(
        hedger_process("--help"), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()

        assert process.wait(timeout=30) == ExitCode.NO_READER
        assert process.stderr.read() == b""


WORK = """
import asyncio
import sys
from hedger.cli.root import run
from hedger.cli.running import to_its_end
from hedger.cli import root

async def work():
    told = asyncio.Event()
    asyncio.get_running_loop().add_reader(sys.stdin, told.set)
    print("begun", flush=True)
    await told.wait()
    return {"state": "open"}

@root.hedger.command("work")
def work_command():
    print(asyncio.run(to_its_end(work())))

sys.exit(run(["work"]))
"""


def begun() -> "subprocess.Popen[str]":
    process = subprocess.Popen(
        [sys.executable, "-c", WORK],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "begun\n"
    return process


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_what_a_command_has_begun_is_finished_after_the_first_signal(
    number: signal.Signals,
) -> None:
    with begun() as process:
        process.send_signal(number)
        assert process.stderr is not None
        assert "finishing what has begun" in process.stderr.readline()
        out, _ = process.communicate("go on\n", timeout=30)

    assert process.returncode == ExitCode.DONE
    assert out == "{'state': 'open'}\n"


def test_a_second_signal_abandons_it() -> None:
    with begun() as process:
        assert process.stderr is not None
        process.send_signal(signal.SIGINT)
        process.stderr.readline()
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=30) == ExitCode.INTERRUPTED
        err = process.stderr.read()

    assert err == "hedger: interrupted\n"


REPORTS = ("reconcile", "statement", "stats", "rollbacks")


@pytest.mark.parametrize("kind", REPORTS)
@pytest.mark.parametrize("output", ["table", "json", "csv"])
def test_reports_of_an_empty_ledger_are_empty_and_no_error(
    home: Home, capsys: pytest.CaptureFixture[str], kind: str, output: str
) -> None:
    home.prepare("sandbox")
    assert root.run(["db", "upgrade"]) == ExitCode.DONE
    capsys.readouterr()

    assert root.run(["audit", kind, "--format", output]) == ExitCode.DONE

    out = capsys.readouterr().out
    if output == "json":
        assert isinstance(json.loads(out), list)
    if output == "csv":
        assert out.count("\n") >= 1  # the header


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["statement", "--month", "2026"], "--month 2026 is no month; write it as in 2026-01"),
        (["statement", "--since", "1h"], "leave --since out and give --month"),
        (["statement", "--market", "ETH"], "use --by market"),
        (["stats", "--month", "2026-01"], "--month is for audit statement"),
        (["stats", "--venue", "x10"], "leave --venue out"),
        (["rollbacks", "--until", "1h"], "leave --until out"),
        (["reconcile", "--state", "odd"], "is none of open, unknown, agree"),
    ],
)
def test_an_option_that_a_report_cannot_use_is_refused_in_a_sentence(
    home: Home, capsys: pytest.CaptureFixture[str], words: list[str], sentence: str
) -> None:
    home.prepare("sandbox")
    root.run(["db", "upgrade"])
    capsys.readouterr()
    assert root.run(["audit", *words]) == ExitCode.USAGE
    assert sentence in the_error(capsys)
