"""Sections of the configuration about what went wrong: read lag, recovery, alerts."""

from decimal import Decimal
from typing import Annotated

from pydantic import Field, model_validator

from hedger.config.addresses import host_of, is_this_machine
from hedger.settings_types import NotNegative, Seconds, Section


class ReadLag(Section):
    """
    How late a venue's reads may be: measured from our own fills (``hedger/readlag.py``).

    Twice the worst of ``window_h`` is believed, never less than what the venue's adapter
    declares and never more than ``cap_s``; beyond the cap a person is alerted.
    """

    cap_s: Seconds = 30.0
    window_h: Annotated[int, Field(ge=1, le=24 * 30)] = 24


class Recovery(Section):
    """What is held against both accounts, and how long what went wrong is watched."""

    tolerance_usd: NotNegative = Decimal("0.1")
    vanished_reads: Annotated[int, Field(ge=2, le=10)] = 3
    cooldown_s: Seconds = 900.0
    watch_dead_s: Seconds = 3_600.0
    naked_alert_s: Seconds = 60.0
    clock_offset_s: Seconds = 1.0
    retry_max_s: Seconds = 300.0
    forgotten_reads: Annotated[int, Field(ge=3, le=100)] = 3
    forgotten_span_s: Annotated[float, Field(ge=60, le=3_600)] = 180.0


class Accounts(Section):
    """How the venues' own books are read beside ours."""

    difference_s: Seconds = 900.0
    pages_per_run: Annotated[int, Field(ge=1, le=1_000)] = 20


class Alerts(Section):
    """Where alerts go besides the log and the ledger; neither is needed."""

    command: tuple[str, ...] = ()
    url: str | None = None
    min_interval_s: Seconds = 60.0
    timeout_s: Annotated[float, Field(gt=0, le=60)] = 10.0

    @model_validator(mode="after")
    def _guarded(self) -> "Alerts":
        """Plain HTTP would show alerts to everybody on the way, except on this machine."""
        if self.url is not None:
            scheme = self.url.partition("://")[0].lower()
            local = is_this_machine(host_of(self.url))
            if scheme != "https" and not (scheme == "http" and local):
                msg = "url must begin with https:// (http:// only for this machine)"
                raise ValueError(msg)
        return self
