"""``hedger audit bundle`` as somebody types it."""

import json
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from hedger import log
from hedger.cli import root
from hedger.cli.exit_codes import ExitCode
from hedger.home import Home
from tests.unit.ledger.build import a_hedge, a_store, an_order, filled

ID = "eth-260102213005-k3f9"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Home]:
    """A state directory whose ledger knows one hedge, and a place to write to."""
    home = Home(tmp_path / "home")
    monkeypatch.setenv("HEDGER_HOME", str(home.root))
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    home.prepare("sandbox")
    with a_store(home.root) as store:
        store.plan(a_hedge(ID))
        prepared = an_order(ID)
        store.intend(prepared)
        store.settle(filled(prepared, ("0.04", "2500")))
    yield home
    log.configure()


def refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """The one sentence of a command that does nothing."""
    assert root.run(["audit", *words]) == ExitCode.USAGE
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("hedger: ")
    assert err.count("\n") == 1
    return err


@pytest.mark.usefixtures("home")
def test_a_bundle_is_written_here_and_what_it_lacks_is_said(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert root.run(["audit", "bundle", ID]) == ExitCode.DONE
    out, err = capsys.readouterr()
    file = Path(f"{ID}.bundle.json")
    assert str(file) in out
    assert "left out: what was sent" in err
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    told = json.loads(file.read_text(encoding="utf-8"))
    assert told["environment"] == "sandbox"
    assert told["settings"]["trading"]["leverage"] == "5"
    assert "venues" not in told["settings"]
    assert ID not in json.dumps(told)


@pytest.mark.usefixtures("home")
def test_it_goes_where_it_is_told_to_and_says_so_in_json(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    to = tmp_path / "other.json"
    words = ["audit", "bundle", ID[:8], "--to", str(to), "--format", "json"]
    assert root.run(words) == ExitCode.DONE
    out, err = capsys.readouterr()
    told = json.loads(out)
    assert (told["file"], told["orders"], told["fills"]) == (str(to), 1, 1)
    assert any("X10's salts" in text for text in told["left_out"])
    assert err == ""
    as_it_was = to.read_bytes()
    assert "is there already and is not overwritten" in refused(words[1:], capsys)
    assert to.read_bytes() == as_it_was


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["bundle"], "needs a hedge's id; `hedger audit hedges` lists them"),
        (["bundle", "../../etc; rm"], "cannot be a hedge's id, which looks like eth-"),
        (["bundle", "%"], "cannot be a hedge's id"),
        (["bundle", "nosuch"], "no hedge has the id 'nosuch' or one that begins so"),
        (["bundle", ID, "--since", "1h"], "leave --since out"),
        (["bundle", ID, "--hedge", ID, "--venue", "x10"], "leave --venue, --hedge out"),
        (["orders", ID], "belongs to audit bundle; orders take --hedge HEDGE"),
        (["pnl", "--to", "x.json"], "--to belongs to audit bundle"),
    ],
)
def test_what_cannot_be_is_one_sentence_with_the_way_on(
    words: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert told in refused(words, capsys)


def test_without_a_ledger_it_says_how_to_make_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HEDGER_HOME", str(tmp_path / "empty"))
    assert root.run(["audit", "bundle", ID]) == ExitCode.STATE
    assert "there is no ledger" in capsys.readouterr().err
