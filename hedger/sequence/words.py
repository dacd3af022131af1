"""What is said about lanes in the log and in `hedger status`."""

from typing import Final

from hedger.domain.ids import VenueId

ALL: Final = "opening and closing orders"
OPENS: Final = "opening orders"
CLOSES: Final = "closing orders and rollbacks"


def one_key_text(venue: VenueId) -> str:
    """What it costs when one API key carries everything."""
    return (
        f"one API key of {venue} carries {ALL}: a rollback waits while an opening order is"
        " unknown; set rollback_api_key_index to a second key"
    )
