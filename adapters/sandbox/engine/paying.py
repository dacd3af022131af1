"""Funding payments that do not come as they should: not at all, late in the list, or twice."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from enum import StrEnum

from adapters.sandbox.engine.account_types import PaymentView


class Twice(StrEnum):
    """How the second row of a payment is named."""

    SAME_ID = "same_id"
    OTHER_ID = "other_id"


@dataclass(slots=True)
class Paying:
    """
    What a venue does with payments from now on; what it lists of earlier ones stays as it is.

    ``stopped``: hours end and nobody is charged, nor later for these hours. ``late_ms``: a
    payment comes into the list that much wire time after its settlement, with the stamp that it
    always has. ``twice``: it stands in the list twice; the money moves once.
    ``skipped`` counts the payments that were not made. ``noticed`` is told whenever an answer
    shows such a payment twice, or not yet.
    """

    stopped: bool = False
    late_ms: int = 0
    twice: Twice | None = None
    skipped: int = 0
    noticed: Callable[[], None] | None = None
    _told: dict[int, Callable[[], None] | None] = field(default_factory=dict)
    _listed_ms: dict[int, int] = field(default_factory=dict)
    _second: dict[int, int] = field(default_factory=dict)

    def made(self, payment: PaymentView, now_ms: int, next_id: Callable[[], int]) -> None:
        """A payment was made just now."""
        if self.late_ms or self.twice is not None:
            self._told[payment.id] = self.noticed
        if self.late_ms:
            self._listed_ms[payment.id] = now_ms + self.late_ms
        if self.twice is not None:
            other = self.twice is Twice.OTHER_ID
            self._second[payment.id] = next_id() if other else payment.id

    def listed(self, payments: Iterable[PaymentView], now_ms: int) -> list[PaymentView]:
        """What the venue's list of these payments shows, oldest first."""
        if not self._told:
            return list(payments)
        shown: list[PaymentView] = []
        for payment in payments:
            if self._listed_ms.get(payment.id, 0) > now_ms:
                self._notice(payment.id)
                continue
            shown.append(payment)
            second = self._second.get(payment.id)
            if second is not None:
                shown.append(replace(payment, id=second))
                self._notice(payment.id)
        return shown

    def listed_ms(self, payment: PaymentView) -> int:
        """Wire time from which on the list shows a payment, as far as it is kept back."""
        return self._listed_ms.get(payment.id, 0)

    def _notice(self, payment: int) -> None:
        noticed = self._told[payment]
        if noticed is not None:
            noticed()
