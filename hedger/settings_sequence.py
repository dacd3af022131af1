"""Section ``sequence`` of the configuration: nonce lanes."""

from typing import Annotated

from pydantic import Field

from hedger.settings_types import Seconds, Section


class Sequence(Section):
    """
    How nonce lanes are watched and brought back into step (seed 000).

    ``drift_tolerance``: by how many values the venue may be ahead of us, without our doing,
    before a person is alerted; the lane is resynchronised in any case.
    """

    refresh_interval_s: Seconds = 30.0
    max_consecutive_errors: Annotated[int, Field(ge=1, le=100)] = 3
    cool_down_s: Seconds = 10.0
    drift_tolerance: Annotated[int, Field(ge=0, le=1_000)] = 0
