"""A world that goes by a script: one hedge, and what it met."""

import asyncio
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from adapters.lighter.orders import TX_CREATE_ORDER
from adapters.sandbox.engine.types import TradeKind
from adapters.sandbox.faults import Fault
from hedger.audit import bundle
from hedger.domain.hedge import State
from tests.simulation import nemesis
from tests.simulation.faults import Ill
from tests.simulation.process import Process, now_s
from tests.simulation.replaying.fates import ScriptedChance, ScriptedFaults
from tests.simulation.replaying.met import Met
from tests.simulation.replaying.recorded import BY_HAND, Recorded, of
from tests.simulation.replaying.script import Act, Blow, Script, Silence
from tests.simulation.replaying.stage import Stage
from tests.simulation.setup import Setup
from tests.simulation.store import Engines, laid_down
from tests.simulation.venuefaults import _fault
from tests.simulation.world import World

STILL_S = 100.0  # nothing more is expected after so long without a step
LONGEST_S = 1_800.0
NO_HEDGE_S = 30.0
AFTER_S = 1.0
SOON_S = 0.5
SILENT_MOST_S = 60.0
STARTING_S = 0.7  # about: from the start of a process to its first row
OVER = frozenset(str(state) for state in State if state.terminal)

_MARKS = (
    "SELECT seq, kind, from_state, to_state, data FROM events WHERE hedge_id = ? AND seq > ?"
    " AND (to_state IS NOT NULL OR kind IN ('intent', 'outcome')) ORDER BY seq"
)
_ORDERS = "SELECT id, client_id, venue FROM orders WHERE hedge_id = ? ORDER BY seq"


class ReplayWorld(World):
    """
    Attributes:
        hedge: the id of the one hedge; empty until it is planned.
        refusal: why it is not opened, as its person was told last.
        recorded: the bundle of what has happened, taken when the script was over.
    """

    def __init__(self, setup: Setup, engines: Engines, script: Script, stage: Stage) -> None:
        self._stepped_s = 0.0
        super().__init__(setup, engines)
        self.script, self.stage = script, stage
        self.hedge = self.refusal = ""
        self.recorded: Recorded | None = None
        self.killed = 0  # deaths of the script so far
        self.meets: dict[str, Fault] = {}
        chance = ScriptedChance(self.plan, self.chance.source)
        chance.ask, chance.busy = self.message, self.oracle.busy
        self.chance = chance
        faults = ScriptedFaults(self.clock, chance)
        faults.meets = self.meets
        self.faults = faults
        self.venues.x10_face.faults = self.venues.lighter_side.face.faults = faults
        self._blows = list(script.blows)
        self._silences = list(script.silences)
        self._silent: list[Silence] = []
        self._sent: Counter[int] = Counter()
        self._sending: tuple[int, str, str] = (0, "", "")  # order, venue, bytes
        self._outages: dict[str, float] = {}
        self._stalled: set[int] = set()
        self._flying: dict[str, int] = {}  # the order under way to each venue
        self._marks: list[tuple[tuple[str, ...], int]] = []
        self._through = 0
        self._armed: float | None = None  # a death is due; when the next life begins
        self._down_s = SOON_S
        self._listen()
        stage.lay_out(self.venues)

    # -- what its orders meet ---------------------------------------------------------------

    def _listen(self) -> None:
        """Know which order a message carries before it sets out."""
        x10, lighter = self.oracle.sent_x10, self.oracle.sent_lighter

        def sent_x10(process: Process, body: str) -> None:
            self._sending = (self._number("x10", str(json.loads(body)["id"])), "x10", body)
            x10(process, body)

        def sent_lighter(process: Process, tx_type: str, tx_info: str) -> None:
            number = 0
            if int(tx_type) == TX_CREATE_ORDER:
                number = self._number("lighter", str(json.loads(tx_info)["ClientOrderIndex"]))
            self._sending = (number, "lighter", tx_info)
            lighter(process, tx_type, tx_info)

        self.oracle.sent_x10 = sent_x10  # type: ignore[method-assign]
        self.oracle.sent_lighter = sent_lighter  # type: ignore[method-assign]

    def _rows(self, query: str, *values: object) -> list[Any]:
        return self.oracle._conn.execute(query, values).fetchall()

    def _number(self, venue: str, client_id: str) -> int:
        """The how manieth order of the hedge it is; 0: none of it."""
        for number, row in enumerate(self._rows(_ORDERS, self.hedge), start=1):
            if row[1:] == (client_id, venue):
                return number
        return 0

    def message(self) -> Ill | None:
        """What the message that sets out now meets."""
        number, venue, text = self._sending
        self._flying[venue] = number
        met = self.script.mets.get(number)
        if met is None:
            return None
        self._sent[number] += 1
        first = self._sent[number] == 1
        if not first and not met.always:
            return None
        if first and met.late_s:
            self.loop.call_later(met.late_s, self._deliver, venue, text)
        elif first:
            self._at_the_door(venue, met)
        if met.message is not None:
            self.chance.fired[met.message] += 1
        return met.message

    def _at_the_door(self, venue: str, met: Met) -> None:
        if met.door is not None:
            door = met.door
            self.meets[venue] = _fault(
                venue, door.kind, code=door.code, status=door.status, reason=door.reason,
                fraction=door.fraction, seconds=door.seconds,
            )  # fmt: skip
        if met.outage_s:
            self._outages[venue] = met.outage_s

    def _deliver(self, venue: str, text: str) -> None:
        """Bytes that were on their way for long arrive; nobody waits for an answer."""
        self.trace(f"late {venue}")
        if venue == "x10":
            self.venues.ask_x10("POST", "/user/order", [], text)
        else:
            self.venues.ask_lighter("sendTx", [], {"tx_type": "14", "tx_info": text})

    def arrived(self, venue: str, *, counted: bool) -> None:
        super().arrived(venue, counted=counted)
        if number := self._flying.pop(venue, 0):
            self._blow(number)
        if (seconds := self._outages.pop(venue, 0.0)) > 0:
            self.begin_outage(venue, "silent", seconds)

    # -- when it dies, and who takes what off -------------------------------------------------

    def boundary(self, process: Process, label: str) -> None:
        super().boundary(process, label)
        if not process.alive or self.chance.quiet:
            return
        if label == "after commit":
            self._committed(process)
        elif label == "after answer" and self._armed is not None:
            self._die(process)

    def _committed(self, process: Process) -> None:
        if not self.hedge:
            found = self._rows("SELECT id FROM hedges ORDER BY seq LIMIT 1")
            self.hedge = found[0][0] if found else ""
        self._look()
        self._blow(0)
        self._fall_silent()
        deaths = self.script.deaths
        if self.killed < len(deaths) and self._armed is None:
            death = deaths[self.killed]
            if death.after.key in self._marks:
                self._armed = now_s() + death.down_s - STARTING_S
                if not death.sent:
                    self._die(process)
                    return
        self._stall()

    def _blow(self, during: int) -> None:
        """Strike what is due; ``during`` is the order that has just arrived."""
        for blow in tuple(self._blows):
            if blow.after.key in self._marks and blow.during == during:
                self._blows.remove(blow)
                self.loop.call_later(blow.delay_s, self._strike, blow)

    def _fall_silent(self) -> None:
        for silence in tuple(self._silences):
            if silence.until.key in self._marks:
                self._silences.remove(silence)
                self._end_outage(silence.venue)
            elif silence.after.key in self._marks and silence not in self._silent:
                self._silent.append(silence)
                self.begin_outage(silence.venue, "refused", SILENT_MOST_S)

    def _look(self) -> None:
        """The marks that the ledger has by now."""
        numbers = {row[0]: n for n, row in enumerate(self._rows(_ORDERS, self.hedge), start=1)}
        for seq, kind, before, after, data in self._rows(_MARKS, self.hedge, self._through):
            self._through = seq
            what: tuple[str, ...] = ("state", before or "", after)
            if after is None:
                told = json.loads(data)
                state = (told["state"],) if kind == "outcome" else ()
                what = (kind, str(numbers.get(told["order"], 0)), *state)
            times = 1 + sum(one == what for one, _ in self._marks)
            self._marks.append((what, times))
            self._stepped_s = now_s()

    def _die(self, process: Process) -> None:
        assert self._armed is not None
        self._down_s, self._armed = max(SOON_S, self._armed - now_s()), None
        self.killed += 1
        self.kill(process, "as recorded")

    def born(self) -> Process:
        self._stepped_s = now_s()  # from now on something may happen again
        return super().born()

    def down_s(self) -> float:
        return SOON_S if self.chance.quiet else self._down_s

    def _stall(self) -> None:
        """Stand still between an intent and its sending, where the order was given up for that."""
        if not self._marks or self._marks[-1][0][0] not in {"intent", "state"}:
            return
        number = sum(what[0] == "intent" for what, _ in self._marks)
        met = self.script.mets.get(number)
        ended = any(what[:2] == ("outcome", str(number)) for what, _ in self._marks)
        if met is not None and met.stall_s and not ended and number not in self._stalled:
            self._stalled.add(number)
            self.loop.stall(met.stall_s)

    def _strike(self, blow: Blow) -> None:
        symbol, venue = self.stage.symbol, blow.venue
        held = self.venues.position(venue, symbol)
        self.oracle.disturbed_s[symbol] = now_s()
        self.trace(f"blow {venue} {held} to {blow.left}")
        if not blow.forced:
            nemesis.trade(self, venue, symbol, blow.left - held)
        elif held * blow.left >= 0 and abs(held) > abs(blow.left):
            share = 1 - abs(blow.left) / abs(held)
            account = self.venues.account(venue)
            self.venues.exchange(venue).liquidate(account, symbol, share, TradeKind.LIQUIDATION)

    # -- its day ------------------------------------------------------------------------------

    async def day(self) -> None:
        while not self._is_told():  # noqa: ASYNC110 - it asks the ledger, as a judge does
            await asyncio.sleep(AFTER_S)
        self.recorded = self._bundle()

    def _is_told(self) -> bool:
        """Whether the script is over, or goes on no more."""
        now = now_s()
        if not self.hedge:
            return now > NO_HEDGE_S
        if not self.processes[-1].alive:
            return now > LONGEST_S
        state = self._rows("SELECT state FROM hedges WHERE id = ?", self.hedge)[0][0]
        if now > LONGEST_S or (state in OVER and now - self._stepped_s > AFTER_S):
            return True
        waits = self.killed < len(self.script.deaths) or self.acts_left()
        still_s = now - self._stepped_s
        return still_s > STILL_S or (not waits and state == "open" and still_s > STILL_S / 2)

    def acts_left(self) -> Sequence[Act]:
        """What is still to be asked for by hand."""
        return self.script.acts[self._acted() :]

    def due(self) -> str:
        """What is to be asked for now; empty: nothing, or nothing yet."""
        left = self.acts_left()
        return left[0].what if left and left[0].after.key in self._marks else ""

    def _acted(self) -> int:
        rows = self._rows(
            "SELECT to_state, text FROM events WHERE hedge_id = ? AND from_state = 'open'",
            self.hedge,
        )
        return sum(to == "closing" or str(text).startswith(BY_HAND) for to, text in rows)

    def _bundle(self) -> Recorded | None:
        """What has happened, as the product's own bundle tells it."""
        if not self.hedge or not self._rows(_ORDERS, self.hedge):
            return None
        path = laid_down(self.path)
        try:
            return of(
                bundle.gathered(
                    Path(path), self.hedge, settings={}, environment="sandbox", now=self.clock.now()
                )
            )
        finally:
            Path(path).unlink(missing_ok=True)
