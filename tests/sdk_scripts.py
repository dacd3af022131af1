"""
Trading with the official SDKs alone and the JSON line of ``hedger sandbox``.

Nothing of ``hedger`` or ``adapters`` is used: what works here works for any client.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import lighter
from lighter.nonce_manager import NonceManagerType
from x10.clients.rest import RestApiClient
from x10.config import TESTNET_CONFIG
from x10.core.client_config import ClientConfig
from x10.core.stark_account import StarkPerpetualAccount
from x10.models.order import OrderSide, TimeInForce
from x10.signing.order_object import create_order_object

Line = Mapping[str, Any]


def x10_config(line: Line) -> ClientConfig:
    url = line["x10"]["api_base_url"]
    endpoints = replace(
        TESTNET_CONFIG.endpoints,
        api_base_url=url,
        api_base_order_management_url=url,
        stream_url=line["x10"]["stream_url"],
    )
    return replace(TESTNET_CONFIG, endpoints=endpoints)


def x10_account(line: Line) -> StarkPerpetualAccount:
    x10 = line["x10"]
    return StarkPerpetualAccount(
        vault=x10["vault"],
        private_key=x10["private_key"],
        public_key=x10["public_key"],
        api_key=x10["api_key"],
    )


@asynccontextmanager
async def x10_client(line: Line) -> AsyncIterator[RestApiClient]:
    async with RestApiClient(x10_config(line), x10_account(line)) as client:
        yield client


async def x10_order(
    client: RestApiClient, line: Line, *, market: str, size: str, side: OrderSide, **more: Any
) -> Any:
    """A signed IOC order at 1 % beyond the mark."""
    (rules,) = (await client.info.get_markets(market_names=[market])).data
    mark = rules.market_stats.mark_price
    price = mark * (Decimal("1.01") if side is OrderSide.BUY else Decimal("0.99"))
    return create_order_object(
        account=x10_account(line),
        market=rules,
        amount_of_synthetic=Decimal(size),
        price=rules.trading_config.round_price(price),
        side=side,
        starknet_domain=x10_config(line).signing.starknet_domain,
        time_in_force=TimeInForce.IOC,
        expire_time=datetime.now(UTC) + timedelta(minutes=10),
        **more,
    )


@asynccontextmanager
async def lighter_client(line: Line) -> AsyncIterator[lighter.SignerClient]:
    own = line["lighter"]
    client = lighter.SignerClient(
        own["url"],
        own["account_index"],
        {int(index): key for index, key in own["api_keys"].items()},
        nonce_management_type=NonceManagerType.NONE,
        chain_id=own["chain_id"],
    )
    try:
        yield client
    finally:
        await client.close()


async def lighter_order(
    client: lighter.SignerClient,
    line: Line,
    *,
    market_id: int,
    size: int,
    is_ask: bool,
    **more: Any,
) -> tuple[int, str, str]:
    """A signed market order, 1 % beyond the best price: type, text and hash."""
    key = line["lighter"]["api_key_index"]
    books = lighter.OrderApi(client.api_client)
    book = await books.order_book_orders(market_id=market_id, limit=1)
    best = (book.bids if is_ask else book.asks)[0].price
    price = int(best.replace(".", "")) * (99 if is_ask else 101) // 100
    nonces = lighter.TransactionApi(client.api_client)
    nonce = (await nonces.next_nonce(line["lighter"]["account_index"], key)).nonce
    wanted = {
        "market_index": market_id,
        "client_order_index": 1,
        "base_amount": size,
        "price": price,
        "is_ask": is_ask,
        "order_type": client.ORDER_TYPE_MARKET,
        "time_in_force": client.ORDER_TIME_IN_FORCE_IMMEDIATE_OR_CANCEL,
        "order_expiry": client.DEFAULT_IOC_EXPIRY,
        "nonce": nonce,
        "api_key_index": key,
        **more,
    }
    tx_type, text, tx_hash, error = await asyncio.to_thread(client.sign_create_order, **wanted)
    assert error is None, error
    return tx_type, text, tx_hash
