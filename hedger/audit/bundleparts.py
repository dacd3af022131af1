"""The parts of a bundle: rows of a hedge's life with words in the place of their ids."""

import contextlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

from hedger.audit.bundlelife import KNOWN_AS, Life
from hedger.audit.bundlerows import Row
from hedger.audit.placeholders import Placeholders


def words_of(told: Life, settings: Mapping[str, Any]) -> Placeholders:
    """Every id of the rows with its word, in the order of the rows."""
    words = Placeholders(settings)
    words.word("hedge", told.hedge["id"])
    for order in told.orders:
        name = words.word("order", order["id"])
        for other in ("client_id", "venue_order_id", "tx_hash"):
            words.also(order[other], name)
        words.word("lane", order["lane"])
        words.word("account", order["account"])
    for fill in told.fills:
        words.word("trade", fill["trade_id"])
    for entry in told.entries:
        words.word("account", entry["account"])
        words.word("order", entry["order_ref"])
        words.word("entry", entry["ref"])
    for payment in told.payments:
        words.word("payment", payment["payment_id"])
    options = settings.get("venues", {}).get("options", {})
    for name in ("account", "vault", "account_index"):
        for venue in sorted(options):
            words.word("account", options[venue].get(name))
    return words


def parts(told: Life, words: Placeholders) -> dict[str, Any]:
    epochs = {row["epoch"]: number for number, row in enumerate(told.epochs, start=1)}
    intents = _intents(told.events)
    steps, others = _split(told, words, epochs)
    return {
        "hedge": {
            "id": words.word("hedge", told.hedge["id"]),
            **words.tidy(_without(told.hedge, "id")),
            "states": steps,
        },
        "legs": words.tidy(told.legs),
        "orders": [_order(row, words, epochs, intents.get(row["id"])) for row in told.orders],
        "fills": [
            {
                "id": words.word("trade", row["trade_id"]),
                "order": words.word("order", row["order_id"]),
                **words.tidy(_without(row, "trade_id", "order_id")),
                "is_maker": None if row["is_maker"] is None else bool(row["is_maker"]),
            }
            for row in told.fills
        ],
        "burns": [_lane_row(row, words, epochs) for row in told.burns],
        "fillers": [_lane_row(row, words, epochs) for row in told.fillers],
        "lanes": [_lane_row(row, words, epochs) for row in told.lanes],
        "events": others,
        "alerts": [_about(row, words) for row in told.alerts],
        "reads": [_about(row, words) for row in told.reads],
        "rates": words.tidy(told.rates),
        "fees": words.tidy(told.fees),
        "payments": words.tidy(told.payments),
        "entries": words.tidy(told.entries),
        "decisions": words.tidy(told.decisions),
        "epochs": [_epoch(row, told.epochs, epochs) for row in told.epochs],
        "markets": _markets(told, intents),
        "notes": _notes(told, words),
    }


def _notes(told: Life, words: Placeholders) -> dict[str, str | None]:
    """What was taken from a leg or forgotten of it: ``taken:x10``."""
    kept = (row for row in told.metas if not row["key"].startswith(KNOWN_AS))
    return {
        f"{row['key'].partition(':')[0]}:{row['key'].rpartition(':')[2]}": words.prose(row["value"])
        for row in kept
    }


def _without(row: Row, *names: str) -> Row:
    return {name: value for name, value in row.items() if name not in names}


def _data(row: Row) -> dict[str, Any]:
    """An event's data; what is no object in an old or repaired ledger is nothing."""
    with contextlib.suppress(ValueError):
        data = json.loads(row["data"] or "{}")
        return data if isinstance(data, dict) else {}
    return {}


def _intents(events: Iterable[Row]) -> dict[str, dict[str, Any]]:
    """What the event of each intent tells besides its order, by the order's id."""
    found = (_data(row) for row in events if row["kind"] == "intent")
    return {data["order"]: data for data in found if "order" in data}


def _split(
    told: Life, words: Placeholders, epochs: Mapping[int, int]
) -> tuple[list[Row], list[Row]]:
    """Changes of state, and every other event; ``nr`` puts both in one order."""
    steps, others = [], []
    for number, row in enumerate(told.events, start=1):
        head = {"nr": number, "at": row["at"], "epoch": epochs.get(row["epoch"])}
        text = words.prose(row["text"])
        if row["to_state"] is not None and row["hedge_id"] == told.hedge["id"]:
            steps.append({**head, "from": row["from_state"], "to": row["to_state"], "text": text})
            continue
        data = _data(row)
        if row["kind"] == "intent":
            data.pop("rules", None)  # they stand with the order
        about = row["hedge_id"] == told.hedge["id"]
        head |= {"level": row["level"], "kind": row["kind"], "about_hedge": about, "text": text}
        others.append({**head, "data": words.tidy(data)})
    return steps, others


def _order(
    row: Row, words: Placeholders, epochs: Mapping[int, int], intent: dict[str, Any] | None
) -> Row:
    told = _without(
        row, "id", "lane", "nonce", "account", "client_id", "venue_order_id", "tx_hash", "epoch"
    )
    laned = row["lane"] is not None
    return {
        "id": words.word("order", row["id"]),
        **words.tidy(told),
        "epoch": epochs.get(row["epoch"]),
        "lane": words.word("lane", row["lane"]),
        "nonce": row["nonce"] if laned else None,
        "was_known_to_venue": row["venue_order_id"] is not None,
        "reserved_usd": (intent or {}).get("reserved_usd", {}),
        "rules": _rules((intent or {}).get("rules")),
    }


def _rules(told: Mapping[str, str] | None) -> dict[str, str] | None:
    """Of a market; without the venue's own word for it, which may be a key or an address."""
    return None if not told else {k: v for k, v in told.items() if k != "identity"}


def _lane_row(row: Row, words: Placeholders, epochs: Mapping[int, int]) -> Row:
    """Of a lane; its nonces are numbers and stay."""
    told = words.tidy(_without(row, "lane", "nonce", "order_id", "epoch"))
    head: Row = {"lane": words.word("lane", row["lane"])}
    if "nonce" in row:
        head |= {"nonce": row["nonce"], "epoch": epochs.get(row["epoch"])}
    if "order_id" in row:
        head["order"] = words.word("order", row["order_id"])
    return {**head, **told}


def _about(row: Row, words: Placeholders) -> Row:
    """A row that may be about the hedge or about everything."""
    told: Row = words.tidy(_without(row, "hedge_id", "data"))
    if "data" in row:
        told["data"] = words.tidy(_data(row))
    return {"about_hedge": row["hedge_id"] is not None, **told}


def _epoch(row: Row, every: list[Row], epochs: Mapping[int, int]) -> Row:
    """A start of the process: how it began, and how it ended as far as the ledger tells."""
    following = next((other for other in every if other["epoch"] > row["epoch"]), None)
    ended = "not known"
    if row["said_goodbye"]:
        ended = "stopped"
    elif following is not None and following["found_crash"]:
        ended = "without a goodbye"
    elif following is not None:
        ended = "over when the next one began"
    return {
        "epoch": epochs[row["epoch"]],
        "first_at": row["first_at"],
        "last_at": row["last_at"],
        "began": "daemon" if row["is_daemon"] else "command",
        "ended": ended,
    }


def _markets(told: Life, intents: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    """The rules by which the first order of each venue was made; else those known now."""
    now = {
        row["key"].split(":")[1]: json.loads(row["value"])
        for row in told.metas
        if row["key"].startswith(KNOWN_AS)
    }
    markets: dict[str, Any] = {}
    for venue in (told.hedge["venue_a"], told.hedge["venue_b"]):
        first = next(
            (
                rules
                for row in told.orders
                if row["venue"] == venue and (rules := intents.get(row["id"], {}).get("rules"))
            ),
            None,
        )
        rules = first or now.get(venue)
        markets[venue] = {
            "known_from": "its first order" if first else "the latest look" if rules else None,
            "rules": _rules(rules),
        }
        if rules is None:
            told.left_out.append(f"the rules of the market on {venue}: the ledger has them no more")
    return markets
