"""A venue that loses positions, orders and trades, nonces that go back, keys that are revoked."""

from datetime import timedelta
from decimal import Decimal

import httpx
import pytest

from hedger.domain.ids import HedgeId, OrderId, Symbol
from hedger.domain.money import to_step
from hedger.domain.order import Declined, Order, Purpose, Side
from hedger.errors import DeniedError
from tests import desk as desks

D = Decimal
ETH = Symbol("ETH")
VENUES = ("x10", "lighter")


@pytest.fixture
async def desk(world, tmp_path):
    async with desks.at_desk(world, tmp_path) as desk:
        yield desk


@pytest.mark.parametrize("venue", VENUES)
async def test_a_lost_batch_is_gone_from_every_read_and_so_is_its_money(desk, venue):
    world = desk.world
    before = world.state()[venue]["balance"]
    await desk.open("ETH", 300)
    held = world.position(venue, "ETH")
    other = world.position("x10" if venue == "lighter" else "lighter", "ETH")
    assert held == -other != 0

    assert world.forget(venue, "ETH")["positions"] == 1

    state = world.state()[venue]
    assert (state["positions"], state["orders"], state["trades"]) == ({}, [], [])
    assert state["balance"] == before
    await world.pass_time(1)  # reads are late
    adapter = await world.venue(venue)
    assert not (await adapter.position(ETH)).size
    assert (await adapter.balance()).equity_usd == D(before["equity"])
    assert world.position("x10" if venue == "lighter" else "lighter", "ETH") == other


@pytest.mark.parametrize("venue", VENUES)
async def test_a_lost_batch_comes_back_as_it_was(desk, venue):
    await desk.open("ETH", 300)
    before = desk.world.state()[venue]
    desk.world.forget(venue, "ETH")
    desk.world.remember(venue, "ETH")
    after = desk.world.state()[venue]
    for part in ("positions", "orders", "trades", "balance"):
        assert after[part] == before[part], part
    desk.assert_ledger_is_true()


async def test_only_what_is_named_is_lost(desk):
    await desk.open("ETH", 300)
    world = desk.world
    world.forget("lighter", "ETH", what=("positions",))
    state = world.state()["lighter"]
    assert state["positions"] == {}
    assert state["trades"]
    assert state["orders"]


@pytest.mark.parametrize(
    ("path", "body", "words"),
    [
        ("/forget", {"venue": "x10", "symbol": "NOPE"}, "no market NOPE"),
        ("/forget", {"venue": "x10", "symbol": "ETH", "what": ["all"]}, "some of positions"),
        ("/nonce", {"nonce": -1}, "a whole number from 0"),
        ("/nonce", {"api_key_index": 99, "nonce": 1}, "no key has the index 99"),
        ("/keys/revoke", {"venue": "x10", "api_key_index": 5}, "is for lighter"),
        ("/keys/register", {"venue": "lighter", "public_key": "00"}, "needs the key api_key_index"),
        (
            "/keys/register",
            {"venue": "lighter", "api_key_index": 5, "public_key": "zz"},
            "80 hex digits",
        ),
    ],
)
async def test_a_wrong_request_is_http_400_with_one_sentence(world, path, body, words):
    async with httpx.AsyncClient(base_url=world.control_url, trust_env=False) as client:
        answer = await client.post(path, json=body)
    assert answer.status_code == 400
    assert words in answer.json()["error"]


async def test_a_nonce_goes_back_and_the_old_next_one_is_refused(desk):
    await desk.open("ETH", 300)
    world = desk.world
    (index,) = {int(order["api_key_index"]) for order in world.orders("lighter")}
    found = world.set_next_nonce("lighter", index, 0)
    assert found["before"] > 0
    assert await _shown_nonce(world, index) == 0


async def _shown_nonce(world, index):
    line = world.line["lighter"]
    query = {"account_index": line["account_index"], "api_key_index": index}
    async with httpx.AsyncClient(base_url=line["url"], trust_env=False) as client:
        return (await client.get("/api/v1/nextNonce", params=query)).json()["nonce"]


async def test_a_revoked_lighter_key_signs_nothing_and_reads_nothing(desk):
    world = desk.world
    await desk.open("ETH", 300)
    world.revoke_key("lighter")
    before = world.position("lighter", "ETH")

    await desk.close(desk.store.live()[0])

    assert world.position("lighter", "ETH") == before
    assert any("does not accept API key" in row["text"] for row in desk.events("exit_stands"))
    line = world.line["lighter"]
    async with httpx.AsyncClient(base_url=line["url"], trust_env=False) as client:
        query = {"account_index": line["account_index"], "api_key_index": 255}
        assert (await client.get("/api/v1/apikeys", params=query)).json()["api_keys"] == []
    world.register_key("lighter")
    async with httpx.AsyncClient(base_url=line["url"], trust_env=False) as client:
        assert len((await client.get("/api/v1/apikeys", params=query)).json()["api_keys"]) == 3


@pytest.mark.parametrize(("other_key", "code"), [(False, "21109"), (True, "21120")])
async def test_an_order_of_a_key_that_is_gone_is_refused_and_uses_no_nonce(world, other_key, code):
    adapter = await world.lighter()
    instrument = await adapter.instrument(ETH)
    order = Order(
        id=OrderId("eth-1"),
        hedge=HedgeId("eth"),
        venue=adapter.id,
        symbol=ETH,
        purpose=Purpose.OPEN,
        attempt=1,
        side=Side.BUY,
        size=D("0.1"),
        limit_price=to_step(world.exchange("lighter").mark(ETH), instrument.price_tick),
        expires_at=world.clock.now() + timedelta(seconds=10),
    )
    lane = adapter.lane(Purpose.OPEN)
    ready = await adapter.prepare(order, await adapter.next_nonce(lane))
    world.revoke_key("lighter", api_key_index=5)
    if other_key:
        key = world.sandbox.credentials.lighter.public_keys[6]
        world.register_key("lighter", api_key_index=5, public_key=key)
    declined = await adapter.submit(ready)
    assert isinstance(declined, Declined)
    assert declined.code == code
    assert world.orders("lighter") == []


async def test_a_revoked_x10_key_is_answered_401(world):
    adapter = await world.x10()
    world.revoke_key("x10")
    with pytest.raises(DeniedError):
        await adapter.positions()
    world.register_key("x10")
    assert await adapter.positions() == {}


@pytest.mark.parametrize("venue", VENUES)
async def test_auto_deleveraging_takes_a_part_at_the_mark_without_a_fee(desk, venue):
    await desk.open("ETH", 300)
    held = desk.position(venue)
    desk.world.fault(venue, "adl", market="ETH", fraction="0.4")
    assert abs(desk.position(venue)) < abs(held)
    trade = desk.world.state()[venue]["trades"][-1]
    assert (trade["kind"], trade["fee"]) == ("deleverage", "0")
