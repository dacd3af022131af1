"""Short series, a known market and a known policy, for the tests of the backtest."""

from array import array
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from math import nan

from hedger.backtest import package
from hedger.backtest.account import Hedge
from hedger.backtest.costs import Assumptions, Terms, terms
from hedger.backtest.oracle import Oracle
from hedger.backtest.ours import Ours, Policy
from hedger.backtest.policy import policy_of
from hedger.backtest.replay import Decision, Outcome, Rule, replay
from hedger.backtest.rules import HoldEverything, Naive
from hedger.backtest.series import Series
from hedger.decay import DecayModel, Form
from hedger.domain.ids import Symbol, VenueId
from hedger.resources import config
from hedger.settings import load

VENUES = (VenueId("x10"), VenueId("lighter"))
ETH = Symbol("ETH")
FIRST = 491_000  # hours since the epoch
KNOWN = package.load(VENUES)
SIZE = Decimal(1000)
PLAIN = Assumptions(basis=False, slippage_bps=Decimal(1))
SETTINGS = load(config() / "backtest.yaml")
MODEL = DecayModel(
    form=Form(fast=0.5, fast_h=4.0, slow=0.4, slow_h=24.0, floor=0.05, last_lag=72),
    scales={},
    counts={},
    origin="a test",
    since=datetime(2026, 1, 1, tzinfo=UTC),
    until=datetime(2026, 1, 2, tzinfo=UTC),
    pairs=1,
)


def series(
    spreads: Sequence[float],
    *,
    hours: Sequence[int] | None = None,
    base: float = 1.2e-5,
    marks: Sequence[tuple[float, float]] | None = None,
    symbol: Symbol = ETH,
) -> Series:
    """Rates of A that are ``spreads`` above those of B, hour after hour."""
    count = len(spreads)
    unknown = array("d", [nan]) * count
    return Series(
        symbol=symbol,
        hours=array("q", hours or range(FIRST, FIRST + count)),
        rate_a=array("d", [round(base + one, 9) for one in spreads]),
        rate_b=array("d", [base] * count),
        mark_a=array("d", [one[0] for one in marks]) if marks else unknown,
        mark_b=array("d", [one[1] for one in marks]) if marks else unknown,
        interest_a=unknown,
        interest_b=unknown,
        sources=array("i", [0] * count),
    )


def conditions(assumed: Assumptions = PLAIN, symbol: Symbol = ETH) -> Terms:
    return terms(KNOWN, symbol, assumed)


def policy(model: DecayModel = MODEL) -> Policy:
    return policy_of(SETTINGS, model, size_usd=SIZE)


def ours(market: Terms, model: DecayModel = MODEL) -> Ours:
    return Ours(market, policy(model), venues=VENUES, size_usd=SIZE)


def naive(market: Terms) -> Naive:
    return Naive(market, size_usd=SIZE)


def hold(market: Terms) -> HoldEverything:
    return HoldEverything(market, size_usd=SIZE)


def oracle(of: Series, market: Terms) -> Oracle:
    return Oracle(of, market, size_usd=SIZE)


def outcome(of: Series, market: Terms, rule: Rule) -> Outcome:
    (found,) = replay(of, market, [rule])
    return found


def hedges(of: Series, market: Terms, rule: Rule) -> list[Hedge]:
    return outcome(of, market, rule).hedges


def decisions(of: Series, market: Terms, *rules: Rule) -> list[Decision]:
    found: list[Decision] = []
    replay(of, market, rules, found.append)
    return found
