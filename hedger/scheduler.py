"""
The daemon's jobs and its order of waking and sleeping.

Truth first, old promises second, new business last; the reverse on the way out. The only
module that knows APScheduler: jobs live in memory, mostly one instance each, coalesced, with an
explicit grace for late runs. A job that dies is an event and stops new hedges, never silence.
"""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

from apscheduler.events import EVENT_JOB_ERROR, EVENT_JOB_MISSED
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.interval import IntervalTrigger
from loguru import logger

from hedger.errors import ConfigError
from hedger.settings import Job

Work = Callable[[], Awaitable[None]]


def _trigger(name: str, job: Job) -> Any:
    if job.interval_s is not None:
        return IntervalTrigger(seconds=job.interval_s, timezone="UTC")
    try:
        return CronTrigger.from_crontab(job.cron, timezone="UTC")
    except ValueError as error:
        raise ConfigError(
            f"jobs.{name}.cron is {job.cron!r}, which is not a cron expression ({error});"
            " write five fields such as '*/5 * * * *'"
        ) from error


def check(jobs: Mapping[str, Job]) -> None:
    """
    Refuse a schedule before anything runs.

    Raises:
        ConfigError: a cron expression is wrong.
    """
    for name, job in jobs.items():
        _trigger(name, job)


@contextlib.asynccontextmanager
async def running(
    jobs: Mapping[str, tuple[Job, Work]],
    died: Callable[[str, BaseException], None],
    side_by_side: Mapping[str, int] | None = None,
) -> AsyncIterator[None]:
    """
    Run every job on its schedule for as long as this is entered.

    A job that is due while it runs waits for its next turn, unless ``side_by_side`` says how
    often it may run at the same time.
    ``died`` is told the name of a job that raised, and what. On the way out no job starts any
    more, and one that is running is waited for; where time is up by then, it is cancelled.
    """
    scheduler = AsyncIOScheduler(timezone="UTC")
    idle = asyncio.Condition()
    busy: Counter[str] = Counter()

    def listener(event: Any) -> None:
        if event.code == EVENT_JOB_MISSED:
            logger.warning("job {} was due and did not run in time", event.job_id)
        elif event.exception is not None:
            died(event.job_id, event.exception)

    def guarded(name: str, work: Work) -> Work:
        async def run() -> None:
            busy[name] += 1
            try:
                await work()
            finally:
                async with idle:
                    busy[name] -= 1
                    idle.notify_all()

        return run

    scheduler.add_listener(listener, EVENT_JOB_ERROR | EVENT_JOB_MISSED)
    for name, (job, work) in jobs.items():
        scheduler.add_job(
            guarded(name, work),
            _trigger(name, job),
            id=name,
            max_instances=(side_by_side or {}).get(name, 1),
            coalesce=True,
            misfire_grace_time=job.misfire_grace_s,
        )
    scheduler.start()
    is_late = False
    try:
        yield
    except asyncio.CancelledError:
        is_late = True
        raise
    finally:
        scheduler.pause()
        try:
            async with idle:
                await idle.wait_for(lambda: is_late or not busy.total())
        finally:
            scheduler.shutdown(wait=False)  # cancels what is still running past its time
