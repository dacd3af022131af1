"""What a relief remembers, as text of the ledger: pure."""

import json
from datetime import datetime

from hedger.domain.ids import VenueId
from hedger.risk.relief import Relief


def written(relief: Relief) -> str:
    """As JSON."""
    return json.dumps(
        {
            "venue": relief.venue,
            "steps": relief.steps,
            "failures": relief.failures,
            "tried_at": relief.tried_at and relief.tried_at.isoformat(),
            "told": relief.told,
        }
    )


def read(text: str) -> Relief:
    """What ``written`` wrote."""
    data = json.loads(text)
    tried = data["tried_at"]
    return Relief(
        venue=VenueId(data["venue"]),
        steps=data["steps"],
        failures=data["failures"],
        tried_at=datetime.fromisoformat(tried) if tried else None,
        told=data["told"],
    )
