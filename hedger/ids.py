"""Ids chosen by us: readable, sortable within a market, and never minted twice."""

import random
from collections.abc import Callable
from datetime import datetime

from hedger.domain.ids import HedgeId, Symbol

ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"  # no letters that look like figures


class IdMaker:
    """
    ``eth-260102213005-k3f9``: symbol, UTC second, four random letters.

    The time keeps ids apart even when the ledger was lost, the letters within one second.
    """

    def __init__(self, now: Callable[[], datetime], chance: random.Random) -> None:
        self._now = now
        self._chance = chance

    def hedge(self, symbol: Symbol) -> HedgeId:
        """An id for a new hedge on ``symbol``."""
        letters = "".join(self._chance.choices(ALPHABET, k=4))
        return HedgeId(f"{symbol.lower()}-{self._now():%y%m%d%H%M%S}-{letters}")
