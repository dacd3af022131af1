"""What a statement is asked for: a span of time, and what a row of it is about."""

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from hedger.domain.account import EntryKind
from hedger.errors import UsageError
from hedger.ledger.text import instant_text

SUMS = {
    "realised_usd": EntryKind.REALISED,
    "fees_usd": EntryKind.FEE,
    "funding_usd": EntryKind.FUNDING,
    "unexplained_usd": EntryKind.UNEXPLAINED,
}
"""The columns that add up to the change of the cash."""


class By(StrEnum):
    """What a row is about."""

    VENUE = "venue"
    DAY = "day"
    MARKET = "market"
    ENTRY = "entry"


COLUMNS: dict[By, tuple[str, ...]] = {
    By.VENUE: (
        "month", "venue", "account", "opening_usd", *SUMS, "closing_usd", "reading_usd",
        "reading_at", "difference_usd",
    ),
    By.DAY: ("day", "venue", "account", "opening_usd", *SUMS, "closing_usd"),
    By.MARKET: (
        "month", "venue", "account", "symbol", "trades", "traded_usd", *SUMS, "net_usd",
        "rollbacks", "rollback_cost_usd",
    ),
    By.ENTRY: (
        "at", "venue", "account", "type", "symbol", "size", "price_usd", "amount_usd", "currency",
        "ref", "order_ref", "hedge_id", "note",
    ),
}  # fmt: skip
"""The keys of every row, in order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """From ``start`` on and before ``end``; a month, or everything."""

    name: str
    start: datetime
    end: datetime

    def holds(self, at: str) -> bool:
        """Whether a stamp of the ledger lies in it."""
        return instant_text(self.start) <= at < instant_text(self.end)


def month(text: str | None) -> Span:
    """
    The UTC month ``YYYY-MM``; everything when there is none.

    Raises:
        UsageError: it is no month.
    """
    if text is None:
        first, last = datetime(1, 1, 2, tzinfo=UTC), datetime(9999, 12, 30, tzinfo=UTC)
        return Span(name="all", start=first, end=last)
    try:
        start = datetime.strptime(text, "%Y-%m").replace(tzinfo=UTC)
        end = start.replace(year=start.year + start.month // 12, month=start.month % 12 + 1)
    except ValueError:
        raise UsageError(f"--month {text} is no month; write it as in 2026-01") from None
    return Span(name=text, start=start, end=end)
