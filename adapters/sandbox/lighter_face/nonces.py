"""
The nonce sequence of each API key (lighter.md §4.1).

Two numbers matter: what ingress expects next, which moves with every accepted transaction, and
what ``nextNonce`` shows, which moves only some time after execution. Asking too early therefore
gives a used nonce, as on the venue.
"""

import bisect

from adapters.sandbox.lighter_face.errors import ApiError, Code

MAX_SKIPPED_NONCE = (1 << 47) - 1


class Lane:
    """The sequence of one key."""

    def __init__(self, first: int = 0) -> None:
        self._expected = first
        self._first = first
        self._executed_ms: list[int] = []
        self._shown: list[int] = []

    @property
    def expected(self) -> int:
        """The nonce that the next transaction must have."""
        return self._expected

    def check(self, nonce: int, *, may_skip: bool) -> None:
        """
        Refuse a nonce that is not the next one.

        With ``may_skip`` (attribute 4) holes are allowed, going back is not.

        Raises:
            ApiError: 21104.
        """
        if may_skip and self._expected <= nonce < MAX_SKIPPED_NONCE:
            return
        if nonce != self._expected:
            raise ApiError(Code.INVALID_NONCE)

    def take(self, nonce: int) -> None:
        """The transaction with this nonce is accepted."""
        assert nonce >= self._expected
        self._expected = nonce + 1

    def executed(self, nonce: int, at_ms: int) -> None:
        """The sequencer has used up this nonce."""
        self._executed_ms.append(at_ms)
        self._shown.append(max(nonce + 1, self._shown[-1] if self._shown else 0))

    def put(self, nonce: int) -> None:
        """The next transaction must have this nonce, and every read says so at once."""
        self._expected = self._first = nonce
        self._executed_ms.clear()
        self._shown.clear()

    def give_back(self, nonce: int) -> None:
        """
        A transaction expired before it was executed: its nonce is free again.

        Whatever was accepted after it can no longer be executed either.
        """
        self._expected = min(self._expected, nonce)

    def shown(self, as_of_ms: int) -> int:
        """What ``nextNonce`` answered at that instant."""
        count = bisect.bisect_right(self._executed_ms, as_of_ms)
        return self._shown[count - 1] if count else self._first
