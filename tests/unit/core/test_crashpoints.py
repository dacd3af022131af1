"""Crash points: where they stand, and that nothing that writes or sends is without one."""

import ast
import inspect
import textwrap
from collections.abc import Iterator
from typing import Any

import pytest

from hedger import crashpoints
from hedger.cli import root
from hedger.cli.exit_codes import ExitCode
from hedger.crashpoints import LABELS, QUOTE_SITES, STORE_SITES, VARIABLE, VENUE_SITES
from hedger.domain.hedge import State
from hedger.domain.order import Purpose
from hedger.errors import UsageError
from hedger.ledger.reader import Reader
from hedger.ledger.store import Store
from hedger.ports import QuoteSource, Venue
from tests.crash import scenes, truth
from tests.desk import Desk

FAR = 10**9  # a pass that is never reached: armed, and nothing happens


@pytest.fixture
def _armed() -> Iterator[None]:
    crashpoints.arm({VARIABLE: f"plan.before:{FAR}"}, real_money=False)
    yield
    crashpoints.arm({}, real_money=False)


def test_there_are_at_least_twenty_five_labels_and_no_two_are_alike() -> None:
    assert len(LABELS) == len(set(LABELS)) >= 25


SELDOM_WRITES = {
    "next_order_id": "a new start, once in 4,095 orders, at the site of set_meta",
    "overtake": "the same",
    "notice": "what the next write would tell, at the site of alert",
}


def writing_methods() -> list[str]:
    """Everything of the store that a reader does not have, down to its last base."""
    return [
        name
        for name, member in inspect.getmembers(Store, inspect.isfunction)
        if not name.startswith("_") and not hasattr(Reader, name) and name not in SELDOM_WRITES
    ]


@pytest.mark.parametrize("method", writing_methods())
def test_every_writing_method_of_the_store_has_its_own_site(method: str) -> None:
    sites = _sites_in(getattr(Store, method))
    assert len(sites) == 1, f"Store.{method} has no crash point of its own"
    if method == "move":
        known = {f"move_{state}" for state in State} & set(STORE_SITES)
        reachable = {f"move_{state}" for state in State} - {
            "move_planned",  # a hedge begins there
            "move_opening_a",  # with its intent
            "move_opening_b",  # with its intent
            "move_orphan",  # adopted, not moved
        }
        assert known == reachable
    else:
        assert sites == [method]
        assert method in STORE_SITES


def _sites_in(method: Any) -> list[str]:
    """What a method hands to ``_writing``, or passes itself."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(method)))
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    sites = []
    for call in calls:
        name = call.func.attr if isinstance(call.func, ast.Attribute) else ""
        if name in {"_writing", "reach"}:
            site = call.args[0]
            sites.append(str(site.value) if isinstance(site, ast.Constant) else ast.unparse(site))
    return sorted(set(sites))


@pytest.mark.parametrize(
    ("port", "sites"), [(Venue, VENUE_SITES), (QuoteSource, QUOTE_SITES)], ids=["venue", "quotes"]
)
def test_every_call_of_a_venue_has_a_site(port: type, sites: tuple[str, ...]) -> None:
    calls = {
        name
        for name, member in inspect.getmembers(port, inspect.iscoroutinefunction)
        if name != "close"  # gives back connections and asks nothing
    }
    sends = {f"submit_{purpose}" for purpose in Purpose}
    assert calls - {"submit"} | (sends if "submit" in calls else set()) == set(sites)


def test_every_label_that_the_daemon_passes_has_a_scene() -> None:
    assert set(scenes.SCENES) <= set(crashpoints.SITES)
    assert set(crashpoints.SITES) >= set(scenes.NEVER)
    assert len(scenes.walked()) >= 25


def test_a_fill_of_an_order_that_the_ledger_believes_dead_is_seen() -> None:
    """What the last life of ``late_fill`` waits for is not nothing."""
    orders = [{"client_id": "a", "filled": "0.1"}, {"client_id": "b", "filled": "0"}]
    state: dict[str, Any] = {"x10": {"orders": orders}, "lighter": {"orders": []}}
    believed = [{"client_id": name, "state": "dead"} for name in "ab"]

    assert truth.filled_though_dead(state, believed) == ["a"]
    booked = [{"client_id": "a", "state": "filled"}, believed[1]]
    assert truth.filled_though_dead(state, booked) == []


@pytest.mark.usefixtures("_armed")
async def test_one_hedge_passes_the_labels_of_its_life_on_both_sides(desk: Desk) -> None:
    hedge = await desk.open("ETH", 300)
    assert hedge.state is State.OPEN
    passes = crashpoints.passes()
    for site in ("plan", "intend", "settle", "move_open", "observe"):
        assert passes[f"{site}.before"] == passes[f"{site}.after"] > 0, site


@pytest.mark.usefixtures("_armed")
async def test_a_wrapped_venue_passes_a_label_before_and_after_each_call(desk: Desk) -> None:
    venue = crashpoints.around(next(iter(desk.trader.venues.values())))
    await venue.positions()
    passes = crashpoints.passes()
    assert passes["positions.before"] == passes["positions.after"] == 1
    assert venue.id in desk.trader.venues


def test_unarmed_a_venue_is_not_wrapped_and_nothing_is_counted() -> None:
    crashpoints.arm({}, real_money=False)
    port = object()
    assert crashpoints.around(port) is port
    crashpoints.reach("plan", "before")
    assert crashpoints.passes() == {}


@pytest.mark.parametrize("text", ["plan", "plan.before", "plan.before:0", "nowhere.before:1"])
def test_what_names_no_pass_of_a_label_is_refused_with_the_labels(text: str) -> None:
    with pytest.raises(UsageError, match=r"label:n.*plan\.before"):
        crashpoints.arm({VARIABLE: text}, real_money=False)


def test_it_is_refused_with_live(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Any
) -> None:
    monkeypatch.setenv(VARIABLE, "plan.before:1")
    monkeypatch.setenv("HEDGER_HOME", str(tmp_path / "home"))
    assert root.run(["run", "--live"]) == ExitCode.USAGE
    assert VARIABLE in capsys.readouterr().err
    assert not (tmp_path / "home").exists()
