"""What one look at the legs of an open hedge comes to: costs, margins, profit. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from hedger import economics
from hedger.domain.ids import Symbol, VenueId
from hedger.domain.market import Balance, FundingQuote, Instrument, MarketStatus, OrderBook
from hedger.domain.money import BPS, ZERO
from hedger.holding import ExitRules, Holding, LegView
from hedger.ledger.records import LegCash
from hedger.settings import Settings


@dataclass(frozen=True, slots=True)
class Leg:
    """What one venue shows of one leg now."""

    venue: VenueId
    size: Decimal
    quote: FundingQuote
    book: OrderBook | None
    fee: Decimal | None
    cash: LegCash | None


def of_market(venue: VenueId, symbol: Symbol, rules: Instrument | None) -> LegView:
    """A leg whose market may be on its way out, or closed: closed is not reduce-only."""
    status = MarketStatus.ACTIVE if rules is None else rules.status
    text = f"{symbol} is {status} on {venue}"
    return LegView(
        venue=venue,
        leaving=text if status is MarketStatus.REDUCE_ONLY else "",
        closed=text if status is MarketStatus.CLOSED else "",
    )


def leaving_bps(leg: Leg, settings: Settings) -> Decimal:
    """Fee and slippage of taking this leg off now, against the mid."""
    fee = settings.scan.taker_fee_bps.get(leg.venue, ZERO)
    if leg.fee is not None:
        fee = leg.fee * BPS
    if leg.book is None or leg.book.mid is None or leg.size == ZERO:
        return fee + settings.execution.slippage_bps
    side = leg.book.bids if leg.size > ZERO else leg.book.asks
    price = economics.walk(side, abs(leg.size))
    if price is None:
        return fee + settings.execution.slippage_bps
    return fee + abs(price - leg.book.mid) / leg.book.mid * BPS


def view(
    leg: Leg,
    balance: Balance | None,
    value_usd: Decimal,
    rules: Instrument | None,
    *,
    leverage: Decimal,
) -> LegView:
    """
    How much margin stands behind a leg.

    The distance to liquidation is an estimate under cross margin: the venue's equity less a
    maintenance margin of half of what the highest leverage asks for, over the leg's value.
    """
    if balance is None or value_usd == ZERO:
        return LegView(venue=leg.venue)
    needed = value_usd / leverage
    distance = None
    if rules is not None and rules.max_leverage:
        kept = value_usd / rules.max_leverage / 2
        own = abs(leg.size) * leg.quote.mark_price
        distance = (balance.equity_usd - kept) / own if own else None
    return LegView(
        venue=leg.venue,
        liquidation_distance=distance,
        margin_ratio=balance.equity_usd / needed,
        spare_usd=balance.equity_usd - needed,
    )


def with_distances(
    holding: Holding, distances_bps: Mapping[tuple[VenueId, Symbol], Decimal]
) -> Holding:
    """The venue's own liquidation price counts where it names one, and not the estimate."""
    legs = tuple(
        leg
        if (own := distances_bps.get((leg.venue, holding.symbol))) is None
        else replace(leg, liquidation_distance=own / BPS)
        for leg in holding.legs
    )
    return replace(holding, legs=legs)


def basis_bps(legs: Sequence[Leg], size_usd: Decimal) -> Decimal | None:
    """What the prices have gained for us since entry, at the mids, in bps of one leg."""
    gained = ZERO
    for leg in legs:
        mid = leg.book.mid if leg.book is not None else None
        if leg.cash is None or mid is None:
            return None
        gained += leg.cash.cash_usd + leg.cash.size * mid
    return gained / size_usd * BPS


def earned_usd(cash: Mapping[VenueId, LegCash]) -> Decimal | None:
    """The funding received so far; None before both venues have told any."""
    if not cash or any(leg.funding_through is None for leg in cash.values()):
        return None
    return sum((leg.funding_usd for leg in cash.values()), ZERO)


def exit_rules(settings: Settings) -> ExitRules:
    """The configured rules of leaving."""
    rules = settings.exit
    return ExitRules(
        horizon=settings.scan.horizon_h,
        hysteresis=rules.hysteresis_settlements,
        flip_settlements=rules.flip_settlements,
        max_hold_h=rules.max_hold_h,
        target_bps=rules.target_bps,
        basis_profit_bps=rules.basis_profit_bps,
        carry_bps_per_h=rules.carry_bps_per_h,
        rotation_gain_usd=rules.rotation_gain_usd,
        min_liquidation_distance=rules.min_liquidation_distance,
        min_margin_ratio=rules.min_margin_ratio,
        wait_s=rules.wait_s,
        wait_risk_bps_per_h=rules.wait_risk_bps_per_h,
    )
