"""The questions as SQL: which columns, from where, and what each filter means there."""

from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from hedger.errors import UsageError
from hedger.ledger.records import LOST
from hedger.ledger.text import instant_text

DEFAULT_LIMIT = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """
    What to leave out.

    ``since`` is inclusive and ``until`` is not; ``hedge`` is an id or the beginning of one;
    ``limit`` keeps the newest rows, and 0 keeps them all.
    """

    since: datetime | None = None
    until: datetime | None = None
    market: str | None = None
    venue: str | None = None
    hedge: str | None = None
    state: str | None = None
    limit: int = DEFAULT_LIMIT


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One question. The last four are SQL expressions; None where the filter has no meaning."""

    name: str
    columns: dict[str, str]  # key -> expression
    source: str  # what stands after FROM; its first table is ``x``
    at: str
    hedge: str
    market: str | None = None
    venues: tuple[str, ...] = ()
    state: str | None = None


def _same(*names: str) -> dict[str, str]:
    """Columns whose key is their name."""
    return {name: f"x.{name}" for name in names}


_LEGS = (
    " JOIN legs a ON a.hedge_id = x.id AND a.venue = x.venue_a"
    " JOIN legs b ON b.hedge_id = x.id AND b.venue = x.venue_b"
)
_PURPOSES = ("open", "close", "rollback")
_SETTLEMENTS = ("first_settlement_a", "first_settlement_b", "last_settlement_a")
_HEDGE = ("id", "symbol", "state", "venue_a", "venue_b", "side_a")

_HEDGES = Kind(
    name="hedges",
    columns={
        **_same(*_HEDGE, "requested_usd", "planned_size"),
        **{f"{what}_{leg}": f"{leg}.{what}_size" for leg in "ab" for what in _PURPOSES},
        **_same("target", "reason", "expected_net_bps", "created_at", "updated_at"),
        **_same("opened_at", "closed_at", *_SETTLEMENTS, "last_settlement_b"),
    },
    source="hedges x" + _LEGS,
    at="x.created_at",
    hedge="x.id",
    market="x.symbol",
    venues=("x.venue_a", "x.venue_b"),
    state="x.state",
)

_ORDERS = Kind(
    name="orders",
    columns=_same("id", "hedge_id", "venue", "symbol", "purpose", "attempt", "side", "size")
    | _same("limit_price", "state", "filled_size", "filled_usd", "avg_price", "fee_usd")
    | _same("venue_order_id", "status", "detail", "prepared_at", "done_at", "expires_at")
    | _same("account", "client_id", "lane", "nonce", "tx_hash", "payload_sha256", "epoch"),
    source="orders x",
    at="x.prepared_at",
    hedge="x.hedge_id",
    market="x.symbol",
    venues=("x.venue",),
    state="x.state",
)

_FILLS = Kind(
    name="fills",
    columns={
        **_same("venue", "trade_id", "order_id", "hedge_id", "symbol"),
        "purpose": "o.purpose",
        **_same("side", "size", "price", "fee_usd", "at"),
    },
    source="fills x JOIN orders o ON o.id = x.order_id",
    at="x.at",
    hedge="x.hedge_id",
    market="x.symbol",
    venues=("x.venue",),
)

_FUNDING = Kind(
    name="funding",
    columns=_same("venue", "symbol", "settlement_at", "amount_usd", "rate_1h", "size")
    | _same("hedge_id", "payment_id", "booked_at"),
    source="funding_payments x",
    at="x.settlement_at",
    hedge="x.hedge_id",
    market="x.symbol",
    venues=("x.venue",),
)

_RATES = Kind(
    name="rates",
    columns=_same("venue", "symbol", "rate_1h", "next_settlement_at", "interval_s")
    | _same("mark_price", "index_price", "open_interest_usd", "as_of", "source"),
    source="funding_observations x",
    at="x.as_of",
    hedge="NULL",
    market="x.symbol",
    venues=("x.venue",),
)

_POSITIONS = Kind(
    name="positions",
    columns=_same("venue", "symbol", "size", "entry_price", "read_started_at", "as_of")
    | _same("source", "hedge_id"),
    source="position_observations x",
    at="x.as_of",
    hedge="x.hedge_id",
    market="x.symbol",
    venues=("x.venue",),
)

_EVENTS = Kind(
    name="events",
    columns={
        **_same("seq", "at", "level", "kind", "hedge_id"),
        "symbol": "h.symbol",
        **_same("from_state", "to_state", "text", "data", "epoch"),
    },
    source="events x LEFT JOIN hedges h ON h.id = x.hedge_id",
    at="x.at",
    hedge="x.hedge_id",
    market="h.symbol",
    venues=("h.venue_a", "h.venue_b"),
    state="x.to_state",
)


def _lost(leg: str) -> str:
    """What the venue of a leg has forgotten, in signed coins."""
    key = f"'{LOST}' || x.id || ':' || x.venue_{leg}"
    found = f"m.key = {key} AND m.value <> ''"
    return f"(SELECT json_extract(m.value, '$.size') FROM meta m WHERE {found})"  # noqa: S608 (our own words)


_PNL = Kind(
    name="pnl",
    columns={
        **_same(*_HEDGE, "created_at", "opened_at", "closed_at"),
        **_same(*_SETTLEMENTS, "last_settlement_b"),
        **{
            f"{leg}_{name}": f"{leg}.{name}"
            for leg in "ab"
            for name in (
                *(f"{p}_{what}" for p in _PURPOSES for what in ("size", "usd", "fees_usd")),
                "funding_usd",
                "funding_through",
            )
        },
        "a_lost": _lost("a"),
        "b_lost": _lost("b"),
        "unsettled": (
            "EXISTS (SELECT 1 FROM orders o WHERE o.hedge_id = x.id"
            " AND o.state IN ('prepared', 'unresolved'))"
        ),
    },
    source="hedges x" + _LEGS,
    at="x.created_at",
    hedge="x.id",
    market="x.symbol",
    venues=("x.venue_a", "x.venue_b"),
    state="x.state",
)

_TAKEN = "SELECT max(o.nonce) FROM orders o WHERE o.lane = x.lane"


def _count(*states: str) -> str:
    """How many intents of a lane are in one of these states; in any, when there are none."""
    wanted = ", ".join(f"'{state}'" for state in states)
    which = f" AND o.state IN ({wanted})" if states else ""
    return f"(SELECT count(*) FROM orders o WHERE o.lane = x.lane{which})"  # noqa: S608 (our own words)


_LANES = Kind(
    name="lanes",
    columns={
        **_same("lane", "venue", "carries", "state", "reason", "changed_at", "cool_down_until"),
        "last_nonce": f"({_TAKEN} AND o.state NOT IN ('refused', 'abandoned'))",
        "issued": _count(),
        "confirmed": _count("filled", "partial", "zero"),
        "refused": _count("refused"),
        "dead": _count("dead"),
        "not_sent": _count("abandoned"),
        "unknown": _count("prepared", "unresolved"),
        "burnt": "(SELECT count(*) FROM burns b WHERE b.lane = x.lane)",
        "filled_gaps": "(SELECT count(*) FROM fillers f WHERE f.lane = x.lane)",
        **_same("mismatches", "resyncs", "drifts", "gaps", "cool_downs"),
    },
    source="lanes x",
    at="x.changed_at",
    hedge="NULL",
    venues=("x.venue",),
    state="x.state",
)

_DECISIONS = Kind(
    name="decisions",
    columns=_same("hour", "symbol", "about", "code", "times", "value_usd")
    | _same("first_at", "last_at", "text"),
    source="decisions x",
    at="x.last_at",
    hedge="NULL",
    market="x.symbol",
    state="x.code",
)

_EVERY = (_HEDGES, _ORDERS, _FILLS, _FUNDING, _RATES, _POSITIONS, _EVENTS, _PNL, _LANES)

KINDS = {kind.name: kind for kind in (*_EVERY, _DECISIONS)}
"""Every question by its name. ``rates`` are the funding estimates that were observed."""


def compose(kind: Kind, filters: Filters) -> tuple[str, list[Any]]:
    """
    One statement with its values.

    The expressions come from this module alone; everything a person typed is a value.

    Raises:
        UsageError: a filter has no meaning for this kind.
    """
    conditions: list[str] = []
    values: list[Any] = []

    def keep(condition: str, *wanted: str) -> None:
        conditions.append(condition)
        values.extend(wanted)

    if filters.since is not None:
        keep(f"{kind.at} >= ?", instant_text(filters.since))
    if filters.until is not None:
        keep(f"{kind.at} < ?", instant_text(filters.until))
    if filters.market is not None:
        keep(f"{_meaning(kind, 'market')} = ?", filters.market)
    if filters.state is not None:
        keep(f"{_meaning(kind, 'state')} = ?", filters.state)
    if filters.hedge is not None:
        keep(f"{kind.hedge} >= ? AND {kind.hedge} < ?", filters.hedge, filters.hedge + "\U0010ffff")
    if filters.venue is not None:
        if not kind.venues:
            raise UsageError(f"{kind.name} have no venue; leave --venue out")
        either = " OR ".join(f"{venue} = ?" for venue in kind.venues)
        keep(f"({either})", *[filters.venue] * len(kind.venues))

    wanted = ", ".join(f"{sql} AS {key}" for key, sql in kind.columns.items())
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    sql = f"SELECT {wanted}, x.seq AS nr FROM {kind.source}{where}"  # noqa: S608 (no text of a user is in it)
    if filters.limit < 0:
        raise UsageError(f"--limit {filters.limit} is negative; 0 shows everything")
    if filters.limit == 0:
        return f"{sql} ORDER BY x.seq", values
    newest = f"{sql} ORDER BY x.seq DESC LIMIT ?"
    return f"SELECT * FROM ({newest}) ORDER BY nr", [*values, filters.limit]  # noqa: S608 (as above)


def _meaning(kind: Kind, name: str) -> str:
    sql: str | None = getattr(kind, name)
    if sql is None:
        known = ", ".join(f"--{f.name}" for f in fields(Filters) if f.name != name)
        raise UsageError(f"{kind.name} have no {name}; leave --{name} out (there is {known})")
    return sql
