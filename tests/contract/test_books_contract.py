"""What the core relies on when it reads a venue's own books: the same suite over both venues."""

from datetime import timedelta
from decimal import Decimal

import pytest

from hedger.domain.account import Entry, EntryKind, Stream
from hedger.domain.order import Purpose, Side
from hedger.errors import VenueError
from tests.contract.account import SETTLED_S, Account


async def everything(account: Account) -> dict[tuple[EntryKind, str], Entry]:
    """Every page of every list, to its end."""
    since = account.world.clock.now() - timedelta(days=400)
    found: dict[tuple[EntryKind, str], Entry] = {}
    for stream in account.venue.capabilities.books.streams:
        cursor, pages = None, 0
        while True:
            page = await account.venue.history(stream, since, cursor)
            found |= {(entry.kind, entry.ref): entry for entry in page.entries}
            cursor, pages = page.cursor, pages + 1
            assert pages < 50
            if cursor is None:
                break
    return found


async def a_life(account: Account) -> None:
    """Open, grow, three settlements, give back in two parts."""
    await account.filled(1, size="0.1")
    await account.filled(2, size="0.037")
    account.world.advance_market(hours=3)
    await account.world.pass_time(SETTLED_S)
    account.world.advance_market(hours=0.02)
    await account.filled(3, size="0.061", side=Side.SELL, purpose=Purpose.CLOSE)
    rest = abs(account.size)
    await account.filled(4, size=rest, side=Side.SELL, purpose=Purpose.CLOSE)


async def test_entries_add_up_exactly_to_the_change_of_the_cash(account: Account) -> None:
    before = (await account.venue.balance()).cash_usd
    assert before is not None

    await a_life(account)

    after = (await account.venue.balance()).cash_usd
    assert after == Decimal(account.truth("balance")["collateral"])
    entries = await everything(account)
    assert sum((entry.amount_usd for entry in entries.values()), before) == after


async def test_each_fee_and_payment_is_the_venues_own(account: Account) -> None:
    await a_life(account)
    entries = await everything(account)

    fees = {trade["id"]: -Decimal(trade["fee"]) for trade in account.truth("trades")}
    assert {
        ref: entry.amount_usd for (kind, ref), entry in entries.items() if kind is EntryKind.FEE
    } == fees
    paid = sorted(Decimal(payment["amount"]) for payment in account.truth("payments"))
    funding = [entry for (kind, _), entry in entries.items() if kind is EntryKind.FUNDING]
    assert sorted(entry.amount_usd for entry in funding) == paid
    assert {(entry.at.minute, entry.at.second) for entry in funding} == {(0, 0)}


async def test_what_was_realised_so_far_is_told_while_the_position_is_open(
    account: Account,
) -> None:
    await account.filled(1, size="0.1")
    await account.filled(2, size="0.04", side=Side.SELL, purpose=Purpose.CLOSE)
    entries = await everything(account)
    realised = [entry for (kind, _), entry in entries.items() if kind is EntryKind.REALISED]
    assert realised
    cash = (await account.venue.balance()).cash_usd
    before = Decimal(account.world.sandbox.options.balance_usd)
    assert sum((entry.amount_usd for entry in entries.values()), before) == cash


async def test_pages_come_newest_first_and_lead_on_by_their_cursor(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("adapters.x10.books.LIMIT", ("limit", "1"))
    monkeypatch.setattr("adapters.lighter.books.PAGE", 1)
    await a_life(account)
    first = await account.venue.history(Stream.TRADES, account.world.clock.now(), None)
    assert first.cursor is not None
    second = await account.venue.history(Stream.TRADES, account.world.clock.now(), first.cursor)
    assert first.oldest is not None
    assert second.newest is not None
    assert first.oldest >= second.newest
    assert {entry.ref for entry in first.entries}.isdisjoint(entry.ref for entry in second.entries)
    whole = await everything(account)
    assert len([key for key in whole if key[0] is EntryKind.FEE]) == len(account.truth("trades"))


async def test_an_account_without_history_has_empty_pages(account: Account) -> None:
    for stream in account.venue.capabilities.books.streams:
        page = await account.venue.history(stream, account.world.clock.now(), None)
        assert (page.entries, page.cursor, page.oldest) == ((), None, None)


async def test_a_page_that_cannot_be_read_is_an_error_and_not_an_empty_one(
    account: Account,
) -> None:
    await account.filled(1)
    account.fault("bad_reads", what=["orders", "positions", "public"], status=503, times=0)
    for stream in account.venue.capabilities.books.streams:
        with pytest.raises(VenueError):
            await account.venue.history(stream, account.world.clock.now(), None)
