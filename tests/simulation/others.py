"""Other accounts at both venues, whose answers may come in the place of ours."""

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any, Final

from adapters.sandbox.engine.types import NewOrder
from adapters.sandbox.x10_face.context import FACE as X10_FACE
from tests.simulation.exchange import BALANCE_USD, HEDGED, KEYS, Venues

VAULT: Final = KEYS.x10.vault + 1
INDEX: Final = KEYS.lighter.account_index + 1
ACCOUNTS: Final[Mapping[str, int]] = {"x10": VAULT, "lighter": INDEX}
INSTEAD: Final[Mapping[str, str]] = {str(KEYS.lighter.account_index): str(INDEX)}
HELD_USD: Final = Decimal(2_500)  # of each of some markets; no hedge of ours is so large
BUFFER: Final = Decimal("1.03")


def held(venues: Venues) -> list[tuple[str, str, Decimal]]:
    """Venue, market and signed size of what the other accounts hold, where there are any."""
    return [
        (venue, symbol, position.size)
        for venue, number in ACCOUNTS.items()
        if number in venues.exchange(venue).accounts
        for symbol in HEDGED
        if (position := venues.exchange(venue).position(number, symbol)) is not None
    ]


class Others:
    """One account more at each venue, with a balance and a few positions."""

    def __init__(self, venues: Venues) -> None:
        self._venues = venues
        for venue, number in ACCOUNTS.items():
            _open(venues, venue, number)
        self._x10 = {X10_FACE: venues.x10_side(replace(KEYS.x10, vault=VAULT))}
        self._lighter = venues.lighter_side_of(replace(KEYS.lighter, account_index=INDEX)).app

    def asked(self, venue: str, words: tuple[Any, ...]) -> tuple[int, str] | None:
        """The answer to a read if the other account had asked; None where none is asked for."""
        if venue == "x10":
            method, path, query, body = words
            if method != "GET" or not path.startswith("/user/"):
                return None
            return self._venues.asked_x10(self._x10, method, path, query, body)
        name, query, form = words
        theirs = [(key, INSTEAD.get(value, value)) for key, value in query]
        if form is not None or theirs == list(query):
            return None
        return self._venues.asked_lighter(self._lighter, name, theirs, None)


def _open(venues: Venues, venue: str, number: int) -> None:
    exchange = venues.exchange(venue)
    exchange.create_account(number, BALANCE_USD)
    for count, symbol in enumerate(HEDGED[:3]):
        rules, mark = exchange.rules_of(symbol), exchange.mark(symbol)
        new = NewOrder(
            client_id=f"7{count:013d}",
            symbol=symbol,
            is_buy=True,
            size=HELD_USD / mark // rules.size_step * rules.size_step,
            price=mark * BUFFER // rules.price_tick * rules.price_tick,
        )
        exchange.match(exchange.admit(number, new).id)
