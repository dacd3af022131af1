"""`hedger pause` and `hedger resume`: with a daemon, without one, and without the venues."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hedger import log
from hedger.cli import root
from hedger.cli.exit_codes import ExitCode
from hedger.home import Home
from tests.integration.test_cli_commands import Desk, ask, the_error


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Home]:
    monkeypatch.setenv("HEDGER_HOME", str(tmp_path / "home"))
    yield Home(tmp_path / "home")
    log.configure()


def status(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    assert root.run(["status", "--format", "json"]) == ExitCode.DONE
    return dict(json.loads(capsys.readouterr().out))


@pytest.mark.parametrize(
    ("words", "scope"),
    [
        ((), "all"),
        (("--venue", "lighter"), "venue:lighter"),
        (("--market", "eth"), "market:ETH"),
        (("--stablecoin",), "stablecoin"),
    ],
)
def test_a_pause_needs_neither_daemon_nor_venue_and_status_names_it(
    home: Home, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], scope: str
) -> None:
    assert root.run(["pause", *words, "--reason", "maintenance", "--format", "json"]) == 0
    said = json.loads(capsys.readouterr().out)

    assert (said["scope"], said["why"]) == (scope, "maintenance")
    assert status(capsys)["switched_off"] == [said]
    assert not home.sandbox.exists()  # no venue was started for it

    assert root.run(["status"]) == ExitCode.DONE
    assert "maintenance (hedger resume)" in capsys.readouterr().err
    assert root.run(["resume", *words]) == ExitCode.DONE
    capsys.readouterr()
    assert status(capsys)["switched_off"] == []


@pytest.mark.usefixtures("home")
def test_a_second_pause_leaves_the_first_ones_reason(capsys: pytest.CaptureFixture[str]) -> None:
    root.run(["pause", "--reason", "first"])
    root.run(["pause", "--reason", "second"])
    capsys.readouterr()

    assert [off["why"] for off in status(capsys)["switched_off"]] == ["first"]


@pytest.mark.usefixtures("home")
def test_a_resume_of_one_scope_leaves_the_others_off(capsys: pytest.CaptureFixture[str]) -> None:
    root.run(["pause", "--market", "ETH", "--reason", "x"])
    root.run(["pause", "--venue", "x10", "--reason", "y"])
    root.run(["resume", "--market", "ETH"])
    capsys.readouterr()

    assert [off["scope"] for off in status(capsys)["switched_off"]] == ["venue:x10"]


def test_a_resume_says_that_the_kill_file_is_still_there(
    home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    root.run(["pause", "--reason", "x"])
    home.kill_file.write_text("")
    capsys.readouterr()
    assert status(capsys)["kill_file"] is True

    assert root.run(["resume"]) == ExitCode.DONE
    assert "KILL is still there, and stops new hedges" in capsys.readouterr().err


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("--venue", "binance"), "--venue binance is none of this configuration's"),
        (("--venue", "x10", "--market", "ETH"), "at most one of --venue V"),
    ],
)
def test_a_wrong_scope_is_one_sentence(
    capsys: pytest.CaptureFixture[str], words: tuple[str, ...], complaint: str
) -> None:
    assert root.run(["pause", *words, "--reason", "x"]) == ExitCode.USAGE
    assert complaint in the_error(capsys)


async def test_beside_a_daemon_the_daemon_does_it(
    home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    desk = Desk()

    assert await ask(home, desk, "pause", "--market", "ETH", "--reason", "drill") == 0
    assert await ask(home, desk, "resume", "--losses") == 0

    assert desk.asked == [("pause", "market:ETH", "drill"), ("resume", None, True)]
    assert not home.ledger.exists()
    capsys.readouterr()
