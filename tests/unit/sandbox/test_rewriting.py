"""Answers that are rewritten on their way, requests that are counted, latencies that are set."""

import gzip

import httpx
import pytest

from tests import desk as desks


@pytest.fixture
async def control(world):
    async with httpx.AsyncClient(base_url=world.control_url, trust_env=False) as client:
        yield client


@pytest.fixture
async def lighter(world):
    url = world.line["lighter"]["url"]
    async with httpx.AsyncClient(base_url=url, trust_env=False) as client:
        yield client


@pytest.fixture
async def x10(world):
    keys = {"X-Api-Key": world.line["x10"]["api_key"], "User-Agent": "test"}
    url = world.line["x10"]["api_base_url"]
    async with httpx.AsyncClient(base_url=url, headers=keys, trust_env=False) as client:
        yield client


async def test_an_answer_is_put_in_the_place_of_the_true_one_as_often_as_asked(world, x10):
    world.rewrite("x10", "/user/balance$", status=503, body="<html>", times=2)
    assert [(await x10.get("/user/balance")).status_code for _ in range(3)] == [503, 503, 200]


async def test_headers_and_packed_bytes_go_out_as_they_are(world, lighter):
    packed = gzip.compress(b'{"code": 200}')
    headers = {"Content-Encoding": "gzip", "Retry-After": "300"}
    world.rewrite("lighter", "/api/v1/", status=429, headers=headers, body=packed, times=0)
    answer = await lighter.get("/api/v1/orderBooks")
    assert answer.json() == {"code": 200}
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "300")
    world.no_rewrites()
    assert (await lighter.get("/api/v1/orderBooks")).status_code == 200


async def test_parts_of_the_true_answer_are_replaced(world, lighter):
    before = (await lighter.get("/api/v1/orderBooks?market_id=0")).json()["order_books"][0]
    world.rewrite("lighter", "/orderBooks", replace=[{"find": before["status"], "with": "frozen"}])
    after = (await lighter.get("/api/v1/orderBooks?market_id=0")).json()["order_books"][0]
    assert after == {**before, "status": "frozen"}


async def test_a_long_body_is_made_of_repeated_parts(world, x10):
    parts = ['{"data":', {"text": "[", "times": 100_000}]
    world.rewrite("x10", "/user/positions", body_parts=parts)
    assert len((await x10.get("/user/positions")).content) == 100_008


async def test_skipped_requests_pass(world, x10):
    world.rewrite("x10", "/info/markets$", status=500, skip=1)
    codes = [(await x10.get("/info/markets")).status_code for _ in range(3)]
    assert codes == [200, 500, 200]


async def test_a_rewrite_is_about_one_venue_and_one_method(world, x10, lighter):
    world.rewrite("lighter", ".", method="POST", status=500, times=0)
    assert (await x10.get("/info/markets")).status_code == 200
    assert (await lighter.get("/api/v1/orderBooks")).status_code == 200


@pytest.mark.parametrize("forward", [False, True])
async def test_an_order_is_met_by_its_body_and_has_its_effect_only_if_forwarded(
    world, tmp_path, forward
):
    async with desks.at_desk(world, tmp_path) as desk:
        world.rewrite(
            "lighter", "sendTx", request_body="tx_type=14", body='{"code": 200}', forward=forward
        )
        await desk.open("ETH", 300)
        assert world.sandbox.controls.rewrites.listing() == []
        # another order may take the place of one that did not land
        met = next(row for row in desk.rows("orders") if row["venue"] == "lighter")
        landed = {order["client_id"] for order in world.orders("lighter")}
        assert (met["client_id"] in landed) == forward


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"venue": "x10", "path": "(", "status": 500}, "a regular expression"),
        ({"venue": "x10", "path": "/"}, "needs status, headers, a body or replace"),
        ({"venue": "x10", "path": "/", "status": 99}, "a whole number from 200 to 599"),
        ({"venue": "x10", "path": "/", "body_base64": "!"}, "bytes in base64"),
        ({"venue": "x10", "path": "/", "body": "a", "body_parts": ["b"]}, "both given"),
        ({"venue": "x10", "path": "/", "headers": {"A\r\n": "b"}}, "names of headers"),
        ({"venue": "x10", "path": "/", "headers": {"A": "b\r\nC: d"}}, "control characters"),
        (
            {"venue": "x10", "path": "/", "body_parts": [{"text": "ab", "times": 60_000_000}]},
            "it may have",
        ),
        ({"venue": "x10", "path": "/", "replace": []}, "a list of 1 to"),
    ],
)
async def test_a_wrong_rewrite_is_http_400_with_one_sentence(control, body, words):
    answer = await control.post("/rewrites", json=body)
    assert answer.status_code == 400
    assert words in answer.json()["error"]


async def test_rewrites_are_bounded_listed_and_deleted(control):
    one = {"venue": "x10", "path": "/never", "status": 500, "body": "text"}
    ids = [(await control.post("/rewrites", json=one)).json()["id"] for _ in range(100)]
    assert "at most 100" in (await control.post("/rewrites", json=one)).json()["error"]
    listed = (await control.get("/rewrites")).json()["rewrites"]
    assert [row["id"] for row in listed] == ids
    assert listed[0]["body_bytes"] == 4
    assert (await control.delete(f"/rewrites/{ids[0]}")).json() == {"deleted": 1}
    assert (await control.delete("/rewrites")).json() == {"deleted": 99}


async def test_requests_are_counted_by_route_and_weight(world, control, lighter, x10):
    await control.delete("/requests")
    for index in (5, 6):
        query = {"account_index": world.account("lighter"), "api_key_index": index}
        await lighter.get("/api/v1/nextNonce", params=query)
    await lighter.get("/api/v1/orderBooks")
    for name in ("a", "b"):
        await x10.get(f"/user/orders/external/{name}")
    await x10.get("/nowhere")
    found = (await control.get("/requests")).json()
    assert found["lighter"]["weight"] == 2 * 6 + 300
    assert found["lighter"]["paths"]["GET /api/v1/nextNonce"]["count"] == 2
    assert found["x10"]["count"] == found["x10"]["weight"] == 3
    assert found["x10"]["paths"]["GET /api/v1/user/orders/external/{external_id}"]["count"] == 2
    assert found["x10"]["paths"]["other"]["count"] == 1
    assert world.requests("x10", reset=True)["count"] == 3
    assert world.requests("x10")["count"] == 0


async def test_a_request_takes_as_long_as_asked(world, lighter):
    world.latency("lighter", request_s=3)
    before = world.clock.monotonic_s()
    await lighter.get("/api/v1/orderBooks")
    assert world.clock.monotonic_s() - before >= 3
    world.latency("lighter", request_s=0)


async def test_matches_take_as_long_as_asked(world, tmp_path):
    async with desks.at_desk(world, tmp_path) as desk:
        world.latency("x10", match_s=1.5)
        world.latency("lighter", taker_s=0.7)
        await desk.open("ETH", 300)
        for venue, least_ms in (("x10", 1_500), ("lighter", 700)):
            order = world.orders(venue)[0]
            assert order["updated_ms"] - order["arrived_ms"] >= least_ms
            assert order["updated_ms"] - order["arrived_ms"] < least_ms + 400


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"venue": "x10", "taker_s": 1}, "is not for x10"),
        ({"venue": "lighter", "match_s": 1}, "is not for lighter"),
        ({"venue": "x10", "match_s": -1}, "a number of seconds from 0"),
        ({"venue": "x10", "speed": 1}, "no key 'speed'"),
    ],
)
async def test_a_wrong_latency_is_http_400_with_one_sentence(control, body, words):
    answer = await control.post("/latency", json=body)
    assert answer.status_code == 400
    assert words in answer.json()["error"]


async def test_latencies_are_told(control):
    found = await control.post("/latency", json={"venue": "x10", "match_s": 0, "read_lag_s": 2})
    assert found.json()["x10"] == {"match_s": 0, "request_s": 0, "read_lag_s": 2}
    assert (await control.get("/latency")).json() == found.json()
