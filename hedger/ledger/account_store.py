"""The ledger port for the venues' own books: what ``Store`` can say about accounts."""

from collections.abc import Sequence
from datetime import datetime

from hedger.domain.account import Entry
from hedger.domain.ids import HedgeId
from hedger.domain.market import Balance, Fees, SettledRate
from hedger.ledger import accounts, events, own_rates
from hedger.ledger.accounts import Reading
from hedger.ledger.writer import Writer


class AccountStore(Writer):
    """The part of ``Store`` that keeps the venues' own books beside ours."""

    def book_entries(self, account: str, entries: Sequence[Entry], mark: tuple[str, str]) -> int:
        """
        Book entries once each, and how far they were read; the number of new rows.

        ``mark`` is a small value that is kept in the same transaction.
        """
        with self._writing("book_entries") as session:
            booked = accounts.book(session, account, entries)
            events.set_meta(session, *mark)
            return booked

    def note_reading(
        self, balance: Balance, account: str, started_at: datetime, *, give_up_s: float
    ) -> Reading:
        """
        Keep a reading of the cash beside what the entries make of it.

        A difference that lasts for ``give_up_s`` is booked as unexplained and alerted.
        """
        with self._writing("note_reading") as session:
            return accounts.read(session, balance, account, started_at, give_up_s)

    def note_check(self, hedge: HedgeId, problem: str) -> None:
        """Note that the three views of a hedge were compared; ``problem`` is empty or alerted."""
        with self._writing("note_check") as session:
            accounts.check(session, hedge, problem)

    def note_fees(self, market: own_rates.Market, told: Fees, asked_at: datetime) -> None:
        """Keep the account's fee rates on one market, as they were told when asked then."""
        with self._writing("note_fees") as session:
            own_rates.note_fees(session, market, told, asked_at)

    def note_settled(self, rates: Sequence[SettledRate]) -> int:
        """Keep settled rates of one market of one venue; how many were new."""
        with self._writing("note_settled") as session:
            return own_rates.note_settled(session, rates)
