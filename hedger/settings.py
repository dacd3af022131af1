"""
Configuration: one YAML file, typed, wrong in one sentence.

Every key carries its unit. Secrets are not configuration: they come from the environment or
from an owner-only file (``hedger/secrets.py``). Section names ``trading``, ``circuit_breaker``
and ``retry_policy`` are those of seed 002.
"""

from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, model_validator

from hedger.config import document, names
from hedger.config.names import EachMarketOnce, MarketName
from hedger.config.saying import sentence
from hedger.domain.ids import VenueId
from hedger.errors import ConfigError
from hedger.settings_economics import Economics, Entry, Exit
from hedger.settings_recovery import Accounts, Alerts, ReadLag, Recovery
from hedger.settings_risk import Risk, Units
from hedger.settings_sequence import Sequence
from hedger.settings_types import Amount, Bps, Positive, Seconds, Section


class Account(Section):
    """``dedicated``: whether the sub-accounts belong to this program alone. No default."""

    dedicated: bool


class Trading(Section):
    """Limits on what may be opened."""

    max_position_size_usd: Positive = Decimal(100)
    max_open_hedges: Annotated[int, Field(ge=1, le=100)] = 3
    leverage: Annotated[Amount, Field(ge=1, le=50)] = Decimal(5)
    max_price_gap_bps: Bps = Decimal(100)
    blocked_symbols: tuple[MarketName, ...] = ()
    manage_leverage: bool = True


class Scan(Section):
    """How opportunities are found and ranked."""

    horizon_h: Annotated[int, Field(ge=1, le=168)] = 72
    depth_candidates: Annotated[int, Field(ge=1, le=50)] = 5
    size_usd: Positive = Decimal(100)
    deadline_s: Seconds = 5.0
    max_age_s: Seconds = 30.0
    taker_fee_bps: dict[VenueId, Bps] = Field(
        default={VenueId("x10"): Decimal("2.5"), VenueId("lighter"): Decimal("2.8")}
    )  # assumed by `hedger scan`, which has no key; trading reads the account's real fees


class Execution(Section):
    """The two-leg executor."""

    slippage_bps: Annotated[Bps, Field(gt=0)] = Decimal(30)
    order_timeout_s: Seconds = 5.0
    settle_timeout_s: Seconds = 5.0
    carry_on_s: Seconds = 8.0
    min_leg_delay_s: Annotated[float, Field(ge=0, le=60)] = 0.0
    send_window_s: Seconds = 2.0
    resolve_budget_s: Seconds = 60.0
    close_slippage_bps: Annotated[Bps, Field(gt=0)] = Decimal(50)
    close_patience_s: Annotated[float, Field(ge=0, le=3_600)] = 300.0


class Rollback(Section):
    """How exposure is taken off."""

    slippage_bps: Annotated[tuple[Bps, ...], Field(min_length=1, max_length=10)] = (
        Decimal(30),
        Decimal(60),
        Decimal(100),
        Decimal(200),
    )
    max_attempts: Annotated[int, Field(ge=1, le=100)] = 12
    budget_s: Seconds = 60.0
    pause_s: Seconds = 1.0


class Funding(Section):
    """How long after a settlement the venues may take to list its payments."""

    payment_lag_s: Seconds = 90.0


class PositionCache(Section):
    """The short-lived memory of positions."""

    ttl_s: Seconds = 5.0


class RetryPolicy(Section):
    """Repetition of reads. Orders are never repeated."""

    max_retries: Annotated[int, Field(ge=0, le=20)] = 3
    base_delay_ms: Annotated[int, Field(ge=1, le=60_000)] = 350
    max_delay_ms: Annotated[int, Field(ge=1, le=600_000)] = 5_000
    backoff_multiplier: Annotated[float, Field(ge=1, le=10)] = 2.0


class CircuitBreaker(Section):
    """Stops new hedges after failures in a row. Never stops an exit."""

    consecutive_failures_threshold: Annotated[int, Field(ge=1, le=100)] = 3
    open_timeout_seconds: Seconds = 60.0


class Job(Section):
    """When a job of the daemon runs: every ``interval_s``, or on a ``cron`` expression (UTC)."""

    interval_s: Seconds | None = None
    cron: str | None = None
    misfire_grace_s: Annotated[int, Field(ge=1, le=86_400)] = 30

    @model_validator(mode="after")
    def _one_trigger(self) -> "Job":
        if (self.interval_s is None) == (self.cron is None):
            msg = "give exactly one of interval_s and cron"
            raise ValueError(msg)
        return self


class Jobs(Section):
    """
    The jobs of the daemon.

    ``monitor`` tries again what went wrong. ``rates`` judges open hedges by rates that move by
    the hour. ``glance`` looks whether a leg of an open hedge was taken. ``watch`` measures
    legs that stand alone and sends alerts; it reads only the ledger. ``guard`` reads both
    accounts: equity, and how far each leg is from liquidation. ``units`` checks the units of
    the venues' rates.
    """

    scan: Job = Job(interval_s=60)
    monitor: Job = Job(interval_s=5)
    rates: Job = Job(interval_s=60)
    glance: Job = Job(interval_s=10)
    reconcile: Job = Job(interval_s=30)
    funding: Job = Job(interval_s=120)
    accounts: Job = Job(interval_s=60)
    watch: Job = Job(interval_s=5)
    guard: Job = Job(interval_s=30)
    units: Job = Job(interval_s=300)


class Log(Section):
    """Logging. Secrets are masked at every level."""

    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    file_max_mb: Annotated[int, Field(ge=1, le=1_000)] = 10
    file_keep: Annotated[int, Field(ge=1, le=100)] = 5


class Venues(Section):
    """Both venues in the order in which their legs open, and how to reach them."""

    order: tuple[VenueId, VenueId] = (VenueId("x10"), VenueId("lighter"))
    options: dict[VenueId, dict[str, str | int | float | bool]] = Field(default={})

    @model_validator(mode="after")
    def _two_different(self) -> "Venues":
        if self.order[0] == self.order[1]:
            msg = "name two different venues"
            raise ValueError(msg)
        return self


class SymbolMap(Section):
    """
    Symbols that the venues spell differently: our name, and the venue's per venue.

    A symbol that is not here is paired only when both venues spell it alike, and any pair is
    used only while its prices agree (scenario S54).
    """

    names: Annotated[dict[MarketName, dict[VenueId, str]], EachMarketOnce] = Field(default={})


class Sandbox(Section):
    """The local venues that ``config/sandbox.yaml`` trades on."""

    seed: int = 7
    hour_s: Annotated[float, Field(gt=0, le=3_600)] = 3_600.0
    tier: Literal["none", "standard", "premium"] = "premium"
    balance_usd: Positive = Decimal(10_000)
    depth_usd: Positive = Decimal(25_000)
    spread_bps: Annotated[Bps, Field(gt=0)] = Decimal(2)
    duplicate_check: Literal["open", "ever"] = "ever"
    lag_s: Annotated[float, Field(ge=0, le=60)] = 0.3
    faults: tuple[dict[str, Any], ...] = ()


class Settings(Section):
    """The whole file."""

    environment: Literal["sandbox", "testnet", "mainnet"]
    account: Account
    trading: Trading = Trading()
    risk: Risk = Risk()
    units: Units = Units()
    scan: Scan = Scan()
    economics: Economics = Economics()
    entry: Entry = Entry()
    exit: Exit = Exit()
    execution: Execution = Execution()
    rollback: Rollback = Rollback()
    funding: Funding = Funding()
    position_cache: PositionCache = PositionCache()
    retry_policy: RetryPolicy = RetryPolicy()
    circuit_breaker: CircuitBreaker = CircuitBreaker()
    sequence: Sequence = Sequence()
    read_lag: ReadLag = ReadLag()
    recovery: Recovery = Recovery()
    alerts: Alerts = Alerts()
    accounts: Accounts = Accounts()
    jobs: Jobs = Jobs()
    log: Log = Log()
    venues: Venues = Venues()
    symbols: SymbolMap = SymbolMap()
    sandbox: Sandbox | None = None

    @model_validator(mode="after")
    def _sandbox_only_there(self) -> "Settings":
        if (self.environment == "sandbox") != (self.sandbox is not None):
            msg = "the section sandbox belongs to environment: sandbox, and only there"
            raise ValueError(msg)
        return self


def load(path: Path) -> Settings:
    """
    Read one configuration file.

    Raises:
        ConfigError: it cannot be read, or something in it is wrong; the text names the file,
            the key, the value and the remedy.
    """
    found = document.read_file(path)
    return _checked(found, str(path))


def parse(data: object, source: str) -> Settings:
    """
    Check already decoded configuration.

    Raises:
        ConfigError: as for ``load``.
    """
    return _checked(document.Document(data), source)


def _checked(found: document.Document, source: str) -> Settings:
    if not isinstance(found.data, dict):
        raise ConfigError(f"{source}: must be a mapping of sections; see config/sandbox.yaml")
    try:
        settings = Settings.model_validate(found.data)
    except ValidationError as error:
        where, text = sentence(error)
        raise ConfigError(f"{_at(source, found.line(where))}: {text}") from None
    fees = (
        settings.scan.taker_fee_bps if "taker_fee_bps" in settings.scan.model_fields_set else None
    )
    wrong = names.misnamed(
        settings.venues.order,
        fees=fees,
        options=settings.venues.options,
        names=settings.symbols.names,
    )
    for where, text in wrong:
        raise ConfigError(f"{_at(source, found.line(where))}: {text}")
    return settings


def _at(source: str, line: int | None) -> str:
    return source if line is None else f"{source} line {line}"
