"""
Names in the configuration: markets in our spelling, and venues.

A limit under a name that nothing bears limits nothing, and says so to nobody. So names of
markets are brought into one spelling, that of the command line, and whatever can be told to be
wrong without asking a venue is refused when the file is read. Whether a market exists is asked
at start (``hedger/monitoring/namecheck.py``).
"""

import difflib
from collections.abc import Collection, Iterator, Mapping
from typing import Annotated, Final

from pydantic import BeforeValidator

from hedger.domain.ids import Symbol, VenueId

LENGTH_MAX: Final = 32
BESIDE_LETTERS: Final = "_."
Path = tuple[str, ...]


def market_name(value: object) -> Symbol:
    """
    Our name of a market, in the one spelling that is compared.

    Raises:
        ValueError: it cannot be one; half a sentence with the remedy.
    """
    if isinstance(value, bool):
        msg = "YAML reads ON, OFF, YES and NO as true or false: quote it"
        raise ValueError(msg)  # noqa: TRY004  pydantic turns only this into its own error
    if not isinstance(value, str):
        msg = "a market is named by a text: quote it"
        raise ValueError(msg)  # noqa: TRY004
    name = value.strip().upper()
    if not _has_form(name):
        asset = name.partition("-")[0].partition("/")[0]
        such = asset if _has_form(asset) else "ETH"
        msg = f"a market is named by its asset alone, such as {such}; `hedger scan` lists them"
        raise ValueError(msg)
    return Symbol(name)


def _has_form(name: str) -> bool:
    return 0 < len(name) <= LENGTH_MAX and all(
        letter.isalnum() or letter in BESIDE_LETTERS for letter in name
    )


def _each_once(values: object) -> object:
    """Refuse a mapping in which one market stands in two spellings."""
    if not isinstance(values, dict):
        return values
    spelt: dict[Symbol, object] = {}
    for key in values:
        try:
            name = market_name(key)
        except ValueError:
            continue  # said of the key itself
        if name in spelt:
            msg = f"{spelt[name]!r} and {key!r} are one market; keep one"
            raise ValueError(msg)
        spelt[name] = key
    return values


MarketName = Annotated[Symbol, BeforeValidator(market_name)]
EachMarketOnce = BeforeValidator(_each_once)


def nearest(name: str, known: Collection[str]) -> str:
    """``; did you mean X?`` where something known is spelt much alike, else nothing."""
    folded = {each.upper(): each for each in sorted(known)}
    found = difflib.get_close_matches(name.upper(), folded, n=1)
    return f"; did you mean {folded[found[0]]}?" if found else ""


def misnamed(
    order: Collection[VenueId],
    *,
    fees: Collection[VenueId] | None,
    options: Collection[VenueId],
    names: Mapping[Symbol, Mapping[VenueId, str]],
) -> Iterator[tuple[Path, str]]:
    """
    Every name that can be told to be wrong without a venue: where it stands, and a sentence.

    ``fees`` is None where the file names none; ``names`` are our symbols and what venues call
    them.
    """
    for section, found in (("scan.taker_fee_bps", fees or ()), ("venues.options", options)):
        for venue in found:
            if venue not in order:
                yield (*section.split("."), venue), _unknown_venue(section, venue, order)
    for venue in order:
        if fees is not None and venue not in fees:
            text = f"scan.taker_fee_bps leaves {venue} out, whose fee would count as zero; add it"
            yield ("scan", "taker_fee_bps"), text
    yield from _of_symbols(order, names)


def _of_symbols(
    order: Collection[VenueId], names: Mapping[Symbol, Mapping[VenueId, str]]
) -> Iterator[tuple[Path, str]]:
    taken: dict[tuple[VenueId, str], Symbol] = {}
    for symbol, theirs in names.items():
        where = ("symbols", "names", symbol)
        key = ".".join(where)
        if not theirs:
            yield where, f"{key} names no venue; say how a venue spells it, or remove it"
        for venue, name in theirs.items():
            if venue not in order:
                yield (*where, venue), _unknown_venue(key, venue, order)
            elif not name or name != name.strip():
                text = f"{key}.{venue} is {name!r}; give the venue's name, without blanks"
                yield (*where, venue), text
            elif (other := taken.setdefault((venue, name), symbol)) != symbol:
                text = (
                    f"{key}.{venue} is {name!r}, which symbols.names.{other} is already;"
                    " one market of a venue has one name of ours"
                )
                yield (*where, venue), text


def _unknown_venue(key: str, venue: str, order: Collection[VenueId]) -> str:
    hint = nearest(venue, order)
    return f"{key} names {venue!r}, which is not in venues.order ({', '.join(order)}){hint}"
