"""
Answers that something puts in the place of a venue's own, on their way back to the process.

Single answers may be hostile: nothing that an honest venue says, and nothing that a careful reader
takes for its word. Within windows the answers to reads may be those of another account or of
another market, well-formed and true of that. Here is also noted when what else a venue does
wrongly (``expect``) first shows in an answer.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, Final

from adapters.common.body import BYTES_MAX
from tests.simulation.exchange import MARKETS, Venues
from tests.simulation.faults import Chance, Ill
from tests.simulation.others import Others

HOSTILE: Final = 0.004
"""How likely an answer is hostile, in a world where that happens."""

OTHERS: Final = (0.5, 1.0)
"""How likely an answer is that of another account or market, within one window or another."""

BRACKETS: Final = 100_000
OTHER_KINDS: Final = (Ill.OTHER_ACCOUNT, Ill.OTHER_MARKET)

Reply = tuple[int, str]
Words = tuple[Any, ...]
Shows = Callable[[str, Words, int], bool]
"""Whether something shows in the answer with this status to a request (what it is, its words)."""

VALUES: Final = (
    "1e999999",
    '"1e999999"',
    "-1e-999999",
    "9" * 5_000,
    '"' + "9" * 5_000 + '"',
    "NaN",
    '"Infinity"',
    '"\\ud800\\u001b[2J\\u202e"',
    '"' + "z" * 600 + '"',
    '"\u0007\u001b[31m"',
    "[[]]",
    '{"a": 1}',
    '""',
    "null",
)
"""What stands in the place of one value: beyond every bound, or of another type."""

OTHER_TYPES: Final = ("null", "[1, 2]", "[]", '"OK"', "17", "true")
"""What stands in the place of the object that an answer is."""

_VALUE: Final = re.compile(r'"(\w+)":\s*("(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?|true|false|null)(,\s*)?')


@cache
def whole_answers() -> Sequence[Reply]:
    """Answers that are hostile as a whole."""
    deep = "[" * BRACKETS + "]" * BRACKETS
    said = "\\u001b[2J PWNED \\u009b31m\\u202e 2026-11-30T00:00:00.000Z INFO forged"
    return (
        (200, '{"status":"OK","code":200,"data":' + deep + "}"),
        (200, '{"a":' * BRACKETS),
        (200, " " * (BYTES_MAX + 1)),
        (200, '{"status":"OK","code":200,"data":[{"size":NaN,"x":-Infinity}]}'),
        (200, '{"status":"OK","code":1e999999,"data":' + "9" * 10_000 + "}"),
        (200, ""),
        (200, '{"status":"\\ud800","code":"\\udfff","data":"\\ud800"}'),
        (500, f'{{"status":"ERROR","code":1006,"message":"{said}","error":{{"code":1006}}}}'),
    )


class Answers:
    """Stands between the venues of one world and every process."""

    def __init__(self, venues: Venues, chance: Chance) -> None:
        self._venues = venues
        self._chance = chance
        self._hostile = Ill.HOSTILE in chance.plan.ills
        self._others: dict[tuple[Ill, str], float] = {}  # and how likely each answer is one
        self._another: Others | None = None
        self._shown: set[tuple[Ill, str]] = set()
        self._expected: dict[tuple[Ill, str], Shows] = {}
        self.usual = not self._hostile  # nothing is to be done to any answer

    def begin(self, ill: Ill, venue: str) -> None:
        """Reads of a venue may be answered wrongly from now on."""
        self._others[ill, venue] = self._chance.source.choice(OTHERS)
        self._shown.discard((ill, venue))
        self.usual = False

    def end(self, ill: Ill, venue: str) -> None:
        """They are answered rightly again."""
        self._others.pop((ill, venue), None)
        self._look()

    def expect(self, ill: Ill, venue: str, shows: Shows) -> None:
        """Count a fault once it shows in an answer of a venue."""
        self._expected[ill, venue] = shows
        self.usual = False

    def _look(self) -> None:
        self.usual = not (self._hostile or self._others or self._expected)

    def changed(self, venue: str, what: str, words: Words, reply: Reply) -> Reply:
        """What arrives instead of an answer."""
        for (ill, where), shows in tuple(self._expected.items()):
            if where == venue and shows(what, words, reply[0]):
                del self._expected[ill, where]
                self._look()
                self._chance.tell(ill)
        if self._others and not self._chance.quiet:
            reply = self._other(venue, words, reply)
        if self._hostile and self._chance.strikes(Ill.HOSTILE, HOSTILE):
            self._chance.tell(Ill.HOSTILE)
            return self._hostile_of(reply)
        return reply

    # -- hostile ----------------------------------------------------------------------------

    def _hostile_of(self, reply: Reply) -> Reply:
        source = self._chance.source
        status, text = reply
        found = _VALUE.search(text, source.randrange(len(text) or 1)) or _VALUE.search(text)
        how = source.randrange(4)
        if found is None or how == 0:
            return source.choice(whole_answers())
        if how == 3:
            return status, source.choice(OTHER_TYPES)
        if how == 1:
            return status, text[: found.start()] + text[found.end() :]  # a field is missing
        begin, end = found.span(2)
        return status, text[:begin] + source.choice(VALUES) + text[end:]

    # -- of another account, of another market ----------------------------------------------

    def _other(self, venue: str, words: Words, reply: Reply) -> Reply:
        for ill in OTHER_KINDS:
            if self._chance.source.random() >= self._others.get((ill, venue), 0.0):
                continue
            elsewhere = self._account if ill is Ill.OTHER_ACCOUNT else self._market
            other = elsewhere(venue, words)
            if other is not None and other != reply:
                if (ill, venue) not in self._shown:
                    self._shown.add((ill, venue))
                    self._chance.tell(ill)
                return other
        return reply

    def _account(self, venue: str, words: Words) -> Reply | None:
        if self._another is None:
            self._another = Others(self._venues)
        return self._another.asked(venue, words)

    def _market(self, venue: str, words: Words) -> Reply | None:
        """The answer to the same question about the next market; None where it names none."""
        rules = self._venues.exchange(venue).rules
        names = [
            rules[symbol].name if venue == "x10" else str(rules[symbol].market_id)
            for symbol in MARKETS
        ]
        after = dict(zip(names, [*names[1:], names[0]], strict=True))
        if venue == "x10":
            method, path, query, body = words
            if method != "GET":
                return None
            parts = [after.get(part, part) for part in path.split("/")]
            asked = (method, "/".join(parts), _swapped(query, "market", after), body)
            return None if asked == words else self._venues.ask_x10(*asked)
        name, query, form = words
        swapped = _swapped(query, "market_id", after)
        if form is not None or swapped == list(query):
            return None
        return self._venues.ask_lighter(name, swapped, None)


def _swapped(
    query: Sequence[tuple[str, str]], key: str, after: Mapping[str, str]
) -> list[tuple[str, str]]:
    return [(name, after.get(value, value) if name == key else value) for name, value in query]
