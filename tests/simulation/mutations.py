"""The deliberate breaks themselves; ``mutants`` applies and judges them."""

from dataclasses import dataclass

from tests.simulation.faults import Ill, Plan
from tests.simulation.setup import Setup


@dataclass(frozen=True)
class Mutant:
    """
    ``oracle`` is the promise whose judge has to notice.

    ``aim`` are the kinds of fault against which the rule stands, ``intensity`` how many times
    as often as usual they come in the small budget, ``dedicated`` whose the sub-accounts are
    (None: by the seed). ``seed`` is one of its worlds that catches the mutant: the first that is
    tried, which only saves time. The aim has to be such that several in ten of the worlds do.
    """

    name: str
    file: str
    old: str
    new: str
    oracle: str
    aim: tuple[Ill, ...]
    intensity: float = 8.0
    hours: float = 0.05
    seed: int = 1
    dedicated: bool | None = None

    def world(self, seed: int) -> Setup:
        """One of the small budget."""
        plan = Plan(frozenset(self.aim), self.intensity)
        return Setup(seed=seed, hours=self.hours, plan=plan, dedicated=self.dedicated)


MUTANTS = (
    Mutant(
        "blind-retry",
        "hedger/resolver.py",
        "        if isinstance(answer, NoProof):\n",
        "        if isinstance(answer, NoProof):\n"
        '            return dead(prepared, "no answer: once more")\n',
        "3 proven",
        (Ill.CUT_AFTER, Ill.ERROR_AFTER),
    ),
    Mutant(
        "not-found-is-refused",
        "hedger/resolver.py",
        "                search.watch.missed(asked_at)\n                limits =",
        '                return dead(search.prepared, "not found")\n                limits =',
        "3 proven",
        (Ill.REQUEST_LATE, Ill.STALE_ORDER),
    ),
    Mutant(
        "no-intent-before-send",
        "hedger/dispatcher.py",
        "        committed_s = self._clock.monotonic_s()\n",
        "        committed_s = self._clock.monotonic_s()\n"
        "        if order.attempt > 1:\n"
        "            await venue.submit(prepared)  # it is urgent\n",
        "1 intent first",
        (Ill.PARTIAL, Ill.ZERO),
    ),
    Mutant(
        "planned-size-in-rollback",
        "hedger/rollback.py",
        "size=tidy(within_cap(step, price, rules)),",
        "size=tidy(hedge.planned_size or step.size),",
        "4 naked",
        (Ill.PARTIAL,),
    ),
    Mutant(
        "no-reduce-only",
        "hedger/domain/order.py",
        "        return self.purpose.reduces\n\n\n@dataclass",
        "        return False\n\n\n@dataclass",
        "6 no flip",
        (Ill.RACING,),
        intensity=6.0,
    ),
    Mutant(
        "no-epoch",
        "hedger/ledger/writer.py",
        "if self.epoch_in(self._conn) != self._epoch:",
        "if self.epoch_in(self._conn) < self._epoch:",
        "0 sound",
        (Ill.TWO_DAEMONS,),
        intensity=60.0,
        hours=0.1,
    ),
    Mutant(
        "leg-2-as-planned",
        "hedger/executor.py",
        "size = floor_to_step(filled, ",
        "size = floor_to_step(hedge.planned_size, ",
        "4 leg B fits",
        (Ill.PARTIAL,),
    ),
    Mutant(
        "stale-read-is-flat",
        "hedger/legs.py",
        "            if position.size == booked:\n",
        "            if position.size in (booked, ZERO):\n",
        "4 naked",
        (Ill.STALE_POSITION, Ill.PARTIAL, Ill.KILL),
        hours=0.2,
    ),
    Mutant(
        "nonce-reused",
        "hedger/ledger/records.py",
        "NONCE_FREE_STATES = frozenset({OrderState.REFUSED,",
        "NONCE_FREE_STATES = frozenset({OrderState.ZERO, OrderState.REFUSED,",
        "0 sound",
        (Ill.ZERO, Ill.STALE_NONCE),
        intensity=6.0,
        hours=0.1,
    ),
    Mutant(
        "nonce-skipped",
        "hedger/ledger/records.py",
        "NONCE_FREE_STATES = frozenset({OrderState.REFUSED, OrderState.ABANDONED})",
        "NONCE_FREE_STATES = frozenset({OrderState.ABANDONED})",
        "2 no gap",
        (Ill.REFUSED,),
        hours=0.1,
    ),
    Mutant(
        "wrong-side",
        "hedger/reduction.py",
        "side=Side.closing(size), size=wanted)\n\n\ndef _larger",
        "side=Side.closing(-size), size=wanted)\n\n\ndef _larger",
        "4 naked",
        (Ill.PARTIAL,),
        seed=2,
    ),
    Mutant(
        "recovers-the-last-hedge-only",
        "hedger/recovery.py",
        "left = store.unfinished()\n",
        "left = store.unfinished()[-1:]\n",
        "5 recovered",
        (Ill.KILL,),
        intensity=6.0,
        hours=0.1,
        seed=2,
    ),
    Mutant(
        "no-full-sync",
        "hedger/ledger/sqlite.py",
        "PRAGMA synchronous = FULL",
        "PRAGMA synchronous = NORMAL",
        "1 intent first",
        (Ill.POWER,),
        intensity=20.0,
        hours=0.1,
        seed=2,
    ),
    Mutant(
        "expiry-without-margin",
        "hedger/proofs.py",
        "return asked_at > prepared.expires_at + margin",
        "return asked_at + margin > prepared.expires_at",
        "3 proven",
        (Ill.REQUEST_LATE, Ill.STALE_ORDER),
    ),
    Mutant(
        "no-expiry-fence",
        "hedger/resolver.py",
        "        if not expired_for_good(search.prepared, limits, asked_at, offset):\n"
        "            return None\n",
        "",
        "3 proven",
        (Ill.REQUEST_LATE, Ill.STALE_ORDER),
    ),
    Mutant(
        "not-ours-is-ours",
        "hedger/owned.py",
        "    if dedicated:\n        return read\n",
        "    if read or dedicated:\n        return read\n",
        "6 not ours",
        (Ill.KILL,),
        intensity=3.0,
        hours=0.5,
        dedicated=False,
    ),
)
