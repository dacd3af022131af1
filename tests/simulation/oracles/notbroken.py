"""
Promise 4, before it begins: a hedge whose legs match is safe, and is not broken for nothing.

The first order that reduces it ends that. So when it leaves, the other venue has to have been able
to take its own order a moment ago: within what may lie between a proof and the order that it is
for, and the time by which a reading may be late. A key that was proven holds for a minute; market
and book are read immediately before. An exit before a liquidation and one that a person insists
on ask for no such proof.
"""

from collections.abc import Callable, Iterable

from tests.simulation.oracles.parts import VENUES, Broken, Held, Ledger, Sent

PROMISE = "4 not broken"
KEY_PROVEN_S = 60.0
PROVEN_S = 35.0
"""
Reading takes 5 s, the key that is asked after it 7, what was proven holds for 5, the legs are read
in 10; and a process may stand still for 8.
"""
READ_LAG_S = 5.0  # what both venues declare
_EXEMPT = "SELECT 1 FROM meta WHERE key = 'exit_exempt:' || :hedge AND value <> ''"
_REDUCED = (
    "SELECT 1 FROM orders WHERE hedge_id = :hedge AND purpose <> 'open' AND id <> :order"
    " AND filled_size <> '0'"
)


class NotBroken:
    """
    ``able`` says whether a venue would take a reducing order now, ``keyed`` whether it knows our
    key, ``matched`` whether both legs are there and equal, by the engines.
    """

    def __init__(
        self,
        able: Callable[[str, str], bool],
        keyed: Callable[[str], bool],
        matched: Callable[[str], bool],
        ledger: Ledger,
        broken: Broken,
    ) -> None:
        self._able = able
        self._keyed = keyed
        self._matched = matched
        self._ledger = ledger
        self._broken = broken
        self._able_s: dict[tuple[str, str], float] = {}  # when it was last seen to be able
        self._keyless_s: dict[str, float] = {}  # when it was last seen not to know our key

    def look(self, hedges: Iterable[Held], now_s: float) -> None:
        """Note which venues are able now; what is not looked at may be otherwise meanwhile."""
        symbols = {hedge.symbol: None for hedge in hedges}
        self._able_s = {key: at_s for key, at_s in self._able_s.items() if key[1] in symbols}
        for symbol in symbols:
            self._look(symbol, now_s)

    def changed(self, now_s: float) -> None:
        """
        Something begins or ends. A venue may be able for less time than lies between two looks,
        and what is proven in it is proven.
        """
        for symbol in dict.fromkeys(symbol for _, symbol in self._able_s):
            self._look(symbol, now_s)

    def _look(self, symbol: str, now_s: float) -> None:
        for venue in VENUES:
            if not self._keyed(venue):
                self._keyless_s[venue] = now_s
            if (venue, symbol) not in self._able_s or self._able(venue, symbol):
                self._able_s[venue, symbol] = now_s

    def sent(self, sent: Sent, now_s: float) -> None:
        """An order leaves."""
        if sent.purpose != "close" or not self._matched(sent.symbol):
            return
        self._look(sent.symbol, now_s)
        asked = {"hedge": sent.hedge}
        if self._ledger.rows(_EXEMPT, **asked):
            return
        if self._ledger.rows(_REDUCED, **asked, order=sent.order):
            return  # it is not the first
        other = next(venue for venue in VENUES if venue != sent.venue)
        able_s = self._able_s[other, sent.symbol]
        unable_s = now_s - able_s
        keyless = self._keyless_s.get(other, able_s) > able_s
        if unable_s > (KEY_PROVEN_S if keyless else PROVEN_S) + READ_LAG_S:
            self._broken(
                PROMISE,
                f"{sent.order} breaks a matching hedge on {sent.venue} while {other} has not been"
                f" able to take off {sent.symbol} for {unable_s:.0f} s",
            )
