"""`hedger acknowledge`: an alert that was seen is named no longer, and nothing else changes."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from hedger import audit, log
from hedger.cli import root
from hedger.cli.exit_codes import ExitCode
from hedger.home import Home
from hedger.ledger import migrate
from hedger.ledger.store import open_store
from tests.clocks import ManualClock
from tests.integration.test_cli_commands import Desk, ask, the_error

ALONE = "a leg stands alone"
SEEN = "acknowledged"
CASH = "x10: 3 USD of its cash are in none of its lists"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Home]:
    """A ledger in which a person was told of two things."""
    monkeypatch.setenv("HEDGER_HOME", str(tmp_path / "home"))
    home = Home(tmp_path / "home")
    home.prepare("sandbox")
    clock = ManualClock()
    migrate.upgrade(home.ledger, clock)
    with open_store(home.ledger, clock) as store:
        store.alert(ALONE)
        store.alert(CASH)
    yield home
    log.configure()


def named(capsys: pytest.CaptureFixture[str]) -> list[tuple[int, str]]:
    """The alerts that `hedger status` names."""
    capsys.readouterr()
    assert root.run(["status", "--format", "json"]) == ExitCode.DONE
    shown = json.loads(capsys.readouterr().out)["alerts"]
    return [(alert["number"], alert["text"]) for alert in shown]


def seen(home: Home) -> list[str]:
    """What the ledger keeps of who saw what."""
    return [row["text"] for row in audit.rows(home.ledger, "events") if row["kind"] == SEEN]


def test_an_acknowledged_alert_is_named_no_longer_and_who_saw_it_is_kept(
    home: Home, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("getpass.getuser", lambda: "ada")
    assert named(capsys) == [(1, ALONE), (2, CASH)]

    assert root.run(["acknowledge", "1", "--format", "json"]) == ExitCode.DONE

    said = capsys.readouterr()
    (row,) = json.loads(said.out)
    assert (row["alert"], row["already"], row["text"]) == (1, False, ALONE)
    assert said.err == f"alert 1 is acknowledged: {ALONE}\n"
    assert named(capsys) == [(2, CASH)]
    assert seen(home) == ["alert 1 was seen, says ada"]
    assert not home.sandbox.exists()  # no venue was started for it


def test_status_says_how_an_alert_is_acknowledged(
    home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    assert home.ledger.exists()
    assert root.run(["status"]) == ExitCode.DONE
    assert f"{CASH} (hedger acknowledge 2)" in capsys.readouterr().err


def test_several_are_acknowledged_at_once_each_of_them_one_time(
    home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    assert root.run(["acknowledge", "2", "1", "2"]) == ExitCode.DONE
    assert named(capsys) == []
    assert len(seen(home)) == 2


def test_what_was_acknowledged_already_is_said_to_be_so(
    home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    root.run(["acknowledge", "2"])
    capsys.readouterr()

    assert root.run(["acknowledge", "2"]) == ExitCode.DONE

    assert f"alert 2 is acknowledged already: {CASH}" in capsys.readouterr().err
    assert len(seen(home)) == 1


@pytest.mark.parametrize("number", ["3", str(2**63), str(2**70)])
def test_a_number_that_no_alert_has_is_one_sentence_and_none_is_acknowledged(
    home: Home, capsys: pytest.CaptureFixture[str], number: str
) -> None:
    assert root.run(["acknowledge", "1", number]) == ExitCode.USAGE

    assert f"there is no alert {number}; hedger status numbers" in the_error(capsys)
    assert len(named(capsys)) == 2
    assert seen(home) == []


@pytest.mark.parametrize("words", [(), ("0",), ("first",), ("1.5",)])
def test_what_is_no_number_is_refused(
    home: Home, capsys: pytest.CaptureFixture[str], words: tuple[str, ...]
) -> None:
    assert root.run(["acknowledge", *words]) == ExitCode.USAGE
    assert "NUMBER" in the_error(capsys)
    assert seen(home) == []


async def test_beside_a_daemon_the_daemon_does_it(
    home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    desk = Desk()

    assert await ask(home, desk, "acknowledge", "3", "4") == ExitCode.DONE

    assert desk.asked == [("acknowledge", 3, 4)]
    assert "alert 3 is acknowledged" in capsys.readouterr().err
    assert len(named(capsys)) == 2


@pytest.mark.parametrize("alerts", [None, [], ["1"], [True], 1])
async def test_a_request_without_numbers_is_refused(home: Home, alerts: object) -> None:
    from hedger.control import ControlServer, RemoteError, call
    from hedger.handlers import handlers

    desk = Desk()
    socket, args = home.control_socket, {"alerts": alerts, "who": "me"}
    async with ControlServer(socket, handlers(desk), environment="sandbox"):
        with pytest.raises(RemoteError, match="by its number"):
            await call(socket, "acknowledge", args, print, environment="sandbox")
    assert desk.asked == []


def test_another_process_at_work_is_said_to_be_so(
    home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    with home.locked():
        assert root.run(["acknowledge", "1"]) == ExitCode.LOCKED
    assert "is working with this state directory" in the_error(capsys)
    assert seen(home) == []
