"""Frozen results as JSON-ready rows: stable keys for programs, text for exact numbers."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from hedger.economics import Opportunity
from hedger.scanner import ScanResult


def _bps(value: Decimal | None) -> str | None:
    return None if value is None else f"{value:.2f}"


def _opportunity(rank: int, found: Opportunity) -> dict[str, Any]:
    pair = found.pair
    long_venue, short_venue = (
        (pair.a.venue, pair.b.venue) if pair.side_a == "buy" else (pair.b.venue, pair.a.venue)
    )
    return {
        "rank": rank,
        "symbol": pair.symbol,
        "long": long_venue,
        "short": short_venue,
        f"{pair.a.venue}_rate_1h": f"{pair.a.rate_1h:f}",
        f"{pair.b.venue}_rate_1h": f"{pair.b.rate_1h:f}",
        "spread_1h": f"{pair.spread_1h:f}",
        "gross_bps": _bps(found.gross_bps),
        "fees_bps": _bps(found.fees_bps),
        "slippage_bps": _bps(found.slippage_bps),
        "basis_bps": _bps(found.basis_bps),
        "net_bps": _bps(found.net_bps),
        "naive_apy": f"{found.naive_apy:.4f}",
        "price_gap_bps": _bps(pair.price_gap_bps),
        "note": found.note or None,
    }


def scan_view(result: ScanResult) -> Mapping[str, Any]:
    """A scan with every candidate, best first."""
    return {
        "as_of": result.as_of.isoformat(),
        "horizon_h": result.rules.horizon_h,
        "size_usd": f"{result.rules.size_usd:f}",
        "absent": dict(result.absent),
        "disagreeing": [p.symbol for p in result.disagreeing],
        "rows": [_opportunity(i, o) for i, o in enumerate(result.opportunities, start=1)],
    }
