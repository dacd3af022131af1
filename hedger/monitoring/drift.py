"""
A venue that does something else than what was signed: nothing new is opened there.

The switch is kept in the ledger and lifted by ``hedger resume``; exits go on, and the ledger books
what really happened.
"""

from decimal import Decimal

from loguru import logger

from hedger import switches
from hedger.clock import Clock
from hedger.domain.money import plain
from hedger.domain.order import Filled, Order
from hedger.ledger.store import Store

WHO = "hedger"


def told_by(outcome: Filled) -> str:
    """What of an execution is not as it was ordered; empty where everything is."""
    order = outcome.prepared.order
    found = [more] if (more := too_much(outcome.size, order)) else []
    if sides := sorted({fill.side for fill in outcome.fills} - {order.side}):
        found.append(f"it was executed as a {' and '.join(sides)}, a {order.side} was ordered")
    if symbols := sorted({fill.symbol for fill in outcome.fills} - {order.symbol}):
        found.append(f"it was executed on {' and '.join(symbols)}, {order.symbol} was ordered")
    return "; ".join(found)


def too_much(filled: Decimal, order: Order) -> str:
    """What to say of an order of which so many coins were executed; empty up to its size."""
    if filled > order.size:
        return f"{plain(filled)} were executed, {plain(order.size)} were ordered"
    return ""


def stop(store: Store, clock: Clock, order: Order, what: str) -> None:
    """Record it, tell a person, and open nothing on this venue until they have looked."""
    venue, hedge, why = order.venue, order.hedge, f"order {order.id}: {what}"
    text = f"{venue} does not do what was ordered: {why}; nothing new is opened there"
    logger.error("{}", text)
    store.event("drift", text, hedge=hedge, level="error", data={"venue": venue, "why": why})
    switches.switch_off(store, clock, switches.VENUE + venue, who=WHO, why=why)
    store.alert(f"{text}: look at the account, then `hedger resume`", hedge=hedge)
