"""
The commands that change state, each as one function of arguments from outside.

The daemon serves these over its socket (``hedger/control.py``) and a command without a daemon
calls them directly, so that both do the same.

    open              symbol, usd                          → the hedge as a row
    close             hedge (or its beginning), anyway     → the hedge as a row
    preview_close     hedge                                → rows: what would be sent, and stay
    settle            hedge, who, reason, force            → the hedge as a row
    preview_rollback  hedge | market | all                 → rows: what would be sent
    rollback          hedge | market | all                 → rows: what each became
    reconcile                                              → differences: list, and more
    pause             scope, who, reason                   → what is switched off
    resume            scope | none, losses, who            → what goes on
    acknowledge       alerts (their numbers), who          → rows: which alerts were seen
    ledger_in_use                                          → trouble, live: hedges as rows
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Protocol

from hedger.common.bounds import OutOfBoundsError, exact
from hedger.common.words import clean, shown
from hedger.control import Handler, Progress
from hedger.domain.ids import Symbol
from hedger.domain.money import ZERO
from hedger.errors import UsageError

Row = Mapping[str, Any]

USD_MAX = Decimal(10**12)
NUMBERS_MAX = 10_000


class Desk(Protocol):
    """What the commands need of the application. Every method may raise ``HedgerError``."""

    async def open_hedge(self, symbol: Symbol, usd: Decimal, progress: Progress) -> Row:
        """Open one hedge of about that value per leg; the row tells its state."""

    async def close_hedge(self, prefix: str, progress: Progress, *, anyway: bool = False) -> Row:
        """Take both legs of one open hedge off; ``anyway`` without proof that both can go."""

    async def preview_close(self, prefix: str) -> list[Row]:
        """Read the venues and say what closing would send, and which leg would stay."""

    async def settle_hedge(
        self, prefix: str, *, who: str, reason: str, force: bool, progress: Progress
    ) -> Row:
        """Close an escalated hedge in the ledger, by hand and without orders."""

    async def preview_rollback(
        self, *, hedge: str | None, market: Symbol | None, everything: bool
    ) -> list[Row]:
        """Read the venues and say what a rollback would send; changes nothing."""

    async def rollback(
        self, *, hedge: str | None, market: Symbol | None, everything: bool, progress: Progress
    ) -> list[Row]:
        """Take exposure off, sized by the venues; one row per hedge or position."""

    async def pause(self, scope: str, *, who: str, reason: str, progress: Progress) -> Row:
        """Open nothing new, everywhere or at one venue or market; exits go on."""

    async def resume(self, scope: str | None, *, losses: bool, who: str, progress: Progress) -> Row:
        """Undo ``pause``, everywhere or of one scope; ``losses`` counts losses anew."""

    async def acknowledge(
        self, numbers: Sequence[int], *, who: str, progress: Progress
    ) -> list[Row]:
        """Mark alerts as seen by a person; one row per alert."""

    async def ledger_in_use(self) -> Row:
        """What is wrong with the open ledger, if anything, and the hedges that it holds."""

    async def reconcile(self, progress: Progress) -> Row:
        """Compare the ledger with the venues; ``differences`` lists what disagrees."""


def handlers(desk: Desk) -> dict[str, Handler]:
    """Every state-changing command by name."""

    async def open_(args: Row, progress: Progress) -> Row:
        return await desk.open_hedge(Symbol(_text(args, "symbol")), _usd(args), progress)

    async def close(args: Row, progress: Progress) -> Row:
        anyway = args.get("anyway") is True
        return await desk.close_hedge(_text(args, "hedge"), progress, anyway=anyway)

    async def preview_close(args: Row, _progress: Progress) -> Row:
        return {"rows": await desk.preview_close(_text(args, "hedge"))}

    async def settle(args: Row, progress: Progress) -> Row:
        return await desk.settle_hedge(
            _text(args, "hedge"),
            who=_text(args, "who"),
            reason=_text(args, "reason"),
            force=args.get("force") is True,
            progress=progress,
        )

    async def preview(args: Row, _progress: Progress) -> Row:
        hedge, market, everything = _scope(args)
        return {
            "rows": await desk.preview_rollback(hedge=hedge, market=market, everything=everything)
        }

    async def rollback(args: Row, progress: Progress) -> Row:
        hedge, market, everything = _scope(args)
        rows = await desk.rollback(
            hedge=hedge, market=market, everything=everything, progress=progress
        )
        return {"rows": rows}

    async def reconcile(_args: Row, progress: Progress) -> Row:
        return await desk.reconcile(progress)

    async def ledger_in_use(_args: Row, _progress: Progress) -> Row:
        return await desk.ledger_in_use()

    async def pause(args: Row, progress: Progress) -> Row:
        return await desk.pause(
            _text(args, "scope"),
            who=_text(args, "who"),
            reason=_text(args, "reason"),
            progress=progress,
        )

    async def resume(args: Row, progress: Progress) -> Row:
        return await desk.resume(
            _text(args, "scope") if args.get("scope") is not None else None,
            losses=args.get("losses") is True,
            who=_text(args, "who"),
            progress=progress,
        )

    async def acknowledge(args: Row, progress: Progress) -> Row:
        numbers, who = _numbers(args, "alerts"), _text(args, "who")
        return {"rows": await desk.acknowledge(numbers, who=who, progress=progress)}

    return {
        "open": open_,
        "close": close,
        "preview_close": preview_close,
        "settle": settle,
        "preview_rollback": preview,
        "ledger_in_use": ledger_in_use,
        "rollback": rollback,
        "reconcile": reconcile,
        "pause": pause,
        "resume": resume,
        "acknowledge": acknowledge,
    }


def _text(args: Row, name: str) -> str:
    value = args.get(name)
    if not isinstance(value, str) or not value:
        raise UsageError(f"{name} is missing; name one")
    return clean(value)


def _numbers(args: Row, name: str) -> list[int]:
    values = args.get(name)
    if not isinstance(values, list) or not values:
        raise UsageError(f"{name} is missing; name at least one by its number")
    if len(values) > NUMBERS_MAX:
        raise UsageError(f"{name} are {len(values)}; name at most {NUMBERS_MAX} at once")
    for value in values:
        if isinstance(value, bool) or not isinstance(value, int):
            raise UsageError(f"{name} has {shown(value)}; name each by its number, such as 3")
    return values


def _usd(args: Row) -> Decimal:
    text = _text(args, "usd")
    try:
        value = exact(text)
    except OutOfBoundsError:
        value = ZERO
    if not ZERO < value <= USD_MAX:
        raise UsageError(
            f"usd is {shown(text)}; give a positive amount of US dollars such as 100,"
            f" at most {USD_MAX:,}"
        )
    return value


def _scope(args: Row) -> tuple[str | None, Symbol | None, bool]:
    """Exactly one of a hedge, a market, everything."""
    hedge, market, everything = args.get("hedge"), args.get("market"), args.get("all") is True
    if sum((hedge is not None, market is not None, everything)) != 1:
        raise UsageError("name exactly one of HEDGE, --market M and --all")
    return (
        _text(args, "hedge") if hedge is not None else None,
        Symbol(_text(args, "market")) if market is not None else None,
        everything,
    )
