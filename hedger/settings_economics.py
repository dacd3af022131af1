"""The sections of the configuration that say what a hedge is worth: entering, holding, leaving."""

from decimal import Decimal
from typing import Annotated

from pydantic import Field

from hedger.settings_types import Amount, Bps, NotNegative, Positive, Section

Share = Annotated[Amount, Field(ge=0, le=1)]
Settlements = Annotated[int, Field(ge=0, le=168)]
Wait = Annotated[float, Field(ge=0, le=86_400)]


class Economics(Section):
    """
    What is expected. ``decay_model`` is ``recorded`` or ``sandbox``, which come with hedger, or
    the path of a model that `hedger fit` wrote.
    """

    decay_model: Annotated[str, Field(min_length=1)] = "recorded"
    rollback_probability: Share = Decimal("0.05")  # believed before anything was measured here
    rollback_cost_bps: Bps = Decimal(15)
    basis_gain_share: Share = Decimal(0)  # of an entry basis in our favour


class Entry(Section):
    """When a hedge is opened by the daemon itself. Everything must hold, and risk approve."""

    enabled: bool = True
    min_net_bps: Amount = Decimal(5)
    min_value_usd: NotNegative = Decimal(0)
    cost_multiple: Annotated[Amount, Field(ge=1, le=100)] = Decimal("1.2")
    persistence_settlements: Annotated[int, Field(ge=1, le=168)] = 2
    persistence_share: Share = Decimal("0.5")
    min_volume_usd: NotNegative = Decimal(0)
    min_open_interest_usd: NotNegative = Decimal(0)
    min_depth_usd: NotNegative = Decimal(0)
    depth_bps: Annotated[Bps, Field(gt=0)] = Decimal(50)
    max_wait_s: Wait = 3_600.0
    waiting_bps_per_h: Bps = Decimal("0.2")


class Exit(Section):
    """When an open hedge is closed by the daemon itself."""

    hysteresis_settlements: Settlements = 2
    flip_settlements: Annotated[int, Field(ge=1, le=100)] = 2
    max_hold_h: Annotated[int, Field(ge=1, le=24 * 365)] = 168
    target_bps: Positive | None = None
    basis_profit_bps: Positive | None = Decimal(15)
    carry_bps_per_h: NotNegative = Decimal(0)
    rotation_gain_usd: Positive | None = None
    min_liquidation_distance: Annotated[Amount, Field(ge=0, lt=1)] = Decimal("0.05")
    min_margin_ratio: NotNegative = Decimal("0.5")
    wait_s: Wait = 600.0
    wait_risk_bps_per_h: NotNegative = Decimal("0.5")
    proof_wait_s: Annotated[float, Field(ge=60, le=86_400)] = 300.0
