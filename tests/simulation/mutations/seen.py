"""Breaks that only the oracles of what a person is owed can see."""

from tests.simulation.faults import Ill
from tests.simulation.mutations.model import Mutant

MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        "exit-without-a-proof",
        "hedger/execution/exitdoor.py",
        "        proof = await self.prove(hedge)\n        if proof.can is Can.YES:\n",
        "        proof = await self.prove(hedge)\n        if proof.can in Can:\n",
        "4 not broken",
        (Ill.HALTED, Ill.KEY_REVOKED),
        intensity=4.0,
        hours=0.3,
    ),
    Mutant(
        "escalated-in-silence",
        "hedger/rollback.py",
        "        self._store.alert(\n"
        '            f"hedge {hedge.id} on {hedge.symbol} could not be brought to'
        ' {hedge.target}: {why}"\n'
        '            f"{self._alone(hedge)}",\n'
        "            hedge=hedge.id,\n"
        "        )\n",
        "",
        "4 told",
        (Ill.OUTAGE_LONG, Ill.OUTAGE_AIMED, Ill.PARTIAL),
        intensity=4.0,
        hours=0.2,
    ),
    Mutant(
        "more-than-asked-is-fine",
        "hedger/monitoring/drift.py",
        "    if filled > order.size:\n",
        "    if filled > order.size * 9:\n",
        "3 more than asked",
        (Ill.OVERFILL,),
        hours=0.2,
    ),
    Mutant(
        "a-start-taken-twice",
        "hedger/ledger/starts.py",
        "max(minutes, age_of(before) + 1)",
        "max(minutes, age_of(before))",
        "2 ids",
        (Ill.KILL,),
        hours=0.1,
    ),
    Mutant(
        "status-by-our-fills",
        "hedger/standing.py",
        "            size = seen_size(ledger, hedge, venue, dedicated=dedicated)\n",
        "            size = ledger.leg_size(hedge.id, venue)\n",
        "7 shown",
        (Ill.MANUAL, Ill.LIQUIDATION),
        hours=0.5,
    ),
    Mutant(
        "lone-leg-waits-for-the-other-venue",
        "hedger/legs.py",
        "        if proven_empty(self._store, hedge.id, venue):\n            return ZERO\n",
        "",
        "4 held back",
        (Ill.OUTAGE_LONG, Ill.BANNED, Ill.ZERO, Ill.REFUSED),
        intensity=5.0,
        hours=0.3,
    ),
)
