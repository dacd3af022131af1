"""From the options of ``hedger backtest`` to data, parts and the model."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path

from hedger import decayfile
from hedger.backtest import loading, package, study
from hedger.backtest.columns import HOUR_S
from hedger.backtest.costs import Assumptions
from hedger.backtest.generate import generate
from hedger.backtest.loading import Record
from hedger.backtest.ours import Policy
from hedger.backtest.package import Package
from hedger.backtest.policy import policy_of
from hedger.backtest.study import Part
from hedger.decay import DecayModel
from hedger.domain.ids import Symbol
from hedger.errors import UsageError
from hedger.settings import Settings

SHARE = Decimal("0.5")
NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """What a study works with. ``note`` says what a reader would not expect."""

    settings: Settings
    package: Package
    record: Record
    assumed: Assumptions
    split_at: int | None
    model: DecayModel
    fitted: bool  # on the first part of this record
    naive_apy: float
    note: str = ""

    @property
    def policy(self) -> Policy:
        """The daemon's rules."""
        return policy_of(self.settings, self.model, size_usd=self.assumed.size_usd)

    def recorded(self) -> list[Part]:
        """The parts that somebody recorded."""
        return study.recorded_parts(self.record, self.split_at, fitted=self.fitted)

    def generated(self, years: int, positive_share: Decimal) -> Part:
        """A part that nobody recorded."""
        made = generate(
            self.record,
            self.package,
            self.model,
            self.assumed,
            years=years,
            positive_share=positive_share,
        )
        return study.generated_part(made.series, made.note)


def prepare(
    settings: Settings,
    folder: Path,
    *,
    split: str | None,
    model: Path | None,
    assumed: Assumptions,
    naive_apy: float,
    symbols: Sequence[Symbol] = (),
) -> Desk:
    """
    Read the data, split it, and fit the model on the first part, or read it.

    ``symbols`` are the markets that are traded, all where there are none; the model is fitted
    on every market of the record.

    Where nothing was said about either and the record is too short for a fit, the model that
    comes with hedger is used on the whole record, and ``note`` says so.

    Raises:
        UsageError: the data or an option cannot be used.
        ConfigError: the model cannot be read.
    """
    known = package.load(settings.venues.order, folder)
    record = loading.load(folder, known)
    note = ""
    if model is not None:
        at, fitted = _split_at(split or NONE, record), decayfile.load(model)
    else:
        try:
            at = _split_at(split or str(SHARE), record)
            first = study.recorded_parts(record, at, fitted=True)[0]
            fitted = study.fitted_on(record, first)
        except UsageError as error:
            if split is not None:
                raise
            at, fitted, note = None, decayfile.shipped(), f"{error}; the shipped model is used"
    return Desk(
        settings=settings,
        package=_only(known, symbols),
        record=_recorded_of(record, symbols),
        assumed=assumed,
        split_at=at,
        model=fitted,
        fitted=model is None and not note,
        naive_apy=naive_apy,
        note=note,
    )


def _only(known: Package, symbols: Sequence[Symbol]) -> Package:
    """The package with these markets alone."""
    if not symbols:
        return known
    return replace(known, markets={s: one for s, one in known.markets.items() if s in symbols})


def _recorded_of(record: Record, symbols: Sequence[Symbol]) -> Record:
    """
    The record with these markets alone.

    Raises:
        UsageError: one of them has no hour in it.
    """
    unknown = [one for one in symbols if one not in record.series]
    if unknown:
        raise UsageError(
            f"--market {unknown[0]}: {record.folder} has no hour of it at both venues; "
            f"it has {', '.join(record.series)}"
        )
    if not symbols:
        return record
    return replace(record, series={s: one for s, one in record.series.items() if s in symbols})


def _split_at(text: str, record: Record) -> int | None:
    """The settlement that an instant or a share of the market-hours names."""
    if text == NONE:
        return None
    try:
        share = Decimal(text)
    except InvalidOperation:
        share = Decimal(0)
    if 0 < share < 1:
        return study.split_hour(record, share)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(
            f"--split {text!r}: is neither an instant nor a share between 0 and 1; "
            "give 2026-01-01, 0.5 or none"
        ) from None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return -int(-moment.timestamp() // HOUR_S)  # the first settlement at or after it
