"""
What the daemon is made to do while it waits for its death: one scene per family of labels.

A scene asks the daemon over its socket and returns as soon as the daemon is gone; it is played
again until then. ``SCENES`` says which scene passes which site of ``hedger.crashpoints``.
"""

import asyncio
import random
import signal
from collections.abc import Awaitable, Callable

from hedger import crashpoints
from hedger.clock import SystemClock
from hedger.ledger.store import open_store
from tests.crash import hand
from tests.crash.rig import Rig

SYMBOLS = ("ETH", "SOL", "BNB", "XRP", "DOGE", "AVAX", "LINK", "LTC", "SUI", "HYPE")
RARE = (
    "AAVE", "ADA", "APT", "ARB", "CRV", "ENA", "JUP", "LDO", "MNT", "NEAR", "ONDO", "OP", "PENDLE",
    "SEI", "STRK", "TAO", "TIA", "TON", "TRX", "UNI", "WIF", "WLD", "ZEC", "ZRO",
)  # fmt: skip
"""Markets that no other scene opens, so that their leverage was never set."""

USD = "300"
LATE_S = 12.0  # longer than until dead orders are looked up again (hedger/latewatch.py)

Scene = Callable[[Rig, random.Random], Awaitable[None]]


async def plain(rig: Rig, chance: random.Random) -> None:
    """Open, let an hour settle, reconcile, close."""
    hedge = await _open(rig, chance)
    await rig.advance(1)
    await asyncio.sleep(0.6)  # until the settlement counts as listed (payment_lag_s)
    await rig.ask("reconcile")
    if hedge:
        await rig.ask("close", hedge=hedge)
        await rig.ask("reconcile")


async def second_leg_refused(rig: Rig, chance: random.Random) -> None:
    """The rollback engine takes leg A off again."""
    await rig.fault("lighter", "refuse", code=21739, status=400, reduce_only=False)
    await _open(rig, chance)


async def nonce_taken(rig: Rig, chance: random.Random) -> None:
    """Somebody else takes leg B's nonce: the venue's list says whose it is, and B is carried on."""
    await rig.fault("lighter", "steal_nonce", reduce_only=False)
    if hedge := await _open(rig, chance):
        await rig.ask("close", hedge=hedge)


async def first_leg_refused(rig: Rig, chance: random.Random) -> None:
    """A hedge that ends before it began: 1140 is X10's word for too little margin."""
    await rig.fault("x10", "refuse", code=1140, status=400, reduce_only=False)
    await _open(rig, chance)


async def not_even_tried(rig: Rig, chance: random.Random) -> None:
    """A precondition cannot be read."""
    await rig.fault("x10", "bad_reads", what=["balance"], status=503, times=8)
    await _open(rig, chance)
    await rig.clear()


async def burnt(rig: Rig, chance: random.Random) -> None:
    """Leg B never arrives, nor do its identical bytes: its nonce must be burnt."""
    await rig.fault("lighter", "drop_answer", when="before", reduce_only=False, times=2)
    await _open(rig, chance)


async def partly_filled(rig: Rig, chance: random.Random) -> None:
    """Leg B fills by halves: leg A is matched to it, and both are held and closed."""
    await rig.fault("lighter", "partial_fill", fraction="0.5", reduce_only=False)
    if hedge := await _open(rig, chance):
        await rig.ask("close", hedge=hedge)


async def escalated(rig: Rig, chance: random.Random) -> None:
    """Leg B is refused, and so is every order that would take leg A off, for a while."""
    await rig.fault("lighter", "refuse", code=21739, status=400, reduce_only=False)
    await rig.fault("x10", "refuse", code=1100, status=400, reduce_only=True, times=6)
    await _open(rig, chance)


async def orphaned(rig: Rig, chance: random.Random) -> None:
    """Somebody else buys on our account: nobody's hedge, so it is taken off."""
    await hand.buy(rig, chance.choice(SYMBOLS), f"hand-{chance.randrange(10**9)}")
    for _ in range(4):
        await rig.ask("reconcile")


async def leg_changed(rig: Rig, chance: random.Random) -> None:
    """Somebody else trades on a leg of ours: its trades are the second source (S5, S6)."""
    symbol = chance.choice(SYMBOLS)
    row = await rig.ask("open", symbol=symbol, usd=USD)
    if row and row["state"] == "open":
        await hand.buy(rig, symbol, f"hand-{chance.randrange(10**9)}")
        for _ in range(4):
            await rig.ask("reconcile")


async def frozen_before_sending(rig: Rig, chance: random.Random) -> None:
    """The process stands still between an intent and its send: it must not be sent late."""
    opening = asyncio.ensure_future(_open(rig, chance))
    for _ in range(200):
        await asyncio.sleep(0.05)
        if opening.done() or not rig.alive:
            break
        if rig.frozen():
            await asyncio.sleep(2.5)  # longer than execution.send_window_s
            rig.send(signal.SIGCONT)
            break
    await opening


async def kept_working(rig: Rig, chance: random.Random) -> None:
    """A venue keeps a leg working in its book: past its time it is cancelled (S12, S60)."""
    await chance.choice((kept_by_x10, kept_by_lighter))(rig, chance)


async def kept_by_x10(rig: Rig, chance: random.Random) -> None:
    """The same on the venue that cancels without a nonce."""
    await rig.fault("x10", "keep_working", reduce_only=False)
    await _open(rig, chance)


async def kept_by_lighter(rig: Rig, chance: random.Random) -> None:
    """The same on the venue whose cancel is a transaction with a nonce."""
    await rig.fault("lighter", "keep_working", reduce_only=False)
    await _open(rig, chance)


async def shown_after_its_death(rig: Rig, chance: random.Random) -> None:
    """
    X10 fills two orders and shows nothing of them until they were proven dead.

    Then both hedges are over, and what filled is found before it is adopted as nobody's.
    """
    symbols = chance.sample(SYMBOLS, 2)  # the second pass of a life
    await rig.fault("x10", "empty_reads", what=["orders", "positions"], times=0)
    await asyncio.gather(*(rig.ask("open", symbol=symbol, usd=USD) for symbol in symbols))
    await rig.clear()
    await rig.died(LATE_S)


async def acknowledged(rig: Rig, chance: random.Random) -> None:
    """A person was told of a position that nobody explains, and says that it was seen."""
    await hand.buy(rig, chance.choice(SYMBOLS), f"hand-{chance.randrange(10**9)}")
    await rig.ask("reconcile")
    for number in _unseen(rig):
        await rig.ask("acknowledge", alerts=[number], who="somebody")


async def leverage_changed(rig: Rig, chance: random.Random) -> None:
    """Somebody has set another leverage: it is set right before anything is opened."""
    await hand.change_leverage(rig, SYMBOLS)
    if hedge := await _open(rig, chance):
        await rig.ask("close", hedge=hedge)


async def rare_market(rig: Rig, chance: random.Random) -> None:
    """A market that was probably never opened: its leverage is set on both venues."""
    row = await rig.ask("open", symbol=chance.choice(RARE), usd=USD)
    if row and row["state"] == "open":
        await rig.ask("close", hedge=row["hedge"])


SCENES: dict[str, Scene] = {
    "set_leverage": leverage_changed,
    "prepare_leverage": rare_market,
    "cancel": kept_by_x10,
    "prepare_cancel": kept_by_lighter,
    "prepare_filler": second_leg_refused,  # the next order finds a refused nonce
    "intend_filler": second_leg_refused,
    "submit_filler": second_leg_refused,
    "nonce_used_by": nonce_taken,
    "move_converging": second_leg_refused,
    "submit_rollback": second_leg_refused,
    "move_closed_flat": first_leg_refused,
    "move_refused": not_even_tried,
    "intend_burn": burnt,
    "prepare_burn": burnt,
    "move_escalated": escalated,
    "alert": escalated,
    "adopt": orphaned,
    "traded": leg_changed,
    "abandon": frozen_before_sending,
    "late_fill": shown_after_its_death,
    "acknowledge": acknowledged,
}
"""The scene for a site; ``plain`` for every other."""

NEVER = {
    "book_past": "only where the ledger is older than the venues, which no life of these makes it;"
    " tests/scenarios/test_ledger_behind.py does",
    "lose": "a venue that forgets is believed after minutes of looks, longer than a life of these;"
    " tests/scenarios/test_forgetful_venues.py does",
    "give_back": "only after that",
    "reserve_values": "only for sequences in which gaps are legal; neither venue has one",
}
"""Sites that the daemon does not pass on these venues, and why."""

LATE = frozenset({"late_fill"})
"""Sites whose scene leaves orders that filled though the ledger believes them dead."""

ONCE_IN_A_LIFE = frozenset({"begin_epoch", "recover", "start"})
"""Sites that a process passes only while it starts (``start``: once per venue)."""

IN_RECOVERY = frozenset({"resume", "past_orders"})
"""Sites that are only passed when there was an earlier life, and when it left something."""


def scene_for(label: str) -> Scene:
    """What the daemon is made to do so that it passes a label."""
    return SCENES.get(label.partition(".")[0], plain)


def walked() -> list[str]:
    """Every label that the daemon can pass."""
    return [label for label in crashpoints.LABELS if label.partition(".")[0] not in NEVER]


async def anything(rig: Rig, chance: random.Random) -> None:
    """For random kills: one hedge of whatever fate, and often its end."""
    scenes = (plain, plain, partly_filled, second_leg_refused, burnt, first_leg_refused)
    await chance.choice(scenes)(rig, chance)


def _unseen(rig: Rig) -> list[int]:
    """Numbers of alerts that nobody has acknowledged."""
    with open_store(rig.home.ledger, SystemClock(), readonly=True) as ledger:
        return [alert.number for alert in ledger.unacknowledged()]


async def _open(rig: Rig, chance: random.Random) -> str | None:
    """Open a hedge on some market; its id if it is open."""
    row = await rig.ask("open", symbol=chance.choice(SYMBOLS), usd=USD)
    return row["hedge"] if row and row["state"] == "open" else None
