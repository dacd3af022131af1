"""
The judges: every promise, checked against the engines' truth and the committed ledger.

They read the database over a connection of their own, which sees only what is durable.
"""

import hashlib
import json
from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import Any

from adapters.lighter.orders import TX_CREATE_ORDER, Payload
from adapters.sandbox.engine.forgetting import Lost
from adapters.sandbox.engine.types import OrderView, TradeKind, TradeMade, TradeView
from tests.simulation import books, others
from tests.simulation.alarms import Alarms
from tests.simulation.beyond import NAKED_MAX_S, TRUE_AGAIN_S, Beyond
from tests.simulation.exchange import MARKETS, Venues
from tests.simulation.forgotten import Forgotten
from tests.simulation.lanefacts import LaneWatch
from tests.simulation.oracles.bench import Seen
from tests.simulation.oracles.booked import BOUND_S
from tests.simulation.process import Process, now_s
from tests.simulation.sends import Sends
from tests.simulation.store import laid_down, reading
from tests.simulation.truth import Availability, Span, Truth

GIVE_UP_S = 2 * NAKED_MAX_S
DISTURBED_S = 30.0
SEND_MAX_S = 2.5
"""The send window after an intent (``execution.send_window_s``), and what an adapter may take."""
PRICE_FAR = Decimal("0.25")  # of the mark; slippage and price moves stay far below
PRICE_AGE_S = 2 * SEND_MAX_S
"""How old a price may be that an order bears: its book is read, and then it is sent."""
ZERO = Decimal(0)
_ASKED = "SELECT size FROM orders WHERE venue = :venue AND client_id = :client_id"
_OPEN = """
    SELECT 1 FROM orders WHERE venue = :venue AND client_id = :client_id
    AND state IN ('prepared','unresolved')
"""
_LIVE = "SELECT 1 FROM hedges WHERE state NOT IN ('refused','closed_flat','closed') LIMIT 1"


@dataclass(frozen=True, slots=True)
class Violation:
    """One broken promise."""

    promise: str
    text: str
    at_s: float


class Oracle:
    """Watches one world. ``promise`` names are those of the issue's list, and two more."""

    def __init__(self, path: Path, venues: Venues, *, dedicated: bool, beyond: bool) -> None:
        self.violations: list[Violation] = []
        self.truth: Truth
        self.seen: Seen
        self.lane_time: Availability
        self.sends: Sends
        self.lanes = LaneWatch(venues, self._available_s)
        self._path = path
        self._venues = venues
        self._dedicated = dedicated
        self._beyond = beyond
        self._conn = reading(path)
        self._connections = 1
        self._at = path.resolve()
        self.ledgers = 1
        self._forgotten = Forgotten()
        self._payloads: dict[tuple[str, str], str] = {}
        self._nonces: dict[tuple[str, int], dict[str, str]] = defaultdict(dict)
        self._intents: dict[tuple[str, str], tuple[str, str, str]] = {}
        self._intended_s: dict[tuple[str, str], float] = {}
        self._highest: dict[int, int] = defaultdict(int)  # nonces that a lane has waited for
        self._beyond_judge = Beyond(self.one, self.broken)
        self.forgotten: list[tuple[str, Lost]] = []  # what venues have lost for ever
        self._unseen: set[str] = set()
        self._filled: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
        self._client_indexes: set[int] = set()
        self._second_legs: set[str] = set()
        self.disturbed_s: dict[str, float] = {}
        self._marks_before: dict[tuple[str, str], tuple[float, Decimal]] = {}
        self._oddly_s: dict[str, float] = {}  # by market: when a venue last did fill as none may
        self.odd_s: dict[str, float] = {}  # by market: when a venue last filled as none may
        self._legs: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
        for name in ("x10", "lighter"):
            venues.exchange(name).subscribe(self._event, TradeMade)

    @cached_property
    def _alarms(self) -> Alarms:
        """Once the world has its truth."""
        return Alarms(self.truth, self, self.broken)

    def _available_s(self) -> float:
        """Seconds in which a nonce lane could have come into step."""
        return self.lane_time.look()

    def close(self) -> None:
        """Give back the file; nothing is judged any more."""
        self._conn.close()

    def reopen(self) -> None:
        """A power cut left what was durable: the intent of everything that was sent is in it."""
        self._conn.close()
        self._conn = reading(self._at)
        self._connections += 1
        kept = set(self._conn.execute("SELECT venue, client_id FROM orders"))
        for venue, client_id in sorted(self._payloads.keys() - kept - self._forgotten.orders):
            self.broken("1 intent first", f"{venue} {client_id} was sent before it was durable")

    def follow(self) -> bool:
        """
        A life has opened what is at the path: that is the ledger now, whatever it was before;
        whether it is another one.
        """
        if other := (at := self._path.resolve()) != self._at:
            self.read_aside(at)
        self.in_place()
        return other

    def read_aside(self, at: Path) -> None:
        """The ledger is read there from now on; it may have forgotten what the last one knew."""
        self._beyond_judge.leave_ledger()
        self._alarms.leave_ledger()
        self.seen.leave_ledger()
        before, self._conn, self._at = self._conn, reading(at), at
        self._connections += 1
        self.ledgers += 1
        self._forgotten.compare(before, self._conn)
        before.close()
        self._beyond_judge.begin_anew()
        self._alarms.begin_anew()
        self.seen.other_ledger()

    def displaced(self) -> None:
        """What a process has open is not what stands at the path: openings are not durable."""
        self._forgotten.displaced(self._conn)

    def in_place(self) -> None:
        """It is again."""
        self._forgotten.known = None

    def intended(self, venue: str, client_id: str) -> None:
        """The intent of an order has just been committed: it leaves soon, or never."""
        self._intended_s[venue, client_id] = now_s()

    def intended_s(self, venue: str, client_id: str) -> float:
        """When the intent of an order was committed; now, where that is not known."""
        return self._intended_s.get((venue, client_id), now_s())

    def broken(self, promise: str, text: str) -> None:
        """Note a violation; the same sentence once."""
        if not any(v.text == text for v in self.violations):
            self.violations.append(Violation(promise, text, now_s()))

    def internal(self, where: str, error: BaseException) -> None:
        """Something in the program broke that nobody broke on purpose."""
        if isinstance(error, BaseExceptionGroup):
            for inner in error.exceptions:
                self.internal(where, inner)
        else:
            self.broken("0 sound", f"{where}: {type(error).__name__}: {error}")

    # -- promises 1 and 2: at the moment something is sent ---------------------------------------

    def sent_x10(self, process: Process, body: str) -> None:
        """An order leaves for X10: its intent is there, durable, with these very bytes."""
        order = json.loads(body)
        client_id = str(order["id"])
        self._sent("x10", client_id, body)
        self.sends.sent(process, "x10", client_id)
        symbol = self._venues.x10.symbol_of(order["market"])
        self._priced("x10", client_id, symbol)

    def sent_lighter(self, process: Process, tx_type: str, tx_info: str) -> None:
        """An order, or what only uses a nonce up or sets the leverage, leaves for Lighter."""
        info = json.loads(tx_info)
        text = Payload(int(tx_type), tx_info).text()
        key = f"{info['ApiKeyIndex']}"
        if int(tx_type) == TX_CREATE_ORDER:
            client_id = str(info["ClientOrderIndex"])
            self.lanes.sent(tx_info, order=True)
            self._client_indexes.add(info["ClientOrderIndex"])
            self._sent("lighter", client_id, text)
            self.sends.sent(process, "lighter", client_id)
            self._nonce(key, info["Nonce"], client_id, text)
            self._second_leg(info)
            symbol = self._venues.lighter.symbol_of_id(info["MarketIndex"])
            self._priced("lighter", client_id, symbol)
            return
        self.lanes.sent(tx_info, order=False)
        found = self._conn.execute(
            "SELECT 1 FROM burns WHERE payload = ? UNION SELECT 1 FROM fillers WHERE payload = ?",
            (text, text),
        ).fetchone()
        if found is None and info.get("Index") not in self._client_indexes:
            self.broken("1 intent first", f"type {tx_type} of nonce {info['Nonce']} has no row")

    def _sent(self, venue: str, client_id: str, payload: str) -> None:
        if (venue, client_id) not in self._payloads:
            waited_s = now_s() - self.intended_s(venue, client_id)
            if waited_s > SEND_MAX_S:
                text = f"{venue} {client_id} was sent {waited_s:.1f} s after its intent"
                self.broken("1 too late", text)
        if self._payloads.setdefault((venue, client_id), payload) != payload:
            self.broken("2 once", f"{venue} {client_id} was sent with two payloads")
        row = self._conn.execute(
            "SELECT payload_sha256, hedge_id, purpose, side FROM orders"
            " WHERE venue = ? AND client_id = ?",
            (venue, client_id),
        ).fetchone()
        if row is None:
            self.broken("1 intent first", f"{venue} {client_id} was sent without an intent")
        elif row[0] != hashlib.sha256(payload.encode()).hexdigest():
            self.broken("1 intent first", f"{venue} {client_id} is not what was intended")
        else:
            self._intents[venue, client_id] = (row[1], row[2], row[3])
            if row[2] == "open" and self._forgotten.may_forget(venue, client_id):
                text = f"{venue} {client_id} opens, and its ledger is not the one at its path"
                self.broken("1 intent first", text)
        self.seen.sent(venue, client_id, payload)

    def _priced(self, venue: str, client_id: str, symbol: str | None) -> None:
        """
        An order is priced by its own market: near the mark, as far as slippage may go. The price
        is that of the intent; what a change of decimals makes of it is another judge's. Where the
        price went elsewhere at once and only now, the mark before is as good.
        """
        row = self._conn.execute(
            "SELECT limit_price FROM orders WHERE venue = ? AND client_id = ?", (venue, client_id)
        ).fetchone()
        if symbol is None or row is None:
            return
        price, mark = Decimal(row[0]), self._venues.exchange(venue).mark(symbol)
        moved_s, before = self._marks_before.get((venue, symbol), (0.0, mark))
        marks = (mark, before) if now_s() - moved_s <= PRICE_AGE_S else (mark,)
        if all(abs(price / each - 1) > PRICE_FAR for each in marks):
            self.broken("6 price", f"{venue} {client_id} at {price} where {symbol} is at {mark}")

    def price_moves(self, symbol: str) -> None:
        """The price of a market goes elsewhere at once, on both venues."""
        for venue in ("x10", "lighter"):
            self._marks_before[venue, symbol] = now_s(), self._venues.exchange(venue).mark(symbol)

    def _second_leg(self, info: dict[str, Any]) -> None:
        """Leg B is never larger than what leg A truly holds when it is sent."""
        client_id = str(info["ClientOrderIndex"])
        _, purpose, _ = self._intents.get(("lighter", client_id), ("", "", ""))
        if purpose != "open":
            return
        symbol = self._venues.lighter.symbol_of_id(info["MarketIndex"])
        if symbol is None:
            return  # no market has this number now, so the venue refuses it
        rules = self._venues.lighter.rules_of(symbol)
        size = Decimal(info["BaseAmount"]).scaleb(-rules.size_decimals)
        if client_id in self._second_legs:
            return  # the identical bytes again
        self._second_legs.add(client_id)
        held = abs(self.truth.ours("x10", symbol))
        if size > held and not self._disturbed(symbol):
            self.broken("4 leg B fits", f"{client_id}: {size} {symbol} for {held} on x10")

    def _disturbed(self, symbol: str) -> bool:
        """
        Whether leg A was changed so lately that no read could have shown it: by somebody else, or
        by an order of ours that was over.
        """
        lately_s = now_s() - DISTURBED_S
        return any(at.get(symbol, -1e9) > lately_s for at in (self.disturbed_s, self._oddly_s))

    def _nonce(self, key: str, nonce: int, client_id: str, payload: str) -> None:
        """
        Two orders may have one nonce only if the first is known not to have used it; and none is
        left out: nothing of ours is under way that the venue could still be waiting for.
        """
        lane = self._venues.lighter_side.face.lanes[int(key)]
        expected = max(lane.expected, self._highest[int(key)])
        if nonce > expected:
            self.broken("2 no gap", f"nonce {nonce} of key {key}, the venue waits for {expected}")
        users = self._nonces[key, nonce]
        for other in users:
            if other == client_id:
                continue
            row = self._conn.execute(
                "SELECT state, nonce FROM orders WHERE venue = 'lighter' AND client_id = ?",
                (other,),
            ).fetchone()
            if ("lighter", other) in self._forgotten.orders:
                continue  # nobody can know whether it used its nonce; one of them gets it
            if row is not None and row[1] is None:
                continue  # the same: it is booked again from the venue's list, which tells none
            if row is None or row[0] not in {"refused", "abandoned"}:
                state = "missing" if row is None else row[0]
                self.broken("2 once", f"nonce {nonce} of key {key} twice; the first is {state}")
        users[client_id] = payload

    def put_back(self, key: int, expected: int) -> None:
        """
        A key's sequence goes back from what the venue waits for. No process can know that
        before it asks: what it sends below the highest nonce ever waited for leaves no gap.
        """
        self._highest[key] = max(self._highest[key], expected)
        self.lanes.put_back(key)

    # -- promise 6: at the moment something trades -----------------------------------------------

    def _event(self, event: object) -> None:
        if isinstance(event, TradeMade) and event.trade.kind is TradeKind.TRADE:
            self._traded(event.trade)

    def _traded(self, trade: TradeView) -> None:
        venue = "x10" if trade.account == self._venues.account("x10") else "lighter"
        intent = self._intents.get((venue, trade.client_id))
        if intent is None:
            return  # somebody else's
        hedge, purpose, _ = intent
        signed = trade.size if trade.is_buy else -trade.size
        leg = self._legs[hedge, venue] = self._legs[hedge, venue] + signed
        self._forgotten.traded[venue, trade.client_id] += signed
        ours = trade.size_before - self.truth.foreign.get((venue, trade.symbol), ZERO) + signed
        if self._forgotten.any:  # its orders may be booked to another hedge now: by the engine
            leg = ours
        if self._is_odd(venue, trade):
            self.odd_s[trade.symbol] = self._oddly_s[trade.symbol] = now_s()
            if self._shows_odd(venue, trade):
                self._beyond_judge.odd(venue, trade.client_id, hedge)
            return
        if purpose == "open":
            return
        before, after = trade.size_before, trade.size_before + signed
        if before * signed >= ZERO or abs(signed) > abs(before):
            self.broken(
                "6 no flip", f"{venue} {trade.client_id} took {before} {trade.symbol} to {after}"
            )
        # what was taken by force, or by hand, is still in our fills: an order of ours that filled
        # beyond the rest has turned the leg around, and that is ours to take off
        if not self._dedicated and leg * signed > ZERO and ours * signed > ZERO:
            self.broken(
                "6 not ours", f"{venue} {trade.client_id} of {hedge} took {leg} that was not ours"
            )

    def _is_odd(self, venue: str, trade: TradeView) -> bool:
        """Whether a venue fills an order after its end, or more of it than was asked."""
        key = (venue, trade.client_id)
        filled = self._filled[key] = self._filled[key] + trade.size
        return filled > self._order(venue, trade).new.size or self._is_late(venue, trade)

    def _shows_odd(self, venue: str, trade: TradeView) -> bool:
        """
        Whether the ledger can tell. By other decimals a venue may have understood less than was
        asked, and filled more than that. What was not read to have ended cannot fill late.
        """
        key = (venue, trade.client_id)
        sent = {"venue": venue, "client_id": trade.client_id}
        more = self._filled[key] > Decimal(self.one(_ASKED, **sent) or 0)
        return more or (self._is_late(venue, trade) and self.one(_OPEN, **sent) is None)

    def _is_late(self, venue: str, trade: TradeView) -> bool:
        late_ms = self._order(venue, trade).new.late_rest_ms
        return late_ms is not None and trade.at_ms >= late_ms

    def _order(self, venue: str, trade: TradeView) -> OrderView:
        order = self._venues.exchange(venue).order(trade.account, trade.order_id, None)
        assert order is not None
        return order

    # -- promise 4: while a leg stands alone, and when that ends ---------------------------------

    def began(self, symbol: str) -> None:
        """A market is not hedged any more."""
        self._alarms.began(symbol)
        self._beyond_judge.began(symbol)

    def purpose_of(self, venue: str, client_id: str) -> str:
        """What an order of ours is for; empty where it is somebody else's."""
        return self._intents.get((venue, client_id), ("", "", ""))[1]

    def busy(self) -> bool:
        """Whether a hedge is being opened, held or closed."""
        return self.one(_LIVE) is not None

    def committed(self) -> tuple[int, int]:
        """Another pair where the rows may be others than at the last look."""
        return self._connections, int(self._conn.execute("PRAGMA data_version").fetchone()[0])

    def one(self, query: str, **values: object) -> Any:
        """The first column of the first row of a query; None when there is none."""
        row = self._conn.execute(query, values).fetchone()
        return None if row is None else row[0]

    def rows(self, query: str, **values: object) -> list[tuple[Any, ...]]:
        """Everything that answers a query."""
        return self._conn.execute(query, values).fetchall()

    def ended(self, span: Span) -> None:
        """
        A market is hedged again. Another judge has it where a venue broke what it declares in
        that time, or so lately that what a person is owed for that is not over yet.

        While nobody could have taken off what was left (``Span.stuck_s``) an alarm is all that is
        owed; whether it came is judged in ``alarms.py``, which knows no such excuse.
        """
        if span.untrue:
            self._beyond_judge.ended(span)
        elif span.available_s - span.stuck_s > NAKED_MAX_S:
            self.broken(
                "4 naked", f"{span.symbol} was naked for {span.available_s:.1f} s available"
            )

    def opened(self) -> frozenset[str]:
        """The hedges that are open."""
        found = self._conn.execute("SELECT id FROM hedges WHERE state = 'open'")
        return frozenset(hedge for (hedge,) in found)

    def recovered(self, opened: Collection[str]) -> None:
        """
        Recovery is over: every hedge is at rest, or a person was told of it.

        But for those that were seen ``opened`` since it began: a leg of theirs may be lost since.
        """
        left = self._conn.execute(
            "SELECT id, state FROM hedges WHERE state NOT IN"
            " ('refused','closed_flat','closed','open','escalated')"
        ).fetchall()
        for hedge, state in left:
            if hedge not in opened:
                self.broken("5 recovered", f"recovery left {hedge} {state}")

    # -- promises 3 and 5: at the end ------------------------------------------------------------

    def at_rest(self) -> bool:
        """
        Whether nothing is under way any more, in the ledger and in truth.

        What is owed within a time that is not over yet is waited for; what has broken its promise
        long ago is not.
        """
        more_s = TRUE_AGAIN_S if self._beyond else 0.0
        if self.truth.longest_open_s() > GIVE_UP_S + more_s:
            return True
        live = self._conn.execute(
            "SELECT count(*) FROM hedges WHERE state NOT IN ('refused','closed_flat','closed')"
        ).fetchone()[0]
        still = not live and not self.left_over() and self.truth.longest_open_s() == 0.0
        return still and not self.seen.owes()

    def left_over(self) -> list[str]:
        """Positions that are ours and should not be there."""
        return [
            f"{venue} holds {size} {symbol}"
            for venue in ("x10", "lighter")
            for symbol in MARKETS
            if (size := self.truth.ours(venue, symbol)) != ZERO
        ]

    def finish(self) -> None:
        """Hold the ledger against the venues, order by order."""
        self.lanes.finish()
        self.seen.finish()
        stuck = self._conn.execute(
            "SELECT id, symbol, state, reason FROM hedges"
            " WHERE state NOT IN ('refused','closed_flat','closed')"
        ).fetchall()
        handed_over = self._handed_over()
        for text in self.left_over():
            if text.rpartition(" ")[2] not in handed_over:
                self.broken("5 recovered", f"at the end {text}")
        for hedge, symbol, state, reason in stuck:
            if symbol not in handed_over:
                self.broken("5 recovered", f"at the end {hedge} is {state}: {reason}")
        (sound,) = self._conn.execute("PRAGMA integrity_check(1)").fetchone()
        if sound != "ok":
            self.broken("0 sound", f"the ledger is damaged: {sound}")
        if not self._beyond:
            self._no_false_proof()
        sent = self._payloads.keys() - self._forgotten.nothing(self._conn)
        if not self._forgotten.any:  # alerts of another ledger cannot be read any more
            self._beyond_judge.finish(self._never_shown())
        for venue, symbol, size in others.held(self._venues):
            rows = self._conn.execute(
                "SELECT size FROM position_observations WHERE venue = ? AND symbol = ?",
                (venue, symbol),
            )
            if any(Decimal(read) == size for (read,) in rows):
                text = f"{size} {symbol} of another account on {venue} was taken for ours"
                self.broken("3 observed", text)
        self._remember()
        twice, differences = books.compared(
            laid_down(self._path), self._venues, sent, self._given_up()
        )
        for text in twice:
            self.broken("2 once", text)
        for text in differences:
            self.broken("3 proven", text)

    def money(self, text: str) -> None:
        """Funding that is not as it was paid (``payouts``)."""
        self.broken("3 paid", text)

    def lost(self) -> set[tuple[str, str]]:
        """Venues and markets of which a venue has lost its record for ever."""
        return {(venue, lost.symbol) for venue, lost in self.forgotten if lost.payments}

    def loses(self, lost: Lost, now_ms: int) -> None:
        """
        A venue loses a batch. A trade that it has shown for no longer than one may stay unbooked
        need not have been read, and nobody can be told of it.
        """
        since_ms = now_ms - BOUND_S * 1000
        self._unseen |= {trade.client_id for trade in lost.trades if trade.at_ms > since_ms}

    def _never_shown(self) -> set[str]:
        """
        Client ids of orders of which a venue has lost a trade unread, and its position, for ever.
        """
        traces = (lost for _, lost in self.forgotten if lost.versions is not None)
        return self._unseen & {trade.client_id for lost in traces for trade in lost.trades}

    def _remember(self) -> None:
        """What a venue has lost for ever was true: the ledger keeps it, and is held against it."""
        for venue, lost in self.forgotten:
            self._venues.exchange(venue).remember(replace(lost, position=None))

    def _given_up(self) -> set[str]:
        """
        Client ids of orders that a venue has lost before the ledger had their true end: it never
        can be had any more. A person was told of their hedge, or could not be: the trade was
        lost at once, or the ledger that had the order was lost as well.
        """
        lost = {
            history.newest.new.client_id
            for _, one in self.forgotten
            if one.orders is not None
            for history in one.orders.versions.values()
        }
        rows = self._conn.execute(
            "SELECT orders.client_id FROM orders JOIN hedges ON hedges.id = orders.hedge_id"
            " JOIN alerts ON alerts.hedge_id = hedges.id WHERE orders.state <> 'filled'"
        )
        unknown = {client_id for _, client_id in self._forgotten.orders} | self._unseen
        return ({client_id for (client_id,) in rows} | unknown) & lost

    def _handed_over(self) -> set[str]:
        """
        Markets whose hedge is left to a person, who was told: beyond what a venue declares, and
        where no order could take off what is left.
        """
        rows = self._conn.execute(
            "SELECT hedges.symbol FROM hedges JOIN alerts ON alerts.hedge_id = hedges.id"
            " WHERE hedges.state = 'escalated'"
        )
        return {symbol for (symbol,) in rows if self._beyond or self.truth.stuck(symbol)}

    def _no_false_proof(self) -> None:
        """No order was called dead or refused that a venue executed after all."""
        told = self._conn.execute(
            "SELECT text FROM events WHERE kind = 'outcome' AND text LIKE '%was believed%'"
        )
        for (text,) in told:
            self.broken("3 proven", f"a proof was none: {text}")

    def counts(self) -> tuple[int, int, int]:
        """Hedges, orders and alerts of the ledger."""
        return self._count("hedges"), self._count("orders"), self._count("alerts")

    def _count(self, table: str) -> int:
        return int(self._conn.execute(f"SELECT count(*) FROM {table}").fetchone()[0])
