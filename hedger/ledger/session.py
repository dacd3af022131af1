"""What one writing transaction carries around."""

from dataclasses import dataclass
from datetime import datetime

from hedger.ledger.connection import Connection


@dataclass(frozen=True, slots=True)
class Session:
    """An open transaction, the instant it began and the epoch it writes in."""

    conn: Connection
    now: datetime
    epoch: int
