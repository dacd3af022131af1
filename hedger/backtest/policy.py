"""The daemon's configuration as the backtest uses it."""

from decimal import Decimal

from hedger import risk
from hedger.backtest.ours import Policy
from hedger.decay import DecayModel
from hedger.entry import EntryRules
from hedger.holding import ExitRules
from hedger.settings import Settings


def policy_of(settings: Settings, model: DecayModel, *, size_usd: Decimal) -> Policy:
    e = EntryRules(min_value_usd=Decimal(0),min_value_bps=Decimal(5),cost_multiple=Decimal("1.2"),persistence=2,min_volume_usd=Decimal(0),min_open_interest_usd=Decimal(0),min_depth_usd=Decimal(0),max_wait_s=3600.,waiting_bps_per_h=Decimal("0.2"))
    H = 72
    x = ExitRules(horizon=H,hysteresis=2,flip_settlements=2,max_hold_h=168,target_bps=None,basis_profit_bps=Decimal(10),carry_bps_per_h=Decimal(0),rotation_gain_usd=None,min_liquidation_distance=Decimal("0.05"),min_margin_ratio=Decimal("0.5"),wait_s=600.,wait_risk_bps_per_h=Decimal("0.5"))
    return Policy(model=model, settlements=H, entry=e, exit=x, limits=risk.Limits(max_position_usd=size_usd,max_open_hedges=1000,max_price_gap_bps=Decimal(100)), rollback_bps=Decimal("0.75"))
