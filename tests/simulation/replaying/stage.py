"""The markets of a replay: rules, prices, rates and money as the bundle tells them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

import yaml

from adapters.sandbox.engine.overrides import Liquidity
from adapters.sandbox.market_change import parse_change
from hedger import resources, settings
from hedger.audit.bundle import KEPT_SETTINGS
from hedger.domain.money import common_step, floor_to_step
from hedger.domain.order import Side
from hedger.errors import ConfigError
from tests.simulation.exchange import HEDGED, Venues
from tests.simulation.replaying.recorded import VENUES, BundleError, Recorded, amount

STAND_IN = HEDGED[0]
ZERO, ONE = Decimal(0), Decimal(1)
RULES: Mapping[str, str] = {
    "size_step": "size_step",
    "price_tick": "price_tick",
    "min_size": "min_size",
    "price_band": "price_band",
    "max_leverage": "max_leverage",
    "maintenance": "maintenance_fraction",
}
"""What a bundle calls a rule, and what the sandbox's market does."""

DEPTH_TIMES = 20  # of the hedge's value, on each side of each book


@dataclass(frozen=True)
class Stage:
    """
    ``symbol`` is the market in the world, ``prices`` are USD by venue when it is opened and
    ``later`` when it is closed, where that is known; ``told`` says what was made up.
    """

    symbol: str
    usd: Decimal
    side_a: Side
    venue_a: str
    rules: Mapping[str, Mapping[str, str]]
    prices: Mapping[str, Decimal]
    later: Mapping[str, Decimal]
    rates: Mapping[str, Decimal]
    keys: int
    settings: settings.Settings
    told: tuple[str, ...]

    def lay_out(self, venues: Venues) -> None:
        """Make the venues' markets so, before anything is traded."""
        for venue in VENUES:
            exchange = venues.exchange(venue)
            change = {RULES[name]: text for name, text in self._rules(venue).items()}
            if change:
                scaled = venue == "lighter"
                parse_change(change, scaled=scaled).apply(exchange, self.symbol)
            depth = self.usd * DEPTH_TIMES
            exchange.set_liquidity(self.symbol, Liquidity(bids_usd=depth, asks_usd=depth))
            exchange.deposit(venues.account(venue), self.usd)
            if not self.settings.trading.manage_leverage:  # then somebody has set it by hand
                leverage = min(
                    self.settings.trading.leverage, exchange.rules_of(self.symbol).max_leverage
                )
                exchange.set_leverage(venues.account(venue), self.symbol, leverage)
        self.set_prices(venues, self.prices)
        self._set_rates(venues)

    def set_prices(self, venues: Venues, prices: Mapping[str, Decimal]) -> None:
        for venue, price in prices.items():
            venues.exchange(venue).set_price_path(self.symbol, ((0, price),))

    def _rules(self, venue: str) -> Mapping[str, str]:
        found = self.rules.get(venue, {})
        return {name: found[name] for name in RULES if found.get(name)}

    def _set_rates(self, venues: Venues) -> None:
        """Rates that pay the direction of the hedge, hour after hour."""
        tape = venues.x10._state.tape
        hours = tape.recording.hours
        rows = tuple(
            replace(
                row, x10_rate_1h=self.rates["x10"], lighter_rate_1h=self.rates["lighter"]
            )
            for row in hours[self.symbol]
        )  # fmt: skip
        tape.recording = replace(tape.recording, hours={**hours, self.symbol: rows})


def stage_of(told: Recorded) -> Stage:
    """
    The markets that a bundle tells.

    Raises:
        BundleError: its settings are none, or it was for less than nothing.
    """
    notes: list[str] = []
    hedge = told.hedge
    symbol = str(hedge["symbol"])
    usd, planned = amount(hedge["requested_usd"]), amount(hedge["planned_size"])
    if usd <= ZERO or planned <= ZERO:
        raise BundleError("asks for no size, so nothing is opened here")
    if symbol not in HEDGED:
        notes.append(f"{STAND_IN} stands in for {symbol}")
        symbol = STAND_IN
    rules: dict[str, Mapping[str, str]] = {}
    for venue in VENUES:
        found = told.raw["markets"].get(venue, {}).get("rules")
        rules[venue] = {str(k): str(v) for k, v in (found or {}).items()}
        if not found:
            notes.append(f"the rules of {venue} are not in the bundle: the sandbox's own")
    prices = _prices(told, usd, planned, rules, notes)
    side_a = Side(hedge["side_a"])
    return Stage(
        symbol=symbol,
        usd=usd,
        side_a=side_a,
        venue_a=str(hedge["venue_a"]),
        rules=rules,
        prices=prices,
        later=_closing_prices(told, prices),
        rates=_rates(told, side_a, notes),
        keys=2 if len({row["lane"] for row in told.raw["lanes"]}) > 1 else 1,
        settings=_settings(told, notes),
        told=tuple(notes),
    )


def _marks(told: Recorded) -> dict[str, Decimal]:
    """The latest mark of each venue before the hedge was planned."""
    planned_at = str(told.hedge["created_at"])
    return {
        row["venue"]: amount(row["mark_price"])
        for row in told.raw["rates"]
        if row["as_of"] <= planned_at
    }


def _traded_at(told: Recorded, *, opening: bool) -> dict[str, Decimal]:
    """The price of each venue's first fill of an opening order, or of the others' last one."""
    purposes = {row["id"]: row["purpose"] for row in told.raw["orders"]}
    found: dict[str, Decimal] = {}
    for row in told.raw["fills"]:
        if (purposes.get(row["order"]) == "open") is opening:
            price = amount(row["price"])
            found[row["venue"]] = found.get(row["venue"], price) if opening else price
    return found


def _prices(
    told: Recorded,
    usd: Decimal,
    planned: Decimal,
    rules: Mapping[str, Mapping[str, str]],
    notes: list[str],
) -> dict[str, Decimal]:
    """Marks as they were, or near them: such that what was asked for comes to the same coins."""
    known = _marks(told) or {}
    traded = _traded_at(told, opening=True)
    limits = {row["venue"]: amount(row["limit_price"]) for row in reversed(told.raw["orders"])}
    steps = [amount(r["size_step"]) for r in rules.values() if r.get("size_step")]
    step = common_step(*steps) if len(steps) == len(VENUES) else planned / 1000
    usual = usd / (planned + step / 2)
    prices = {v: known.get(v) or traded.get(v) or limits.get(v) or usual for v in VENUES}
    if not known and len(traded) < len(VENUES):
        spare = next(iter(traded.values()), usual)
        prices = {venue: traded.get(venue, spare) for venue in VENUES}
    highest = max(prices.values())
    if floor_to_step(usd / highest, step) != planned:
        if not usual * Decimal("0.9") < highest < usual * Decimal("1.1"):
            notes.append(f"prices are set to {usual:.6g} USD, at which the size is what it was")
        prices = {venue: price * usual / highest for venue, price in prices.items()}
    return prices


def _closing_prices(told: Recorded, opened: Mapping[str, Decimal]) -> dict[str, Decimal]:
    """Where both legs were taken off at a known price."""
    found = _traded_at(told, opening=False)
    return found if set(found) == set(opened) else {}


def _rates(told: Recorded, side_a: Side, notes: list[str]) -> dict[str, Decimal]:
    """The last rates before it was planned, as far as they speak for its direction."""
    first, second = told.hedge["venue_a"], told.hedge["venue_b"]
    planned_at = str(told.hedge["created_at"])
    found = {
        row["venue"]: amount(row["rate_1h"])
        for row in told.raw["rates"]
        if row["as_of"] <= planned_at
    }
    if len(found) == len(VENUES):
        pays = Side.SELL if found[first] > found[second] else Side.BUY
        if pays is side_a:
            return found
    notes.append("the rates of its opening are not in the bundle: such that pay its direction")
    sign = -side_a.sign
    return {first: sign * Decimal("0.00002"), second: -sign * Decimal("0.00001")}


def _settings(told: Recorded, notes: list[str]) -> settings.Settings:
    """The shipped sandbox configuration with the bundle's sections in it."""
    path = resources.config() / "sandbox.yaml"
    data: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    data["venues"] = {"order": [told.hedge["venue_a"], told.hedge["venue_b"]]}
    usual = settings.parse(data, str(path))
    for name in KEPT_SETTINGS:
        section = told.raw["settings"].get(name)
        if isinstance(section, dict):
            kept = {k: v for k, v in section.items() if not str(v).startswith("[")}
            data[name] = {**data.get(name, {}), **kept}
    try:
        return settings.parse(data, "the bundle")
    except ConfigError as error:
        notes.append(f"its settings are not of this version, so the shipped ones stand ({error})")
        return usual
