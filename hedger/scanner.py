"""
SCAN: ask both venues at once, pair what they quote, rank what is left over.

A venue that does not answer within its own deadline is absent with the reason, never zero.
Books are read only for the best candidates.
"""

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TypeVar

from loguru import logger

from hedger import opportunity
from hedger.clock import Clock
from hedger.domain.ids import Symbol, VenueId
from hedger.domain.market import FundingQuote, OrderBook
from hedger.errors import VenueError
from hedger.opportunity import Opportunity, Pair, Terms
from hedger.ports import QuoteSource

K = TypeVar("K")
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanRules:
    """What a scan is asked for."""

    venues: tuple[VenueId, VenueId]
    terms: Terms
    depth_candidates: int
    deadline_s: float
    max_price_gap_bps: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanResult:
    """What a scan saw. ``absent`` says why a venue is missing."""

    as_of: datetime
    rules: ScanRules
    quotes: Mapping[VenueId, Mapping[Symbol, FundingQuote]]
    absent: Mapping[VenueId, str]
    disagreeing: Sequence[Pair]  # same name, but prices too far apart to be the same asset
    opportunities: Sequence[Opportunity]


async def scan(
    sources: Mapping[VenueId, QuoteSource], rules: ScanRules, clock: Clock
) -> ScanResult:
    """One look at both venues. Never raises for a venue's sake."""
    as_of = clock.now()
    first, second = rules.venues
    answers = await _all(
        {v: _within(rules.deadline_s, v, sources[v].funding()) for v in rules.venues}
    )
    quotes = {v: a for v, a in answers.items() if not isinstance(a, VenueError)}
    absent = {v: a.detail for v, a in answers.items() if isinstance(a, VenueError)}
    for venue, why in absent.items():
        logger.warning("scan: {} is absent: {}", venue, why)
    if absent:
        return ScanResult(
            as_of=as_of,
            rules=rules,
            quotes=quotes,
            absent=absent,
            disagreeing=(),
            opportunities=(),
        )
    agree, disagree = opportunity.pair_up(
        quotes[first], quotes[second], max_price_gap_bps=rules.max_price_gap_bps
    )
    candidates = opportunity.by_value([opportunity.estimate(p, rules.terms) for p in agree])
    best, rest = candidates[: rules.depth_candidates], candidates[rules.depth_candidates :]
    priced = await _price(best, sources, rules)
    return ScanResult(
        as_of=as_of,
        rules=rules,
        quotes=quotes,
        absent=absent,
        disagreeing=disagree,
        opportunities=opportunity.by_value([*priced, *rest]),
    )


async def _within(deadline_s: float, venue: VenueId, question: Awaitable[T]) -> T | VenueError:
    try:
        async with asyncio.timeout(deadline_s):
            return await question
    except TimeoutError:
        return VenueError(venue, f"no answer within {deadline_s:g} s")
    except VenueError as error:
        return error


async def _all(questions: Mapping[K, Awaitable[T]]) -> dict[K, T]:
    return dict(zip(questions, await asyncio.gather(*questions.values()), strict=True))


async def _price(
    best: Sequence[Opportunity], sources: Mapping[VenueId, QuoteSource], rules: ScanRules
) -> list[Opportunity]:
    first, second = rules.venues
    books = await _all(
        {
            (venue, c.pair.symbol): _within(
                rules.deadline_s, venue, sources[venue].book(c.pair.symbol)
            )
            for c in best
            for venue in (first, second)
        }
    )
    priced = []
    for candidate in best:
        a = books[first, candidate.pair.symbol]
        b = books[second, candidate.pair.symbol]
        if isinstance(a, OrderBook) and isinstance(b, OrderBook):
            priced.append(opportunity.with_books(candidate, a, b, rules.terms))
        else:
            priced.append(candidate)
    return priced
