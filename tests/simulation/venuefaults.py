"""What single requests meet at a venue: the sandbox's own faults, drawn when they are asked for."""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from functools import partial

from adapters.sandbox.faults import Fault, FaultBox, Kind, Op
from hedger.clock import Clock
from tests.simulation.effects import differs
from tests.simulation.effects import dry as drying
from tests.simulation.faults import (
    ORDERS,
    READS,
    STALE_BROKEN_S,
    STALE_S,
    Chance,
    Ill,
)

_STALE: Mapping[str, Ill] = {
    Op.POSITIONS: Ill.STALE_POSITION,
    Op.ORDERS: Ill.STALE_ORDER,
    Op.NONCE: Ill.STALE_NONCE,
    Op.BALANCE: Ill.STALE_BALANCE,
}

_NEEDS_A_MATCH = frozenset({Ill.PARTIAL, Ill.ZERO, Ill.SLOW_MATCH, Ill.REJECTED, Ill.DROPPED})
"""They change nothing for an order that has nothing to reduce: it would be rejected anyway."""

Ask = Callable[..., tuple[int, str]]

LAG_BROKEN = 0.15
"""How likely a read is to be older than its venue declares, while that happens."""

UNTRUE_ENDS: Mapping[Ill, float] = {Ill.LATE_FINAL: 0.05, Ill.OVERFILL: 0.05}
"""How likely an order fills further after its end, or fills more than was asked."""

LATE_REST_S = (5.0, 150.0)  # so long after its end: a world comes to rest in no less


class SimFaults(FaultBox):
    """The faces' fault box, filled by chance at the moment it is asked."""

    def __init__(self, clock: Clock, chance: Chance) -> None:
        super().__init__(clock)
        self._chance = chance
        self._reads = {op: self._rates(op) for op in _STALE}
        self.disturbed: Callable[[str | None], bool] = bool  # the world says where others trade
        self.lagging: set[str] = set()  # venues whose reads are older than they declare
        self.dry_until_s: dict[str, float] = {}  # per venue: nobody trades there until then
        self.has_to_reduce: Callable[[str, str | None], bool] = lambda _venue, _symbol: True
        self.met: Callable[[str], None] = lambda _where: None  # ``Effects.met``
        self._late: list[Ill] = []  # why the answer that is being made is late
        self._off = False  # no faults: the same question once more

    def outage(self, venue: str) -> bool:
        """Outages are the network's business here."""
        return False

    def take(
        self,
        venue: str,
        op: str,
        symbol: str | None = None,
        reduce_only: bool | None = None,
        api_key_index: int | None = None,
    ) -> list[Fault]:
        if self._off:
            return []
        if op == Op.ORDER:
            return self._for_order(venue, symbol, reduce_only=bool(reduce_only))
        return self._for_read(venue, op) if self._reads.get(op) else []

    def asked(self, ask: Ask, words: Sequence[object], *, heard: bool) -> tuple[int, str]:
        """
        A venue's answer. One that was late has had an effect if it is ``heard`` and says
        something else than one without a fault, which is asked for only while a hedge lives.

        Raises:
            Cut: there was no answer.
        """
        self._late.clear()
        reply = ask(*words)
        late = next(iter(self._late), None)
        if late is not None and heard and self._chance.busy():
            self._off = True
            try:
                fresh = ask(*words)
            finally:
                self._off = False
            if differs(late, reply, fresh):
                self._chance.tell(late)
        return reply

    def _rates(self, op: str) -> list[tuple[Ill, float]]:
        """What a read may meet in this world, in this order, and how likely each is."""
        rates = [(Ill.READ_FAILED, READS[Ill.READ_FAILED])]
        if op in {Op.POSITIONS, Op.ORDERS}:
            rates.append((Ill.LAG_BROKEN, LAG_BROKEN))
        rates.append((_STALE[op], READS[_STALE[op]]))
        return [(ill, rate) for ill, rate in rates if ill in self._chance.plan.ills]

    def _for_read(self, venue: str, op: str) -> list[Fault]:
        chance = self._chance
        for ill, rate in self._reads[op]:
            if ill is Ill.LAG_BROKEN and venue not in self.lagging:
                continue
            if chance.strikes(ill, rate):
                if ill is Ill.READ_FAILED:
                    self._chance.tell(ill)
                    return [_fault(venue, Kind.BAD_READS, status=503)]
                self._late.append(ill)
                lag_s = STALE_BROKEN_S if ill is Ill.LAG_BROKEN else STALE_S
                return [_fault(venue, Kind.LAG, seconds=chance.between(*lag_s))]
        return []

    def _for_order(self, venue: str, symbol: str | None, *, reduce_only: bool) -> list[Fault]:
        chance = self._chance
        if (untrue := self._end_untrue(venue, symbol)) is not None:
            return [untrue]
        dry = self._clock.monotonic_s() < self.dry_until_s.get(venue, 0.0)
        ill = Ill.ZERO if dry else chance.first_of(ORDERS, order=True)
        if ill is Ill.DROPPED and not reduce_only:
            return []
        if ill is Ill.NONCE_STOLEN and venue != "lighter":
            return []
        if dry:
            self.met(drying(venue))
        in_vain = reduce_only and not self.has_to_reduce(venue, symbol)
        if ill is not None and not dry and not (in_vain and ill in _NEEDS_A_MATCH):
            chance.tell(ill)
        if ill is Ill.PARTIAL:
            share = Decimal(chance.source.randint(1, 9)) / 10
            return [_fault(venue, Kind.PARTIAL_FILL, fraction=share)]
        if ill is Ill.SLOW_MATCH:
            return [_fault(venue, Kind.SLOW_MATCH, seconds=chance.between(0.5, 4.0))]
        if ill is Ill.REFUSED:
            return [_fault(venue, Kind.REFUSE, code=1140 if venue == "x10" else 21739, status=400)]
        return [_SIMPLE[ill](venue)] if ill is not None else []

    def _end_untrue(self, venue: str, symbol: str | None) -> Fault | None:
        """
        What makes of the end of an order something that its venue may not.

        Not where somebody else has traded in our leg a moment ago: a venue nets the two, and what
        it turned around would be nobody's (the README's limits of shared sub-accounts).
        """
        chance = self._chance
        if self.disturbed(symbol):
            return None
        ill = chance.first_of(UNTRUE_ENDS, order=True)
        if ill is Ill.LATE_FINAL:
            share = Decimal(chance.source.randint(0, 9)) / 10
            seconds = chance.between(*LATE_REST_S)
            return _fault(venue, Kind.LATE_REST, fraction=share, seconds=seconds)
        if ill is Ill.OVERFILL:
            share = Decimal(chance.source.randint(1, 5)) / 10
            return _fault(venue, Kind.OVERFILL, fraction=share)
        return None


def _fault(
    venue: str,
    kind: Kind,
    *,
    code: int = 0,
    status: int = 0,
    reason: str = "",
    fraction: Decimal = Decimal(1),
    seconds: float = 0.0,
    when: str = "",
    html: bool = False,
) -> Fault:
    return Fault(
        id="sim", venue=venue, kind=kind, ops=frozenset(), code=code, status=status, reason=reason,
        fraction=fraction, seconds=seconds, when=when, html=html,
    )  # fmt: skip


_SIMPLE: Mapping[Ill, Callable[[str], Fault]] = {
    Ill.ERROR_BEFORE: partial(_fault, kind=Kind.SERVER_ERROR, status=502, when="before", html=True),
    Ill.ERROR_AFTER: partial(_fault, kind=Kind.SERVER_ERROR, status=504, when="after"),
    Ill.RATE_LIMIT: partial(_fault, kind=Kind.RATE_LIMIT, status=429),
    Ill.ZERO: partial(_fault, kind=Kind.NO_FILL),
    Ill.REJECTED: partial(_fault, kind=Kind.REJECT, reason="margin"),
    Ill.DROPPED: partial(_fault, kind=Kind.REJECT, reason="reduce_only"),
    Ill.NONCE_STOLEN: partial(_fault, kind=Kind.STEAL_NONCE),
}
