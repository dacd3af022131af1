"""Nothing by chance: what a message and an order meet is asked of somebody who knows."""

from collections.abc import Callable, Mapping

from adapters.sandbox.faults import Fault
from tests.simulation.faults import REQUESTS, Chance, Ill
from tests.simulation.venuefaults import SimFaults


class ScriptedChance(Chance):
    """``ask`` says what the order that sets out now meets on its way."""

    ask: Callable[[], Ill | None]

    def first_of(
        self, table: Mapping[Ill, float], weight: float = 1.0, *, order: bool = False
    ) -> Ill | None:
        if not order or table is not REQUESTS or self.quiet:
            return None
        return self.ask()


class ScriptedFaults(SimFaults):
    """``meets`` is what the next order meets at a venue, once it is there."""

    meets: dict[str, Fault]

    def _for_order(self, venue: str, symbol: str | None, *, reduce_only: bool) -> list[Fault]:
        fault = self.meets.pop(venue, None)
        return [] if fault is None else [fault]
