"""The daemon's configuration as the backtest uses it, made by the daemon's own functions."""

from decimal import Decimal

from hedger import risk
from hedger.backtest.ours import Policy
from hedger.decay import DecayModel
from hedger.entering import entry_rules, terms_of
from hedger.legview import exit_rules
from hedger.settings import Settings


def policy_of(settings: Settings, model: DecayModel, *, size_usd: Decimal) -> Policy:
    """
    The rules of a configuration; ``size_usd`` stands for ``trading.max_position_size_usd``.

    Rollbacks cost what is believed before any were measured: a backtest has no ledger.
    """
    terms = terms_of(settings, model)
    trading = settings.trading
    return Policy(
        model=model,
        settlements=terms.settlements,
        entry=entry_rules(settings),
        exit=exit_rules(settings),
        limits=risk.Limits(
            max_position_usd=size_usd,
            max_open_hedges=trading.max_open_hedges,
            max_price_gap_bps=trading.max_price_gap_bps,
            blocked_symbols=frozenset(trading.blocked_symbols),
            # one hedge at a time and no day: nothing that counts several can bind
            max_venue_usd=size_usd,
            max_day_usd=size_usd,
            max_market_day_usd=size_usd,
        ),
        rollback_bps=terms.rollback_bps,
        basis_gain_share=terms.basis_gain_share,
        persistence_share=settings.entry.persistence_share,
        depth_bps=settings.entry.depth_bps,
    )
