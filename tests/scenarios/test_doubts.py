"""``reconcile`` says that ledger and venues agree only where both were read and believed."""

from typing import Any

import pytest

from hedger.cli import reconciling
from hedger.cli.exit_codes import ExitCode
from hedger.domain.hedge import State
from tests.desk import Desk
from tests.world import LIGHTER, X10

LAG_PASSED_S = 40.0
VENUES = [X10, LIGHTER]
UNREADABLE: dict[str, dict[str, Any]] = {
    "redirect": {"status": 307, "headers": {"Location": "http://127.0.0.1:1/"}, "body": ""},
    "html": {"headers": {"Content-Type": "text/html"}, "body": "<html>maintenance</html>"},
    "nan": {"body": "NaN"},
}


async def asked(desk: Desk) -> dict[str, Any]:
    return dict(await desk.trader.reconcile(desk.said.append))


async def test_ledger_and_venues_that_agree_are_said_to(desk: Desk) -> None:
    await desk.open("ETH", 100)

    found = await asked(desk)

    assert reconciling.doubts(found) == []
    assert reconciling.exit_code(found) is ExitCode.DONE


async def test_r1_a_fresh_account_under_an_old_ledger_is_no_agreement(desk: Desk) -> None:
    hedge = await desk.open("SOL", 100)
    await desk.world.pass_time(LAG_PASSED_S)
    for venue in VENUES:
        desk.world.forget(venue, "SOL")

    found = await asked(desk)

    assert reconciling.exit_code(found) is ExitCode.EXPOSED
    told = reconciling.doubts(found)
    assert sorted(line.partition(":")[0] for line in told) == [
        f"{venue} is in doubt" for venue in sorted(VENUES)
    ]
    assert all("it shows 0 SOL" in line for line in told)
    assert found["unread"] == []
    assert desk.store.hedge(hedge.id).state is State.OPEN


async def test_r1_right_after_the_opening_it_waits_until_it_can_tell(desk: Desk) -> None:
    """Readings may be older than our last fill; until they cannot be, nothing is said."""
    await desk.open("SOL", 100)
    for venue in VENUES:
        desk.world.forget(venue, "SOL")

    found = await asked(desk)

    assert any("may be an old reading: looking again in" in line for line in desk.said)
    assert reconciling.exit_code(found) is ExitCode.EXPOSED
    assert len(reconciling.doubts(found)) == len(VENUES)


@pytest.mark.parametrize("answer", UNREADABLE)
@pytest.mark.parametrize("silent", [[X10], [LIGHTER], VENUES], ids=["x10", "lighter", "both"])
async def test_f6_venues_that_could_not_be_read_are_named_and_are_no_agreement(
    desk: Desk, silent: list[str], answer: str
) -> None:
    await desk.open("ETH", 100)
    await desk.world.pass_time(LAG_PASSED_S)
    for venue in silent:
        desk.world.rewrite(venue, ".", method="GET", times=0, **UNREADABLE[answer])

    found = await asked(desk)

    assert found["unread"] == sorted(silent)
    assert reconciling.exit_code(found) is ExitCode.VENUE
    told = reconciling.doubts(found)
    assert [line.split(": ")[0] for line in told] == [
        f"{venue} could not be read" for venue in sorted(silent)
    ]


async def test_f6_working_orders_that_could_not_be_read_are_no_agreement(desk: Desk) -> None:
    desk.world.rewrite(X10, "/user/orders", method="GET", times=0, status=503, body="down")

    found = await asked(desk)

    assert found["unread"] == [X10]
    assert reconciling.doubts(found)[0].startswith("x10 could not be read: its working orders: ")
    assert reconciling.exit_code(found) is ExitCode.VENUE


def test_a_venue_that_contradicts_itself_outranks_one_that_is_silent() -> None:
    result = {
        "differences": [],
        "in_doubt": {X10: "HTTP 503", LIGHTER: "it shows 0 ETH, and its own trades make 1"},
        "unread": [X10],
    }

    assert reconciling.exit_code(result) is ExitCode.EXPOSED
    assert reconciling.doubts(result) == [
        "lighter is in doubt: it shows 0 ETH, and its own trades make 1",
        "x10 could not be read: HTTP 503",
    ]


def test_a_hedge_that_needs_a_person_is_no_agreement() -> None:
    result = {"differences": [], "in_doubt": {}, "escalated": ["eth-1"]}

    assert reconciling.exit_code(result) is ExitCode.EXPOSED
    assert "hedge eth-1 is not at rest" in reconciling.doubts(result)[0]
