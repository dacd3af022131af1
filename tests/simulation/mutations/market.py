"""Breaks of what stands against a market that changes."""

from tests.simulation.faults import Ill
from tests.simulation.mutations.model import Mutant

MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        "away-once-is-away",
        "hedger/execution/returns.py",
        "        found = await self._abilities.returned(\n",
        "        found = self._away.get(hedge.id) or await self._abilities.returned(\n",
        "4 naked",
        (Ill.HALTED,),
        hours=0.2,
    ),
    Mutant(
        "closes-on-lighter-as-if-it-opened",
        "hedger/domain/order.py",
        "        return self.purpose.reduces\n\n\n@dataclass",
        '        return self.purpose.reduces and self.venue != "lighter"\n\n\n@dataclass',
        "4 naked",
        (Ill.REDUCE_ONLY,),
        hours=0.2,
        seed=2,
    ),
    Mutant(
        "what-is-not-listed-is-not-told",
        "hedger/monitoring/market_facts.py",
        "        if isinstance(error, DriftError | DeniedError):\n",
        "        if isinstance(error, DriftError):\n",
        "4 change told",
        (Ill.DELISTED,),
        hours=0.2,
    ),
    Mutant(
        "below-a-step-is-closed",
        "hedger/rollback.py",
        "        if reached.flat:\n",
        "        if reached.flat or hedge.target is Target.FLAT:\n",
        "5 recovered",
        (Ill.STEPS,),
        hours=0.2,
        dedicated=False,
    ),
    Mutant(
        "the-first-rules-for-ever",
        "adapters/common/marketbook.py",
        "                    self._known[symbol] = _Told(row, asked_s, number)\n",
        "                    row = self._known[symbol].row if symbol in self._known else row\n"
        "                    self._known[symbol] = _Told(row, asked_s, number)\n",
        "4 change told",
        (Ill.TICKS,),
        hours=0.3,
    ),
    Mutant(
        "rules-of-any-age",
        "adapters/common/marketbook.py",
        "        if told is not None and max_age_s == ANY_AGE:\n"
        "            return told.row\n"
        "        clear = ",
        "        if told is not None:\n            return told.row\n        clear = ",
        "4 change told",
        (Ill.DECIMALS, Ill.HALTED),
        hours=0.3,
    ),
    Mutant(
        "a-new-name-is-not-learned",
        "adapters/x10/wire.py",
        "    for symbol, row in listing.rows.items():\n"
        '        names.renamed(symbol, row.word("name"))\n',
        "",
        "4 naked",
        (Ill.RENAMED,),
        hours=0.2,
        seed=3,
    ),
    Mutant(
        "drift-is-not-told",
        "hedger/monitoring/market_facts.py",
        "        if isinstance(error, DriftError | DeniedError):\n",
        "        if isinstance(error, DeniedError):\n",
        "4 change told",
        (Ill.RENUMBERED,),
        hours=0.2,
    ),
    Mutant(
        "leverage-is-proven-once",
        "hedger/leverage.py",
        "PROVEN_FOR_S: Final = 300.0",
        "PROVEN_FOR_S: Final = 30_000.0",
        "4 leverage",
        (Ill.LEVERAGE_CAP,),
        hours=0.4,
    ),
    Mutant(
        "a-book-once-empty-stays-empty",
        "hedger/execution/abilities.py",
        "            return None if _has_other_side(book, size) else before\n",
        "            return before\n",
        "4 naked",
        (Ill.DRY_LONG,),
        hours=0.3,
    ),
    Mutant(
        "forced-trades-of-lighter-are-not-counted",
        "adapters/lighter/orders.py",
        "        bought += more\n        sold += less\n",
        '        bought += more * (text_of(row, "type") == "trade")\n'
        '        sold += less * (text_of(row, "type") == "trade")\n',
        "5 recovered",
        (Ill.PRICE_MOVE,),
        intensity=10.0,
        hours=0.3,
        dedicated=True,
    ),
    Mutant(
        "a-leg-is-what-our-fills-make",
        "hedger/legs.py",
        "        size = ours(\n"
        "            position.size, own_size(self._store, hedge.id, venue),"
        " dedicated=self._dedicated\n"
        "        )\n",
        "        size = own_size(self._store, hedge.id, venue) or position.size\n",
        "4 naked",
        (Ill.LIQUIDATION_PART,),
        hours=0.2,
    ),
    Mutant(
        "forced-trades-are-not-counted",
        "adapters/x10/sightings.py",
        "            bought += size\n        else:\n            sold += size\n",
        '            bought += size * (row.word_or("tradeType", "TRADE") == "TRADE")\n'
        "        else:\n"
        '            sold += size * (row.word_or("tradeType", "TRADE") == "TRADE")\n',
        "5 recovered",
        (Ill.DELEVERAGED,),
        hours=0.2,
    ),
)
