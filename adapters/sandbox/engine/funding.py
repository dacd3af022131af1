"""Hourly funding: what is charged when a market hour ends."""

from adapters.sandbox.engine.account_types import PaymentView
from adapters.sandbox.engine.amounts import usd
from adapters.sandbox.engine.events import FundingSettled, PositionChanged
from adapters.sandbox.engine.market_types import FundingRow
from adapters.sandbox.engine.matching import note_balance
from adapters.sandbox.engine.state import VenueState
from adapters.sandbox.noise import STEPS


def settled_row(state: VenueState, symbol: str, hour: int) -> FundingRow:
    """The row of the settlement at the beginning of ``hour``, that is for the hour before it."""
    bucket = hour * STEPS
    return FundingRow(
        symbol=symbol,
        settlement_ms=state.tape.bucket_ms(bucket),
        rate=state.tape.rate(state.venue, symbol, hour - 1),
        price=state.funding_price(symbol, bucket),
    )


def settle(state: VenueState, hour: int) -> None:
    """
    Charge every open position for the hour that just ended.

    ``payment = -size * price * rate``: with a positive rate longs pay and shorts receive. The
    price is the mark on X10 (x10.md §9) and the index on Lighter (lighter.md §10). While
    settlements are stopped (``paying``), the hour passes without any.
    """
    payments: list[PaymentView] = []
    if state.paying.stopped:
        state.paying.skipped += sum(len(account.open) for account in state.accounts.values())
        return
    for account in state.accounts.values():
        paid = [
            _pay(state, account.number, settled_row(state, symbol, hour))
            for symbol in sorted(account.open)
        ]
        if paid:
            payments += paid
            note_balance(state, account.number)
    if FundingSettled in state.announced:
        rows = tuple(settled_row(state, symbol, hour) for symbol in state.rules)
        settlement_ms = state.tape.bucket_ms(hour * STEPS)
        state.emit(FundingSettled(settlement_ms, rows, tuple(payments)))


def _pay(state: VenueState, number: int, row: FundingRow) -> PaymentView:
    account = state.account(number)
    held = account.open[row.symbol]
    payment = PaymentView(
        id=state.next_id(),
        account=number,
        symbol=row.symbol,
        settlement_ms=row.settlement_ms,
        amount=usd(-held.size * row.price * row.rate),
        rate=row.rate,
        size=held.size,
        mark=row.price,
        position_id=held.id,
        at_ms=state.now_ms,
    )
    state.emit(PositionChanged(account.apply_payment(payment, state.now_ms)))
    state.paying.made(payment, state.now_ms, state.next_id)
    return payment
