"""
Whether a hedge that was valued is worth opening: every objection at once, pure.

Risk (``hedger.risk``) is asked besides, and is never overridden; a person who opens a hedge by
hand decides about these rules alone.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from hedger.domain.money import ZERO, plain
from hedger.economics import Valuation

HOUR_S = 3_600


class Code(StrEnum):
    """Why a hedge is not opened: stable, for counting. Risk's own codes stand beside them."""

    VALUE = "value"
    MULTIPLE = "multiple_of_cost"
    SIZE = "size"
    PERSISTENCE = "spread_persistence"
    VOLUME = "volume"
    OPEN_INTEREST = "open_interest"
    DEPTH = "depth"
    WAITING = "waiting"
    INTERVAL = "interval"
    RANK = "not_priced"  # others looked better, so its books were not read
    HELD = "position_held"


@dataclass(frozen=True, slots=True)
class Objection:
    """One reason with its code and its sentence."""

    code: Code
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryRules:
    """When a hedge is worth opening. Everything holds together."""

    min_value_usd: Decimal
    min_value_bps: Decimal
    cost_multiple: Decimal  # expected funding must be this many times the cost
    persistence: int  # settlements in a row at which the spread paid in this direction
    min_volume_usd: Decimal
    min_open_interest_usd: Decimal
    min_depth_usd: Decimal
    max_wait_s: float
    waiting_bps_per_h: Decimal  # what an open hedge risks while nothing is paid


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketFacts:
    """What was seen of a market on both venues, the weaker of the two; None is unknown."""

    persisted: int
    volume_usd: Decimal | None
    open_interest_usd: Decimal | None
    depth_usd: Decimal | None
    settles_in_s: float | None
    interval_s: int


def waiting_bps(facts: MarketFacts, rules: EntryRules) -> Decimal:
    """The cost of standing open until the next settlement; unknown counts as a whole interval."""
    wait = facts.interval_s if facts.settles_in_s is None else int(facts.settles_in_s)
    return rules.waiting_bps_per_h * wait / HOUR_S


def gain_bps(
    funding_bps: Decimal, costs_bps: Decimal, facts: MarketFacts, rules: EntryRules
) -> Decimal:
    """
    What every coin may lose to its own slippage and still leave what entry asks for.

    So a larger size never fails a rule which a smaller one would keep. ``costs_bps`` is without
    that slippage.
    """
    asked_bps = max(ZERO, rules.min_value_bps) + waiting_bps(facts, rules)
    return min(funding_bps - asked_bps, funding_bps / rules.cost_multiple) - costs_bps


def objections_to_entry(
    found: Valuation, facts: MarketFacts, rules: EntryRules
) -> tuple[Objection, ...]:
    """Every reason against opening; none when it is worth it."""
    return tuple(
        Objection(code, text)
        for code, text in (
            *_worth(found, facts, rules),
            (Code.PERSISTENCE, _persistence(facts, rules)),
            (Code.VOLUME, _least("daily volume", facts.volume_usd, rules.min_volume_usd)),
            (
                Code.OPEN_INTEREST,
                _least("open interest", facts.open_interest_usd, rules.min_open_interest_usd),
            ),
            (Code.DEPTH, _least("depth of the books", facts.depth_usd, rules.min_depth_usd)),
            (Code.WAITING, _waiting(facts, rules)),
            (Code.INTERVAL, _interval(facts)),
        )
        if text
    )


def _worth(found: Valuation, facts: MarketFacts, rules: EntryRules) -> Iterator[tuple[Code, str]]:
    """Never at a negative value, whatever the thresholds are."""
    after = found.value_bps - waiting_bps(facts, rules)
    if after <= ZERO or found.value_usd < rules.min_value_usd or after < rules.min_value_bps:
        yield (
            Code.VALUE,
            (
                f"it is worth {found.value_usd:.4f} USD ({after:.2f} bps after waiting), needed are"
                f" {plain(rules.min_value_usd)} USD and {plain(rules.min_value_bps)} bps"
            ),
        )
    if found.funding_usd < rules.cost_multiple * found.cost_usd:
        yield (
            Code.MULTIPLE,
            (
                f"expected funding of {found.funding_usd:.4f} USD is not"
                f" {plain(rules.cost_multiple)} times the cost of {found.cost_usd:.4f}"
            ),
        )


def _persistence(facts: MarketFacts, rules: EntryRules) -> str:
    if facts.persisted >= rules.persistence:
        return ""
    return (
        f"the spread paid for {facts.persisted} settlements in a row, needed are"
        f" {rules.persistence}"
    )


def _least(what: str, seen: Decimal | None, least: Decimal) -> str:
    """Unknown is not enough, unless nothing is asked for."""
    if least == ZERO or (seen is not None and seen >= least):
        return ""
    shown = "unknown" if seen is None else f"{seen:.0f} USD"
    return f"{what} is {shown}, needed are {plain(least)} USD"


def _waiting(facts: MarketFacts, rules: EntryRules) -> str:
    if facts.settles_in_s is None or facts.settles_in_s <= rules.max_wait_s:
        return ""
    return (
        f"the next settlement is {facts.settles_in_s:.0f} s away, at most"
        f" {rules.max_wait_s:.0f} are waited"
    )


def _interval(facts: MarketFacts) -> str:
    if facts.interval_s == HOUR_S:
        return ""
    return f"funding is settled every {facts.interval_s} s, not every hour"
