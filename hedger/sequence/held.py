"""A lane as the program keeps it: with its venue, and with what happened on it."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import Final

from hedger.clock import Clock
from hedger.domain.ids import VenueId
from hedger.domain.order import Filler, Purpose
from hedger.ledger.records import LaneState
from hedger.ledger.store import Store
from hedger.ports import Venue
from hedger.sequence.lane import Lane
from hedger.sequence.values import Dense
from hedger.sequence.words import ALL, CLOSES, OPENS
from hedger.settings_sequence import Sequence as Rules

LONG_AGO_S: Final = float("-inf")


@dataclass(slots=True)
class Held:
    """A lane of the program, and what happened on it since the venue was last asked."""

    lane: Lane
    venue: Venue
    values: Dense
    last_use_s: float  # when a nonce may last have been used
    checked_s: float = LONG_AGO_S
    used: bool = False  # something was sent since the venue was last asked
    taken: int = 0  # how many nonces were given since the start
    doubt: str = ""  # why it has to be resynchronised
    refused: int | None = None  # the nonce that the venue would not have
    seen: tuple[int, float] | None = None  # a reading while an order's end was sought, and when
    unheard: Filler | None = None  # of which the venue said nothing, so that its gap is still there
    counted: set[int | None] = field(default_factory=set)  # nonces whose error was counted

    @property
    def troubled(self) -> bool:
        """Whether it has to be resynchronised before a nonce is given."""
        return bool(self.doubt) or self.lane.state is not LaneState.READY

    @property
    def account(self) -> tuple[VenueId, str]:
        """Whose it is: the lanes of one account go out of step together."""
        return self.venue.id, self.venue.account

    def failed(self, nonce: int | None, text: str, unproven: Collection[int | None]) -> None:
        """
        Count the error of a nonce, once: its order may be refused, unknown, and then dead.

        ``unproven`` are the nonces of orders whose end is still sought: of no others anything
        can be heard again, so no others are remembered.
        """
        if nonce in self.counted:
            return
        self.counted = self.counted.intersection(unproven) | {nonce}
        self.lane.failed(text)


def lanes_of(venue: Venue, store: Store, *, clock: Clock, rules: Rules) -> Iterator[Held]:
    """The lanes of one venue: two keys, one key for everything, or none."""
    opens, closes = venue.lane(Purpose.OPEN), venue.lane(Purpose.ROLLBACK)
    if opens is not None and opens == closes:
        found = {opens: ALL}
    else:
        found = {lane: word for lane, word in ((opens, OPENS), (closes, CLOSES)) if lane}
    for id_, carries in found.items():
        values = Dense(lambda id_=id_: store.lane_high(id_))  # type: ignore[misc]  # bound now
        lane = Lane(
            id_,
            values,
            venue=venue.id,
            carries=carries,
            journal=store,
            clock=clock,
            rules=rules,
        )
        yield Held(lane, venue, values, clock.monotonic_s())
