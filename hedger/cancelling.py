"""A cancel of an order that the venue still works on: how it is sent, and what has to wait."""

from hedger.domain.ids import LaneId
from hedger.domain.order import Accepted, Prepared, Purpose
from hedger.errors import UnavailableError
from hedger.ledger.store import Store
from hedger.ports import Venue
from hedger.sequence import Lanes

RESTING_CLOSE_S = 30.0
"""
How long after its expiry a working order that takes exposure off is left in place: longer than
a stop may take (25 s), so that stopping never cancels a protective close (S60).
"""


async def cancel(
    venue: Venue,
    prepared: Prepared,
    lanes: Lanes,
    store: Store,
    *,
    holding: LaneId | None = None,
) -> None:
    """
    Ask a venue to cancel one order of ours; look it up afterwards.

    Where there are nonces, a cancel uses one of the lane for reducing orders, and is committed
    like every other use of one. ``holding`` is the lane that the caller keeps already.

    Raises:
        VenueError: the venue did not take the request.
    """
    lane = venue.lane(Purpose.ROLLBACK)
    if lane is None:
        await venue.cancel(prepared)
        return
    async with lanes.hold(None if lane == holding else lane):
        nonce = await lanes.next_value(lane, urgent=True)
        assert nonce is not None
        asked = await venue.prepare_cancel(prepared, nonce)
        store.intend_filler(asked)
        answer = await venue.submit_filler(asked)
        lanes.answered(lane, nonce, answer)
        if not isinstance(answer, Accepted):
            lanes.doubt(lane)
            raise UnavailableError(venue.id, f"cancel: {answer.detail}")
