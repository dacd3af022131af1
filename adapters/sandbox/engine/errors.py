"""Mistakes of the caller; business rules are ``Refused`` values instead."""


class EngineError(Exception):
    """A caller asked for something that does not exist here."""


class UnknownAccountError(EngineError):
    """No such account."""


class UnknownOrderError(EngineError):
    """No such order of this account."""


class UnknownMarketError(EngineError):
    """No such market at this venue."""
