"""Breaks of what stands against our own machine: the ledger's file, the clock, a standstill."""

from tests.simulation.faults import Ill
from tests.simulation.mutations.model import Mutant

MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        "gone-ledger-unnoticed",
        "hedger/ledger/watch.py",
        "        if file_is is None:\n            return",
        "        if file_is is None:\n            return None\n            return",
        "1 intent first",
        (Ill.LEDGER_GONE,),
        intensity=12.0,
        hours=0.2,
    ),
    Mutant(
        "replaced-ledger-is-taken-for-ours",
        "hedger/ledger/watch.py",
        "        if file_is != self._file_is:\n            return",
        "        if file_is != self._file_is:\n            self.opened()\n"
        "            return None\n            return",
        "1 intent first",
        (Ill.LEDGER_REPLACED,),
        intensity=12.0,
        hours=0.2,
    ),
    Mutant(
        "orders-of-earlier-starts-are-nobodys",
        "hedger/reconciliation/behind.py",
        "        if not same_ledger(past.sent.start, self._store.start):\n",
        "        if past.sent.start != self._store.start:\n",
        "3 proven",
        (Ill.LEDGER_RESTORED,),
        intensity=8.0,
        hours=0.3,
    ),
    Mutant(
        "damage-passes-the-start",
        "hedger/ledger/sqlite.py",
        '    if first != "ok":\n        raise damaged(path)\n\n\ndef check_references',
        '    if first == "":\n        raise damaged(path)\n\n\ndef check_references',
        "0 sound",
        (Ill.LEDGER_DAMAGED,),
        intensity=8.0,
        hours=0.2,
    ),
    Mutant(
        "signed-in-our-own-time",
        "adapters/x10/venue.py",
        "return instant if offset is None else offset.theirs(instant)",
        "return instant",
        "4 naked",
        (Ill.CLOCK_BACK, Ill.MANUAL),
        hours=0.3,
        seed=3,
    ),
    Mutant(
        "standstill-measured-too-late",
        "hedger/dispatcher.py",
        "        frozen_s = self._clock.monotonic_s() - committed_s\n",
        "        committed_s = self._clock.monotonic_s()\n"
        "        frozen_s = self._clock.monotonic_s() - committed_s\n",
        "1 too late",
        (Ill.PAUSED,),
        intensity=8.0,
        hours=0.1,
    ),
)
