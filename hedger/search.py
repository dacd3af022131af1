"""What is known so far about one unknown order, while its end is sought."""

import asyncio
from dataclasses import dataclass, field
from datetime import datetime

from hedger.domain.order import Answer, Prepared
from hedger.readlag import Watch

Coming = asyncio.Task[Answer]

SEARCH_S = 15.0
"""How long the end of an order is sought again that one whole search did not find."""


@dataclass(slots=True)
class Search:
    """Changed by whoever looks: the resolver, and the fence behind the nonce."""

    prepared: Prepared
    wanted: bool
    began_s: float
    sent_s: float  # when its bytes left; a process may have stood still since
    accepted: bool = False
    coming: Coming | None = None  # the answer to the send, while it is waited for
    refused: bool = False  # the venue would not have its nonce
    resent: bool = False
    burn: Prepared | None = None
    burnt_at_s: float = 0.0
    burnt: bool = False  # the venue took the burn in
    taken_at: datetime | None = None  # when we saw that its nonce is used up
    other: str | None = None  # the transaction that the venue shows with its nonce
    cancelled_at_s: float | None = None
    asked_at: datetime | None = None  # when the last look began
    seen_s: float | None = None  # when the last one ended that was answered
    watch: Watch = field(default_factory=Watch)
