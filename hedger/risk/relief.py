"""
When both legs of a hedge are reduced together, before one of them is liquidated. Pure.

A leg that comes nearer to its liquidation than ``at_bps`` starts a relief: both legs come down
by a share, again and again with a pause between, until every leg that is known is
``hysteresis_bps`` farther away than that. The relief has a limit; closing the whole hedge is
another decision, at a shorter distance.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from hedger.domain.ids import VenueId

MAX_PAUSE_S: Final = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ReliefRules:
    """
    Distances in basis points of the mark; ``share`` is a fraction of both legs.

    ``pause_s`` passes between two reductions, and doubles with every one that failed.
    """

    at_bps: Decimal
    hysteresis_bps: Decimal
    share: Decimal
    pause_s: float
    max_steps: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Relief:
    """
    A relief that is under way: how often both legs were reduced, and what was tried last.

    ``failures`` are the tries since the last reduction that reduced nothing.
    """

    venue: VenueId  # of the stressed leg at the last try
    steps: int = 0
    failures: int = 0
    tried_at: datetime | None = None
    told: bool = False  # that its limit is reached

    def reduced(self) -> "Relief":
        """Both legs came down."""
        return replace(self, steps=self.steps + 1, failures=0)

    def failed(self) -> "Relief":
        """Nothing was reduced."""
        return replace(self, failures=self.failures + 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """
    What to remember, and what to do now.

    ``stressed`` is the venue whose leg is reduced first, None: nothing is reduced now.
    ``exhausted``: the limit is reached, and a person has to be told, once.
    """

    relief: Relief | None
    stressed: VenueId | None = None
    exhausted: bool = False


def judge_relief(
    distances_bps: Mapping[VenueId, Decimal],
    rules: ReliefRules,
    before: Relief | None,
    now: datetime,
) -> Verdict:
    """
    Whether both legs are to be reduced now, and on which venue first.

    A venue that is absent from ``distances_bps`` is unknown: neither near nor far. A relief ends
    only by a reading of the leg that it is about.
    """
    if not distances_bps:
        return Verdict(relief=before)
    nearest_bps, venue = min((distance, venue) for venue, distance in distances_bps.items())
    if before is None:
        if nearest_bps >= rules.at_bps:
            return Verdict(relief=None)
        return Verdict(relief=Relief(venue=venue, tried_at=now), stressed=venue)
    if nearest_bps >= rules.at_bps + rules.hysteresis_bps:
        over = before.venue in distances_bps
        return Verdict(relief=None if over else before)
    if before.steps >= rules.max_steps:
        return Verdict(relief=replace(before, told=True), exhausted=not before.told)
    if before.tried_at is not None and now - before.tried_at < _pause(rules, before.failures):
        return Verdict(relief=before)
    return Verdict(relief=replace(before, venue=venue, tried_at=now), stressed=venue)


def _pause(rules: ReliefRules, failures: int) -> timedelta:
    doubled = rules.pause_s * 2 ** min(failures, 16)
    return timedelta(seconds=min(doubled, max(MAX_PAUSE_S, rules.pause_s)))
