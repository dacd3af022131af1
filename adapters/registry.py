"""
The only list of venues in the program. A factory loads its adapter, and its SDK, when called.

A third venue is one more entry here and one more folder beside it; nothing in ``hedger``
changes.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from adapters.budget import Budget
from hedger.clock import Clock
from hedger.config.networks import Sign
from hedger.domain.ids import Symbol, VenueId
from hedger.errors import ConfigError
from hedger.ports import History, QuoteSource, Venue

Options = Mapping[str, str | int | float | bool]
Names = Mapping[Symbol, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """How to reach one venue, and the keys to trade there (empty: public data only)."""

    options: Options
    secrets: Mapping[str, str]
    budget: Budget | None = None  # one for quotes and account alike; see ``metered``

    def __repr__(self) -> str:
        return f"Access(options={dict(self.options)!r}, secrets=***)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Factory:
    """What makes the ports of one venue."""

    quotes: Callable[[VenueId, Access, Names, Clock, float], QuoteSource]
    history: Callable[[VenueId, Access, Names, Clock, float], History]
    venue: Callable[[VenueId, Access, Names, Clock, float], Venue]
    sandbox: Callable[[Mapping[str, Any], str], Access]  # from its JSON line, and its tier
    budget: Callable[[VenueId, Options, Clock], Budget]
    signs: Callable[[Options], Sequence[Sign]]  # what network the options name


def _text(options: Options, venue: VenueId, key: str) -> str:
    value = options.get(key)
    if value is None or value == "":
        raise ConfigError(f"venues.options.{venue}.{key} is missing; add it (README, going live)")
    return str(value)


def _x10_quotes(
    venue: VenueId, access: Access, names: Names, clock: Clock, timeout_s: float
) -> QuoteSource:
    from adapters.x10.quotes import XQuotes

    return XQuotes(
        id=venue,
        base_url=_text(access.options, venue, "api_base_url"),
        names=names,
        clock=clock,
        timeout_s=timeout_s,
        budget=access.budget,
    )


def _x10_history(
    venue: VenueId, access: Access, names: Names, clock: Clock, timeout_s: float
) -> History:
    from adapters.x10.history import XHistory

    return XHistory(
        id=venue,
        base_url=_text(access.options, venue, "api_base_url"),
        names=names,
        clock=clock,
        timeout_s=timeout_s,
        budget=access.budget,
    )


def _x10_venue(
    venue: VenueId, access: Access, names: Names, clock: Clock, timeout_s: float
) -> Venue:
    from adapters.x10.venue import XVenue

    return XVenue(
        id=venue,
        options=access.options,
        secrets=access.secrets,
        names=names,
        clock=clock,
        timeout_s=timeout_s,
    )


def _x10_budget(venue: VenueId, options: Options, clock: Clock) -> Budget:
    return Budget(venue, clock, 1_000)  # requests of any kind, per IP (x10.md §3.4)


def _lighter_budget(venue: VenueId, options: Options, clock: Clock) -> Budget:
    from adapters.lighter.limits import budget

    return budget(venue, options.get("tier", "premium"), clock)


def _x10_signs(options: Options) -> Sequence[Sign]:
    from adapters.x10.network import signs

    return signs(options)


def _lighter_signs(options: Options) -> Sequence[Sign]:
    from adapters.lighter.network import signs

    return signs(options)


def _x10_sandbox(line: Mapping[str, Any], tier: str) -> Access:
    x10 = line["x10"]
    options = ("api_base_url", "stream_url", "vault", "public_key", "chain_id")
    secrets = ("api_key", "private_key")
    return Access(
        options={key: x10[key] for key in options},
        secrets={key: str(x10[key]) for key in secrets},
    )


def _lighter_quotes(
    venue: VenueId, access: Access, names: Names, clock: Clock, timeout_s: float
) -> QuoteSource:
    from adapters.lighter.quotes import LighterQuotes

    return LighterQuotes(
        id=venue,
        base_url=_text(access.options, venue, "url"),
        names=names,
        clock=clock,
        timeout_s=timeout_s,
        budget=access.budget,
    )


def _lighter_history(
    venue: VenueId, access: Access, names: Names, clock: Clock, timeout_s: float
) -> History:
    from adapters.lighter.history import LighterHistory

    return LighterHistory(
        id=venue,
        base_url=_text(access.options, venue, "url"),
        names=names,
        clock=clock,
        timeout_s=timeout_s,
        budget=access.budget,
    )


def _lighter_venue(
    venue: VenueId, access: Access, names: Names, clock: Clock, timeout_s: float
) -> Venue:
    from adapters.lighter.venue import LighterVenue

    return LighterVenue(
        id=venue,
        options={"timeout_s": timeout_s, **access.options},
        secrets=access.secrets,
        names=names,
        clock=clock,
        budget=access.budget,
    )


def _lighter_sandbox(line: Mapping[str, Any], tier: str) -> Access:
    """The first key opens, the second one closes and rolls back."""
    lighter = line["lighter"]
    keys = {int(index): str(key) for index, key in lighter["api_keys"].items()}
    first = int(lighter["api_key_index"])
    second = next((index for index in sorted(keys) if index != first), first)
    return Access(
        options={
            "url": lighter["url"],
            "account_index": lighter["account_index"],
            "api_key_index": first,
            "rollback_api_key_index": second,
            "chain_id": lighter["chain_id"],
            "tier": tier,
        },
        secrets={f"private_key_{index}": key for index, key in keys.items()},
    )


FACTORIES: Mapping[VenueId, Factory] = {
    VenueId("x10"): Factory(
        quotes=_x10_quotes,
        history=_x10_history,
        venue=_x10_venue,
        sandbox=_x10_sandbox,
        budget=_x10_budget,
        signs=_x10_signs,
    ),
    VenueId("lighter"): Factory(
        quotes=_lighter_quotes,
        history=_lighter_history,
        venue=_lighter_venue,
        sandbox=_lighter_sandbox,
        budget=_lighter_budget,
        signs=_lighter_signs,
    ),
}


def factory(venue: VenueId) -> Factory:
    """
    The factory of one venue.

    Raises:
        ConfigError: there is no such venue.
    """
    if venue not in FACTORIES:
        known = ", ".join(FACTORIES)
        raise ConfigError(f"venues.order names {venue!r}, which is not known; use two of {known}")
    return FACTORIES[venue]


def metered(venue: VenueId, access: Access, clock: Clock) -> Access:
    """
    The same access with the request budget of its venue.

    Raises:
        ConfigError: its options name a tier that does not exist.
    """
    return replace(access, budget=factory(venue).budget(venue, access.options, clock))
