"""Frozen results as JSON-ready rows: stable keys for programs, text for exact numbers."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from hedger.domain.money import BPS
from hedger.opportunity import Opportunity
from hedger.scanner import ScanResult


def _bps(value: Decimal | None) -> str | None:
    return None if value is None else f"{value:.2f}"


def _usd(value: Decimal) -> str:
    return f"{value:.4f}"


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
        "naive_apy": f"{found.worth.naive_apy:.4f}",
        "value_usd": _usd(found.worth.value_usd) if found.priced else None,
        "break_even_h": found.worth.break_even if found.priced else None,
        "funding_bps": _bps(found.worth.funding_usd / found.worth.size_usd * BPS),
        "fees_bps": _bps(found.costs.fees_bps),
        "slippage_bps": _bps(found.costs.slippage_bps) if found.priced else None,
        "basis_bps": _bps(found.costs.basis_bps) if found.priced else None,
        "rollback_bps": _bps(found.costs.rollback_bps),
        "net_bps": _bps(found.worth.value_bps) if found.priced else None,
        "price_gap_bps": _bps(pair.price_gap_bps),
        "note": found.note or None,
    }


def scan_view(result: ScanResult) -> Mapping[str, Any]:
    """A scan with every candidate, best first."""
    return {
        "as_of": result.as_of.isoformat(),
        "horizon_h": result.rules.terms.settlements,
        "size_usd": f"{result.rules.terms.size_usd:f}",
        "decay_model": result.rules.terms.model.origin,
        "absent": dict(result.absent),
        "disagreeing": [p.symbol for p in result.disagreeing],
        "rows": [_opportunity(i, o) for i, o in enumerate(result.opportunities, start=1)],
    }
