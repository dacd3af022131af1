"""`hedger status` and `hedger settle`: what stands in the way, and the way out by hand."""

import asyncio
import getpass
import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from hedger import log, unitcheck
from hedger.cli import root
from hedger.cli.exit_codes import ExitCode
from hedger.control import ControlServer
from hedger.domain.hedge import State
from hedger.domain.ids import Symbol, VenueId
from hedger.handlers import handlers
from hedger.home import Home
from hedger.ledger import migrate
from hedger.ledger.store import Store, open_store
from hedger.reconciler import Report
from hedger.standing import remember
from tests.clocks import ManualClock
from tests.integration.test_cli_commands import Desk, the_error
from tests.unit.ledger import build

NOW = datetime(2026, 1, 2, 21, 30, tzinfo=UTC)
LIGHTER = VenueId("lighter")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Home]:
    monkeypatch.setenv("HEDGER_HOME", str(tmp_path / "home"))
    umask = os.umask(0o077)
    found = Home(tmp_path / "home")
    found.prepare("sandbox")
    yield found
    os.umask(umask)
    log.configure()


@pytest.fixture
def store(home: Home) -> Iterator[Store]:
    clock = ManualClock(NOW)
    migrate.upgrade(home.ledger, clock)
    with open_store(home.ledger, clock) as opened:
        yield opened


def escalated(store: Store) -> str:
    hedge = build.a_hedge()
    store.plan(hedge)
    store.intend(build.an_order(), move_to=(State.OPENING_A, "leg A is being sent"))
    store.move(store.hedge(hedge.id), State.ESCALATED, "no proof within 60 s")
    return hedge.id


def found(*doubts: str, blocked: bool = False) -> Report:
    return Report(
        differences=[],
        in_doubt={VenueId(venue): "GET /account: HTTP 503" for venue in doubts},
        blocked=frozenset({(LIGHTER, Symbol("SOL"))} if blocked else ()),
    )


def test_status_names_what_stands_in_the_way_and_the_way_out(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    name = escalated(store)
    remember(store, found("lighter", blocked=True), ManualClock(NOW))
    store.alert("a leg stands alone")

    code = root.run(["status"])

    told = capsys.readouterr().err
    assert code == ExitCode.EXPOSED
    assert f"hedge {name} needs you since" in told
    assert f"hedger rollback {name}" in told
    assert f"hedger settle {name} --reason TEXT" in told
    assert "lighter is in doubt since 2026-01-02 21:30:00 UTC: GET /account: HTTP 503" in told
    assert "not opened on: lighter:SOL" in told
    assert "a leg stands alone (hedger acknowledge 1)" in told


def test_status_as_json_has_the_same_under_stable_keys(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    remember(store, found("lighter"), ManualClock(NOW))

    root.run(["status", "--format", "json"])

    shown: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert shown["in_doubt"][0]["venue"] == "lighter"
    assert (shown["blocked_markets"], shown["escalated"], shown["alerts"]) == ([], [], [])


def test_status_names_the_newest_alerts_and_counts_the_older_ones(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(1, 9):
        store.alert(f"leg {number} stands alone")

    root.run(["status"])

    told = capsys.readouterr().err
    assert "leg 8 stands alone (hedger acknowledge 8)" in told
    assert "leg 3 stands alone" not in told
    assert "and 3 older alerts that nobody has acknowledged" in told


def test_a_doubt_keeps_its_beginning_and_goes_when_the_venue_answers(store: Store) -> None:
    clock = ManualClock(NOW)
    remember(store, found("lighter"), clock)
    clock.advance(600)
    remember(store, found("lighter"), clock)
    assert json.loads(store.metas("doubt:")["doubt:lighter"])["since"] == NOW.isoformat()

    remember(store, found(), clock)

    assert store.metas("doubt:") == {}


async def test_settle_tells_the_daemon_who_and_why(home: Home) -> None:
    desk = Desk()
    async with ControlServer(home.control_socket, handlers(desk), environment="sandbox"):
        code = await asyncio.to_thread(
            root.run, ["settle", "eth-1", "--reason", "delisted", "--force"]
        )

    assert code == ExitCode.DONE
    assert desk.asked == [("settle", "eth-1", getpass.getuser(), "delisted", True)]


@pytest.mark.usefixtures("home")
def test_settle_without_a_reason_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert root.run(["settle", "eth-1"]) == ExitCode.USAGE
    assert "--reason" in the_error(capsys)


def test_status_shows_what_holding_is_worth_beside_the_naive_rate(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    valued, unvalued = build.a_hedge("eth-1", "ETH"), build.a_hedge("btc-1", "BTC")
    for hedge in (valued, unvalued):
        store.plan(hedge)
    worth = {"stay_usd": "0.1", "leave_usd": "0.3", "break_even_h": 9, "naive_apy": "1.58"}
    store.set_meta("holding:eth-1", json.dumps(worth | {"fired": []}))

    root.run(["status", "--format", "json"])

    shown = {row["id"]: row for row in json.loads(capsys.readouterr().out)["hedges"]}
    assert {key: shown["eth-1"][key] for key in worth} == worth
    assert {shown["btc-1"][key] for key in worth} == {None}  # not looked at yet: unknown, not zero


@pytest.mark.parametrize("when", ["at the last look", "since then"])
def test_status_values_nothing_by_rates_that_are_in_doubt(
    store: Store, capsys: pytest.CaptureFixture[str], when: str
) -> None:
    """A rate taken for another unit made a hedge look worth a hundred times what it is."""
    store.plan(build.a_hedge("eth-1", "ETH"))
    worth = {"stay_usd": "91.7", "leave_usd": "0.3", "break_even_h": 1, "naive_apy": "158"}
    why = "lighter is 8 times too high"
    if when == "since then":
        store.set_meta(f"{unitcheck.DOUBT}lighter", json.dumps({"since": "now", "why": why}))
    else:
        worth |= {"rates_in_doubt": why}
    store.set_meta("holding:eth-1", json.dumps(worth | {"fired": []}))

    root.run(["status", "--format", "json"])
    (row,) = json.loads(capsys.readouterr().out)["hedges"]
    root.run(["status"])
    table = capsys.readouterr().out

    assert [row[key] for key in ("stay_usd", "break_even_h", "naive_apy")] == [None, None, None]
    assert (row["leave_usd"], row["rates_in_doubt"]) == ("0.3", why)
    assert "unknown (rates in doubt)" in table
    assert "91.7" not in table
    assert "158" not in table
