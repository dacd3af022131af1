"""
The rules of determinism see what was planted, in every form, and nothing else.

``planted.py.txt`` says of each line which rules have to find it.
"""

import re
from pathlib import Path

import pytest

from tests.lint import checker
from tests.lint.finding import Finding

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
