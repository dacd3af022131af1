"""What is modelled rather than recorded about a venue, with a reason for every default."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from adapters.sandbox.engine.order_types import DuplicateRule
from adapters.sandbox.tape import VenueName


@dataclass(frozen=True, slots=True, kw_only=True)
class VenueParams:
    """
    Parameters of one venue.

    The book of a market is ``levels`` prices per side around the mark: half the spread away,
    then ``level_step_bps`` apart, with ``depth_usd`` in all on each side. Where depth follows
    open interest, that amount belongs to a market with ``depth_oi_usd`` of it and is scaled
    between ``depth_least`` and ``depth_most``.
    """

    maker_fee: Decimal
    taker_fee: Decimal
    spread_bps: Decimal
    level_step_bps: Decimal = Decimal(2)
    levels: int = 20
    depth_usd: Decimal = Decimal(200_000)
    depth_usd_of: Mapping[str, Decimal] = field(default_factory=dict)  # exact, by symbol
    depth_oi_usd: Decimal | None = Decimal(5_000_000)  # None: every market has depth_usd
    depth_least: Decimal = Decimal("0.3")
    depth_most: Decimal = Decimal(5)
    refresh_ms: int = 2000  # wire time after which a ladder that was taken from is whole again
    mark_ticks: Decimal = Decimal("0.01")  # marks are rounded to this many price ticks
    default_leverage: Decimal | None = None  # None: 1 / initial_fraction of the market
    reserves_open_orders: bool  # whether resting orders hold margin
    clips_reduce_only: bool  # whether an oversized reduce-only order is cut to the position
    minimum_for_takers: bool  # whether size minima apply to orders that do not rest
    funding_on_index: bool  # price of a funding payment: index, or mark
    entry_by_value: bool  # what is held is booked by its USD value, or by an averaged price
    duplicates: DuplicateRule = DuplicateRule.OPEN
    liquidation_step: Decimal = Decimal("0.2")  # part of the position sold at once
    liquidation_slippage_bps: Decimal = Decimal(50)
    liquidation_fee: Decimal | None = None  # fraction of value; None: that of the market
    order_id_base: int = 0
    order_id_epoch_ms: int
    order_id_shift: int


def x10_params(*, taker_fee: Decimal = Decimal("0.00025")) -> VenueParams:
    """
    X10 as documented: flat taker fee, maker free, ids that are snowflakes (data.md §0).

    A new account's leverage is not documented; 10 is a cautious stand-in.
    """
    return VenueParams(
        maker_fee=Decimal(0),
        taker_fee=taker_fee,
        spread_bps=Decimal(3),
        default_leverage=Decimal(10),
        reserves_open_orders=True,
        clips_reduce_only=False,
        minimum_for_takers=True,
        funding_on_index=False,
        entry_by_value=False,
        liquidation_fee=taker_fee,
        order_id_epoch_ms=1_288_834_974_657,
        order_id_shift=22,
    )


def lighter_params(*, premium: bool = True) -> VenueParams:
    """
    Lighter (lighter.md §3, §10): premium pays 0.004 % / 0.028 %, standard nothing.

    Its trades tell ``entry_quote_before``: it keeps what a position cost, in USDC, and takes a
    share of that off when the position is reduced. X10 keeps an averaged ``openPrice``.

    Order ids stay between 2**48 and 2**60: the SDK's signer refuses others in a cancel.
    """
    return VenueParams(
        maker_fee=Decimal("0.00004") if premium else Decimal(0),
        taker_fee=Decimal("0.00028") if premium else Decimal(0),
        spread_bps=Decimal(2),
        mark_ticks=Decimal(1),
        reserves_open_orders=False,
        clips_reduce_only=True,
        minimum_for_takers=False,
        funding_on_index=True,
        entry_by_value=True,
        order_id_base=2**48,
        order_id_epoch_ms=1_600_000_000_000,
        order_id_shift=12,
    )


def default_params(venue: VenueName) -> VenueParams:
    """The parameters of a venue when nothing else is asked for."""
    return x10_params() if venue == "x10" else lighter_params()
