"""
Subtle breaks, of rules that matter only when something else goes wrong at the same time.

A clock that was measured a while ago, a reading that is some seconds old, bytes that are sent
again late: none of them costs anything on a good day.
"""

from tests.simulation.faults import Ill
from tests.simulation.mutations.model import Mutant

MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        "fence-sign",
        "hedger/proofs.py",
        "INNER_SKEW_S + limits.read_lag_s - offset.low_s",
        "INNER_SKEW_S + limits.read_lag_s + offset.low_s",
        "3 proven",
        (Ill.VENUE_OFF, Ill.REQUEST_LATE),
        intensity=2.0,
        hours=0.3,
        off_s=-12.0,
        seed=2,
    ),
    Mutant(
        "reservations-not-counted",
        "hedger/ledger/hedges.py",
        "        others = reserved(session.conn, margin.venue, hedge_id)\n",
        "        others = reserved(session.conn, margin.venue, hedge_id) * 0\n",
        "1 reserved",
        (),
        hours=0.4,
        poor=True,
    ),
    Mutant(
        "rollback-reads-the-cache",
        "hedger/legs.py",
        "hedge.symbol, max_age_s=0, hedge=hedge.id)",
        "hedge.symbol, hedge=hedge.id)",
        "6 fresh",
        (Ill.RACING,),
        hours=0.1,
    ),
    Mutant(
        "failed-read-is-empty",
        "hedger/reconciliation/accountlook.py",
        "                in_doubt[venue.id] = error.detail\n",
        "                readings[venue.id] = {}\n"
        "                flat.extend(self._read_flat(venue.id, {}, began))\n",
        "3 read",
        (Ill.OUTAGE,),
        hours=0.1,
        seed=2,
    ),
    Mutant(
        "leg-2-rounded-up",
        "hedger/executor.py",
        "        size = floor_to_step(filled, common_step(rules_a.size_step, rules_b.size_step))\n",
        "        step = common_step(rules_a.size_step, rules_b.size_step)\n"
        "        size = floor_to_step(filled, step)\n"
        "        size = size if size == filled else size + step\n",
        "4 leg B fits",
        (Ill.PARTIAL,),
        intensity=4.0,
        hours=0.1,
    ),
    Mutant(
        "clock-remembered-for-long",
        "hedger/venueclock.py",
        "REMEMBERED_S: Final = 15.0\n",
        "REMEMBERED_S: Final = 1_500.0\n",
        "3 clock",
        (Ill.VENUE_OFF,),
        intensity=0.5,
        hours=0.4,
        off_s=4.0,
    ),
    Mutant(
        "resent-at-any-age",
        "hedger/noncefence.py",
        "        if again and age_s < RESEND_YOUNGER_THAN_S:\n",
        "        if again:\n",
        "2 young",
        (Ill.OUTAGE_AIMED,),
        hours=0.1,
    ),
    Mutant(
        "no-send-window",
        "hedger/dispatcher.py",
        "        if frozen_s > self._send_window_s:\n",
        "        if frozen_s > 3_600:\n",
        "1 in time",
        (Ill.STALL_AT_COMMIT,),
        intensity=30.0,
    ),
    Mutant(
        "late-watch-of-a-minute",
        "hedger/latewatch.py",
        "timedelta(seconds=self._rules.watch_dead_s)",
        "timedelta(seconds=60)",
        "3 booked",
        (Ill.LATE_FINAL,),
        intensity=2.0,
        hours=0.3,
    ),
)
