"""Several questions at once, of which the first failure is the answer."""

import asyncio
from collections.abc import Awaitable, Iterable
from typing import TypeVar

T = TypeVar("T")


async def together(questions: Iterable[Awaitable[T]]) -> list[T]:
    """
    Every answer, in the order of the questions.

    All of them are waited for, so that nothing goes on behind the caller's back.

    Raises:
        Exception: the first in that order that was raised.
    """
    asked = list(questions)
    if len(asked) <= 1:  # nothing goes on beside it
        return [await question for question in asked]
    answers = await asyncio.gather(*asked, return_exceptions=True)
    found: list[T] = []
    for answer in answers:
        if isinstance(answer, BaseException):
            raise answer
        found.append(answer)
    return found
