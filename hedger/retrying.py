"""
Repetition of reads: a venue that did not answer once is asked again, a bounded number of times.

Orders never pass through here. The names of the policy are those of seed 002.
"""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from loguru import logger

from hedger.clock import Clock
from hedger.errors import UnavailableError
from hedger.settings import RetryPolicy

T = TypeVar("T")


def delay_s(policy: RetryPolicy, attempt: int) -> float:
    """The wait before repetition ``attempt`` (1 is the first), in seconds."""
    assert attempt >= 1
    grown_ms = policy.base_delay_ms * policy.backoff_multiplier ** (attempt - 1)
    return min(grown_ms, policy.max_delay_ms) / 1000


async def asking(question: Callable[[], Awaitable[T]], policy: RetryPolicy, clock: Clock) -> T:
    """
    The answer to a question that may be asked again.

    Only ``UnavailableError`` leads to a repetition: a refusal or an answer we do not understand
    would only be given again.

    Raises:
        VenueError: the last one, when there was no answer.
    """
    for attempt in range(1, policy.max_retries + 1):
        try:
            return await question()
        except UnavailableError as error:
            wait_s = delay_s(policy, attempt)
            logger.debug("asking again in {:.2f} s: {}", wait_s, error)
            await clock.sleep(wait_s)
    return await question()
