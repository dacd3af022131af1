"""Every rule about a plan: a stable code, and a function that gives a sentence or nothing."""

from collections.abc import Callable
from decimal import Decimal
from typing import Final

from hedger.domain.ids import as_configured
from hedger.domain.market import MarketStatus
from hedger.domain.money import ZERO, plain
from hedger.risk.values import SETTLEMENT_GAP_S, Book, Limits, Opened, Plan
from hedger.units import beyond_cap

Rule = Callable[[Plan, Limits, Book], str]


def _size(plan: Plan, limits: Limits, book: Book) -> str:
    least = max(plan.a.min_size, plan.b.min_size)
    if plan.size < least or plan.size <= ZERO:
        return (
            f"{plain(plan.usd)} USD buy {plain(plan.size)} {plan.symbol}, below the minimum of"
            f" {plain(least)};"
            f" at least {least * plan.price:.2f} USD are needed"
        )
    return ""


def _notional(plan: Plan, limits: Limits, book: Book) -> str:
    value = plan.size * plan.price
    for instrument in (plan.a, plan.b):
        if value < instrument.min_notional_usd:
            return (
                f"{value:.2f} USD are below the {plain(instrument.min_notional_usd)} of"
                f" {instrument.venue}"
            )
        cap = instrument.max_order_value_usd
        if cap is not None and value > cap:
            return f"{value:.2f} USD are above the order cap {plain(cap)} of {instrument.venue}"
    return ""


def _position_limit(plan: Plan, limits: Limits, book: Book) -> str:
    if plan.usd > limits.max_position_usd:
        return (
            f"{plain(plan.usd)} USD are above trading.max_position_size_usd"
            f" ({plain(limits.max_position_usd)})"
        )
    return ""


def _market_limit(plan: Plan, limits: Limits, book: Book) -> str:
    most = limits.market_usd.get(as_configured(plan.symbol))
    if most is not None and plan.usd > most:
        return f"{plain(plan.usd)} USD are above risk.market_usd of {plan.symbol} ({plain(most)})"
    return ""


def _venue_limit(plan: Plan, limits: Limits, book: Book) -> str:
    for venue in plan.venues:
        held = book.live_usd.get(venue, ZERO)
        if held + plan.usd > limits.max_venue_usd:
            return (
                f"{plain(held)} USD are open on {venue}; with {plain(plan.usd)} more it is above"
                f" risk.max_venue_usd ({plain(limits.max_venue_usd)})"
            )
    return ""


def _day_usd(plan: Plan, limits: Limits, book: Book) -> str:
    return _usd_limit(plan, book.today, limits.max_day_usd, "risk.max_day_usd", "")


def _market_day_usd(plan: Plan, limits: Limits, book: Book) -> str:
    done = book.today_on.get(plan.symbol, Opened())
    key = "risk.max_market_day_usd"
    return _usd_limit(plan, done, limits.max_market_day_usd, key, f" on {plan.symbol}")


def _usd_limit(plan: Plan, done: Opened, most: Decimal, key: str, where: str) -> str:
    if done.usd + plan.usd > most:
        return (
            f"{plain(done.usd)} USD were opened{where} today; with {plain(plan.usd)} more it is"
            f" above {key} ({plain(most)})"
        )
    return ""


def _day_hedges(plan: Plan, limits: Limits, book: Book) -> str:
    if book.today.hedges >= limits.max_day_hedges:
        return (
            f"{book.today.hedges} hedges were opened today,"
            f" risk.max_day_hedges is {limits.max_day_hedges}"
        )
    return ""


def _market_day_hedges(plan: Plan, limits: Limits, book: Book) -> str:
    done = book.today_on.get(plan.symbol, Opened()).hedges
    if done >= limits.max_market_day_hedges:
        return (
            f"{done} hedges were opened on {plan.symbol} today,"
            f" risk.max_market_day_hedges is {limits.max_market_day_hedges}"
        )
    return ""


def _orders_per_minute(plan: Plan, limits: Limits, book: Book) -> str:
    for venue in plan.venues:
        sent = book.orders_last_minute.get(venue, 0)
        if sent + 1 > limits.max_orders_per_minute:
            return (
                f"{sent} orders within a minute on {venue},"
                f" risk.max_orders_per_minute is {limits.max_orders_per_minute}"
            )
    return ""


def _count(plan: Plan, limits: Limits, book: Book) -> str:
    if book.live_hedges >= limits.max_open_hedges:
        return (
            f"{book.live_hedges} hedges live, trading.max_open_hedges is {limits.max_open_hedges}"
        )
    return ""


def _one_per_market(plan: Plan, limits: Limits, book: Book) -> str:
    return f"a hedge on {plan.symbol} is live already" if plan.symbol in book.busy_symbols else ""


def _foreign(plan: Plan, limits: Limits, book: Book) -> str:
    held = [v for v, s in sorted(book.blocked_markets) if s == plan.symbol]
    if held:
        return (
            f"{plan.symbol} is blocked: a position on {' and '.join(held)} that no hedge explains"
        )
    return ""


def _cooling(plan: Plan, limits: Limits, book: Book) -> str:
    if plan.symbol in book.cooling:
        return f"{plan.symbol} is left alone for a while: a leg there was not what we had made it"
    return ""


def _churn(plan: Plan, limits: Limits, book: Book) -> str:
    return book.churned.get(plan.symbol, "")


def _blacklist(plan: Plan, limits: Limits, book: Book) -> str:
    if as_configured(plan.symbol) in limits.blocked_symbols:
        return f"{plan.symbol} is in trading.blocked_symbols"
    return ""


def _market_off(plan: Plan, limits: Limits, book: Book) -> str:
    return book.markets_off.get(as_configured(plan.symbol), "")


def _listed(plan: Plan, limits: Limits, book: Book) -> str:
    closed = [
        f"{i.venue} ({i.status})" for i in (plan.a, plan.b) if i.status is not MarketStatus.ACTIVE
    ]
    return f"{plan.symbol} is not open for trading on {', '.join(closed)}" if closed else ""


def _price_gap(plan: Plan, limits: Limits, book: Book) -> str:
    if plan.price_gap_bps > limits.max_price_gap_bps:
        return (
            f"prices differ by {plan.price_gap_bps:.1f} bps,"
            f" trading.max_price_gap_bps is {plain(limits.max_price_gap_bps)}"
        )
    return ""


def _age(plan: Plan, limits: Limits, book: Book) -> str:
    if plan.quotes_age_s > limits.max_quotes_age_s:
        return (
            f"the quotes are {plan.quotes_age_s:.1f} s old,"
            f" scan.max_age_s is {limits.max_quotes_age_s:g}"
        )
    return ""


def _settlements(plan: Plan, limits: Limits, book: Book) -> str:
    gap = abs((plan.next_settlement_a - plan.next_settlement_b).total_seconds())
    if gap > SETTLEMENT_GAP_S:
        return (
            f"funding of {plan.symbol} is in doubt: {plan.a.venue} and {plan.b.venue} settle"
            f" next {gap / 3600:.1f} h apart"
        )
    return ""


def _rate_cap(plan: Plan, limits: Limits, book: Book) -> str:
    return "; ".join(why for quote in plan.quotes if (why := beyond_cap(quote)))


def _rate_units(plan: Plan, limits: Limits, book: Book) -> str:
    found = [
        f"{plan.symbol} is taken out on {venue}: {why}"
        for venue in plan.venues
        if (why := book.rates_in_doubt.get((venue, plan.symbol)))
    ]
    return "; ".join(found)


def _units(plan: Plan, limits: Limits, book: Book) -> str:
    found = [
        f"the rates of {venue} are in doubt: {why}"
        for venue in plan.venues
        if (why := book.units_in_doubt.get(venue))
    ]
    return "; ".join(found)


def _leverage(plan: Plan, limits: Limits, book: Book) -> str:
    return "; ".join(why for venue in plan.venues if (why := book.leverage_in_doubt.get(venue)))


def _doubt(plan: Plan, limits: Limits, book: Book) -> str:
    doubted = sorted(set(plan.venues) & book.venues_in_doubt)
    return f"{' and '.join(doubted)} in doubt: it could not be read" if doubted else ""


def _venue_off(plan: Plan, limits: Limits, book: Book) -> str:
    return "; ".join(why for venue in plan.venues if (why := book.venues_off.get(venue)))


def _stablecoin(plan: Plan, limits: Limits, book: Book) -> str:
    return book.stablecoin


def _stopped(plan: Plan, limits: Limits, book: Book) -> str:
    return f"no new hedges: {book.stopped}" if book.stopped else ""


def _paused(plan: Plan, limits: Limits, book: Book) -> str:
    return book.paused


RULES: Final[tuple[tuple[str, Rule], ...]] = (
    ("stopped", _stopped),
    ("paused", _paused),
    ("stablecoin", _stablecoin),
    ("venue_in_doubt", _doubt),
    ("venue_off", _venue_off),
    ("market_off", _market_off),
    ("blocked_symbol", _blacklist),
    ("market_status", _listed),
    ("foreign_position", _foreign),
    ("cooling", _cooling),
    ("churn", _churn),
    ("market_busy", _one_per_market),
    ("max_open_hedges", _count),
    ("max_position", _position_limit),
    ("market_usd", _market_limit),
    ("max_venue_usd", _venue_limit),
    ("max_day_usd", _day_usd),
    ("max_day_hedges", _day_hedges),
    ("max_market_day_usd", _market_day_usd),
    ("max_market_day_hedges", _market_day_hedges),
    ("max_orders_per_minute", _orders_per_minute),
    ("min_size", _size),
    ("order_value", _notional),
    ("price_gap", _price_gap),
    ("data_age", _age),
    ("settlements", _settlements),
    ("rate_cap", _rate_cap),
    ("units", _units),
    ("symbol_units", _rate_units),
    ("leverage", _leverage),
)
