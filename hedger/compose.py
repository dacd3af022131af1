"""Put the trading parts together over any venues, quotes, ledger and clock."""

import random
from collections.abc import Mapping
from pathlib import Path

from hedger.accounts import Accounts
from hedger.accruals import Accruals
from hedger.alerts import Alerter
from hedger.breaker import CircuitBreaker
from hedger.clock import Clock
from hedger.clockwatch import ClockWatch
from hedger.dispatcher import Dispatcher
from hedger.domain.ids import VenueId
from hedger.entering import Entering, decay_model
from hedger.evidence import Evidence
from hedger.execution.abilities import Abilities
from hedger.execution.ends import Ends
from hedger.execution.exitdoor import ExitDoor
from hedger.execution.keyproof import KeyProof
from hedger.execution.reliefwatch import ReliefWatch
from hedger.execution.relieving import Relieving
from hedger.execution.returns import Returns
from hedger.execution.unproven import Unproven
from hedger.executor import Executor
from hedger.funds import EquityBook, FundsGate
from hedger.guard import Guard
from hedger.holdingwatch import HoldingWatch
from hedger.ids import IdMaker
from hedger.latewatch import LateWatch
from hedger.ledger import identity
from hedger.ledger.store import Store
from hedger.legproof import LegProof
from hedger.legs import LegReader
from hedger.leverage import LeverageKeeper
from hedger.monitoring.knownmarkets import KnownMarkets
from hedger.monitoring.market_facts import MarketFacts
from hedger.monitoring.namecheck import NameCheck
from hedger.nakedwatch import NakedWatch
from hedger.opening import Opening
from hedger.patience import Patience
from hedger.ports import QuoteSource, Venue
from hedger.position_cache import PositionCache
from hedger.preconditions import Preconditions
from hedger.readlag import ReadLag
from hedger.reconciler import Reconciler
from hedger.reconciliation.accountlook import AccountLook
from hedger.reconciliation.behind import Behind
from hedger.reconciliation.forgetting import Forgetting
from hedger.resolver import Resolver
from hedger.riskdesk import RiskDesk, limits_of, relief_rules
from hedger.rollback import RollbackEngine
from hedger.sequence import Lanes
from hedger.settings import Settings
from hedger.settlements import SettlementClock
from hedger.settling import HandSettlement
from hedger.stray import StrayOrders
from hedger.trader import Trader
from hedger.unitcheck import PACE_S, UnitCheck


def compose(
    settings: Settings,
    *,
    venues: Mapping[VenueId, Venue],
    quotes: Mapping[VenueId, QuoteSource],
    store: Store,
    clock: Clock,
    chance: random.Random,
    kill_file: Path | None = None,
) -> Trader:
    """
    The whole program behind its ports; what the daemon and every test run alike.

    Raises:
        StateError: the ledger is of other accounts.
    """
    identity.claim(store, settings.environment, {id_: v.account for id_, v in venues.items()})
    positions = PositionCache(
        venues=venues, store=store, clock=clock, ttl_s=settings.position_cache.ttl_s
    )
    lag = ReadLag(venues=venues, store=store, clock=clock, rules=settings.read_lag)
    lanes = Lanes(store, venues=venues, clock=clock, rules=settings.sequence, lag_s=lag.bound_s)
    known = KnownMarkets(venues, quotes, store)
    facts = MarketFacts(venues=venues, known=known, store=store, clock=clock)
    forgetting = Forgetting(
        venues=venues,
        store=store,
        clock=clock,
        rules=settings.recovery,
        dedicated=settings.account.dedicated,
    )
    dispatcher = Dispatcher(
        venues=venues,
        store=store,
        lanes=lanes,
        resolver=Resolver(
            venues=venues,
            store=store,
            lanes=lanes,
            lag=lag,
            facts=facts,
            clock=clock,
            budget_s=settings.execution.resolve_budget_s,
        ),
        positions=positions,
        facts=facts,
        clock=clock,
        send_window_s=settings.execution.send_window_s,
    )
    abilities = Abilities(venues=venues, quotes=quotes)
    worst_bps = settings.rollback.slippage_bps[-1]
    door = ExitDoor(
        venues=venues,
        abilities=abilities,
        keys=KeyProof(store=store, lanes=lanes, clock=clock, lag_s=lag.bound_s),
        store=store,
        clock=clock,
        slippage_bps=worst_bps,
        proof_wait_s=settings.exit.proof_wait_s,
        dedicated=settings.account.dedicated,
    )
    legs = LegReader(
        venues=venues,
        store=store,
        positions=positions,
        lag=lag,
        facts=facts,
        clock=clock,
        dedicated=settings.account.dedicated,
        forgetting=forgetting,
    )
    rollback = RollbackEngine(
        venues=venues,
        quotes=quotes,
        store=store,
        dispatcher=dispatcher,
        positions=positions,
        legs=legs,
        facts=facts,
        clock=clock,
        rules=settings.rollback,
        dedicated=settings.account.dedicated,
        abilities=abilities,
        door=door,
        unproven=Unproven(
            venues=venues,
            store=store,
            clock=clock,
            lag=lag,
            dedicated=settings.account.dedicated,
        ),
    )
    limits = limits_of(settings)
    equity = EquityBook(store, clock)
    gate = FundsGate(
        venues=venues,
        store=store,
        equity=equity,
        limits=limits,
        clock=clock,
        unseen_s=(lambda _: 0.0) if settings.account.dedicated else lag.bound_s,
    )
    executor = Executor(
        venues=venues,
        quotes=quotes,
        store=store,
        dispatcher=dispatcher,
        rollback=rollback,
        before=Preconditions(
            venues=venues,
            store=store,
            facts=facts,
            clock=clock,
            leverage=settings.trading.leverage,
            slippage_bps=settings.execution.slippage_bps,
        ),
        proof=LegProof(store=store, positions=positions, lag=lag, clock=clock),
        clock=clock,
        rules=settings.execution,
        patience=Patience(
            quotes=quotes,
            store=store,
            clock=clock,
            rules=settings.execution,
            dedicated=settings.account.dedicated,
        ),
        against=gate.against,
        lanes=lanes,
        door=door,
    )
    late = LateWatch(
        venues=venues,
        store=store,
        lanes=lanes,
        dispatcher=dispatcher,
        executor=executor,
        clock=clock,
        rules=settings.recovery,
    )
    ids = IdMaker(clock.now, chance)
    pair = settings.venues.order
    behind = Behind(venues=venues, pair=pair, store=store, known=known, ids=ids, clock=clock)
    model, settlements = decay_model(settings), SettlementClock(clock)
    clocks = ClockWatch(venues=venues, store=store, rules=settings.recovery)
    riskdesk = RiskDesk(
        settings=settings,
        store=store,
        clock=clock,
        units=UnitCheck(
            quotes=quotes,
            store=store,
            clock=clock,
            rules=settings.units,
            pace_s=settings.jobs.units.interval_s or PACE_S,
        ),
        leverage=LeverageKeeper(
            venues=venues,
            store=store,
            lanes=lanes,
            clock=clock,
            lag_s=lag.bound_s,
            leverage=settings.trading.leverage,
            enabled=settings.trading.manage_leverage,
        ),
        equity=equity,
        kill_file=kill_file,
    )
    opening = Opening(
        settings=settings,
        venues=venues,
        quotes=quotes,
        store=store,
        executor=executor,
        positions=positions,
        breaker=CircuitBreaker(
            clock,
            threshold=settings.circuit_breaker.consecutive_failures_threshold,
            open_timeout_s=settings.circuit_breaker.open_timeout_seconds,
        ),
        lanes=lanes,
        clocks=clocks,
        entering=Entering(
            settings=settings,
            venues=venues,
            quotes=quotes,
            store=store,
            clock=clock,
            model=model,
            settlements=settlements,
        ),
        riskdesk=riskdesk,
        names=NameCheck(settings, quotes=quotes, store=store),
        ids=ids,
        clock=clock,
    )
    return Trader(
        settings=settings,
        lanes=lanes,
        venues=venues,
        quotes=quotes,
        store=store,
        executor=executor,
        door=door,
        returns=Returns(
            abilities=abilities,
            store=store,
            clock=clock,
            slippage_bps=worst_bps,
            dedicated=settings.account.dedicated,
        ),
        ends=Ends(venues=venues, store=store, lanes=lanes),
        reconciler=Reconciler(
            accounts=AccountLook(
                venues=venues,
                store=store,
                clock=clock,
                retries=settings.retry_policy,
                rules=settings.recovery,
                dedicated=settings.account.dedicated,
                claims=(late.claim, behind.claim),
            ),
            pair=pair,
            store=store,
            known=known,
            executor=executor,
            ids=ids,
            clock=clock,
            dedicated=settings.account.dedicated,
            rules=settings.recovery,
            evidence=Evidence(
                venues=venues, store=store, lag=lag, clock=clock, forgetting=forgetting
            ),
            forgetting=forgetting,
            stray=StrayOrders(
                venues=venues,
                store=store,
                lanes=lanes,
                clock=clock,
                dedicated=settings.account.dedicated,
            ),
        ),
        behind=behind,
        late=late,
        facts=facts,
        clocks=clocks,
        riskdesk=riskdesk,
        naked=NakedWatch(
            store=store,
            clock=clock,
            rules=settings.recovery,
            dedicated=settings.account.dedicated,
        ),
        alerter=Alerter(
            store=store,
            clock=clock,
            rules=settings.alerts,
            environment=settings.environment,
        ),
        settlement=HandSettlement(
            venues=venues,
            store=store,
            clock=clock,
            retries=settings.retry_policy,
            dedicated=settings.account.dedicated,
            alone=executor.alone,
        ),
        model=model,
        holdings=HoldingWatch(
            settings=settings,
            venues=venues,
            quotes=quotes,
            store=store,
            clock=clock,
            model=model,
            settlements=settlements,
            doubt=riskdesk.units.doubt,
        ),
        accruals=Accruals(
            venues=venues,
            quotes=quotes,
            store=store,
            clock=clock,
            payment_lag_s=settings.funding.payment_lag_s,
        ),
        accounts=Accounts(
            venues=venues,
            quotes=quotes,
            store=store,
            clock=clock,
            difference_s=settings.accounts.difference_s,
            pages_per_run=settings.accounts.pages_per_run,
        ),
        guard=Guard(
            venues=venues,
            store=store,
            executor=executor,
            equity=equity,
            clock=clock,
            limits=limits,
            exit_distance_bps=settings.risk.exit_liquidation_distance_bps,
            relief=ReliefWatch(
                store=store,
                clock=clock,
                relieving=Relieving(store=store, executor=executor, rollback=rollback, legs=legs),
                rules=relief_rules(settings.risk),
            ),
        ),
        opening=opening,
        clock=clock,
    )
