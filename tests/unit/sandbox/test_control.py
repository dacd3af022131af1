"""The control API over HTTP, and the composition of both venues, in virtual time."""

import httpx
import pytest

from adapters.sandbox.credentials import generate
from adapters.sandbox.options import SandboxOptions
from adapters.sandbox.server import Sandbox
from hedger.errors import ConfigError
from hedger.settings import Sandbox as SandboxSettings
from tests.clocks import ManualClock

REFUSE = {"venue": "lighter", "kind": "refuse", "code": 21739}


@pytest.fixture
async def control(world):
    async with httpx.AsyncClient(base_url=world.control_url, trust_env=False) as client:
        yield client


async def test_a_fault_can_be_posted_listed_and_deleted(control, world):
    answer = await control.post("/faults", json=[REFUSE, {**REFUSE, "skip": 1}])
    first, second = answer.json()["ids"]
    listed = (await control.get("/faults")).json()["faults"]
    assert [fault["id"] for fault in listed] == [first, second]
    assert listed[0]["fault"] == REFUSE
    assert (await control.delete(f"/faults/{first}")).json() == {"deleted": 1}
    assert (await control.delete("/faults")).json() == {"deleted": 1}
    assert world.sandbox.faults.listing() == []


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"{", "the body must be JSON"),
        (b"[1]", "a fault must be an object"),
        (b'{"venue": "x10", "kind": "refuse"}', "needs the key code"),
        (b'{"venue":"x10","kind":"refuse","code":1140,"market":"NOPE"}', "no such market"),
    ],
)
async def test_a_wrong_fault_is_http_400_with_one_sentence(control, body, words):
    answer = await control.post("/faults", content=body)
    assert answer.status_code == 400
    assert words in answer.json()["error"]


async def test_the_state_tells_both_clocks_balances_and_no_position(control, world):
    state = (await control.get("/state")).json()
    assert state["market_ms"] >= 1_767_387_600_000
    assert state["wire_ms"] > state["market_ms"]
    assert state["hour_s"] == 3_600
    for venue in ("x10", "lighter"):
        assert state[venue]["positions"] == {}
        assert state[venue]["orders"] == []
        assert state[venue]["balance"]["available"] == "10000"
        assert state[venue]["account"] == str(world.account(venue))


async def test_market_time_advances_and_wire_time_does_not(control):
    before = (await control.get("/health")).json()
    after = (await control.post("/clock/advance", json={"hours": 2})).json()
    assert after["market_ms"] - before["market_ms"] == 7_200_000
    assert after["wire_ms"] == before["wire_ms"]
    later = (await control.post("/clock/advance", json={"seconds": 0.5})).json()
    assert later["market_ms"] - after["market_ms"] == 500


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        {"days": 1},
        {"hours": -1},
        {"hours": 0},
        {"hours": "1"},
        {"hours": True},
        {"hours": 1_000},
        {"hours": 1, "seconds": 1},
    ],
)
async def test_a_wrong_advance_is_http_400(control, body):
    assert (await control.post("/clock/advance", json=body)).status_code == 400


async def test_payments_come_otherwise_until_that_is_taken_back(control, world):
    asked = {"venue": "x10", "stopped": True, "late_s": 60, "twice": "other_id"}
    answer = await control.post("/payments", json=asked)
    assert answer.json() == {"stopped": True, "late_s": 60, "twice": "other_id"}
    assert world.exchange("x10").paying.stopped
    again = await control.post("/payments", json={"venue": "x10"})
    assert again.json() == {"stopped": False, "late_s": 0, "twice": "no"}
    assert not world.exchange("x10").paying.stopped


@pytest.mark.parametrize(
    "body",
    [{}, {"venue": "moon"}, {"venue": "x10", "late_s": -1}, {"venue": "x10", "twice": "thrice"}],
)
async def test_a_wrong_treatment_of_payments_is_http_400(control, body):
    assert (await control.post("/payments", json=body)).status_code == 400


@pytest.mark.sandbox(hour_s=5)
async def test_market_hours_pass_as_fast_as_asked(control, world):
    before = (await control.get("/health")).json()
    await world.pass_time(10)
    after = (await control.get("/health")).json()
    assert after["wire_ms"] - before["wire_ms"] == 10_000
    assert after["market_ms"] - before["market_ms"] == 2 * 3_600_000


async def test_during_an_outage_connections_are_closed_and_then_it_is_over(world):
    url = world.line["x10"]["api_base_url"] + "/info/markets"
    async with httpx.AsyncClient(trust_env=False) as client:
        world.fault("x10", "outage", seconds=30)
        with pytest.raises(httpx.RemoteProtocolError):
            await client.get(url)
        await world.pass_time(31)
        assert (await client.get(url)).status_code == 200


@pytest.mark.sandbox(tier="standard")
async def test_the_61st_request_of_a_minute_is_too_many_for_a_standard_account(world):
    url = world.line["lighter"]["url"] + "/api/v1/funding-rates"
    async with httpx.AsyncClient(trust_env=False) as client:
        statuses = [(await client.get(url)).status_code for _ in range(60)]
        refused = await client.get(url)
        assert set(statuses) == {200}
        assert refused.status_code == 429
        assert refused.json() == {"code": 23000, "message": "Too Many Requests!"}
        await world.pass_time(61)
        assert (await client.get(url)).status_code == 200


@pytest.mark.sandbox(faults=({"venue": "x10", "kind": "outage", "seconds": 5},))
async def test_faults_of_the_configuration_are_there_from_the_start(world):
    assert world.sandbox.faults.outage("x10")


def test_the_sandbox_refuses_to_listen_beyond_this_machine():
    with pytest.raises(ConfigError, match="this machine only"):
        Sandbox(SandboxOptions(), ManualClock(), host="0.0.0.0")


def test_a_wrong_fault_in_the_configuration_names_its_place():
    settings = SandboxSettings(faults=(REFUSE, {"venue": "x10", "kind": "refuse"}))
    with pytest.raises(ConfigError, match=r"sandbox\.faults\.1: fault refuse needs the key code"):
        SandboxOptions.of(settings)


def test_keys_are_new_at_every_start_unless_a_seed_is_given():
    assert generate() != generate()
    assert generate(5) == generate(5)
    assert generate(5).x10.private_key not in repr(generate(5))


def test_the_announcement_has_exactly_the_promised_keys():
    line = generate(5).announcement("http://127.0.0.1:1", "http://127.0.0.1:2", "http://c")
    assert list(line) == ["x10", "lighter", "control_url"]
    assert " ".join(line["x10"]) == (
        "api_base_url stream_url api_key public_key private_key vault chain_id"
    )
    assert " ".join(line["lighter"]) == (
        "url account_index api_key_index private_key api_keys chain_id"
    )
    keys = line["lighter"]["api_keys"]
    assert len(keys) >= 3
    first = str(line["lighter"]["api_key_index"])
    assert next(iter(keys)) == first
    assert keys[first] == line["lighter"]["private_key"]
