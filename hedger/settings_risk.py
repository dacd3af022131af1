"""Section ``risk`` of the configuration: limits on new hedges. None of them stops an exit."""

from decimal import Decimal
from typing import Annotated

from pydantic import Field, model_validator

from hedger.config.names import EachMarketOnce, MarketName
from hedger.settings_types import Amount, Bps, NotNegative, Positive, Seconds, Section

Count = Annotated[int, Field(ge=1, le=1_000_000)]
Share = Annotated[Amount, Field(ge=0, lt=1)]


class Risk(Section):
    """
    What may be opened at most, and what stops opening altogether.

    A day is a UTC date of our clock. Values in USD are those of one leg, as asked for.
    """

    max_venue_usd: Positive = Decimal(1_000)
    market_usd: Annotated[dict[MarketName, Positive], EachMarketOnce] = Field(default={})
    max_day_usd: Positive = Decimal(5_000)
    max_day_hedges: Count = 20
    max_market_day_usd: Positive = Decimal(2_000)
    max_market_day_hedges: Count = 5
    max_orders_per_minute: Count = 20
    min_free_margin_share: Share = Decimal("0.1")
    min_liquidation_distance_bps: Bps = Decimal(1_500)
    exit_liquidation_distance_bps: Bps = Decimal(700)
    reduce_liquidation_distance_bps: Bps | None = None
    reduce_hysteresis_bps: Bps = Decimal(200)
    reduce_share: Annotated[Amount, Field(gt=0, le=Decimal("0.9"))] = Decimal("0.25")
    reduce_pause_s: Seconds = 15.0
    reduce_max_steps: Annotated[int, Field(ge=1, le=100)] = 6
    max_day_loss_usd: Positive = Decimal(20)
    max_drawdown_usd: Positive = Decimal(50)
    max_stablecoin_gap_bps: Bps = Decimal(50)
    rollback_cooldown_s: Annotated[float, Field(ge=0, le=86_400)] = 60.0
    rollback_cooldown_s_per_usd: NotNegative = Decimal(3_600)
    rollback_cooldown_max_s: Seconds = 86_400.0
    rollback_window_h: Annotated[int, Field(ge=1, le=24 * 7)] = 24

    @model_validator(mode="after")
    def _leaves_later_than_it_enters(self) -> "Risk":
        if self.exit_liquidation_distance_bps >= self.min_liquidation_distance_bps:
            msg = "exit_liquidation_distance_bps must be below min_liquidation_distance_bps"
            raise ValueError(msg)
        if not (
            self.exit_liquidation_distance_bps
            < self.reduce_at_bps
            <= self.min_liquidation_distance_bps
        ):
            msg = (
                "reduce_liquidation_distance_bps must be above exit_liquidation_distance_bps and"
                " at most min_liquidation_distance_bps"
            )
            raise ValueError(msg)
        return self

    @property
    def reduce_at_bps(self) -> Decimal:
        """Where both legs begin to come down together; half way between entry and exit."""
        if self.reduce_liquidation_distance_bps is not None:
            return self.reduce_liquidation_distance_bps
        return (self.exit_liquidation_distance_bps + self.min_liquidation_distance_bps) / 2


class Units(Section):
    """The self-check of the venues' units: how many settled rates are read at once."""

    first_symbols: Annotated[int, Field(ge=5, le=100)] = 12
    symbols: Annotated[int, Field(ge=1, le=100)] = 4
