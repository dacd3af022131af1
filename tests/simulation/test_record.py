"""The running total, and where a failure is written down."""

import importlib
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from tests.simulation import __main__ as command
from tests.simulation import record
from tests.simulation.faults import NOTHING, Ill
from tests.simulation.oracle import Violation
from tests.simulation.regressions import REGRESSIONS, Regression, seed
from tests.simulation.report import Totals
from tests.simulation.setup import Result, Setup
from tests.simulation.shrink import shrunk
from tests.simulation.test_judges import world


def git(root: Path, *words: str) -> None:
    who = ("-c", "user.name=x", "-c", "user.email=x@example.org")
    subprocess.run(["git", *who, *words], cwd=root, check=True, capture_output=True)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A work tree with one commit."""
    (tmp_path / "docs").mkdir()
    (tmp_path / "program.py").write_text("1\n", encoding="utf-8")
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "x")
    return tmp_path


def run(first: int = 1, worlds: int = 10, **more: object) -> record.Run:
    planned = record.planned("abc", first, worlds, 0.5)
    return replace(planned, **more)  # type: ignore[arg-type]  # of their own types


def test_lines_come_back_as_they_were_written_and_add_up(tree: Path):
    runs = [
        run(violations=2, beyond=3, p50_s=1.25, p95_s=8.5, p99_s=17.0, max_s=86.33),
        run(11, max_s=9.0, p99_s=20.5),
        run(1, commit="def"),
    ]
    for one in runs:
        record.append(one, tree)

    assert record.recorded(tree) == runs
    both, first, second = record.added_up(runs)
    assert both.startswith("recorded on 2 commits: 30 worlds, 15.0 virtual hours, 2 violations")
    assert first.startswith("  abc: 20 worlds, 10.0 virtual hours, 2 violations")
    assert first.endswith("unhedged at most 86.33 s, p99 of a run at most 20.50 s")
    assert second.startswith("  def: 10 worlds, 5.0 virtual hours, 0 violations")


@pytest.mark.parametrize(("first", "worlds"), [(1, 10), (10, 1), (5, 100), (-5, 7)])
def test_a_world_is_recorded_once(tree: Path, first: int, worlds: int):
    record.append(run(), tree)
    with pytest.raises(record.UnrecordedError, match="seeds 1 to 10 of abc are recorded already"):
        record.append(run(first, worlds), tree)
    record.append(run(first, worlds, hours_each=0.3), tree)
    record.append(run(first, worlds, commit="def"), tree)
    record.append(run(11), tree)


def test_only_a_commit_is_recorded_and_the_record_itself_is_no_change(tree: Path):
    record.append(run(), tree)
    name = record.commit(tree)
    assert len(name) == 12
    (tree / "new.py").write_text("2\n", encoding="utf-8")
    with pytest.raises(record.UnrecordedError, match=r"work tree with changes \(\?\? new.py\)"):
        record.commit(tree)
    (tree / "program.py").write_text("2\n", encoding="utf-8")
    with pytest.raises(record.UnrecordedError, match="and 1 more"):
        record.commit(tree)
    with pytest.raises(record.UnrecordedError, match="git does not say"):
        record.commit(tree.parent)


def test_a_file_that_is_no_record_is_not_added_to(tree: Path):
    (tree / record.FILE).write_text("commit\n", encoding="utf-8")
    with pytest.raises(record.UnrecordedError, match="does not begin with"):
        record.append(run(), tree)
    (tree / record.FILE).write_text(record.HEADER + "\nabc\t1\n", encoding="utf-8")
    with pytest.raises(record.UnrecordedError, match="none of a run"):
        record.append(run(), tree)


def test_the_command_records_what_its_worlds_came_to(
    tree: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    for function in (record.recorded_run, record.shown_totals):
        usual = function.__kwdefaults__ or {}
        monkeypatch.setattr(function, "__kwdefaults__", {**usual, "root": tree})
    words = ["--seeds=2", "--from=7", "--hours=0.02", "--workers=1", "--record"]

    assert command.main(words) == 0
    (line,) = record.recorded(tree)
    assert (line.commit, line.first, line.worlds, line.hours_each) == (
        record.commit(tree), 7, 2, 0.02,
    )  # fmt: skip
    capsys.readouterr()
    assert command.main(words) == 2
    assert "recorded already" in capsys.readouterr().err
    assert command.main([*words, "--fault-free"]) == 2
    assert command.main(["--totals"]) == 0
    assert "recorded on 1 commits: 2 worlds, 0.0 virtual hours" in capsys.readouterr().out


def test_the_record_of_this_repository_can_be_read():
    assert record.added_up(record.recorded())


def test_the_line_of_a_run_has_its_totals():
    totals = Totals()
    totals.add(world(1, plan=NOTHING, violations=[Violation("4 naked", "too long", 3.0)]))
    totals.spans = [(float(number), 0.0) for number in range(101)]
    line = record.of("abc", 1, 1.0, totals)
    assert (line.worlds, line.violations) == (1, 1)
    assert (line.p50_s, line.p95_s, line.p99_s, line.max_s) == (50.0, 95.0, 99.0, 100.0)


@pytest.mark.parametrize("once", REGRESSIONS, ids=lambda once: once.name)
def test_what_can_be_told_without_chance_has_a_scenario(once: Regression):
    if once.scenario is None:
        return  # what it broke is not known, or needs chance
    file, _, test = once.scenario.partition("::")
    module = importlib.import_module(f"tests.{file.removesuffix('.py').replace('/', '.')}")
    assert callable(getattr(module, test))


def test_a_shrunk_world_comes_with_the_line_that_keeps_it():
    def fails(setup: Setup) -> Result:
        ills = frozenset({Ill.KILL, Ill.PARTIAL, Ill.ZERO}) - setup.without
        breaks = {Ill.KILL, Ill.ZERO} <= ills and setup.hours >= 0.02
        broken = [Violation("4 naked", "it's too long", 90.0)] if breaks else []
        plan = replace(NOTHING, ills=ills)
        return world(setup.seed, hours=setup.hours, plan=plan, violations=broken)

    small = shrunk(Setup(seed=7), told=lambda _: None, run=fails)

    assert small is not None
    kept = eval(
        small.regression.removesuffix(","), {"Regression": Regression, "seed": seed, "Ill": Ill}
    )
    assert kept.what == "4 naked: it's too long"
    assert kept.scenario is None
    assert kept.setup.seed == 7
    assert kept.setup.hours == pytest.approx(small.setup.hours, abs=1e-4)
    assert frozenset(Ill) - kept.setup.without == {Ill.KILL, Ill.ZERO}
