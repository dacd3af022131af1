"""Breaks of what stands against a venue that is not as it says, and keys that come and go."""

from tests.simulation.faults import Ill
from tests.simulation.mutations.model import Mutant

MUTANTS = (
    Mutant(
        "refused-key-for-ever",
        "hedger/execution/abilities.py",
        "        return None if account.can is Can.YES else account\n\n    async def market",
        "        return before\n\n    async def market",
        "4 naked",
        (Ill.KEY_REVOKED,),
        intensity=20.0,
        hours=0.2,
    ),
    Mutant(
        "odd-answer-leaves-its-port",
        "adapters/common/door.py",
        "    ArithmeticError,\n    AttributeError,\n",
        "    ArithmeticError,\n",
        "0 sound",
        (Ill.HOSTILE,),
        intensity=8.0,
        hours=0.1,
    ),
    Mutant(
        "never-believed",
        "hedger/reconciliation/forgotten.py",
        "series.looks >= needed.looks and",
        "series.looks < 0 and",
        "4 bounded",
        (Ill.FORGETS,),
        intensity=6.0,
        hours=0.2,
    ),
    Mutant(
        "lane-behind-is-in-step",
        "hedger/sequence/resync.py",
        "        return remote if remote >= ours else await self._fill(held, remote, ours)\n",
        "        return max(remote, ours)\n",
        "5 recovered",
        (Ill.NONCE_BACK,),
        hours=0.1,
    ),
    Mutant(
        "partial-is-final",
        "hedger/ledger/intents.py",
        "OrderState.ZERO, OrderState.PARTIAL)\n_BEYOND",
        "OrderState.ZERO)\n_BEYOND",
        "3 proven",
        (Ill.LATE_FINAL,),
    ),
    Mutant(
        "overfill-is-no-drift",
        "hedger/monitoring/drift.py",
        "    if filled > order.size:\n",
        "    if filled > 2 * order.size:\n",
        "4 alert",
        (Ill.OVERFILL,),
    ),
    Mutant(
        "any-account",
        "adapters/lighter/accountwire.py",
        ' if "account_index" in row else "index") == account_index:\n',
        ' if "account_index" in row else "index"):\n',
        "3 observed",
        (Ill.OTHER_ACCOUNT,),
    ),
    Mutant(
        "any-book",
        "adapters/lighter/quotes.py",
        "            if mark is None or not side or mark.price",
        "            if mark is not None or not side or mark.price",
        "6 price",
        (Ill.OTHER_MARKET,),
    ),
)
