"""``scan``, ``status``, ``audit``: what only looks."""

import asyncio
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click

from hedger.audit import recovered
from hedger.cli import bundling, columns, ledgercheck, reports
from hedger.cli.configuration import Session, begin
from hedger.cli.exit_codes import ExitCode
from hedger.cli.options import config_option, format_option, named_market
from hedger.cli.output import Format, Row, emit, emit_object, say
from hedger.cli.watching import unless_watched
from hedger.errors import UsageError

KINDS = (
    "hedges", "orders", "fills", "funding", "rates", "positions", "events", "pnl", "lanes",
    "decisions",
)  # fmt: skip
ASKED = (*KINDS, *reports.KINDS, bundling.KIND)
RECOVERY_SHOWN = timedelta(days=1)
UNVALUED = dict.fromkeys(("stay_usd", "leave_usd", "break_even_h", "naive_apy", "rates_in_doubt"))
IN_DOUBT = "unknown (rates in doubt)"
STANDING = (
    "in_doubt", "clocks", "blocked_markets", "units", "symbols_out", "switched_off", "stops",
    "behind", "escalated", "exits_standing", "alerts",
)  # fmt: skip
UNITS = {"m": "minutes", "h": "hours", "d": "days"}


@click.command()
@click.option(
    "--limit",
    type=click.IntRange(min=0),
    default=20,
    show_default=True,
    help="At most so many rows, the best; 0 shows all of them.",
)
@format_option
@config_option
def scan(*, limit: int, output: Format, config: Path | None, verbose: bool) -> int:
    """Rank hedges by what they would earn."""
    session = begin(config, verbose=verbose)
    session.home.prepare(session.settings.environment)
    found = asyncio.run(_scan(session))
    ranked, absent = found["rows"], found["absent"]
    emit_object(found | {"rows": ranked[: limit or None]}, output, rows="rows")
    if 0 < limit < len(ranked):
        say(f"{len(ranked) - limit} more with --limit 0")
    for venue, why in absent.items():
        say(f"{venue} did not answer and is left out: {why}")
    if output is Format.TABLE:
        say(
            f"value_usd: what {found['size_usd']} USD per leg are expected to bring over"
            f" {found['horizon_h']} settlements after four fees, slippage, entry basis and"
            " rollbacks, with rates that decay as recorded; naive_apy: today's rate for a year"
        )
    return ExitCode.VENUE if absent else ExitCode.DONE


async def _scan(session: Session) -> dict[str, Any]:
    from hedger.app import App

    async with App.open(session.settings, session.home, mode="read") as app:
        return dict(await app.scan())


@click.command()
@format_option
@config_option
def status(*, output: Format, config: Path | None, verbose: bool) -> int:
    """Show every hedge that is not over."""
    session = begin(config, verbose=verbose)
    in_use = ledgercheck.in_use(session)
    if in_use["trouble"] is not None:
        return ledgercheck.show(session, in_use, output)
    worth, held = _worth(session), _held(session)
    hedges = [
        {**row, **held.get(row["id"], {}), **worth.get(row["id"], UNVALUED)}
        for row in _unfinished(session)
    ]
    lanes = list(_lanes(session))
    found = _standing(session)
    recovery = _recovery(session)
    holder = session.home.holder()
    if output is Format.JSON:
        whole = {
            "environment": session.settings.environment,
            "home": str(session.home.root),
            "pid": holder,
            "hedges": hedges,
            "lanes": lanes,
            "recovery": recovery,
            "kill_file": session.home.kill_file.exists(),
            **found,
        }
        emit_object(whole, output)
    else:
        working = f"process {holder} is working here" if holder else "no daemon is running"
        say(f"{session.settings.environment} in {session.home.root}: {working}")
        rows = [row | {"stay_usd": IN_DOUBT} if row["rates_in_doubt"] else row for row in hedges]
        emit(rows, output, empty="no hedge is open", shown=columns.HELD)
        if lanes:
            emit(lanes, output, empty="", shown=columns.AUDIT["lanes"])
        told = [*recovered.sentences(recovery)]
        told += [row[key] for row in hedges for key in ("differs", "unread") if row.get(key)]
        for line in [*told, *_lane_sentences(lanes), *_sentences(found)]:
            say(line)
        if session.home.kill_file.exists():
            say(f"no new hedges: {session.home.kill_file} is there; remove it")
    exposed = any(_is_exposed(row["state"], working=holder is not None) for row in hedges)
    return unless_watched(session, ExitCode.EXPOSED if exposed else ExitCode.DONE)


def _worth(session: Session) -> dict[str, dict[str, Any]]:
    """What each open hedge was worth at the monitor's latest look, by its id."""
    if not session.home.ledger.exists():
        return {}
    from hedger.clock import SystemClock
    from hedger.ledger.store import open_store
    from hedger.standing import worth

    with open_store(session.home.ledger, SystemClock(), readonly=True) as ledger:
        return worth(ledger)


def _held(session: Session) -> dict[str, dict[str, Any]]:
    """What the legs hold by what was read last, by the hedge's id."""
    if not session.home.ledger.exists():
        return {}
    from hedger.clock import SystemClock
    from hedger.ledger.store import open_store
    from hedger.standing import held

    with open_store(session.home.ledger, SystemClock(), readonly=True) as ledger:
        dedicated = session.settings.account.dedicated
        return held(ledger, SystemClock().now(), dedicated=dedicated)


def _standing(session: Session) -> dict[str, Any]:
    """What stands in the way, from the ledger; nothing where there is none yet."""
    if not session.home.ledger.exists():
        return {key: [] for key in STANDING} | {"alerts_in_all": 0}
    from hedger.clock import SystemClock
    from hedger.ledger.store import open_store
    from hedger.standing import standing

    with open_store(session.home.ledger, SystemClock(), readonly=True) as ledger:
        return dict(standing(ledger))


def _recovery(session: Session) -> dict[str, Any] | None:
    """What the last start of today found unfinished."""
    from hedger.clock import SystemClock

    if not session.home.ledger.exists():
        return None
    return recovered.last_recovery(session.home.ledger, SystemClock().now() - RECOVERY_SHOWN)


def _sentences(found: dict[str, Any]) -> list[str]:
    if not any(found.values()):
        return []
    from hedger.standing import sentences

    return sentences(found)


def _lanes(session: Session) -> Iterator[Row]:
    from hedger import audit as questions

    if session.home.ledger.exists():
        yield from questions.rows(session.home.ledger, "lanes")


def _lane_sentences(lanes: list[Row]) -> list[str]:
    """What holds a lane up now, and what one API key for everything costs."""
    from hedger.domain.ids import VenueId
    from hedger.sequence.words import ALL, one_key_text

    lines = [row["reason"] for row in lanes if row["state"] == "paused"]
    one_key = sorted({row["venue"] for row in lanes if row["carries"] == ALL})
    return lines + [one_key_text(VenueId(venue)) for venue in one_key]


def _is_exposed(state: str, *, working: bool) -> bool:
    """Legs that differ; what is just being opened or closed counts when nobody is at it."""
    from hedger.domain.hedge import State

    if State(state) in {State.CONVERGING, State.ESCALATED, State.ORPHAN}:
        return True
    return not State(state).at_rest and not working


def _unfinished(session: Session) -> Iterator[Row]:
    from hedger import audit as questions
    from hedger.domain.hedge import State

    if not session.home.ledger.exists():
        return
    for state in State:
        if not state.terminal:
            filters = questions.Filters(state=state, limit=0)
            yield from questions.rows(session.home.ledger, "hedges", filters)


@click.command()
@click.argument("kind", type=click.Choice(ASKED), metavar="KIND")
@click.argument("named", required=False, metavar="[HEDGE]")
@click.option(
    "--to",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="For bundle: a new file; default: HEDGE.bundle.json here.",
)
@click.option("--since", metavar="WHEN", help="Instant such as 2026-01-02T21:00Z, or 90m, 24h, 7d.")
@click.option("--until", metavar="WHEN", help="As --since; the instant itself is left out.")
@click.option("--market", metavar="M", help="Only this asset, for example ETH.")
@click.option("--venue", metavar="V", help="Only this venue, for example x10.")
@click.option("--hedge", metavar="HEDGE", help="Only this hedge, or those beginning so.")
@click.option("--state", metavar="S", help="Only this state of hedge or order.")
@click.option(
    "--limit",
    type=click.IntRange(min=0),
    default=200,
    show_default=True,
    help="At most so many rows, the newest; 0 streams all of them.",
)
@click.option("--month", metavar="YYYY-MM", help="For statement: a UTC month; else everything.")
@click.option(
    "--by",
    type=click.Choice(["venue", "day", "market", "entry"]),
    default="day",
    show_default=True,
    help="For statement: what a row is about.",
)
@click.option("--wide", is_flag=True, help="In tables, show every column.")
@format_option
@config_option
def audit(
    *,
    kind: str,
    named: str | None,
    to: Path | None,
    since: str | None,
    until: str | None,
    market: str | None,
    venue: str | None,
    hedge: str | None,
    state: str | None,
    limit: int,
    month: str | None,
    by: str,
    wide: bool,
    output: Format,
    config: Path | None,
    verbose: bool,
) -> int:
    """
    Answer from the ledger alone.

    KIND is one of hedges, orders, fills, funding, rates, positions, events, pnl, lanes,
    decisions, reconcile, statement, stats, rollbacks, or bundle with a HEDGE.

    It tells what was done, when, why, and what it cost. pnl splits price, fees, funding and
    rollback cost; what is not known is shown as unknown. reconcile holds our books against the
    venues' own and against the balances; statement adds the venues' books up, by day, market or
    line; stats counts rollbacks and errors; rollbacks tells what they cost, by market. bundle
    writes everything about one hedge into a file, without accounts, keys and addresses.
    """
    bundling.check(
        kind, named, to, since=since, until=until, market=market, venue=venue, state=state,
        month=month, hedge=hedge,
    )  # fmt: skip
    session = begin(config, verbose=verbose)
    trouble = ledgercheck.in_use(session)["trouble"]
    if trouble is not None:
        say(trouble)
        if not session.home.ledger.exists():
            return ExitCode.EXPOSED
    ended = ExitCode.DONE if trouble is None else ExitCode.EXPOSED
    if kind == bundling.KIND:
        return max(ended, bundling.write(session, named, to, output))

    from hedger import audit as questions

    filters = questions.Filters(
        since=when(since, "--since"),
        until=when(until, "--until"),
        market=named_market(market, "--market") if market else None,
        venue=venue,
        hedge=hedge,
        state=state,
        limit=limit,
    )
    if kind in reports.KINDS:
        path = session.home.ledger
        reports.show(
            kind,
            reports.Asked(path=path, filters=filters, month=month, by=by, wide=wide, output=output),
        )
        return ended
    rows = questions.rows(session.home.ledger, kind, filters)
    emit(
        rows,
        output,
        empty=f"no {kind} match",
        columns=questions.columns(kind),
        shown=None if wide else columns.AUDIT[kind],
    )
    return ended


def when(text: str | None, option: str) -> datetime | None:
    """
    An instant, or so long ago: ``2026-01-02``, ``2026-01-02T21:00Z``, ``90m``, ``24h``, ``7d``.

    Raises:
        UsageError: it is neither.
    """
    if text is None:
        return None
    ago = re.fullmatch(r"(\d{1,6})([mhd])", text)
    if ago is not None:
        from hedger.clock import SystemClock

        return SystemClock().now() - timedelta(**{UNITS[ago[2]]: int(ago[1])})
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(
            f"{option} {text} is no time; give an instant such as 2026-01-02T21:00Z, or 24h"
        ) from None
    return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)
