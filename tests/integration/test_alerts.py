"""Alerts to a command and to a URL, over loopback and real processes; the secrets stay here."""

import json
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from hedger import log
from hedger.alerts import Alerter, acknowledge
from hedger.errors import ConfigError
from hedger.ledger import migrate
from hedger.ledger.store import Store, open_store
from hedger.settings_recovery import Alerts
from tests.clocks import ManualClock
from tests.desk import configured


@dataclass
class Inbox:
    """What a person's end got; ``status`` is what it answers."""

    url: str = ""
    status: int = 200
    got: list[dict[str, Any]] = field(default_factory=list)


@pytest.fixture
async def inbox() -> AsyncIterator[Inbox]:
    found = Inbox()

    async def take(request: web.Request) -> web.Response:
        found.got.append(await request.json())
        return web.Response(status=found.status)

    app = web.Application()
    app.router.add_post("/hook/{token}", take)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    found.url = f"http://127.0.0.1:{port}/hook/a-secret-token"
    yield found
    await runner.cleanup()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def store(tmp_path: Path, clock: ManualClock) -> Iterator[Store]:
    path = tmp_path / "ledger.db"
    migrate.upgrade(path, clock)
    with open_store(path, clock) as opened:
        yield opened


def alerter(store: Store, clock: ManualClock, **rules: Any) -> Alerter:
    return Alerter(store=store, clock=clock, rules=Alerts(**rules), environment="sandbox")


async def test_an_alert_reaches_a_url_once(store: Store, clock: ManualClock, inbox: Inbox) -> None:
    told = alerter(store, clock, url=inbox.url)
    store.alert("a leg stands alone")

    for _ in range(3):
        await told.run()
        clock.advance(100)

    (message,) = inbox.got
    assert message["text"] == "hedger (sandbox): a leg stands alone"
    assert [alert["number"] for alert in message["alerts"]] == [1]


async def test_an_alert_that_was_seen_before_it_could_be_sent_is_sent_all_the_same(
    store: Store, clock: ManualClock, inbox: Inbox
) -> None:
    """Whoever has seen it need not be whoever reads the channel."""
    store.alert("a leg stands alone")
    acknowledge(store, [1], who="ada")

    await alerter(store, clock, url=inbox.url).run()

    (message,) = inbox.got
    assert message["text"] == "hedger (sandbox): a leg stands alone"


async def test_what_came_in_within_the_interval_goes_together(
    store: Store, clock: ManualClock, inbox: Inbox
) -> None:
    told = alerter(store, clock, url=inbox.url, min_interval_s=60)
    store.alert("first")
    await told.run()
    for number in range(8):
        store.alert(f"later {number}")
        await told.run()
    assert len(inbox.got) == 1

    clock.advance(61)
    await told.run()

    assert len(inbox.got[1]["alerts"]) == 8
    assert inbox.got[1]["text"].endswith("later 4 (and 3 more)")


async def test_what_a_channel_does_not_take_is_sent_later_even_by_the_next_process(
    store: Store, clock: ManualClock, inbox: Inbox
) -> None:
    inbox.status = 503
    store.alert("nobody heard this")
    await alerter(store, clock, url=inbox.url).run()
    inbox.status = 200

    await alerter(store, clock, url=inbox.url).run()
    await alerter(store, clock, url=inbox.url).run()

    assert [len(message["alerts"]) for message in inbox.got] == [1, 1]


async def test_a_channel_that_fails_is_asked_ever_less_often(
    store: Store, clock: ManualClock, inbox: Inbox
) -> None:
    inbox.status = 500
    told = alerter(store, clock, url=inbox.url, min_interval_s=10)
    store.alert("again and again")

    for _ in range(60):
        await told.run()
        clock.advance(5)

    assert 4 <= len(inbox.got) <= 7


async def test_secrets_are_masked_and_the_address_is_never_logged(
    store: Store, clock: ManualClock, inbox: Inbox, capsys: pytest.CaptureFixture[str]
) -> None:
    log.configure(level="DEBUG")
    log.hide(["deadbeefcafe0123"])
    inbox.status = 500
    store.alert("the venue said: x-api-key: abcdefgh12345678 deadbeefcafe0123")

    await alerter(store, clock, url=inbox.url).run()

    sent = json.dumps(inbox.got)
    assert "abcdefgh12345678" not in sent
    assert "deadbeefcafe0123" not in sent
    assert "a-secret-token" not in capsys.readouterr().err


async def test_a_command_gets_one_line_on_standard_input(
    store: Store, clock: ManualClock, tmp_path: Path
) -> None:
    heard = tmp_path / "heard"
    script = "import sys, pathlib; pathlib.Path(sys.argv[1]).write_text(sys.stdin.read())"
    store.alert("$(touch /tmp/never) `reboot`")

    await alerter(store, clock, command=(sys.executable, "-c", script, str(heard))).run()

    (line,) = heard.read_text().splitlines()
    assert json.loads(line)["alerts"][0]["text"] == "$(touch /tmp/never) `reboot`"
    assert store.meta("alerts_sent:command") == "1"


@pytest.mark.parametrize(
    "command",
    [("/no/such/program",), (sys.executable, "-c", "raise SystemExit(3)")],
)
async def test_a_command_that_fails_leaves_the_alert_waiting(
    store: Store, clock: ManualClock, command: tuple[str, ...]
) -> None:
    store.alert("not lost")

    await alerter(store, clock, command=command).run()

    assert store.meta("alerts_sent:command") is None


async def test_a_command_that_hangs_is_ended(store: Store, clock: ManualClock) -> None:
    store.alert("too slow")
    command = (sys.executable, "-c", "import time; time.sleep(60)")

    await alerter(store, clock, command=command, timeout_s=0.3).run()

    assert store.meta("alerts_sent:command") is None


def test_an_address_beyond_this_machine_needs_tls() -> None:
    with pytest.raises(ConfigError, match="https"):
        configured(alerts={"url": "http://example.com/hook"})
    assert configured(alerts={"url": "https://example.com/hook"}).alerts.url is not None
