"""Public and private reads over the unmodified official SDK, and faults on them."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import aiohttp
import pytest
from x10.errors import ApiError, ApiNotAuthorizedError, ApiRateLimitError

from adapters.sandbox.clock import HOUR_MS
from adapters.sandbox.tape import START_MS
from hedger.clock import Clock
from tests.unit.sandbox.x10_face_venue import KEYS, MARKET, X10Venue, x10_venue

START = datetime.fromtimestamp(START_MS / 1000, UTC)


@pytest.fixture
async def venue(virtual_time: Clock) -> AsyncIterator[X10Venue]:
    async with x10_venue(virtual_time) as opened:
        yield opened


async def test_the_sdk_parses_every_market_and_its_rules(venue: X10Venue) -> None:
    markets = await venue.client.info.get_markets_dict()
    assert len(markets) == 64
    rules, market = venue.exchange.rules_of("ETH"), markets[MARKET]
    assert market.trading_config.min_order_size_change == rules.size_step
    assert market.l2_config.synthetic_resolution == rules.synthetic_resolution
    assert market.market_stats.next_funding_rate == START_MS + HOUR_MS
    assert market.market_stats.funding_rate == venue.exchange.predicted_rate("ETH")
    (only,) = (await venue.client.info.get_markets(market_names=[MARKET])).data
    assert only.name == MARKET


async def test_status_is_sent_although_the_sdk_drops_it(venue: X10Venue) -> None:
    _, answer = await venue.get("/info/markets", market=MARKET)
    (market,) = answer["data"]
    assert (market["status"], market["isRfq"], market["tradingHours"]) == (
        "ACTIVE",
        False,
        "CONTINUOUS",
    )


async def test_stats_book_candles_and_assets_are_parsed_by_the_sdk(venue: X10Venue) -> None:
    info = venue.client.info
    venue.settle_hours(2)
    stats = (await info.get_market_statistics(market_name=MARKET)).data
    book = (await info.get_orderbook_snapshot(market_name=MARKET)).data
    assert book.bid[0].price == stats.bid_price < stats.ask_price == book.ask[0].price
    candles = (
        await info.get_candles_history(
            market_name=MARKET, candle_type="mark-prices", interval="PT1H", limit=10
        )
    ).data
    assert [candle.timestamp - START_MS for candle in candles] == [2 * HOUR_MS, HOUR_MS, 0]
    assert candles[0].low <= candles[0].close <= candles[0].high
    assets = await info.get_assets_dict()
    assert assets["ETH"].starkex_resolution == venue.exchange.rules_of("ETH").synthetic_resolution
    assert (await info.get_asset_price(asset_name="ETH")).data == venue.exchange.index("ETH")
    assert (await info.get_settings()).data is not None


async def test_the_signing_domain_can_be_asked_for(venue: X10Venue) -> None:
    _, answer = await venue.get("/info/starknet")
    assert answer["data"] == {
        "name": "Perpetuals",
        "version": "v0",
        "chainId": "SN_SEPOLIA",
        "revision": "1",
    }


async def test_applied_rates_come_newest_first_on_market_time(venue: X10Venue) -> None:
    venue.settle_hours(3)
    rows = (
        await venue.client.info.get_funding_rates_history(
            market_name=MARKET, start_time=START, end_time=START + timedelta(days=1)
        )
    ).data
    assert [row.timestamp - START_MS for row in rows] == [h * HOUR_MS + 1000 for h in (3, 2, 1)]
    assert rows[-1].funding_rate == venue.exchange.funding_rows("ETH")[0].rate


async def test_an_applied_rate_appears_a_second_after_the_hour(venue: X10Venue) -> None:
    query = {"startTime": START_MS, "endTime": START_MS + 10 * HOUR_MS}
    venue.settle_hours(1, extra_ms=999)
    assert (await venue.get(f"/info/{MARKET}/funding", **query))[1]["data"] == []
    venue.market.advance(1)
    assert len((await venue.get(f"/info/{MARKET}/funding", **query))[1]["data"]) == 1


async def test_pages_continue_after_the_cursor_until_they_are_empty(venue: X10Venue) -> None:
    venue.settle_hours(5)
    query = {"startTime": START_MS, "endTime": START_MS + 10 * HOUR_MS, "limit": 2}
    stamps: list[int] = []
    cursor: dict[str, int] = {}
    for count in (2, 2, 1, 0):
        _, answer = await venue.get(f"/info/{MARKET}/funding", **query, **cursor)
        assert answer["pagination"]["count"] == len(answer["data"]) == count
        stamps += [row["T"] for row in answer["data"]]
        cursor = {"cursor": answer["pagination"]["cursor"]}
    assert cursor == {"cursor": None}
    assert stamps == sorted(stamps, reverse=True)
    assert len(set(stamps)) == 5


async def test_funding_payments_are_signed_as_received_and_move_the_balance(
    venue: X10Venue,
) -> None:
    await venue.filled("BUY", "2")
    before = venue.exchange.balance(KEYS.vault).collateral
    venue.settle_hours(2)
    path = "/user/funding/history"
    _, answer = await venue.get(path, market=MARKET, fromTime=START_MS)
    assert answer == (await venue.get(path, market=MARKET, startTime=START_MS))[1]
    assert len(answer["data"]) == 2
    row = answer["data"][-1]
    expected = -Decimal(row["markPrice"]) * 2 * Decimal(row["fundingRate"])
    assert Decimal(row["fundingFee"]) == expected.quantize(Decimal("0.000001"))
    assert (row["side"], row["paidTime"]) == ("LONG", START_MS + HOUR_MS + 41_000)
    paid = sum(Decimal(one["fundingFee"]) for one in answer["data"])
    assert venue.exchange.balance(KEYS.vault).collateral == before + paid
    assert (await venue.get(path))[1]["error"]["code"] == 1133


async def test_an_account_without_money_has_no_balance_at_all(virtual_time: Clock) -> None:
    async with x10_venue(virtual_time, balance_usd="0") as venue:
        with pytest.raises(ApiError, match="code 404"):
            await venue.client.account.get_balance()


async def test_balance_account_fees_and_leverage_are_parsed_by_the_sdk(venue: X10Venue) -> None:
    account = venue.client.account
    assert (await account.get_balance()).data.available_for_trade == Decimal(100_000)
    assert (await account.get_account()).data.l2_vault == KEYS.vault
    assert [one.l2_vault for one in (await account.get_accounts()).data] == [KEYS.vault]
    assert (await account.get_client()).data.id == 1
    (fee,) = (await account.get_fees(market_names=[MARKET])).data
    assert (fee.maker_fee_rate, fee.taker_fee_rate) == (Decimal(0), Decimal("0.00025"))
    assert (await account.asset_operations()).data == []
    assert (await account.get_spot_balances()).data == []


async def test_leverage_can_be_changed_up_to_the_markets_maximum(venue: X10Venue) -> None:
    account = venue.client.account
    await account.update_leverage(MARKET, Decimal(5))
    (leverage,) = (await account.get_leverage([MARKET])).data
    assert leverage.leverage == 5
    with pytest.raises(ApiError, match="1050"):
        await account.update_leverage(MARKET, Decimal(500))


async def test_without_the_key_the_account_is_closed_and_markets_are_open(venue: X10Venue) -> None:
    headers = {"X-Api-Key": "wrong"}
    url = f"{venue.url}/api/v1/user/balance"
    async with venue.http.get(url, headers=headers) as answer:
        assert answer.status == 401
    async with aiohttp.ClientSession() as stranger:
        async with stranger.get(url) as answer:
            assert answer.status == 401
            assert (await answer.json())["status"] == "ERROR"
        async with stranger.get(f"{venue.url}/api/v1/info/markets") as answer:
            assert answer.status == 200


async def test_a_request_without_user_agent_is_refused(venue: X10Venue) -> None:
    url = f"{venue.url}/api/v1/info/settings"
    async with (
        aiohttp.ClientSession(skip_auto_headers=["User-Agent"]) as nameless,
        nameless.get(url) as answer,
    ):
        assert answer.status == 403


async def test_unknown_paths_markets_and_orders_are_404_in_the_envelope(venue: X10Venue) -> None:
    for path, code in (
        ("/nothing", 404),
        ("/info/markets/NOPE-USD/stats", 1001),
        ("/user/orders/123", 404),
    ):
        status, answer = await venue.get(path)
        assert (status, answer["status"], answer["error"]["code"]) == (404, "ERROR", code)


async def test_reads_can_lag_behind_the_truth(venue: X10Venue) -> None:
    await venue.filled("BUY", "0.5")
    venue.fault("lag", what=["positions", "orders"], seconds=60, times=0)
    assert (await venue.client.account.get_positions()).data == []
    assert (await venue.client.account.get_order_by_external_id("test-1")).data == []
    await venue.clock.sleep(61)
    assert len((await venue.client.account.get_positions()).data) == 1


async def test_a_read_may_find_nothing_once(venue: X10Venue) -> None:
    await venue.filled("BUY", "0.5")
    venue.fault("empty_reads", what=["positions"])
    assert (await venue.client.account.get_positions()).data == []
    assert len((await venue.client.account.get_positions()).data) == 1


async def test_a_faulty_read_of_one_market_leaves_the_others_as_they_are(venue: X10Venue) -> None:
    await venue.filled("BUY", "0.5", order_external_id="a")
    await venue.filled("BUY", "0.01", market="BTC-USD", order_external_id="b")
    venue.fault("empty_reads", what=["positions"], market="ETH")
    (seen,) = (await venue.client.account.get_positions()).data
    assert seen.market == "BTC-USD"
    venue.fault("lag", what=["orders"], market="BTC", seconds=60)
    (order,) = (await venue.client.account.get_orders_history()).data
    assert order.market == MARKET


async def test_failed_reads_are_errors_in_json_or_html(venue: X10Venue) -> None:
    venue.fault("bad_reads", what=["balance"], status=503, html=True)
    with pytest.raises(ApiError, match="code 503 - <html>"):
        await venue.client.account.get_balance()
    venue.fault("bad_reads", what=["positions"], status=500)
    with pytest.raises(ApiError, match=r'code 500 - \{"status": "ERROR"'):
        await venue.client.account.get_positions()


@pytest.mark.parametrize(
    ("path", "query"),
    [
        (f"/info/markets/{MARKET}/orderbook", {"depth": -1}),
        (f"/info/candles/{MARKET}/trades", {"interval": "PT1M"}),
        (f"/info/candles/{MARKET}/nothing", {"interval": "PT1M", "limit": 5}),
        (f"/info/{MARKET}/funding", {"startTime": 0}),
        ("/user/trades", {"limit": 0}),
        ("/user/trades", {"cursor": "abc"}),
        ("/user/positions", {"side": "BUY"}),
    ],
)
async def test_bad_queries_get_1133(venue: X10Venue, path: str, query: dict[str, str]) -> None:
    status, answer = await venue.get(path, **query)
    assert (status, answer["error"]["code"]) == (400, 1133)


async def test_a_rate_limit_and_a_bad_key_have_the_sdks_own_exceptions(venue: X10Venue) -> None:
    venue.fault("rate_limit", op="balance")
    with pytest.raises(ApiRateLimitError):
        await venue.client.account.get_balance()
    venue.fault("refuse", op="balance", code=401, status=401)
    with pytest.raises(ApiNotAuthorizedError):
        await venue.client.account.get_balance()


async def test_an_outage_closes_every_connection_until_it_is_over(venue: X10Venue) -> None:
    venue.fault("outage", seconds=5)
    for path in ("/info/markets", "/user/balance"):
        with pytest.raises(aiohttp.ClientError):
            await venue.get(path)
    await venue.clock.sleep(5)
    assert (await venue.get("/user/balance"))[0] == 200
