"""How a sandbox is to run: what ``config/sandbox.yaml`` or the command line says."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Any

from adapters.sandbox.fault_model import parse_fault
from adapters.sandbox.limits import Tier
from hedger.domain.money import plain
from hedger.errors import ConfigError
from hedger.settings import Sandbox as SandboxSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxOptions:
    """
    Parameters of the two venues. Amounts in USD; a port of 0 means a free one.

    ``hour_s``: wire seconds per market hour. ``lag_s``: how late position, order and nonce
    reads normally are. ``duplicate_check``: what X10 code 1134 means, an id that is ``open`` or
    was used ``ever``. ``faults`` are posted before the first request.
    """

    seed: int = 7
    hour_s: float = 3_600.0
    tier: Tier = Tier.PREMIUM
    balance_usd: Decimal = Decimal(10_000)
    depth_usd: Decimal = Decimal(25_000)
    spread_bps: Decimal = Decimal(2)
    duplicate_check: str = "ever"
    lag_s: float = 0.3
    faults: tuple[Mapping[str, Any], ...] = ()
    x10_port: int = 0
    lighter_port: int = 0
    control_port: int = 0

    @classmethod
    def of(
        cls,
        settings: SandboxSettings,
        *,
        x10_port: int = 0,
        lighter_port: int = 0,
        control_port: int = 0,
    ) -> "SandboxOptions":
        """
        From the checked section ``sandbox`` of a configuration.

        Raises:
            ConfigError: one of its faults is wrong.
        """
        for number, fault in enumerate(settings.faults):
            try:
                parse_fault(fault, "")
            except ConfigError as error:
                raise ConfigError(f"sandbox.faults.{number}: {error}") from None
        return cls(
            seed=settings.seed,
            hour_s=settings.hour_s,
            tier=Tier(settings.tier),
            balance_usd=settings.balance_usd,
            depth_usd=settings.depth_usd,
            spread_bps=settings.spread_bps,
            duplicate_check=settings.duplicate_check,
            lag_s=settings.lag_s,
            faults=tuple(settings.faults),
            x10_port=x10_port,
            lighter_port=lighter_port,
            control_port=control_port,
        )

    def command_line(self) -> list[str]:
        """The options of ``hedger sandbox`` that make the same sandbox."""
        words: list[str] = []
        for name, value in asdict(self).items():
            if name == "faults":
                text = json.dumps(value, default=str)
            else:
                text = plain(value) if isinstance(value, Decimal) else str(value)
            words.append(f"--{name.replace('_', '-')}={text}")
        return words
