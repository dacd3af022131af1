"""Recorded answers of the venue; where they come from stands in the file under ``_origin``."""

import copy
import json
from pathlib import Path
from typing import Any

RECORDED: dict[str, Any] = json.loads(
    Path(__file__).with_name("data").joinpath("recorded.json").read_text(encoding="utf-8")
)


def recorded(name: str) -> Any:
    """A copy that a test may change."""
    return copy.deepcopy(RECORDED[name])
