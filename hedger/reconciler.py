"""
RECONCILE: hold what the ledger believes against what both accounts really hold.

A leg of ours that differs goes to the rollback engine; a position that no hedge explains is an
orphan where the sub-account is dedicated, and blocks its market, untouched, where it is not.
What counts as a difference is in ``hedger/differences.py``, what has to agree before anything
is done about it in ``hedger/evidence.py`` (S3, S4, S5, S37).

It goes on for as long as the daemon lives, watching the account and not only the hedges: an
order that still works there though we believe it over is cancelled and looked up (S12, S60).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from loguru import logger

from hedger.clock import Clock
from hedger.differences import Difference, Kind, Readings, is_read
from hedger.domain.hedge import Hedge, State, Target
from hedger.domain.ids import Symbol, VenueId
from hedger.domain.money import ZERO, plain
from hedger.domain.order import Side
from hedger.errors import VenueError
from hedger.evidence import Evidence
from hedger.executor import Executor
from hedger.ids import IdMaker
from hedger.ledger.records import MarketBusyError
from hedger.ledger.store import Store
from hedger.monitoring.knownmarkets import KnownMarkets
from hedger.reconciliation.accountlook import AccountLook
from hedger.reconciliation.forgetting import Forgetting
from hedger.settings_recovery import Recovery as Rules
from hedger.settling import left_key
from hedger.stray import StrayOrders
from hedger.together import together

COOLING = "cooling:"
ALL_KINDS = frozenset(Kind)
LEGS = frozenset({Kind.LEG_DIFFERS})


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """
    One reconciliation. ``in_doubt`` says why each venue cannot be relied on at present: those
    in ``unread`` did not answer, the others contradict themselves. ``undecided`` may be older
    than our last fill; on the markets of ``cooling`` a leg was taken from us a while ago.
    """

    differences: Sequence[Difference]
    in_doubt: Mapping[VenueId, str]
    blocked: frozenset[tuple[VenueId, Symbol]]
    cooling: frozenset[Symbol] = frozenset()
    unread: frozenset[VenueId] = frozenset()
    undecided: Sequence[Difference] = ()


class Reconciler:
    """Looks at the accounts, not only at the hedges, for as long as the daemon lives."""

    def __init__(
        self,
        *,
        accounts: AccountLook,
        pair: tuple[VenueId, VenueId],
        store: Store,
        known: KnownMarkets,
        executor: Executor,
        evidence: Evidence,
        stray: StrayOrders,
        ids: IdMaker,
        clock: Clock,
        dedicated: bool,
        rules: Rules,
        forgetting: Forgetting,
    ) -> None:
        self._forgetting = forgetting
        self._accounts = accounts
        self._pair = pair
        self._store = store
        self._known = known
        self._executor = executor
        self._evidence = evidence
        self._stray = stray
        self._ids = ids
        self._clock = clock
        self._dedicated = dedicated
        self._rules = rules
        self._told: dict[Kind, set[str]] = {kind: set() for kind in Kind}
        self._doubted: set[str] = set()
        # confirmed, not ours to touch: believed for as long as they read the same
        self._untouched: list[Difference] = []

    async def look(self, kinds: frozenset[Kind] = ALL_KINDS) -> Report:
        """Find differences that all evidence agrees on; changes nothing but the record of them."""
        asked_at = self._clock.now()
        readings, in_doubt = await self._accounts.read()
        await self._accounts.claim(readings)
        undecided: list[Difference] = []
        first = [d for d in await self._accounts.differences(readings) if d.kind in kinds]
        self._note_whole(readings, first)
        agreed: list[Difference] = []
        contradicting: dict[VenueId, str] = {}
        confirmed = [difference for difference in first if difference in self._untouched]
        if first := [difference for difference in first if difference not in self._untouched]:
            agreed, asked_at, again = await self._look_again(first)
            in_doubt = {**in_doubt, **again}
        unread = set(in_doubt)
        for difference in agreed:
            doubt = await self._evidence.against(difference, asked_at)
            if doubt is None:
                confirmed.append(difference)
            elif doubt:
                contradicting[difference.venue] = doubt
                unread.discard(difference.venue)
            else:
                undecided.append(difference)
        report = self._report(confirmed, in_doubt, kinds, contradicting)
        return replace(report, unread=frozenset(unread), undecided=undecided)

    async def _look_again(
        self, first: Sequence[Difference]
    ) -> tuple[list[Difference], datetime, dict[VenueId, str]]:
        """What every one of the further looks agrees on, and when the last of them began."""
        looks = self._rules.vanished_reads - 1
        pause_s = self._evidence.span_s(first) / looks
        agreed, asked_at = list(first), self._clock.now()
        in_doubt: dict[VenueId, str] = {}
        for _ in range(looks):
            await self._clock.sleep(pause_s)
            asked_at = self._clock.now()
            readings, failed = await self._accounts.read()
            in_doubt |= failed
            present = await self._accounts.differences(readings)
            agreed = [difference for difference in agreed if difference in present]
            if not agreed:
                break
        return agreed, asked_at, in_doubt

    def _report(
        self,
        confirmed: Sequence[Difference],
        in_doubt: Mapping[VenueId, str],
        kinds: frozenset[Kind],
        contradicting: Mapping[VenueId, str],
    ) -> Report:
        untouched = [
            d
            for d in confirmed
            if d.kind is Kind.UNEXPLAINED and (not self._dedicated or self._left(d))
        ]
        if Kind.UNEXPLAINED in kinds:
            self._untouched = untouched
        blocked = frozenset((d.venue, d.symbol) for d in untouched)
        confirmed = [d for d in confirmed if not self._left(d)]
        self._tell(confirmed, in_doubt, kinds, contradicting)
        return Report(
            differences=confirmed,
            in_doubt={**in_doubt, **contradicting},
            blocked=blocked | self._may_come_back(),
            cooling=self._cooling(),
        )

    def _may_come_back(self) -> frozenset[tuple[VenueId, Symbol]]:
        """Where a shared account may soon have a lost leg of ours again: it stays alone there."""
        return frozenset() if self._dedicated else self._forgetting.lately()

    async def run(self) -> Report:
        """Look, and bring what differs back to agreement, leg after leg of each hedge."""
        report = await self.look()
        await together(self._repair(difference) for difference in report.differences)
        failed = await self._stray.run()
        return replace(
            report,
            in_doubt={**failed, **report.in_doubt},
            cooling=self._cooling(),
            unread=report.unread | (failed.keys() - report.in_doubt.keys()),
        )

    def settles_in_s(self, undecided: Sequence[Difference]) -> float:
        """After how many seconds a further look decides what is undecided now."""
        return self._evidence.late_s(undecided)

    @property
    def age_s(self) -> float:
        """How long ago both accounts were last read, in seconds."""
        return self._accounts.age_s

    async def glance(self) -> None:
        """
        The legs of open hedges alone, between the regular runs: one that was taken stands open.

        Costs one reading of each venue while nothing differs.
        """
        report = await self.look(LEGS)
        await together(self._repair(difference) for difference in report.differences)

    async def _repair(self, difference: Difference) -> None:
        if difference.hedge is not None:
            hedge = self._store.hedge(difference.hedge)
            if hedge.state is State.OPEN:
                self._cool(hedge)
                await self._executor.converge(hedge, Target.MATCH, difference.text())
        elif not await self._give_back(difference) and self._dedicated:
            await self.take_off(difference.symbol, difference.text())

    async def _give_back(self, difference: Difference) -> bool:
        """Whether a position is a leg of ours that its venue had forgotten; it is driven then."""
        try:
            hedge = await self._forgetting.explains(
                difference.symbol, difference.venue, difference.read
            )
        except VenueError as error:
            logger.warning("whose {} is: {}", difference.text(), error)
            return False
        if hedge is None:
            return False
        await self._executor.resume(hedge)
        return True

    # -- what a person took over, and markets that are left alone for a while -----------------

    def _left(self, difference: Difference) -> bool:
        """Whether a person took this position over when settling by hand, and it is as it was."""
        if difference.kind is not Kind.UNEXPLAINED:
            return False
        kept = self._store.meta(left_key(difference.venue, difference.symbol))
        return bool(kept) and kept == plain(difference.read)

    def _cool(self, hedge: Hedge) -> None:
        until = self._clock.now() + timedelta(seconds=self._rules.cooldown_s)
        self._store.set_meta(COOLING + hedge.symbol, until.isoformat())

    def _cooling(self) -> frozenset[Symbol]:
        now = self._clock.now()
        return frozenset(
            Symbol(key.removeprefix(COOLING))
            for key, until in self._store.metas(COOLING).items()
            if datetime.fromisoformat(until) > now
        )

    async def take_off(self, symbol: Symbol, why: str) -> Hedge | None:
        """Close what no hedge explains on one market; None when a hedge has it by now."""
        now = self._clock.now()
        orphan = Hedge(
            id=self._ids.hedge(symbol),
            symbol=symbol,
            venue_a=self._pair[0],
            venue_b=self._pair[1],
            side_a=Side.BUY,
            requested_usd=ZERO,
            planned_size=ZERO,
            state=State.ORPHAN,
            target=Target.FLAT,
            reason=why,
            created_at=now,
            updated_at=now,
        )
        self._known.keep(symbol)
        try:
            self._store.adopt(orphan)
        except MarketBusyError:
            return None
        return await self._executor.resume(orphan)

    def _note_whole(self, readings: Readings, found: Sequence[Difference]) -> None:
        """Tell where both venues were read and an open hedge is as it should be."""
        differing = {difference.hedge for difference in found}
        for hedge in self._store.live():
            read = all(is_read(readings, venue, hedge.symbol) for venue in hedge.venues)
            if hedge.state is State.OPEN and read and hedge.id not in differing:
                self._evidence.whole(hedge)

    def _tell(
        self,
        confirmed: Sequence[Difference],
        in_doubt: Mapping[VenueId, str],
        kinds: frozenset[Kind],
        contradicting: Mapping[VenueId, str],
    ) -> None:
        """One alert per new finding, not one per look."""
        for kind in sorted(kinds):
            texts = {d.text(): d for d in confirmed if d.kind is kind}
            for text in sorted(texts.keys() - self._told[kind]):
                self._store.alert(text, hedge=texts[text].hedge)
                logger.error("{}", text)
            self._told[kind] = set(texts)
        if kinds != ALL_KINDS:
            return
        doubts = {f"{venue} is in doubt: {why}" for venue, why in in_doubt.items()}
        doubts |= {f"{venue} contradicts our record: {w}" for venue, w in contradicting.items()}
        for text in sorted(doubts - self._doubted):
            self._store.event("venue_in_doubt", text, level="warning")
        self._doubted = doubts
