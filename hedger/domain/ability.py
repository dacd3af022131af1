"""Whether a venue would take a reduce-only order of ours now: three-valued, with the remedy."""

from dataclasses import dataclass
from enum import StrEnum

from hedger.domain.ids import VenueId


class Can(StrEnum):
    """Not knowing is neither yes nor no."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ability:
    """
    One thing that an order needs of a venue, as the venue has just told it.

    ``code`` is stable, for telling one obstacle from another; ``why`` is a clause that names the
    venue, ``remedy`` what a person does about it. All three are empty where it can.
    """

    venue: VenueId
    can: Can
    code: str = ""
    why: str = ""
    remedy: str = ""


def able(venue: VenueId) -> Ability:
    """Nothing of what was asked stands in the way."""
    return Ability(venue=venue, can=Can.YES)


def unable(venue: VenueId, code: str, why: str, remedy: str) -> Ability:
    """The venue would refuse the order."""
    return Ability(venue=venue, can=Can.NO, code=code, why=why, remedy=remedy)


def unknown(venue: VenueId, code: str, why: str) -> Ability:
    """The venue could not be asked, or its answer does not tell."""
    remedy = f"look whether {venue} works and can be reached from this machine"
    return Ability(venue=venue, can=Can.UNKNOWN, code=code, why=why, remedy=remedy)
