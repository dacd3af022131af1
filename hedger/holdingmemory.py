"""What a judgement remembers of a hedge, as text of the ledger: pure."""

import json
from datetime import datetime
from typing import Any

from hedger.economics import HOURS_PER_YEAR
from hedger.holding import Code, Holding, Judgement, Memory


def written(judged: Judgement, holding: Holding) -> str:
    """The memory, with what `hedger status` shows beside it."""
    memory = judged.memory
    data: dict[str, Any] = {
        "negative_since": memory.negative_since and memory.negative_since.isoformat(),
        "flipped_since": memory.flipped_since and memory.flipped_since.isoformat(),
        "waiting_for": memory.waiting_for and memory.waiting_for.isoformat(),
        "fired": sorted(memory.fired),
        "stay_usd": f"{judged.stay_usd:.4f}",
        "leave_usd": f"{judged.leave_usd:.4f}",
        "break_even_h": judged.break_even,
        "naive_apy": f"{holding.spread_1h * HOURS_PER_YEAR:.4f}",
        "rates_in_doubt": holding.doubted,
        "action": judged.action,
        "code": judged.code,
    }
    return json.dumps(data)


def read(text: str) -> Memory:
    """What ``written`` wrote; a reason that this version does not know has not fired."""
    data = json.loads(text)
    known = {str(code) for code in Code}
    return Memory(
        negative_since=_instant(data["negative_since"]),
        flipped_since=_instant(data["flipped_since"]),
        waiting_for=_instant(data["waiting_for"]),
        fired=frozenset(Code(code) for code in data["fired"] if code in known),
    )


def doubted(text: str) -> str:
    """Why the rates were not believed when ``written`` wrote; an earlier version did not say."""
    told: str = json.loads(text).get("rates_in_doubt", "")
    return told


def read_old(flipped_since: str | None) -> Memory:
    """What an earlier version kept: since when the spread has been against us."""
    return Memory(flipped_since=_instant(flipped_since))


def _instant(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
