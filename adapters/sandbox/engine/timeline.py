"""Brings the state of a venue up to both clocks: settlements, fills, expiries, liquidations."""

from adapters.sandbox.engine import funding
from adapters.sandbox.engine.events import BookChanged, MarkChanged
from adapters.sandbox.engine.liquidation import liquidate_breaches
from adapters.sandbox.engine.matching import cross_resting, expire_orders, fill_late_rests
from adapters.sandbox.engine.state import VenueState
from adapters.sandbox.noise import STEPS


def bring_up(state: VenueState, instant: tuple[int, int]) -> None:
    """
    Walk from the last known instant to ``instant``, which is what the market clock shows.

    Buckets are walked one by one while anything can happen in them (an open position, an order
    in the book), otherwise from hour to hour, because every hour is settled. So the result does
    not depend on how often somebody looks.
    """
    state.instant = instant
    now_ms, market_ms = instant
    target = state.tape.bucket(market_ms)
    if now_ms == state.now_ms and target == state.bucket and market_ms == state.market_ms:
        return
    state.now_ms = max(state.now_ms, now_ms)
    if state.orders.any_open:
        expire_orders(state)
    if state.late_rests:
        fill_late_rests(state)
    moved = target > state.bucket
    while state.bucket < target:
        _step(state, target)
    if state.moved_on_paths(market_ms):
        cross_resting(state)
        liquidate_breaches(state)
        moved = True
    if moved:
        if MarkChanged in state.announced or BookChanged in state.announced:
            for symbol in state.rules:
                state.emit(MarkChanged(symbol))
                state.emit(BookChanged(symbol))
        return
    if state.worn:
        for symbol in state.restored():
            state.emit(BookChanged(symbol))
    if state.resting:
        cross_resting(state)


def _step(state: VenueState, target: int) -> None:
    busy = bool(state.resting) or any(account.open for account in state.accounts.values())
    next_hour = (state.bucket // STEPS + 1) * STEPS
    state.bucket = min(target, state.bucket + 1 if busy else next_hour)
    state.moved_on_paths(max(state.market_ms, state.tape.bucket_ms(state.bucket)))
    if state.bucket % STEPS == 0:
        state.tape.reached(state.hour)
        funding.settle(state, state.hour)
    if busy:
        cross_resting(state)
        liquidate_breaches(state)
