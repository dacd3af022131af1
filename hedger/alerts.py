"""
Alerts to a person: a command, a URL, or both; never in the path of money.

An alert is a row of the ledger first (``Store.alert``), which is also the queue: bounded, on the
disk, and read here by a job of its own. Each channel keeps how far it got, so that what could
not be sent is sent later, after a restart too. Messages are held apart by ``min_interval_s``,
and what came in between goes together. Secrets are masked (reliability.md §6, S10), no shell is
involved, and what venues say reaches the command only on its standard input.

``hedger status`` names an alert until a person acknowledges it; it is sent all the same.
"""

import asyncio
import contextlib
import json
import sys
from collections.abc import Mapping, Sequence
from typing import Protocol

from loguru import logger

from hedger import log
from hedger.clock import Clock
from hedger.errors import UsageError
from hedger.ledger.reader import Reader
from hedger.ledger.records import Alert
from hedger.ledger.store import Store
from hedger.pace import Pace
from hedger.settings_recovery import Alerts as Rules

BATCH_MAX = 50
SHOWN_MAX = 5
RETRY_MAX_S = 900.0
KILLED_WITHIN_S = 2.0


class UndeliveredError(Exception):
    """A channel did not take a message; the text names why, without the channel's secrets."""


class Channel(Protocol):
    """One way to a person."""

    @property
    def name(self) -> str: ...

    async def send(self, message: Mapping[str, object]) -> None:
        """
        Deliver one message, within the channel's own time limit.

        Raises:
            UndeliveredError: it was not taken.
        """


class Command:
    """A program that reads one JSON line from standard input and ends with status 0."""

    name = "command"

    def __init__(self, arguments: Sequence[str], timeout_s: float) -> None:
        self._arguments = arguments
        self._timeout_s = timeout_s

    async def send(self, message: Mapping[str, object]) -> None:
        try:
            process = await asyncio.create_subprocess_exec(
                *self._arguments,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.DEVNULL,
            )
        except OSError as error:
            raise UndeliveredError(f"it could not be started: {error.strerror}") from error
        line = json.dumps(message, default=str) + "\n"
        try:
            async with asyncio.timeout(self._timeout_s):
                await process.communicate(line.encode())
        except TimeoutError as error:
            raise UndeliveredError(f"it took longer than {self._timeout_s:g} s") from error
        finally:
            with contextlib.suppress(ProcessLookupError):
                if process.returncode is None:
                    process.kill()
                    with contextlib.suppress(TimeoutError):  # a child of it may hold the pipe
                        await asyncio.wait_for(process.wait(), KILLED_WITHIN_S)
        if process.returncode != 0:
            raise UndeliveredError(f"it ended with status {process.returncode}")


class Url:
    """An address that takes a POST of JSON. The address itself may be a secret."""

    name = "url"

    def __init__(self, url: str, timeout_s: float) -> None:
        self._url = url
        self._timeout_s = timeout_s
        log.hide([url])

    async def send(self, message: Mapping[str, object]) -> None:
        import httpx

        body = json.dumps(message, default=str)
        try:
            async with (
                asyncio.timeout(self._timeout_s),
                httpx.AsyncClient(trust_env=False, follow_redirects=False) as client,
                client.stream(  # its body is never read
                    "POST",
                    self._url,
                    content=body,
                    headers={"Content-Type": "application/json"},
                ) as answer,
            ):
                status = answer.status_code
        except (TimeoutError, httpx.HTTPError) as error:
            raise UndeliveredError(f"no answer ({type(error).__name__})") from None
        if not 200 <= status < 300:
            raise UndeliveredError(f"HTTP {status}")


class Alerter:
    """Takes new alerts from the ledger to every channel."""

    def __init__(self, *, store: Store, clock: Clock, rules: Rules, environment: str) -> None:
        self._store = store
        self._clock = clock
        self._rules = rules
        self._environment = environment
        self._channels: list[Channel] = []
        if rules.command:
            self._channels.append(Command(rules.command, rules.timeout_s))
        if rules.url is not None:
            self._channels.append(Url(rules.url, rules.timeout_s))
        self._pace = Pace(clock, first_s=rules.min_interval_s, max_s=RETRY_MAX_S)
        self._sent_s: dict[str, float] = {}

    async def run(self) -> None:
        """Send what is new; a channel that fails is asked again less and less often."""
        for channel in self._channels:
            last_s = self._sent_s.get(channel.name)
            now_s = self._clock.monotonic_s()
            if last_s is not None and now_s - last_s < self._rules.min_interval_s:
                continue
            await self._serve(channel)

    async def _serve(self, channel: Channel) -> None:
        key = f"alerts_sent:{channel.name}"
        waiting = self._store.alerts_after(int(self._store.meta(key) or 0), BATCH_MAX)
        if not waiting or not self._pace.due(channel.name):
            return
        try:
            await channel.send(message(waiting, self._environment))
        except UndeliveredError as error:
            logger.warning("alerts wait for {}: {}", channel.name, error)
            return
        self._sent_s[channel.name] = self._clock.monotonic_s()
        self._pace.done(channel.name)
        self._store.set_meta(key, str(waiting[-1].number))


def message(alerts: Sequence[Alert], environment: str) -> Mapping[str, object]:
    """What a channel gets: one text for people, and every alert for programs; all masked."""
    texts = [log.redact(alert.text) for alert in alerts]
    more = f" (and {len(texts) - SHOWN_MAX} more)" if len(texts) > SHOWN_MAX else ""
    return {
        "text": f"hedger ({environment}): " + "; ".join(texts[:SHOWN_MAX]) + more,
        "environment": environment,
        "alerts": [
            {
                "number": alert.number,
                "at": alert.at.isoformat(),
                "hedge": alert.hedge,
                "text": text,
            }
            for alert, text in zip(alerts, texts, strict=True)
        ],
    }


def acknowledge(store: Store, numbers: Sequence[int], *, who: str) -> list[Mapping[str, object]]:
    """
    Mark alerts as seen by a person: all of these, or none of them where one is not there.

    One row per alert; ``already`` tells that somebody had done so before.

    Raises:
        UsageError: there is no alert of one of the numbers.
    """
    found = [_numbered(store, number) for number in dict.fromkeys(numbers)]
    return [
        {
            "alert": alert.number,
            "already": not store.acknowledge(alert.number, who),
            "at": alert.at.isoformat(),
            "hedge": alert.hedge,
            "text": alert.text,
        }
        for alert in found
    ]


def seen(row: Mapping[str, object]) -> str:
    """What became of one alert, in a sentence."""
    before = " already" if row["already"] else ""
    return f"alert {row['alert']} is acknowledged{before}: {row['text']}"


def _numbered(ledger: Reader, number: int) -> Alert:
    known = ledger.alerts_after(number - 1, 1) if 0 < number <= sys.maxsize else []
    if not known or known[0].number != number:
        raise UsageError(
            f"there is no alert {number}; hedger status numbers those that nobody has acknowledged"
        )
    return known[0]
