"""What one writing transaction carries around."""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa


@dataclass(frozen=True, slots=True)
class Session:
    """An open transaction, the instant it began and the epoch it writes in."""

    conn: sa.Connection
    now: datetime
    epoch: int
