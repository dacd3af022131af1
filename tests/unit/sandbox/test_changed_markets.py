"""Markets that change while a venue runs, over the control API and on the wire."""

from decimal import Decimal

import httpx
import pytest

from hedger.domain.ids import Symbol
from hedger.domain.market import MarketStatus

D = Decimal
ETH = Symbol("ETH")


@pytest.fixture
async def control(world):
    async with httpx.AsyncClient(base_url=world.control_url, trust_env=False) as client:
        yield client


async def _lighter_row(world):
    async with httpx.AsyncClient(base_url=world.line["lighter"]["url"], trust_env=False) as client:
        rows = (await client.get("/api/v1/orderBookDetails")).json()["order_book_details"]
    number = world.exchange("lighter").rules["ETH"].market_id
    return next(row for row in rows if row["market_id"] == number)


async def _x10_rows(world):
    base, agent = world.line["x10"]["api_base_url"], {"User-Agent": "test"}
    async with httpx.AsyncClient(headers=agent, trust_env=False) as client:
        return (await client.get(f"{base}/info/markets")).json()["data"]


async def test_decimals_change_the_step_and_what_a_signed_integer_means(world):
    before = await _lighter_row(world)
    rules = world.change_market("lighter", "ETH", size_decimals=3, price_decimals=1)
    assert (rules["size_step"], rules["price_tick"]) == ("0.001", "0.1")
    after = await _lighter_row(world)
    assert (before["size_decimals"], after["size_decimals"]) == (4, 3)
    assert after["supported_price_decimals"] == 1


async def test_a_step_changes_the_decimals_of_lighter_and_nothing_else_on_x10(world):
    assert world.change_market("lighter", "AAVE", size_step=D("0.1"))["size_decimals"] == 1
    assert world.change_market("x10", "SOL", price_tick="0.37")["price_tick"] == "0.37"
    sol = next(row for row in await _x10_rows(world) if row["name"] == "SOL-USD")
    assert sol["tradingConfig"]["minPriceChange"] == "0.37"


@pytest.mark.parametrize(
    ("word", "lighter", "x10"),
    [
        ("active", MarketStatus.ACTIVE, MarketStatus.ACTIVE),
        ("reduce_only", MarketStatus.REDUCE_ONLY, MarketStatus.REDUCE_ONLY),
        ("inactive", MarketStatus.CLOSED, MarketStatus.CLOSED),
        ("something-new", MarketStatus.CLOSED, MarketStatus.CLOSED),
    ],
)
async def test_a_status_is_what_the_adapters_read(world, word, lighter, x10):
    for venue, expected in (("lighter", lighter), ("x10", x10)):
        world.change_market(venue, "ETH", status=word)
        adapter = await world.venue(venue)
        assert (await adapter.instrument(ETH)).status is expected


async def test_a_market_gets_another_name_and_number(world):
    world.change_market("lighter", "ETH", name="WETH", number=250)
    row = await _lighter_row(world)
    assert (row["symbol"], row["market_id"]) == ("WETH", 250)
    world.change_market("x10", "ETH", name="WETH-USD")
    names = {row["name"] for row in await _x10_rows(world)}
    assert "WETH-USD" in names
    assert "ETH-USD" not in names


async def test_a_market_that_is_not_listed_is_found_by_nobody_and_keeps_what_is_held(world):
    for venue in ("x10", "lighter"):
        assert world.change_market(venue, "ETH", listed=False)["listed"] is False
    assert "ETH-USD" not in {row["name"] for row in await _x10_rows(world)}
    number = world.exchange("lighter").rules["ETH"].market_id
    async with httpx.AsyncClient(base_url=world.line["lighter"]["url"], trust_env=False) as client:
        rows = (await client.get("/api/v1/orderBookDetails")).json()["order_book_details"]
        book = await client.get(f"/api/v1/orderBookOrders?market_id={number}&limit=1")
    assert number not in {row["market_id"] for row in rows}
    assert (book.status_code, book.json()["code"]) == (400, 21602)
    base, agent = world.line["x10"]["api_base_url"], {"User-Agent": "test"}
    async with httpx.AsyncClient(headers=agent, trust_env=False) as client:
        assert (await client.get(f"{base}/info/markets/ETH-USD/orderbook")).status_code == 404
    assert world.exchange("x10").mark("ETH") > 0
    world.change_market("lighter", "ETH", listed=True)
    assert (await _lighter_row(world))["symbol"] == "ETH"


async def test_a_price_moves_at_once_and_along_a_path(world):
    world.change_market("x10", "ETH", price="5000")
    assert world.exchange("x10").mark("ETH") == 5000
    points = [{"after_s": 0, "price": "3000"}, {"after_s": 10, "price": "4000"}]
    world.change_market("lighter", "ETH", price=points)
    lighter = world.exchange("lighter")
    assert lighter.mark("ETH") == 3000
    await world.pass_time(5)
    assert abs(lighter.mark("ETH") - 3500) < 1
    assert D((await _lighter_row(world))["mark_price"]) == lighter.mark("ETH")
    world.advance_market(hours=1)
    assert lighter.mark("ETH") == 4000
    world.change_market("lighter", "ETH", price=None)
    assert lighter.mark("ETH") != 4000


async def test_one_side_of_a_book_can_be_empty(world):
    world.change_market("lighter", "ETH", liquidity={"bids_usd": "0"})
    bids, asks = world.exchange("lighter").book("ETH")
    assert bids == ()
    assert asks
    world.change_market("lighter", "ETH", liquidity={"depth_usd": "0"})
    assert world.exchange("lighter").book("ETH").asks == ()
    world.change_market("lighter", "ETH", liquidity=None)
    assert world.exchange("lighter").book("ETH").bids


async def test_fees_of_one_market_change(world):
    world.change_market("x10", "ETH", taker_fee="0.001")
    exchange, account = world.exchange("x10"), world.account("x10")
    assert exchange.fees(account, "ETH")[1] == D("0.001")
    assert exchange.fees(account, "SOL")[1] == D("0.00025")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"venue": "okx", "symbol": "ETH"}, "one of x10, lighter"),
        ({"venue": "x10", "symbol": "NOPE", "status": "active"}, "lists no market NOPE"),
        ({"venue": "x10", "symbol": "ETH", "colour": 1}, "no key 'colour'"),
        ({"venue": "x10", "symbol": "ETH", "size_step": "0"}, "a decimal above 0"),
        ({"venue": "x10", "symbol": "ETH", "size_step": "NaN"}, "a decimal above 0"),
        ({"venue": "lighter", "symbol": "ETH", "number": 1}, "already"),
        ({"venue": "x10", "symbol": "ETH", "price": []}, "a list of 1 to"),
        (
            {"venue": "x10", "symbol": "ETH", "price": [{"after_s": 1, "price": "1"}] * 2},
            "later than the point before",
        ),
        ({"venue": "x10", "symbol": "ETH", "liquidity": {"depth": 1}}, "no key 'depth'"),
    ],
)
async def test_a_wrong_change_is_http_400_with_one_sentence(control, body, words):
    answer = await control.post("/market", json=body)
    assert answer.status_code == 400
    assert words in answer.json()["error"]


async def test_markets_are_told_as_they_are_now(control):
    await control.post("/market", json={"venue": "x10", "symbol": "ETH", "min_size": "7"})
    assert (await control.get("/markets/x10")).json()["ETH"]["min_size"] == "7"
    assert (await control.get("/markets/okx")).status_code == 400


async def test_the_control_api_works_over_real_sockets_too(real_world):
    """One change, one rewrite and the counts, as a shell or another program would ask for them."""
    agent = {"User-Agent": "test"}
    async with httpx.AsyncClient(headers=agent, trust_env=False) as client:
        control, x10 = real_world.control_url, real_world.line["x10"]["api_base_url"]
        change = {"venue": "x10", "symbol": "ETH", "status": "inactive", "price": "3000"}
        rules = (await client.post(f"{control}/market", json=change)).json()
        assert rules["active"] is False
        rewrite = {"venue": "x10", "path": "/info/markets$", "replace": [
            {"find": '"DISABLED"', "with": '"PRELISTED"'}
        ]}  # fmt: skip
        await client.post(f"{control}/rewrites", json=rewrite)
        for status in ("PRELISTED", "DISABLED"):
            rows = (await client.get(f"{x10}/info/markets")).json()["data"]
            eth = next(row for row in rows if row["name"] == "ETH-USD")
            assert eth["status"] == status
            assert D(eth["marketStats"]["markPrice"]) == 3000
        paths = (await client.get(f"{control}/requests")).json()["x10"]["paths"]
        assert paths["GET /api/v1/info/markets"]["count"] == 2
