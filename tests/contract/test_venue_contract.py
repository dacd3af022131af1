"""
What the core relies on at every venue: the account and its reads.

One suite over the real adapters, SDKs and sockets of both venues; orders are in
``test_order_contract.py``.
"""

from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from loguru import logger

from hedger.domain.ids import Symbol
from hedger.domain.market import MarketStatus
from hedger.domain.order import Purpose, Side
from hedger.errors import ConfigError, DeniedError, UnavailableError, VenueError
from tests.contract.account import ETH, SETTLED_S, SIZE, Account, secrets_of

READS = ("positions", "orders", "nonce", "balance", "public")  # as the faults name them

BROKEN: Mapping[str, Mapping[str, Any]] = {
    "503": {"kind": "bad_reads", "what": READS, "status": 503},
    "502 page": {"kind": "bad_reads", "what": READS, "status": 502, "html": True},
    "429": {"kind": "rate_limit", "op": READS, "status": 429},
    "429 page": {"kind": "rate_limit", "op": READS, "status": 429, "html": True},
    "dropped": {"kind": "drop_answer", "op": READS},
    "dropped after": {"kind": "drop_answer", "op": READS, "when": "after"},
    "silent": {"kind": "hang", "op": READS, "seconds": 30},
}
"""Ways in which a read has no usable answer."""


async def reads_of(account: Account) -> dict[str, Callable[[], Awaitable[object]]]:
    """Every question about the account, by name."""
    venue, ready = account.venue, await account.prepared()
    since = account.world.clock.now() - timedelta(days=400)
    reads: dict[str, Callable[[], Awaitable[object]]] = {
        "positions": venue.positions,
        "position": lambda: venue.position(ETH),
        "balance": venue.balance,
        "open_orders": venue.open_orders,
        "find": lambda: venue.find(ready),
        "traded": lambda: venue.traded(ETH, since),
        "funding_payments": lambda: venue.funding_payments(since),
    }
    lane = venue.lane(Purpose.OPEN)
    if lane is not None:
        reads["next_nonce"] = lambda: venue.next_nonce(lane)
    return reads


async def test_the_rules_of_a_market_are_the_venues_own(account: Account) -> None:
    rules = account.world.exchange(account.name).rules_of(ETH)

    found = await account.venue.instrument(ETH)

    assert (found.venue, found.symbol, found.status) == (account.name, ETH, MarketStatus.ACTIVE)
    assert (found.size_step, found.price_tick) == (rules.size_step, rules.price_tick)
    assert found.min_size == rules.min_size
    assert found.min_notional_usd == (rules.min_notional or 0)
    assert found == (await account.quotes.instruments())[ETH]


async def test_a_market_that_is_not_listed_is_denied(account: Account) -> None:
    with pytest.raises(DeniedError):
        await account.venue.instrument(Symbol("NOSUCH"))


async def test_the_balance_is_fresh_at_every_reading(account: Account) -> None:
    before = await account.venue.balance()
    assert before.available_usd == before.equity_usd == Decimal(account.truth("balance")["equity"])

    await account.filled()
    after = await account.venue.balance()

    truth = account.truth("balance")
    assert after.available_usd < before.available_usd
    assert after.equity_usd == Decimal(truth["equity"])
    assert after.as_of > before.as_of


@pytest.mark.parametrize("side", Side)
async def test_a_position_is_signed_and_a_closed_one_is_flat(account: Account, side: Side) -> None:
    assert await account.venue.positions() == {}

    await account.filled(side=side)
    held = await account.venue.position(ETH)

    assert held.size == account.size == side.sign * SIZE
    assert held.entry_price is not None
    assert held.read_started_at <= held.as_of
    assert {symbol: p.size for symbol, p in (await account.venue.positions()).items()} == {
        ETH: held.size
    }

    await account.filled(2, side=side.opposite, purpose=Purpose.CLOSE)
    flat = await account.venue.position(ETH)

    assert flat.size == 0
    assert flat.entry_price is None
    assert await account.venue.positions() == {}


@pytest.mark.parametrize("way", BROKEN)
async def test_a_read_without_a_usable_answer_raises_and_is_never_flat_or_zero(
    account: Account, way: str
) -> None:
    """The public bot took an empty list for flat and booked every open trade as closed."""
    await account.filled()
    reads = await reads_of(account)

    for name, read in reads.items():
        account.world.no_faults()
        account.fault(**BROKEN[way], times=0)
        began_s = account.world.clock.monotonic_s()
        with pytest.raises(UnavailableError):
            await read()
        assert account.world.clock.monotonic_s() - began_s < 7, name


async def test_a_read_that_failed_once_is_not_repeated_by_the_adapter(account: Account) -> None:
    reads = await reads_of(account)

    for read in reads.values():
        account.world.no_faults()
        account.fault("bad_reads", what=READS, status=503, times=1)
        with pytest.raises(UnavailableError):
            await read()


async def test_an_account_that_the_venue_shows_as_flat_is_flat_only_by_its_word(
    account: Account,
) -> None:
    """An empty answer is an answer: what it is worth is for the core to judge (S37)."""
    await account.filled()
    account.fault("empty_reads", what=["positions"])

    assert (await account.venue.position(ETH)).size == 0
    assert (await account.venue.position(ETH)).size == SIZE


async def test_funding_payments_are_complete_and_equal_to_the_truth(account: Account) -> None:
    """More than a page of them, each once, oldest first, each with the rate that was quoted."""
    since = await account.quotes.next_settlement()
    await account.filled(side=Side.SELL)
    account.world.advance_market(hours=120.1)  # X10 lists a payment some time later
    await account.world.pass_time(SETTLED_S)

    payments = await account.venue.funding_payments(since)

    truth = account.truth("payments")
    assert len(truth) == 120
    assert [p.amount_usd for p in payments] == [Decimal(row["amount"]) for row in truth]
    assert [p.rate_1h for p in payments] == [Decimal(row["rate"]) for row in truth]
    assert [p.settlement_at for p in payments] == [since + timedelta(hours=h) for h in range(120)]
    assert {p.size for p in payments} == {-SIZE}
    assert len({p.payment_id for p in payments}) == 120


async def test_funding_payments_are_those_since_the_settlement_and_of_the_market(
    account: Account,
) -> None:
    since = await account.quotes.next_settlement()
    await account.filled()
    account.world.advance_market(hours=5.1)
    await account.world.pass_time(SETTLED_S)

    late = await account.venue.funding_payments(since + timedelta(hours=3), ETH)

    assert [p.settlement_at for p in late] == [since + timedelta(hours=h) for h in (3, 4)]
    assert await account.venue.funding_payments(since, Symbol("BTC")) == []


async def test_the_fees_are_those_that_are_charged(account: Account) -> None:
    fees = await account.venue.fees(ETH)

    ready = await account.filled()

    for fill in (await account.found(ready)).fills:
        assert abs(fill.fee_usd - fill.size * fill.price * fees.taker) <= Decimal("0.000001")


async def test_keys_that_do_not_fit_are_refused_at_the_start(account: Account) -> None:
    secrets = account.access().secrets
    name = next(name for name in secrets if name.startswith("private_key"))
    other = secrets[name][:-4] + ("1234" if secrets[name][-4:] != "1234" else "4321")
    stranger = account.another(account.access(**{name: other}))

    with pytest.raises((ConfigError, VenueError)) as caught:
        await stranger.start()
    await stranger.close()

    assert other.removeprefix("0x") not in str(caught.value)


async def test_no_secret_shows_in_a_text_of_any_kind(account: Account) -> None:
    """Not in repr, answers, errors, payloads or the log, at any level, whatever goes wrong."""
    said: list[str] = []
    sink = logger.add(said.append, level=0, format="{message} {exception} {extra}")
    said += [repr(account.venue), str(account.venue), repr(account.access())]
    ready = await account.prepared()
    said += [repr(ready), repr(account.venue.capabilities)]
    for way in BROKEN.values():
        for name, read in (await reads_of(account)).items():
            account.world.no_faults()
            account.fault(**way, times=0)
            with pytest.raises(VenueError) as caught:
                await read()
            said += [name, repr(caught.value), repr(caught.value.__cause__)]
        account.world.no_faults()
        account.fault(**({"kind": "server_error"} if "what" in way else {**way, "op": "order"}))
        said.append(repr(await account.venue.submit(ready)))
    logger.remove(sink)

    whole = "\n".join(said).lower()

    assert len(whole) > 2000
    for name, secret in secrets_of(account.access()).items():
        assert secret.lower() not in whole, name
