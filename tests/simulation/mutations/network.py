"""Breaks of what stands against long outages, bans and odd payments."""

from tests.simulation.faults import Ill
from tests.simulation.mutations.model import Mutant

MUTANTS = (
    Mutant(
        "waits-for-the-venue-that-is-away",
        "hedger/legs.py",
        "        if proven_empty(self._store, hedge.id, venue):\n            return ZERO\n",
        "",
        "4 parked",
        (Ill.OUTAGE_LONG,),
        hours=0.2,
        seed=2,
    ),
    Mutant(
        "positions-are-the-only-source",
        "hedger/legs.py",
        "        if traded is None or not traded.current:\n",
        "        if traded is None or booked:\n",
        "4 naked",
        (Ill.ENDPOINT_DOWN,),
        hours=0.3,
        seed=12,
    ),
    Mutant(
        "a-ban-is-not-found",
        "adapters/x10/wire.py",
        "        if status == 404 and not is_page(text) and code not in DECLINED:\n",
        "        if status in {403, 404, 405, 429} and code not in DECLINED:\n",
        "3 proven",
        (Ill.BANNED,),
        hours=0.1,
        seed=3,
    ),
    Mutant(
        "known-only-when-paid",
        "hedger/accruals.py",
        "        if through is not None:\n            for hedge in hedges:\n",
        "        if through is not None and (payments or through <= min([*starts, through])):\n"
        "            for hedge in hedges:\n",
        "3 paid",
        (Ill.FUNDING_STOPS,),
        hours=0.3,
    ),
    Mutant(
        "a-second-id-is-a-second-payment",
        "hedger/ledger/funding.py",
        "        elif _differs(known, payment):\n",
        "        elif known.payment_id != payment.payment_id:\n"
        "            _assign(session, known.seq, payment)\n"
        "        elif _differs(known, payment):\n",
        "3 paid",
        (Ill.FUNDING_TWICE,),
        hours=0.2,
    ),
    Mutant(
        "nothing-is-listed-late",
        "hedger/accruals.py",
        "        back = upcoming - BACK\n",
        "        back = upcoming\n",
        "3 paid",
        (Ill.FUNDING_LATE,),
        hours=0.3,
    ),
)
