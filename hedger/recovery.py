"""
Take up what an earlier process left unfinished, and say in plain words what that was.

Recovery is the same code as a first run: every hedge that is not at rest goes on from its
persisted state (``Executor.resume``), all of them side by side, each behind the fences of its
own orders. What is added here is the record: the events ``taken_up`` and ``recovered`` of each
hedge, which ``hedger status`` shows and ``hedger audit events`` keeps.
"""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime

from hedger import crashpoints
from hedger.audit.recovered import CRASH_FOUND, RECOVERED, TAKEN_UP
from hedger.domain.hedge import Hedge, State
from hedger.domain.ids import HedgeId
from hedger.domain.money import plain
from hedger.domain.order import Prepared
from hedger.errors import HedgerError
from hedger.executor import Executor
from hedger.ledger.records import OrderRecord, OrderState
from hedger.ledger.store import Store

Progress = Callable[[str], None]
RUNNING = "daemon_running_since"  # empty once it was stopped

_DOING = {
    State.PLANNED: "planned, with nothing sent",
    State.OPENING_A: "being opened, at its first leg",
    State.OPENING_B: "being opened, at its second leg",
    State.CLOSING: "being closed",
    State.CONVERGING: "being rolled back",
    State.ESCALATED: "waiting for a person",
    State.ORPHAN: "a position that no hedge explains, about to be taken off",
}

_ENDED = {
    OrderState.ZERO: "executed nothing",
    OrderState.REFUSED: "was refused",
    OrderState.DEAD: "was never executed and cannot be any more",
    OrderState.ABANDONED: "was never sent",
    OrderState.PREPARED: "is still unknown",
    OrderState.UNRESOLVED: "is still unknown",
}


def started(store: Store, now: datetime) -> None:
    """A daemon begins: note it, and say so if the last one ended without a goodbye."""
    if since := store.meta(RUNNING):
        store.event(
            CRASH_FOUND,
            f"the daemon that had been started at {since} ended without a goodbye: it was killed,"
            " or the machine went down",
            level="warning",
        )
    store.set_meta(RUNNING, now.isoformat(timespec="seconds"))
    store.event("daemon_started", "the daemon started")


def stopped(store: Store) -> None:
    """A daemon says goodbye."""
    store.set_meta(RUNNING, "")
    store.event("daemon_stopped", "the daemon stopped")


async def recover(store: Store, executor: Executor, progress: Progress) -> list[HedgeId]:
    """
    Bring every unfinished hedge to rest, or to a person; the ids of those that were taken up.

    A hedge whose late fill waited for another one's market is unfinished once that one is over.

    Raises:
        HedgerError: the ledger cannot be used.
    """
    crashpoints.reach("recover", "before")
    left = store.unfinished()
    await _side_by_side(store, executor, left, progress)
    since = await go_on(store, executor, progress)
    crashpoints.reach("recover", "after")
    return list(dict.fromkeys([hedge.id for hedge in left] + since))


async def go_on(store: Store, executor: Executor, progress: Progress) -> list[HedgeId]:
    """
    Take up what has come to be unfinished since, until nothing is; the ids of those.

    A hedge that came to rest is taken up again where an order of it is booked only now. What
    somebody else drives is waited for.

    Raises:
        HedgerError: the ledger cannot be used.
    """
    taken: list[HedgeId] = []
    while left := _on_its_way(store):
        free = undriven(store, executor)
        taken += [hedge.id for hedge in free]
        await _side_by_side(store, executor, free, progress)
        for hedge in left:
            async with executor.alone(hedge.id):
                pass  # driven by somebody else until now
    return taken


def undriven(store: Store, executor: Executor) -> list[Hedge]:
    """What is unfinished, waits for no person, and is driven by nobody."""
    return [hedge for hedge in _on_its_way(store) if not executor.is_at(hedge.id)]


def _on_its_way(store: Store) -> list[Hedge]:
    return [hedge for hedge in store.unfinished() if hedge.state is not State.ESCALATED]


async def _side_by_side(
    store: Store, executor: Executor, left: Sequence[Hedge], progress: Progress
) -> None:
    try:
        async with asyncio.TaskGroup() as group:
            for hedge in left:
                group.create_task(_take_up(store, executor, hedge, progress))
    except* HedgerError as errors:
        raise errors.exceptions[0] from None


async def _take_up(store: Store, executor: Executor, hedge: Hedge, progress: Progress) -> None:
    unknown = store.open_intents(hedge.id)
    before = len(store.orders_of(hedge.id))
    was = left_behind(hedge, unknown)
    known = sorted(prepared.order.id for prepared in unknown)
    progress(f"hedge {hedge.id} was left {was}: taking it up")
    store.event(
        TAKEN_UP,
        f"taken up after the process had ended: it was {was}",
        hedge=hedge.id,
        data={"was": hedge.state, "unknown_orders": known},
    )
    crashpoints.reach("resume", "before")
    ended = await executor.resume(hedge)
    crashpoints.reach("resume", "after")
    orders = store.orders_of(hedge.id)
    proven = [record for record in orders if record.prepared.order.id in known]
    store.event(
        RECOVERED,
        what_was_done(ended, proven, len(orders) - before),
        hedge=hedge.id,
        level="warning" if ended.state is State.ESCALATED else "info",
        data={"is": ended.state},
    )
    progress(f"hedge {ended.id} is {ended.state}: {ended.reason}")


def left_behind(hedge: Hedge, unknown: Sequence[Prepared]) -> str:
    """What was unfinished: where the hedge stood, and every order whose end nobody knew."""
    doing = _DOING.get(hedge.state, str(hedge.state))
    if not unknown:
        return f"{doing}; no order was open"
    orders = ", ".join(_named(prepared) for prepared in unknown)
    return f"{doing}; nobody knew what became of {orders}"


def what_was_done(ended: Hedge, proven: Sequence[OrderRecord], new_orders: int) -> str:
    """What became of those orders, what else was sent, and where the hedge is now."""
    parts = [f"Order {record.prepared.order.id} {_end(record)}" for record in proven]
    if new_orders == 1:
        parts.append("1 more order was sent")
    elif new_orders > 1:
        parts.append(f"{new_orders} more orders were sent")
    parts.append(f"the hedge is {ended.state.replace('_', ' ')}: {ended.reason}")
    told = "; ".join(parts)
    return told[0].upper() + told[1:]


def _named(prepared: Prepared) -> str:
    order = prepared.order
    kind = "opening" if not order.purpose.reduces else "reducing"
    return f"{order.id} ({kind}: {order.side} {plain(order.size)} {order.symbol} on {order.venue})"


def _end(record: OrderRecord) -> str:
    if record.filled_size > 0:
        return f"had filled {plain(record.filled_size)} {record.prepared.order.symbol}"
    return _ENDED.get(record.state, f"is {record.state}")
