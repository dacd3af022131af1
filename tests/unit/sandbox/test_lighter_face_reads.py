"""What the Lighter face answers to reads: shapes, units, and who may see them."""

from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import lighter
import pytest

from hedger.clock import Clock
from tests.unit.sandbox.lighter_face_venue import (
    ACCOUNT,
    ETH,
    KEY,
    KEYS,
    LighterVenue,
    lighter_venue,
)

FIXED = Decimal("0.0001")


@pytest.fixture
async def venue(virtual_time: Clock) -> AsyncIterator[LighterVenue]:
    async with lighter_venue(virtual_time) as venue:
        yield venue


PRIVATE: dict[str, dict[str, Any]] = {
    "accountOrders": {"client_order_indexes": "1"},
    "accountActiveOrders": {"account_index": str(ACCOUNT)},
    "accountInactiveOrders": {"account_index": str(ACCOUNT), "limit": "10"},
    "accountLimits": {"account_index": str(ACCOUNT)},
    "accountTxs": {"by": "account_index", "value": str(ACCOUNT), "limit": "10"},
    "liquidations": {"account_index": str(ACCOUNT), "limit": "10"},
    "positionFunding": {"account_index": str(ACCOUNT), "limit": "10"},
    "pnl": {"by": "index", "value": str(ACCOUNT)},
    "trades": {"account_index": str(ACCOUNT), "limit": "10", "sort_by": "timestamp"},
}


@pytest.mark.parametrize("path", PRIVATE)
async def test_private_reads_need_a_valid_token_of_the_account(
    venue: LighterVenue, path: str
) -> None:
    query = PRIVATE[path]
    status, body = await venue.get(path, **query)
    assert (status, body["code"]) == (400, 20001)
    assert "Authorization header are empty" in body["message"]

    good = await venue.token()
    for bad in (good[:-1] + ("0" if good[-1] != "0" else "1"), "nonsense", good[1:]):
        status, body = await venue.get(path, token=bad, **query)
        assert (status, body["code"]) == (401, 20013)
    status, body = await venue.get(path, token=good, **query)
    assert (status, body["code"]) == (200, 200)


async def test_an_expired_token_gets_401(venue: LighterVenue) -> None:
    token = await venue.token(life_s=10)
    await venue.clock.sleep(11)
    status, body = await venue.get("accountOrders", token=token, client_order_indexes="1")
    assert (status, body["code"]) == (401, 20013)


async def test_the_sdk_reads_markets_and_books(venue: LighterVenue) -> None:
    api = lighter.OrderApi(venue.client.api_client)
    detail = (await api.order_book_details(market_id=ETH)).order_book_details[0]
    assert (detail.symbol, detail.size_decimals, detail.price_decimals) == ("ETH", 4, 2)
    assert (detail.min_base_amount, detail.min_quote_amount) == ("0.0050", "10.000000")
    assert detail.min_initial_margin_fraction == 200
    assert len((await api.order_books()).order_books) > 60

    book = await api.order_book_orders(market_id=ETH, limit=5)
    bids = [Decimal(order.price) for order in book.bids]
    asks = [Decimal(order.price) for order in book.asks]
    assert bids == sorted(bids, reverse=True)
    assert asks == sorted(asks)
    assert bids[0] < asks[0]
    assert len(book.bids[0].price.partition(".")[2]) == 2
    assert await venue.client.get_best_price(ETH, is_ask=True) == int(bids[0].scaleb(2))


async def test_funding_rates_mix_exchanges_and_count_eight_hours(venue: LighterVenue) -> None:
    rows = (await lighter.FundingApi(venue.client.api_client).funding_rates()).funding_rates
    eth = [row for row in rows if row.market_id == ETH]
    assert [row.exchange for row in eth] == ["binance", "bybit", "hyperliquid", "lighter"]
    rate_1h = venue.exchange.predicted_rate("ETH")
    assert Decimal(str(eth[-1].rate)) == rate_1h * 8
    assert eth[0].rate != eth[-1].rate


async def _fundings(venue: LighterVenue, **query: Any) -> list[Any]:
    defaults: dict[str, Any] = {
        "market_id": ETH,
        "resolution": "1h",
        "start_timestamp": 0,
        "end_timestamp": 2**50,
        "count_back": 0,
    }
    status, body = await venue.get("fundings", **(defaults | query))
    assert status == 200
    return list(body["fundings"])


async def test_fundings_are_unsigned_percent_on_the_market_clock(venue: LighterVenue) -> None:
    hour_s = 3600
    (before,) = await _fundings(venue)
    assert before["timestamp"] * 1000 == venue.exchange.next_settlement_ms() - hour_s * 1000
    venue.settle_hours(5)
    rows = await _fundings(venue)
    recorded = venue.exchange.funding_rows("ETH")[-len(rows) :]

    assert [row["timestamp"] for row in rows][-5:] == [
        venue.exchange.next_settlement_ms() // 1000 - hour_s * back for back in (5, 4, 3, 2, 1)
    ]
    for row, truth in zip(rows, recorded, strict=True):
        assert Decimal(row["rate"]) == (abs(truth.rate) * 100).quantize(FIXED, "ROUND_DOWN")
        assert row["direction"] == ("short" if truth.rate < 0 else "long")
    assert await _fundings(venue, end_timestamp=rows[-1]["timestamp"] * 1000) == rows[:-1]
    assert await _fundings(venue, start_timestamp=2**49, count_back=2) == rows[-2:]


async def test_payments_come_newest_first_by_pages(venue: LighterVenue) -> None:
    await venue.executed(await venue.signed_market("0.5", sell=True))
    venue.settle_hours(3)
    query = {"account_index": ACCOUNT, "limit": 2}
    first = await venue.read("positionFunding", **query)
    second = await venue.read("positionFunding", cursor=first["next_cursor"], **query)

    rows = first["position_fundings"] + second["position_fundings"]
    assert "next_cursor" not in second
    payments = venue.exchange.payments(ACCOUNT)[::-1]
    assert [Decimal(row["change"]) for row in rows] == [payment.amount for payment in payments]
    late_s = [
        row["timestamp"] - p.settlement_ms // 1000 for row, p in zip(rows, payments, strict=True)
    ]
    assert set(late_s) <= {0, 2, -1, 41}  # the stamps miss the hour by seconds
    assert {(row["position_side"], row["position_size"]) for row in rows} == {("short", "0.5000")}


async def test_trades_name_our_client_index_and_the_fee_in_parts_per_million(
    venue: LighterVenue,
) -> None:
    await venue.executed(await venue.signed_market("0.5", sell=True, client_index=77))
    query = {"account_index": ACCOUNT, "limit": 100, "sort_by": "timestamp"}
    trades = (await venue.read("trades", **query))["trades"]

    assert sum(Decimal(trade["size"]) for trade in trades) == Decimal("0.5")
    order = (await venue.orders(77))[0]
    for trade in trades:
        assert (trade["ask_client_id"], trade["ask_account_id"]) == (77, ACCOUNT)
        assert trade["ask_id"] == order["order_index"]
        assert (trade["is_maker_ask"], trade["taker_fee"]) == (False, 280)
    quote = sum(Decimal(trade["usd_amount"]) for trade in trades)
    assert quote == Decimal(order["filled_quote_amount"])


async def test_fees_are_left_out_where_they_are_zero(virtual_time: Clock) -> None:
    async with lighter_venue(virtual_time, premium=False, user_tier="standard") as venue:
        await venue.executed(await venue.signed_market("0.5"))
        query = {"account_index": ACCOUNT, "limit": 1, "sort_by": "timestamp"}
        (trade,) = (await venue.read("trades", **query))["trades"]
        assert "taker_fee" not in trade
        assert "maker_fee" not in trade
        limits = await venue.read("accountLimits", account_index=ACCOUNT)
        assert (limits["current_taker_fee_tick"], limits["user_tier"]) == (0, "standard")


async def test_an_account_shows_fixed_decimals_and_flat_rows_of_traded_markets(
    venue: LighterVenue,
) -> None:
    api = lighter.AccountApi(venue.client.api_client)
    account = (await api.account(by="index", value=str(ACCOUNT))).accounts[0]
    assert (account.available_balance, account.positions) == ("100000.000000", [])
    await venue.executed(await venue.signed_market("0.5", sell=True))
    await venue.executed(await venue.signed_market("0.5", reduce_only=True))

    account = (await api.account(by="index", value=str(ACCOUNT))).accounts[0]
    (row,) = account.positions
    assert (row.sign, row.position, row.liquidation_price) == (1, "0.0000", "0")
    truth = venue.exchange.balance(ACCOUNT)
    assert Decimal(account.collateral) == truth.collateral
    only_active = await venue.read("account", by="index", value=ACCOUNT, active_only="true")
    assert only_active["accounts"][0]["positions"] == []


async def test_accounts_are_found_by_address_and_unknown_ones_refused(venue: LighterVenue) -> None:
    body = await venue.read("account", by="index", value=ACCOUNT)
    address = body["accounts"][0]["l1_address"]
    found = await venue.read("accountsByL1Address", l1_address=address)
    assert found["sub_accounts"][0]["index"] == ACCOUNT
    status, body = await venue.get("account", by="index", value="4711")
    assert (status, body["code"]) == (400, 21100)


async def test_api_keys_are_shown_without_0x(venue: LighterVenue) -> None:
    body = await venue.read("apikeys", account_index=ACCOUNT, api_key_index=KEY)
    (row,) = body["api_keys"]
    assert (row["public_key"], row["nonce"]) == (KEYS.public_keys[KEY], 0)
    status, body = await venue.get("apikeys", account_index=ACCOUNT, api_key_index=99)
    assert (status, body["code"]) == (400, 21109)


async def test_transactions_are_found_by_hash_and_by_sequence(venue: LighterVenue) -> None:
    signed = await venue.signed_market()
    tx = await venue.executed(signed)
    assert (tx.hash, tx.info) == (signed[2], signed[1])
    api = venue.client.tx_api
    assert (await api.tx(by="sequence_index", value=str(tx.sequence_index))).hash == signed[2]
    with pytest.raises(lighter.exceptions.BadRequestException, match="21500"):
        await api.tx(by="hash", value="00" * 40)


async def test_inactive_orders_come_newest_first(venue: LighterVenue) -> None:
    for client_index in (1, 2, 3):
        await venue.executed(await venue.signed_market("0.1", client_index=client_index))
    query = {"account_index": ACCOUNT, "limit": 2}
    page = await venue.read("accountInactiveOrders", **query)
    assert [order["client_order_index"] for order in page["orders"]] == [3, 2]
    rest = await venue.read("accountInactiveOrders", cursor=page["next_cursor"], **query)
    assert [order["client_order_index"] for order in rest["orders"]] == [1]


@pytest.mark.parametrize(
    "path", ["/", "/info", "/api/v1/systemConfig", "/api/v1/exchangeStats", "/api/v1/currentHeight"]
)
async def test_small_endpoints_answer(venue: LighterVenue, path: str) -> None:
    status, body = await venue.get(path)
    assert (status, bool(body)) == (200, True)


async def test_public_trades_need_no_key(venue: LighterVenue) -> None:
    await venue.executed(await venue.signed_market("0.5"))
    status, body = await venue.get("recentTrades", market_id=ETH, limit=100)
    assert status == 200
    ours = [trade for trade in body["trades"] if trade["is_maker_ask"]]
    assert sum(Decimal(trade["size"]) for trade in ours) >= Decimal("0.5")


@pytest.mark.parametrize(
    ("path", "query", "status", "code"),
    [
        ("nosuchthing", {}, 404, 29404),
        ("orderBookDetails", {"market_id": "77777"}, 400, 21602),
        ("orderBookOrders", {"market_id": "0", "limit": "251"}, 400, 20001),
        ("orderBookOrders", {"market_id": "x", "limit": "1"}, 400, 20001),
        ("account", {"by": "name", "value": "x"}, 400, 20001),
        ("nextNonce", {"account_index": "1", "api_key_index": "5"}, 400, 21100),
        ("tx", {"by": "hash"}, 400, 20001),
    ],
)
async def test_bad_questions_are_answered_in_the_venues_words(
    venue: LighterVenue, path: str, query: dict[str, str], status: int, code: int
) -> None:
    got, body = await venue.get(path, **query)
    assert (got, body["code"]) == (status, code)
    assert body["message"]
