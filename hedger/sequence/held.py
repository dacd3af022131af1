"""A lane as the program keeps it: with its venue, and with what happened on it."""

from dataclasses import dataclass
from typing import Final

from hedger.domain.ids import VenueId
from hedger.ports import Venue
from hedger.sequence.lane import Lane
from hedger.sequence.values import Dense

LONG_AGO_S: Final = float("-inf")


@dataclass(slots=True)
class Held:
    """A lane of the program, and what happened on it since the venue was last asked."""

    lane: Lane
    venue: Venue
    values: Dense
    last_use_s: float  # when a nonce may last have been used
    checked_s: float = LONG_AGO_S
    used: bool = False
    doubt: str = ""  # why it has to be resynchronised
    refused: int | None = None  # the nonce that the venue would not have
    seen: tuple[int, float] | None = None  # a reading while an order's end was sought, and when

    @property
    def account(self) -> tuple[VenueId, str]:
        """Whose it is: the lanes of one account go out of step together."""
        return self.venue.id, self.venue.account
