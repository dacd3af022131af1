"""Everything risk is told, put together: the configured limits, and where we stand."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Final, Protocol

from hedger import risk, settings_risk, switches
from hedger.clock import Clock, day_began
from hedger.domain.ids import Symbol, VenueId
from hedger.domain.market import FundingQuote
from hedger.domain.money import ZERO, plain
from hedger.funds import EquityBook
from hedger.ledger.store import Store
from hedger.leverage import LeverageKeeper
from hedger.risk.relief import ReliefRules
from hedger.settings import Settings
from hedger.unitcheck import UnitCheck
from hedger.units import median_gap_bps

MINUTE: Final = timedelta(minutes=1)


def relief_rules(limits: settings_risk.Risk) -> ReliefRules:
    """When both legs of a hedge come down together."""
    return ReliefRules(
        at_bps=limits.reduce_at_bps,
        hysteresis_bps=limits.reduce_hysteresis_bps,
        share=limits.reduce_share,
        pause_s=limits.reduce_pause_s,
        max_steps=limits.reduce_max_steps,
    )


def limits_of(settings: Settings) -> risk.Limits:
    """The limits of a configuration."""
    trading, limits = settings.trading, settings.risk
    return risk.Limits(
        max_position_usd=trading.max_position_size_usd,
        max_open_hedges=trading.max_open_hedges,
        max_price_gap_bps=trading.max_price_gap_bps,
        max_quotes_age_s=settings.scan.max_age_s,
        blocked_symbols=frozenset(trading.blocked_symbols),
        market_usd=limits.market_usd,
        max_venue_usd=limits.max_venue_usd,
        max_day_usd=limits.max_day_usd,
        max_day_hedges=limits.max_day_hedges,
        max_market_day_usd=limits.max_market_day_usd,
        max_market_day_hedges=limits.max_market_day_hedges,
        max_orders_per_minute=limits.max_orders_per_minute,
        min_free_margin_share=limits.min_free_margin_share,
        min_liquidation_distance_bps=limits.min_liquidation_distance_bps,
        max_day_loss_usd=limits.max_day_loss_usd,
        max_drawdown_usd=limits.max_drawdown_usd,
    )


def churn_of(settings: Settings) -> risk.Churn:
    """How long rollbacks keep a market closed, by configuration."""
    limits = settings.risk
    return risk.Churn(
        each_s=limits.rollback_cooldown_s,
        s_per_usd=limits.rollback_cooldown_s_per_usd,
        max_s=limits.rollback_cooldown_max_s,
        window_h=limits.rollback_window_h,
    )


class Situation(Protocol):
    """What blocks new risk at the moment, as the latest looks found it."""

    in_doubt: frozenset[VenueId]
    blocked: frozenset[tuple[VenueId, Symbol]]
    cooling: frozenset[Symbol]


class RiskDesk:
    """Counts what the limits need, from the ledger, at each review anew."""

    def __init__(
        self,
        *,
        settings: Settings,
        store: Store,
        clock: Clock,
        units: UnitCheck,
        leverage: LeverageKeeper,
        equity: EquityBook,
        kill_file: Path | None,
    ) -> None:
        self._settings = settings
        self._store = store
        self._clock = clock
        self._kill_file = kill_file
        self._churn = churn_of(settings)
        self._gap_bps: Decimal | None = None
        self.units = units
        self.leverage = leverage
        self.equity = equity
        self.limits = limits_of(settings)

    def saw(self, quotes: Mapping[VenueId, Mapping[Symbol, FundingQuote]]) -> None:
        """Take note of what a scan read anyway: rates for the units, prices for the money."""
        self.units.saw(quotes)
        first, second = self._settings.venues.order
        if first in quotes and second in quotes:
            self._gap_bps = median_gap_bps(quotes[first], quotes[second])

    def book(
        self,
        situation: Situation,
        reasons: Sequence[str],
        leverage_in_doubt: Mapping[VenueId, str] | None = None,
    ) -> risk.Book:
        """Where we stand now; ``reasons`` are why nothing at all may be opened."""
        now = self._clock.now()
        live = self._store.live()
        asked = self._store.asked_since(day_began(now))
        off = switches.standing(self._store, self._kill_file)
        window = timedelta(hours=self._churn.window_h)
        rolled_back = [
            risk.RolledBack(symbol=one.symbol, at=one.at, cost_usd=one.cost_usd)
            for one in self._store.unwound_since(now - window)
        ]
        return risk.Book(
            live_hedges=len(live),
            busy_symbols=frozenset(hedge.symbol for hedge in live),
            venues_in_doubt=situation.in_doubt,
            blocked_markets=situation.blocked,
            cooling=situation.cooling,
            stopped="; ".join(reason for reason in reasons if reason),
            churned=risk.churned(rolled_back, self._churn, now),
            live_usd={
                venue: sum((h.requested_usd for h in live if venue in h.venues), ZERO)
                for venue in self._settings.venues.order
            },
            today=_opened([one.usd for one in asked]),
            today_on={
                symbol: _opened([one.usd for one in asked if one.symbol == symbol])
                for symbol in sorted({one.symbol for one in asked})
            },
            orders_last_minute=self._store.orders_since(now - MINUTE),
            units_in_doubt=self.units.in_doubt,
            rates_in_doubt=self.units.out,
            leverage_in_doubt=leverage_in_doubt or {},
            paused=off.paused,
            venues_off=off.venues,
            markets_off=off.markets,
            stablecoin="; ".join(why for why in (off.stablecoin, self._depegged()) if why),
            losses=tuple(risk.losses(self.equity.track(), self.limits)),
        )

    def _depegged(self) -> str:
        most = self._settings.risk.max_stablecoin_gap_bps
        if self._gap_bps is None or abs(self._gap_bps) <= most:
            return ""
        first, second = self._settings.venues.order
        return (
            f"the stable coin is in doubt: {first} prices everything {self._gap_bps:.0f} bps from"
            f" {second}, risk.max_stablecoin_gap_bps is {plain(most)}"
        )


def _opened(amounts: Sequence[Decimal]) -> risk.Opened:
    return risk.Opened(hedges=len(amounts), usd=sum(amounts, ZERO))
