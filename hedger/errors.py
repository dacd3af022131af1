"""
Every error says what the caller may safely do next.

* HedgerError
  x ConfigError              refuse to start; one sentence with key, value and remedy
  x StateError               our own files or lock: refuse to start
    + UnwritableError        disk full, database locked: no new risk, ask again later
    + DamagedError           the ledger's file is damaged: a person puts a copy back
  x IllegalTransitionError   our bug: stop, do not trade on
  x VenueError               a read about one venue failed: unknown, never zero
    + UnavailableError       no usable answer (connect, timeout, 5xx, 429) -> ask again later
      o KeptBackError        not asked: our own share of its request limit is used up
    + DeniedError            answered, and says no (key, signature, account) -> a person
    + DriftError             answered, and we do not understand it -> stop using this venue
      o ContradictionError   tells something of ours otherwise than we signed it -> open nothing

Orders are not here: what became of one is a value (``hedger.domain.order``), not an exception.
"""

from hedger.common.words import clean


class HedgerError(Exception):
    """Base of everything this program raises on purpose. The text is one sentence."""

    exit_code = 1


class ConfigError(HedgerError):
    """The configuration cannot be used; the text names file, key, value and remedy."""

    exit_code = 2


class UsageError(HedgerError):
    """The command asks for something impossible; the text names the remedy."""

    exit_code = 2


class StateError(HedgerError):
    """Our own state (lock, database, files) cannot be used."""

    exit_code = 3


class UnwritableError(StateError):
    """
    The ledger could not be written this time (disk full, locked by somebody).

    Nothing was recorded, so nothing may be sent; the same may be tried again later.
    """


class DamagedError(StateError):
    """The ledger's file is damaged, or something else stands in its place."""


class LockedError(StateError):
    """Another process owns the state directory."""

    exit_code = 75  # EX_TEMPFAIL: a supervisor may try again later


class IllegalTransitionError(HedgerError):
    """A hedge was asked to move where it cannot: a bug, so nothing is traded on it."""

    exit_code = 70


class VenueError(HedgerError):
    """A question to a venue was not answered usably. Never to be read as zero or flat."""

    exit_code = 4

    def __init__(self, venue: str, detail: str) -> None:
        detail = clean(detail)  # a venue's own words are often in it
        super().__init__(f"{venue}: {detail}")
        self.venue = venue
        self.detail = detail


class UnavailableError(VenueError):
    """No usable answer came: ask again later."""


class KeptBackError(UnavailableError):
    """
    The venue was not asked, for our own request limit; it says nothing about the venue.

    ``wait_s`` is how long from now the same question has to wait at least.
    """

    def __init__(self, venue: str, detail: str, wait_s: float) -> None:
        super().__init__(venue, detail)
        self.wait_s = wait_s


class DeniedError(VenueError):
    """The venue answered with a refusal that asking again will not change."""


class UnlistedError(DeniedError):
    """The venue's list of markets is read, and the market is not in it."""


class DriftError(VenueError):
    """The answer does not mean what we know: the venue is not used until a person looked."""


class ContradictionError(DriftError):
    """The venue tells of an order of ours what we never signed: nothing new is opened there."""
