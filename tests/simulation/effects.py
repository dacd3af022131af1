"""
Whether a fault had an effect: it changed an answer or a decision while a hedge lived.

What acts at once calls ``Chance.tell`` where it acts. What acts later is remembered here until
the first message that it changes: an outage until somebody asks, a stolen nonce until the venue
shows or refuses it, a clock until an order is signed by it.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tests.simulation.faults import Chance, Ill
from tests.simulation.process import Process

OK = 200
INVALID_NONCE = '"code": 21104'
SIGNED = "a signature"
"""Where a clock that is off has its effect: on the next order that is signed."""

DATED = "an answer"
"""Where a clock that jumped has its effect: on the next answer, which says the date."""

REPLACED = "a replaced daemon"
"""Where a second daemon has its effect: when the first is told that it was replaced."""

DISK = "the disk"
"""Where its trouble has its effect: when somebody writes."""

Words = Sequence[Any]
"""A request: its endpoint, its query and its form, or what a venue has instead of them."""


class Effects:
    """What was done to a world and nobody has met yet."""

    def __init__(self, chance: Chance) -> None:
        self._chance = chance
        self._waiting: dict[tuple[Ill, str], None] = {}
        self._nonces: dict[int, int] = {}
        self._skewed = 0

    def wait(self, ill: Ill, where: str) -> None:
        """It acts on the next who comes there."""
        self._waiting[ill, where] = None

    def over(self, ill: Ill, where: str) -> None:
        """Nobody can meet it any more."""
        self._waiting.pop((ill, where), None)

    def met(self, where: str) -> None:
        """Somebody comes there; what waits has its effect once."""
        if self._waiting:
            for ill, place in [one for one in self._waiting if one[1] == where]:
                if self._chance.tell(ill):
                    del self._waiting[ill, place]

    def taken(self, key: int, nonce: int) -> None:
        """Somebody else has used a nonce of a key of Lighter's."""
        self._nonces[key] = nonce

    def answered(self, name: str, words: Words, text: str) -> None:
        """Lighter's answer to a request: it may be the first that shows a nonce to be taken."""
        if not self._nonces or name not in {"nextNonce", "sendTx"}:
            return
        _, query, form = words
        if form is not None:
            key = int(json.loads(form["tx_info"])["ApiKeyIndex"])
            shown = INVALID_NONCE in text
        else:
            key = int(dict(query)["api_key_index"])
            shown = key in self._nonces and _next(text) > self._nonces[key]
        if shown and self._nonces.pop(key, None) is not None:
            self._chance.tell(Ill.NONCE_AHEAD)

    def signed(self, process: Process) -> None:
        """An order leaves, whose expiry was said by this machine's clock and the venues'."""
        self.met(SIGNED)
        skewed = process.skew_s and Ill.SKEW in self._chance.plan.ills
        if skewed and process.number > self._skewed:
            self._skewed = process.number
            self._chance.tell(Ill.SKEW)


def _next(text: str) -> int:
    """The nonce that an answer says comes next; -1 where it says none, as a hostile one may."""
    try:
        answer = json.loads(text)
    except (ValueError, RecursionError):
        return -1
    said = answer.get("nonce") if isinstance(answer, dict) else None
    return said if isinstance(said, int) else -1


def dry(venue: str) -> str:
    """Where a book with nobody in it has its effect: on the next order."""
    return f"an order on {venue}"


def differs(ill: Ill, old: tuple[int, str], fresh: tuple[int, str]) -> bool:
    """Whether a reading that was late says something else of what it was asked for."""
    if old == fresh:
        return False
    shown = _SHOWN.get(ill)
    if shown is None or old[0] != OK or fresh[0] != OK:
        return True
    return shown(json.loads(old[1])) != shown(json.loads(fresh[1]))


def _positions(answer: Mapping[str, Any]) -> object:
    """Sizes alone: what they are worth changes all the time."""
    if "accounts" in answer:
        rows = answer["accounts"][0]["positions"]
        return {row["symbol"]: (row["sign"], row["position"]) for row in rows}
    return {row["market"]: (row["side"], row["size"]) for row in answer["data"]}


def _money(answer: Mapping[str, Any]) -> object:
    """What was put in, earned and spent: it changes where something was traded."""
    if "accounts" in answer:
        return answer["accounts"][0]["collateral"]
    return answer["data"]["balance"]


_SHOWN: Mapping[Ill, Callable[[Mapping[str, Any]], object]] = {
    Ill.STALE_POSITION: _positions,
    Ill.STALE_BALANCE: _money,
}
