"""
Incidents as tests: what a bundle tells happens again, and a program that does otherwise is told.

``bundles/`` holds bundles of real runs; each of them is played here.
"""

import json
import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from hedger.audit import Filters, bundle, rows
from tests.simulation import matrix, mutants, replay
from tests.simulation.daemon import configuration
from tests.simulation.faults import Ill
from tests.simulation.oracle import Violation
from tests.simulation.replaying.recorded import read
from tests.simulation.replaying.script import script_of
from tests.simulation.run import _engines, simulate
from tests.simulation.scenarios import STORIES
from tests.simulation.store import laid_down

FOLDER = Path(__file__).parent / "bundles"
BUNDLES = sorted(FOLDER.glob("*.json"))
PARTIAL = FOLDER / "leg-b-in-part-then-a-refused-close.json"
NOW = datetime(2026, 1, 3, tzinfo=UTC)

kept = pytest.mark.parametrize("path", BUNDLES, ids=lambda path: path.stem)


@kept
def test_an_incident_that_was_kept_happens_again_and_breaks_nothing(path: Path):
    played = replay.played(path)
    assert [one.text for one in played.result.violations] == []
    assert played.parts is None
    assert played.now is not None
    assert [order.compared for order in played.now.orders] == [
        order.compared for order in played.then.orders
    ]


def test_there_are_bundles_of_three_kinds_of_trouble():
    scripts = [script_of(read(path)) for path in BUNDLES]
    assert any(script.mets for script in scripts)
    assert any(script.deaths for script in scripts)
    assert any(script.blows for script in scripts)


@kept
def test_a_bundle_that_is_kept_names_nothing_of_ours(path: Path):
    told = path.read_text(encoding="utf-8")
    for name in ("127.0.0.1", "localhost", "0x", "/tmp", "/home", "payload", 'signature"'):
        assert name not in told, name


def test_the_same_bundle_gives_the_same_trace():
    first, second = (replay.played(PARTIAL).result.digest for _ in range(2))
    assert first == second


def bundle_of_a_story(number: int, to: Path, deaths: frozenset[int] = frozenset()) -> Path:
    """What a story of the crash matrix leaves in its ledger."""
    simulate(matrix.setup(number, deaths))
    path = laid_down(_engines(os.getpid()).path)
    (row,) = rows(path, "hedges", Filters(limit=0))
    settings = configuration(dedicated=STORIES[number].dedicated).model_dump(mode="json")
    made = bundle.gathered(path, row["id"], settings=settings, environment="sandbox", now=NOW)
    bundle.written(made, to)
    return to


UNRECORDED = frozenset({"leg B is forgotten", "restored", "damaged", "older"})
"""Strikes at what a venue or a ledger tells: no bundle says what happened (docs/incidents.md)."""

RECORDED = [
    story
    for story in STORIES
    if story.change is None
    and story.strike not in UNRECORDED
    and Ill.LATE_FINAL not in story.orders.values()
]
"""Stories whose trouble a bundle holds: no market changes, and what is called final is so."""


@pytest.mark.parametrize("story", RECORDED, ids=lambda story: story.name)
def test_what_a_bundle_of_a_story_tells_happens_again(story: Any, tmp_path: Path):
    """Every kind of outcome: lost, refused, partial, nothing, late, doubled, stolen, struck."""
    played = replay.played(bundle_of_a_story(STORIES.index(story), tmp_path / "b.json"))
    assert played.parts is None
    assert played.result.violations == []


@pytest.mark.parametrize("share", [0.4, 0.5, 0.6, 0.8, 0.95])
def test_a_death_on_the_way_happens_again(share: float, tmp_path: Path):
    at = round(matrix.boundaries(2) * share)
    played = replay.played(bundle_of_a_story(2, tmp_path / "b.json", frozenset({at})))
    assert played.parts is None
    assert played.result.violations == []
    assert played.result.kills >= len(played.script.deaths)


def test_a_program_that_does_otherwise_parts_from_what_was_recorded():
    mutant = mutants.named("planned-size-in-rollback")
    with tempfile.TemporaryDirectory(prefix="hedger-mutant-") as name:
        copy = Path(name)
        mutants._copy(copy, mutant.file)
        mutants.apply(mutant, copy)
        _, told = mutants._simulate(copy, "--replay", str(PARTIAL))
    assert "parts at order 3: then x10 rollback sell 0.057 filled, now x10 rollback sell" in told


def changed(tmp_path: Path, change: Callable[[dict[str, Any]], object]) -> Path:
    raw = json.loads(PARTIAL.read_text(encoding="utf-8"))
    change(raw)
    path = tmp_path / "changed.json"
    path.write_text(json.dumps(raw), encoding="utf-8")
    return path


def test_what_is_printed_shows_both_and_where_they_part(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    """A recorded order that cannot come about is told, and is no failure by itself."""
    path = changed(tmp_path, lambda raw: raw["orders"][2].update(side="buy"))
    assert replay.main(str(path)) == 0
    told = capsys.readouterr().out
    assert "order 2 meets: filled 0.400 of it" in told
    assert "<-- parts" in told
    assert "parts at order 3: then x10 rollback buy 0.057 filled, now x10 rollback sell" in told
    assert "violations: 0" in told


def test_a_broken_promise_is_exit_status_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    found = replay.played(PARTIAL)
    broken = replace(found.result, violations=[Violation("4 naked", "ETH stood alone", 12.0)])
    monkeypatch.setattr(replay, "played", lambda _: replace(found, result=broken))
    assert replay.main(str(PARTIAL)) == 1
    assert "broken 4 naked: ETH stood alone (at 12.0 s)" in capsys.readouterr().out


def test_a_market_that_is_not_simulated_has_another_stand_in_for_it(tmp_path: Path):
    path = changed(tmp_path, lambda raw: raw["hedge"].update(symbol="WIF"))
    played = replay.played(path)
    assert "ETH stands in for WIF" in played.stage.told
    assert played.parts is None


def wrong(raw: dict[str, Any], **changes: Any) -> None:
    raw.update(changes)


WRONG: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "format": (lambda raw: wrong(raw, format="other"), "is no bundle"),
    "version": (
        lambda raw: wrong(raw, version=2),
        "is a bundle of version 2, and this program plays 1",
    ),
    "no-orders": (lambda raw: wrong(raw, orders=[]), "has no orders"),
    "no-hedge": (lambda raw: raw.pop("hedge"), "is not as hedger writes bundles"),
    "no-settings": (lambda raw: raw.pop("settings"), "is not as hedger writes bundles"),
    "venue": (lambda raw: raw["hedge"].update(venue_b="other"), "which nobody simulates"),
    "no-size": (lambda raw: raw["hedge"].update(requested_usd="0"), "asks for no size"),
    "nan": (lambda raw: raw["hedge"].update(planned_size="NaN"), "is not as hedger writes"),
    "negative": (lambda raw: raw["orders"][0].update(size="-1"), "is not as hedger writes"),
    "float": (lambda raw: raw["orders"][0].update(size=0.1), "is not as hedger writes"),
    "found": (lambda raw: raw["orders"][0].update(purpose="rollback"), "was found and not opened"),
    "no-instant": (
        lambda raw: raw["orders"][0].update(prepared_at="never"),
        "is not as hedger writes",
    ),
    "event": (lambda raw: raw["events"].append(3), "is not as hedger writes"),
    "market": (lambda raw: raw["markets"].update(x10=[]), "is not as hedger writes"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_bundle_that_cannot_be_played_is_exit_status_2_with_one_sentence(
    name: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
):
    change, told = WRONG[name]
    path = changed(tmp_path, change)
    assert replay.main(str(path)) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert told in err
    assert err.startswith(str(path))
    assert err.count("\n") == 1


def test_a_file_that_is_none_or_no_json_is_exit_status_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    assert replay.main(str(tmp_path / "no.json")) == 2
    (tmp_path / "text.json").write_text("[" * 100_000, encoding="utf-8")
    assert replay.main(str(tmp_path / "text.json")) == 2
    shutil.copy(PARTIAL, tmp_path / "cut.json")
    os.truncate(tmp_path / "cut.json", 1_000)
    assert replay.main(str(tmp_path / "cut.json")) == 2
    assert capsys.readouterr().err.count("\n") == 3
