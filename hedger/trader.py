"""
What can be asked of a running program: open, close, roll back, reconcile, recover.

The daemon serves these over its socket and a command without a daemon calls them itself, so
both do the same (``hedger/handlers.py``).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from loguru import logger

from hedger import alerts, recovery, standing, switches
from hedger.accounts import Accounts
from hedger.accruals import Accruals
from hedger.alerts import Alerter
from hedger.clock import Clock
from hedger.clockwatch import ClockWatch
from hedger.decay import DecayModel
from hedger.domain.hedge import Hedge, State, Target
from hedger.domain.ids import HedgeId, Symbol, VenueId, as_configured
from hedger.domain.money import plain
from hedger.entering import decay_model, terms_of
from hedger.errors import UsageError
from hedger.execution import stands
from hedger.execution.closepreview import close_rows
from hedger.execution.ends import Ends
from hedger.execution.exitdoor import ExitDoor
from hedger.execution.returns import Returns
from hedger.executor import Executor
from hedger.guard import Guard
from hedger.holding import Code as ExitCode
from hedger.holdingwatch import HoldingWatch
from hedger.latewatch import LateWatch
from hedger.ledger.store import Store
from hedger.monitoring.market_facts import MarketFacts
from hedger.nakedwatch import NakedWatch
from hedger.opening import Opening, Situation
from hedger.opportunity import Opportunity
from hedger.ports import QuoteSource, Venue
from hedger.preview import exposures, preview_rows
from hedger.reconciler import Reconciler, Report
from hedger.reconciliation.behind import Behind
from hedger.riskdesk import RiskDesk
from hedger.scanner import ScanResult, ScanRules, scan
from hedger.sequence import Lanes
from hedger.settings import Settings
from hedger.settling import HandSettlement

BEFORE_RECOVERY_S = 3.0
"""How long a venue may keep recovery waiting that does not tell its past orders."""

Progress = Callable[[str], None]
Row = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Trader:
    """Every part of the program that trades, put together by ``hedger/app.py``."""

    settings: Settings
    venues: Mapping[VenueId, Venue]
    quotes: Mapping[VenueId, QuoteSource]
    store: Store
    executor: Executor
    door: ExitDoor
    returns: Returns
    ends: Ends
    reconciler: Reconciler
    accruals: Accruals
    accounts: Accounts
    lanes: Lanes
    behind: Behind
    late: LateWatch
    facts: MarketFacts
    clocks: ClockWatch
    naked: NakedWatch
    alerter: Alerter
    settlement: HandSettlement
    holdings: HoldingWatch
    model: DecayModel
    clock: Clock
    riskdesk: RiskDesk
    guard: Guard
    opening: Opening

    @property
    def situation(self) -> Situation:
        """What blocks new risk at the moment."""
        return self.opening.situation

    # -- what commands ask ------------------------------------------------------------------

    async def open_hedge(self, symbol: Symbol, usd: Decimal, progress: Progress) -> Row:
        """
        Open one hedge in the direction that the present rates pay.

        A person may overrule economics (size, value, persistence), but never risk.

        Raises:
            UsageError: risk objects; the text holds every reason.
            VenueError: a venue could not be asked.
        """
        approved = await self.opening.approved(symbol, usd)
        plan = approved.plan
        side_b = plan.side_a.opposite
        progress(
            f"opening {plain(plan.size)} {symbol}: {plan.side_a} on {plan.a.venue},"
            f" then {side_b} on {plan.b.venue}"
        )
        hedge = await self.opening.open(approved)
        progress(f"hedge {hedge.id} is {hedge.state}: {hedge.reason}")
        return self.row(hedge)

    async def close_hedge(self, prefix: str, progress: Progress, *, anyway: bool = False) -> Row:
        """
        Take both legs of a hedge off, once both can come off; ``anyway`` does not ask for that.

        Raises:
            UsageError: no such hedge, or it is over.
        """
        hedge = self.store.find(prefix)
        if hedge.state.terminal:
            raise UsageError(f"hedge {hedge.id} is {hedge.state} already: {hedge.reason}")
        progress(f"closing hedge {hedge.id} on {hedge.symbol}")
        if hedge.state is State.OPEN:
            unproven = stands.ANYWAY if anyway else ""
            hedge = await self.executor.close(
                hedge, "asked for by hand", hurry=anyway, by_hand=True, unproven=unproven
            )
            if hedge.state is State.OPEN and (stand := self.door.wish(hedge.id)) is not None:
                progress(stand.text(hedge.id))
                return {**self.row(hedge), "reason": stand.text(hedge.id)}
        else:
            hedge = await self.executor.converge(hedge, Target.FLAT, "asked for by hand")
        self.opening.count(hedge.symbol, "exit", ExitCode.OPERATOR, "asked for by hand")
        progress(f"hedge {hedge.id} is {hedge.state}: {hedge.reason}")
        return self.row(hedge)

    async def settle_hedge(
        self, prefix: str, *, who: str, reason: str, force: bool, progress: Progress
    ) -> Row:
        """
        Close an escalated hedge in the ledger, by hand and without orders.

        Raises:
            UsageError: see ``HandSettlement.settle``.
        """
        hedge = self.store.find(prefix)
        settled = await self.settlement.settle(hedge, who=who, reason=reason, force=force)
        progress(f"hedge {settled.id} is {settled.state}: {settled.reason}")
        return self.row(settled)

    async def preview_rollback(
        self, *, hedge: str | None, market: Symbol | None, everything: bool
    ) -> list[Row]:
        """What a rollback would send now: sizes from the venues, prices from their books."""
        found = await exposures(
            self.venues, self.store.live(), hedge=hedge, market=market, everything=everything
        )
        return await preview_rows(self.venues, self.quotes, found)

    async def preview_close(self, prefix: str) -> list[Row]:
        """What closing a hedge would send now, and which leg would stay."""
        hedge = self.store.find(prefix)
        worst_bps = self.settings.rollback.slippage_bps[-1]
        return await close_rows(self.venues, self.quotes, self.store, hedge, worst_bps)

    async def rollback(
        self, *, hedge: str | None, market: Symbol | None, everything: bool, progress: Progress
    ) -> list[Row]:
        """
        Take exposure off by hand, through the same engine as everything else.

        Raises:
            UsageError: it is not ours to touch, or there is no such hedge.
        """
        if hedge is not None:
            hedges = [self.store.find(hedge)]
        else:
            live = self.store.live()
            hedges = [h for h in live if everything or as_configured(h.symbol) == market]
        rows = [await self._roll_back(h, progress) for h in hedges if not h.state.terminal]
        if hedge is None:
            rows += await self._roll_back_unexplained(market, progress)
        return rows

    async def _roll_back(self, hedge: Hedge, progress: Progress) -> Row:
        progress(f"rolling back hedge {hedge.id} on {hedge.symbol}")
        ended = hedge
        if hedge.state is State.PLANNED:
            ended = await self.executor.resume(hedge)  # opened meanwhile, it is taken off
        if not ended.state.terminal:
            ended = await self.executor.converge(ended, Target.FLAT, "asked for by hand")
        progress(f"hedge {ended.id} is {ended.state}: {ended.reason}")
        return self.row(ended)

    async def _roll_back_unexplained(self, market: Symbol | None, progress: Progress) -> list[Row]:
        explained = {h.symbol for h in self.store.live()}
        held = await exposures(
            self.venues, (), hedge=None, market=market, everything=market is None
        )
        symbols = sorted({preview.position.symbol for preview in held} - explained)
        if symbols and not self.settings.account.dedicated:
            raise UsageError(
                f"{', '.join(symbols)}: no hedge explains these positions, and account.dedicated"
                " is false, so they are not touched; close them where they were opened"
            )
        rows: list[Row] = []
        for symbol in symbols:
            progress(f"taking off {symbol}, which no hedge explains")
            orphan = await self.reconciler.take_off(symbol, "asked for by hand")
            if orphan is not None:
                progress(f"hedge {orphan.id} is {orphan.state}: {orphan.reason}")
                rows.append(self.row(orphan))
        return rows

    async def reconcile(self, progress: Progress) -> Row:
        """
        Hold the ledger against both accounts, repair, and read funding.

        What a reading may be too old to decide is looked at once more when it is not.
        """
        report = await self.hold_against_accounts()
        if report.undecided:
            wait_s = self.reconciler.settles_in_s(report.undecided)
            progress(f"what differs may be an old reading: looking again in {wait_s:.0f} s")
            await self.clock.sleep(wait_s)
            report = await self.hold_against_accounts()
        for difference in report.differences:
            progress(difference.text())
        payments = await self.accruals.run()
        if payments:
            progress(f"{payments} funding payments booked")
        entries = await self.accounts.run()
        if entries:
            progress(f"{entries} entries of the venues' own books booked")
        return {
            "differences": [d.row() for d in report.differences],
            "undecided": [d.row() for d in report.undecided],
            "in_doubt": dict(report.in_doubt),
            "unread": sorted(report.unread),
            "escalated": [h.id for h in self.store.live() if h.state is State.ESCALATED],
            "blocked": [f"{v}:{s}" for v, s in sorted(report.blocked)],
            "funding_payments": payments,
            "account_entries": entries,
        }

    async def hold_against_accounts(self) -> Report:
        """One reconciliation with repair; what it found blocks new risk and shows in status."""
        await self._catch_up(logger.info)
        report = await self.reconciler.run()
        self.situation.note(report)
        standing.remember(self.store, report, self.clock)
        self.clocks.look()
        return report

    async def pause(self, scope: str, *, who: str, reason: str, progress: Progress) -> Row:
        """Switch new hedges off, everywhere or somewhere; exits go on."""
        off = switches.switch_off(self.store, self.clock, scope, who=who, why=reason)
        progress(off.text())
        return {"scope": off.scope, "since": off.since, "who": off.who, "why": off.why}

    async def resume(self, scope: str | None, *, losses: bool, who: str, progress: Progress) -> Row:
        """Switch on again what was switched off; with ``losses``, count losses anew."""
        scopes = switches.switch_on(self.store, scope, who=who)
        if losses:
            self.riskdesk.equity.begin_anew()
            self.store.event("losses_anew", f"losses are counted anew, says {who}")
            progress("losses are counted anew from the last reading of the accounts")
        for each in scopes:
            progress(f"{each} goes on")
        return {"resumed": [{"scope": each} for each in scopes], "losses": losses}

    async def acknowledge(
        self, numbers: Sequence[int], *, who: str, progress: Progress
    ) -> list[Row]:
        """See ``hedger.alerts.acknowledge``."""
        rows = alerts.acknowledge(self.store, numbers, who=who)
        for row in rows:
            progress(alerts.seen(row))
        return rows

    async def ledger_in_use(self) -> Row:
        """What is wrong with the open ledger, if anything, and the hedges that it holds."""
        live = [
            {"id": h.id, "symbol": h.symbol, "state": h.state, "reason": h.reason}
            for h in self.store.live()
        ]
        return {"trouble": self.store.displaced, "live": live}

    async def recover(self, progress: Progress) -> Row:
        """Take up whatever an earlier process left unfinished; the same code as a first run."""
        await self.catch_up(progress)
        return await self.take_up(progress)

    async def catch_up(self, progress: Progress) -> None:
        """What has to be known of our own orders before anything is taken up."""
        self.lanes.announce()
        await self._catch_up(progress, within_s=BEFORE_RECOVERY_S)

    async def ask_again(self, progress: Progress) -> None:
        """The same for a venue that did not answer in time, and once more some time later."""
        await self._catch_up(progress, within_s=BEFORE_RECOVERY_S)

    async def take_up(self, progress: Progress) -> Row:
        """What is unfinished, once we have caught up."""
        resumed = await recovery.recover(self.store, self.executor, progress)
        await self.lanes.check(now=True)
        return {"resumed": resumed}

    async def go_on(self, progress: Progress) -> None:
        """What has come to be unfinished while those were taken up: see ``recovery.go_on``."""
        await recovery.go_on(self.store, self.executor, progress)

    async def _catch_up(self, progress: Progress, within_s: float | None = None) -> None:
        """See ``Behind``: until every venue has answered, nothing is opened."""
        await self.behind.run(progress, within_s)
        if self.behind.reason:
            self.situation.stopped["behind"] = self.behind.reason
        else:
            self.situation.stopped.pop("behind", None)

    # -- what the daemon asks ---------------------------------------------------------------

    async def look_around(self) -> ScanResult:
        """Scan both venues and keep what was seen."""
        rules = scan_rules(self.settings, self.model, self.store)
        result = await scan(self.quotes, rules, self.clock)
        self.situation.found = result.opportunities
        self.riskdesk.saw(result.quotes)
        kept = {o.pair.symbol for o in result.opportunities[: self.settings.scan.depth_candidates]}
        kept |= {h.symbol for h in self.store.live()}
        self.store.observe_funding(
            [q for quotes in result.quotes.values() for s, q in quotes.items() if s in kept]
        )
        return result

    def pass_over(self, opportunities: Sequence[Opportunity]) -> None:
        """See ``Opening.pass_over``."""
        self.opening.pass_over(opportunities)

    async def enter(self, opportunity: Opportunity) -> Hedge | None:
        """See ``Opening.enter``."""
        return await self.opening.enter(opportunity)

    def row(self, hedge: Hedge) -> Row:
        """A hedge as commands show it."""
        return hedge_row(hedge, self._sizes(hedge.id, hedge.venues))

    def _sizes(self, hedge: HedgeId, venues: Sequence[VenueId]) -> dict[VenueId, Decimal]:
        return {venue: self.store.leg_size(hedge, venue) for venue in venues}


def hedge_row(hedge: Hedge, sizes: Mapping[VenueId, Decimal]) -> Row:
    """The stable keys of a hedge in JSON."""
    return {
        "hedge": hedge.id,
        "symbol": hedge.symbol,
        "state": hedge.state,
        "reason": hedge.reason,
        "venue_a": hedge.venue_a,
        "size_a": plain(sizes[hedge.venue_a]),
        "venue_b": hedge.venue_b,
        "size_b": plain(sizes[hedge.venue_b]),
        "requested_usd": plain(hedge.requested_usd),
        "created_at": hedge.created_at.isoformat(),
        "closed_at": hedge.closed_at.isoformat() if hedge.closed_at else None,
    }


def scan_rules(
    settings: Settings, model: DecayModel | None = None, store: Store | None = None
) -> ScanRules:
    """
    What a scan is asked for by a configuration; rollbacks as measured where there is a ledger.

    Raises:
        ConfigError: the configured decay model cannot be read.
    """
    return ScanRules(
        venues=settings.venues.order,
        terms=terms_of(settings, model or decay_model(settings), store),
        depth_candidates=settings.scan.depth_candidates,
        deadline_s=settings.scan.deadline_s,
        max_price_gap_bps=settings.trading.max_price_gap_bps,
    )
