"""What one writing transaction carries around."""

from datetime import datetime
from typing import NamedTuple

from hedger.ledger.connection import Connection


class Session(NamedTuple):
    """An open transaction, the instant it began and the epoch it writes in."""

    conn: Connection
    now: datetime
    epoch: int
