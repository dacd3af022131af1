"""
The rules of determinism see what was planted, in every form, and nothing else.

``planted.py.txt`` says of each line which rules have to find it.
"""

import re
from pathlib import Path

import pytest

from tests.lint import checker
from tests.lint.finding import Finding
from tests.lint.places import PLACES, unexplained

PLANTED = Path(__file__).with_name("planted.py.txt")


def planted(root: Path, text: str) -> list[Finding]:
    """What is found in a module with this text."""
    folder = root / "hedger"
    folder.mkdir(exist_ok=True)
    (folder / "planted.py").write_text(text, encoding="utf-8")
    return checker.findings(root, ("hedger",), cache=root / "cache", sound=False)


def wanted(text: str) -> set[tuple[int, str]]:
    found = set()
    for number, line in enumerate(text.splitlines(), start=1):
        if match := re.search(r"# found: ([a-z ]+)$", line):
            found |= {(number, rule) for rule in match.group(1).split()}
    return found


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("lint")


@pytest.mark.timeout(300)
def test_what_is_planted_is_found_line_by_line_and_nothing_else_is(root: Path):
    text = PLANTED.read_text(encoding="utf-8")
    lines = text.splitlines()
    found = {(one.line, one.rule) for one in planted(root, text)}
    missed = sorted(wanted(text) - found)
    false = sorted(found - wanted(text))
    assert [f"{rule}: {lines[line - 1].strip()}" for line, rule in missed] == []
    assert [f"{rule}: {lines[line - 1].strip()}" for line, rule in false] == []
    assert len(wanted(text)) >= 120
    assert {rule for _, rule in wanted(text)} == {
        "chance",
        "clock",
        "hash",
        "hidden",
        "io",
        "order",
    }


@pytest.mark.timeout(300)
def test_what_was_found_once_is_remembered_as_long_as_nothing_has_changed(root: Path):
    text = "import time\n\n\ndef now() -> float:\n    return time.time()\n"
    found = planted(root, text)
    assert [(one.rule, one.what) for one in found] == [("clock", "time.time")]
    assert planted(root, text) == found
    (root / "cache" / checker.KEPT).unlink()  # as after a run that was broken off
    assert planted(root, text) == found
    assert planted(root, text.replace("time.time()", "0.0")) == []


def test_what_stands_in_no_place_is_unexplained_and_so_is_a_place_without_use():
    (place,) = (one for one in PLACES if one.paths == ("hedger/clock.py",))
    mine = Finding("hedger/clock.py", 3, "clock", "time.monotonic", "")
    others = [
        mine._replace(what="time.sleep"),
        mine._replace(path="hedger/guard.py"),
        mine._replace(rule="chance"),
    ]
    left = unexplained([mine, *others])
    assert place.covers(mine)
    assert [one for one in left if one.rule != "place"] == others
    unused = {(one.path, one.what) for one in left if one.rule == "place"}
    assert ("hedger/daemon.py", "clock") in unused
    assert ("hedger/clock.py", "clock") not in unused


def test_every_place_has_its_reason_and_none_is_where_it_is_decided():
    assert all(len(place.why) > 10 for place in PLACES)
    named = {path for place in PLACES if place.rule != "hash" for path in place.paths}
    deciding = (
        "adapters/sandbox/engine/", "hedger/domain/", "hedger/execution/", "hedger/executor.py",
        "hedger/reconciler.py", "hedger/reconciliation/", "hedger/recovery.py",
        "hedger/resolver.py", "hedger/risk/", "hedger/rollback.py",
    )  # fmt: skip
    assert [path for path in named if path.startswith(deciding)] == []


def test_nothing_is_said_of_a_program_whose_types_are_wrong(tmp_path: Path):
    (tmp_path / "hedger").mkdir()
    (tmp_path / "hedger" / "wrong.py").write_text("one: int = 'x'\n", encoding="utf-8")
    with pytest.raises(checker.TypesError, match="Incompatible types"):
        checker.findings(tmp_path, ("hedger",), cache=tmp_path / "cache")
