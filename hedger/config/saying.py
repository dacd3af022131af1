"""The first complaint about a configuration as one sentence with key, value and remedy."""

import reprlib
from typing import Final

from pydantic import BaseModel, ValidationError

from hedger.config.document import Where

KEY: Final = "[key]"  # how pydantic marks a complaint about a key itself
SHOWN_MAX: Final = 100
HIDDEN: Final = (("alerts",), ("venues", "options"))
"""Sections in which tokens and keys may stand: what was written there is not shown."""


def sentence(error: ValidationError) -> tuple[Where, str]:
    """Where it stands, and what is wrong."""
    first = error.errors(include_url=False)[0]
    where = tuple(str(part) for part in first["loc"])
    if where and where[-1] == KEY:
        where, verb = where[:-1], "names"
        key = ".".join(where[:-1])
    else:
        verb, key = "is", ".".join(where) or "the file"
    match first["type"]:
        case "missing":
            return where, f"{key} is missing; add it (there is no safe default)"
        case "extra_forbidden":
            return where, f"{key} is not a known key; remove it or check its spelling"
        case _:
            pass
    value = first["input"]
    hidden = isinstance(value, dict | BaseModel) or any(
        where[: len(section)] == section for section in HIDDEN
    )
    shown = "" if hidden else f" {verb} {brief(value)}, which"
    message = first["msg"].removeprefix("Value error, ")
    message = message[0].lower() + message[1:]
    return where, f"{key}{shown} is not allowed: {message}; correct it and start again"


def brief(value: object) -> str:
    """A value of any size in at most some hundred letters; never takes long."""
    shown = reprlib.Repr()
    shown.maxlevel = 2
    shown.maxlist = shown.maxtuple = shown.maxdict = shown.maxset = 4
    shown.maxstring = shown.maxother = shown.maxlong = SHOWN_MAX
    try:
        return shown.repr(value)
    except ValueError:  # Python prints no number of more than 4,300 digits
        return "a number of thousands of digits"
