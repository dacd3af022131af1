"""
A gap: the venue waits for a nonce that nothing of ours is going to use.

It comes about when a transaction was taken in and then dropped (its ``ExpiredAt`` passed, or
the venue lost it). Later nonces are refused until it is filled, so something harmless uses up
every nonce from the venue's value to ours. An order without proof that has one of them is then
executed or dead for ever, like behind its own burn.

A wide gap (a key that was registered anew waits for nonces from 0) would take from ten seconds up
to minutes, while a leg may stand unhedged. There one transaction uses the last of the nonces and
lets the venue skip those before it, which can never be used then either.
"""

import asyncio
from typing import Final

from loguru import logger

from hedger.clock import Clock
from hedger.domain.ids import LaneId, VenueId
from hedger.domain.order import Accepted, Answer, Filler, NoProof, Reason
from hedger.errors import UnavailableError
from hedger.ledger.store import Store
from hedger.ports import Venue
from hedger.urgency import soon

FILL_MAX: Final = 4  # nonces that are used up one by one, each a second where answers are slow
LOOK_S: Final = 0.5
SENDS_S: Final = (1.5, 1.5, None)  # how long each sending is waited for; None: the adapter's limit
AGAIN_S: Final = 0.35
AGAIN_LIMIT_S: Final = 1.0  # for bytes that are sent again between two tries: they have the lane


class UnheardError(UnavailableError):
    """The gap is still there, and of ``filler`` no word was heard: it may not have arrived."""

    def __init__(self, venue: VenueId, detail: str, filler: Filler) -> None:
        super().__init__(venue, detail)
        self.filler = filler


async def waited_for(venue: Venue, lane: LaneId, wanted: int, until_s: float, clock: Clock) -> int:
    """
    What the venue expects, read again until it is ``wanted`` or the time has come.

    Raises:
        VenueError: it could not be read.
    """
    remote = await soon(lambda: venue.next_nonce(lane), clock)
    while remote < wanted and clock.monotonic_s() < until_s:
        await clock.sleep(LOOK_S)
        remote = await soon(lambda: venue.next_nonce(lane), clock)
    return remote


async def use_up(
    store: Store, venue: Venue, lane: LaneId, nonce: int, *, clock: Clock, skips: bool = False
) -> tuple[Filler, Answer]:
    """
    Let something harmless have a nonce: committed, then sent; with what the venue said at last.

    With ``skips`` the venue takes it although nonces before it are not used, which then never are.

    Where the answer is lost or the venue would not take it, the identical bytes are sent again:
    with one nonce they are executed once or not at all. A word about the nonce ends it.

    Raises:
        VenueError: it cannot be signed for.
    """
    filler = await venue.prepare_filler(lane, nonce, skips=skips)
    store.intend_filler(filler)
    answer: Answer = NoProof("not sent yet")
    for limit_s in SENDS_S:
        try:
            async with asyncio.timeout(limit_s):
                answer = await venue.submit_filler(filler)
        except TimeoutError:
            answer = NoProof(f"no answer within {limit_s} s")
            continue
        if settles(answer):
            break
        await clock.sleep(AGAIN_S)
    logger.info("using up nonce {} of {}: {}", nonce, lane, type(answer).__name__)
    return filler, answer


async def sent_again(venue: Venue, filler: Filler) -> bool:
    """Whether the identical bytes, sent once more, were taken or their nonce proves to be used."""
    try:
        async with asyncio.timeout(AGAIN_LIMIT_S):
            return settles(await venue.submit_filler(filler))
    except TimeoutError:
        return False


def settles(answer: Answer) -> bool:
    """Whether the same bytes once more would change nothing."""
    about_nonce = isinstance(answer, NoProof) and answer.reason is Reason.NONCE
    return about_nonce or isinstance(answer, Accepted)


async def fill(
    store: Store, venue: Venue, lane: LaneId, gap: range, *, clock: Clock, lag_s: float
) -> int:
    """
    Use up the nonces of ``gap``; what the venue says then.

    Each filler is committed before it is sent. A reading that had lagged does no harm: the
    fillers are refused then.

    Raises:
        VenueError: the venue cannot be asked or signed for.
        UnheardError: the gap is still there after the read lag, and a filler had no answer.
        UnavailableError: it is still there, though every filler had one.
    """
    wide = len(gap) > FILL_MAX
    if wide:
        text = f"{venue.id} skips {len(gap)} nonces of {lane}, from {gap.start} on: more than"
        store.alert(f"{text} {FILL_MAX} were never used or are to be used again; look at the key")
    unheard: Filler | None = None
    for nonce in gap[-1:] if wide else gap:
        filler, answer = await use_up(store, venue, lane, nonce, clock=clock, skips=wide)
        if unheard is None and not settles(answer):
            unheard = filler
    until_s = clock.monotonic_s() + lag_s
    remote = await waited_for(venue, lane, gap.stop, until_s, clock)
    if remote < gap.stop:
        text = f"still waits for nonce {remote} of {lane}"
        if unheard is not None:
            raise UnheardError(venue.id, text, unheard)
        raise UnavailableError(venue.id, text)
    return remote
