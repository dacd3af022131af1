"""Background work of the face: it ends with the application and its errors are never lost."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from loguru import logger


class Background:
    """Tasks that run beside the requests."""

    def __init__(self) -> None:
        self._tasks: dict[asyncio.Task[Any], None] = {}  # as they began

    def start(self, work: Coroutine[Any, Any, Any], name: str) -> Callable[[], object]:
        """Run it until it ends or the application does; gives back what cancels it."""
        task = asyncio.create_task(work, name=name)
        self._tasks[task] = None
        task.add_done_callback(self._finished)
        return task.cancel

    async def close(self) -> None:
        """Cancel what still runs and wait for it."""
        running = list(self._tasks)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    def _finished(self, task: asyncio.Task[Any]) -> None:
        self._tasks.pop(task, None)
        if task.cancelled():
            return
        error = task.exception()
        if error is not None:
            logger.opt(exception=error).error("lighter face: {} failed", task.get_name())
