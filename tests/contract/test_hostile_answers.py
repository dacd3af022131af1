"""
Whatever is answered: a ``VenueError``, or of a send "no proof"; at once, and in little memory.

Every question of the ports at both venues, over the real SDKs and sockets.
"""

import resource
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from decimal import Decimal
from functools import cache
from typing import Any

import httpx
import pytest

from adapters.common import body
from adapters.lighter import gateway
from adapters.x10 import http
from hedger.common.words import TEXT_MAX
from hedger.domain.order import Accepted, Declined, NeverSent, NoProof, NotFound
from hedger.errors import ConfigError, VenueError
from tests.contract import hostile
from tests.contract.account import Account

LONGEST_S = 3.0  # of two busy cores; what is beyond it holds the loop
MEMORY_KB = 150_000
SEND = r"/user/order$|/sendTx$"

packed = cache(hostile.bomb)


@contextmanager
def within_bounds() -> Iterator[None]:
    """Of time and of memory."""
    began, before = time.perf_counter(), _peak_kb()
    yield
    assert time.perf_counter() - began < LONGEST_S
    assert _peak_kb() - before < MEMORY_KB


def _peak_kb() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def assert_told(text: str) -> None:
    """One printable line of bounded length."""
    assert text.isprintable()
    assert len(text) < TEXT_MAX + 100


async def asked(call: hostile.Call, account: Account) -> bool:
    """Whether there was an answer; nothing but errors on purpose may be raised, in a sentence."""
    allowed = (VenueError, ConfigError) if call is hostile.READS["start"] else VenueError
    try:
        await call(account)
    except allowed as error:
        assert_told(str(error))
        return False
    return True


@pytest.fixture(params=list(hostile.unlike_any(b"")))
def answer(request: pytest.FixtureRequest) -> Mapping[str, Any]:
    found: Mapping[str, Any] = hostile.unlike_any(packed())[request.param]
    return found


async def test_security_f1_f3_a_hostile_answer_to_a_read_is_a_venue_error(
    account: Account, answer: Mapping[str, Any], request: pytest.FixtureRequest
) -> None:
    account.world.rewrite(account.name, ".", times=0, **answer)
    heavy = request.node.callspec.params["answer"] in hostile.HEAVY

    for name, call in hostile.READS.items():
        if heavy and name not in hostile.READERS:
            continue
        with within_bounds():
            there = await asked(call, account)
        # X10 has no nonce and asks nothing; Lighter starts on any answer that refuses no key
        assert not there or name in {"next_nonce", "start"}, name

    account.world.no_rewrites()
    for call in hostile.READS.values():
        assert await asked(call, account)


async def test_security_f1_f3_a_hostile_answer_to_a_send_proves_nothing(
    account: Account, answer: Mapping[str, Any]
) -> None:
    ready = await account.prepared()
    account.world.rewrite(account.name, SEND, times=0, **answer)

    with within_bounds():
        told = await account.venue.submit(ready)

    assert isinstance(told, NoProof | Declined)
    assert_told(told.detail)
    account.world.no_rewrites()
    assert isinstance(await account.venue.find(ready), NotFound)


async def test_security_f1_a_hostile_answer_to_a_look_up_is_a_venue_error(
    account: Account, answer: Mapping[str, Any]
) -> None:
    ready = await account.filled()
    account.world.rewrite(account.name, ".", times=0, **answer)

    with within_bounds(), pytest.raises(VenueError):
        await account.venue.find(ready)


@asynccontextmanager
async def recorded(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[list[tuple[str, str]]]:
    """Paths and texts of true answers, while they are read as ever."""
    texts: list[tuple[str, str]] = []

    def over(read: Callable[..., Any]) -> Callable[..., Any]:
        async def reading(response: Any) -> Any:
            text = await read(response)
            url = response.url
            texts.append((url.path, text))
            return text

        return reading

    with monkeypatch.context() as patch:
        for module in (http, gateway):
            patch.setattr(module, "text_of", over(body.text_of))
        patch.setattr("adapters.http_quotes.text_of_stream", over(body.text_of_stream))
        yield texts


@pytest.mark.parametrize("name", [name for name in hostile.READS if name != "start"])
async def test_security_f2_no_field_holds_the_loop_or_breaks_out(
    account: Account, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await account.filled()
    account.world.advance_market(hours=2)
    call = hostile.READS[name]
    async with recorded(monkeypatch) as texts:
        assert await asked(call, account)
    answers = {path: text for path, text in texts if len(text) < 100_000}

    for path, text in answers.items():
        for what, put in hostile.changed(text):
            account.world.no_rewrites()
            account.world.rewrite(account.name, f"^{path}($|\\?)", times=1, body=put)
            began = time.perf_counter()
            await asked(call, account)
            assert time.perf_counter() - began < LONGEST_S, (path, what)


async def test_security_f2_no_field_of_an_order_breaks_out_of_its_look_up(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    ready = await account.filled()

    async def find(of: Account) -> object:
        return await of.venue.find(ready)

    async with recorded(monkeypatch) as texts:
        assert await asked(find, account)
    for path, text in texts:
        for _, put in hostile.changed(text):
            account.world.no_rewrites()
            account.world.rewrite(account.name, f"^{path}($|\\?)", times=1, body=put)
            await asked(find, account)


async def test_security_f2_no_field_of_an_answer_to_a_send_breaks_out(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with recorded(monkeypatch) as texts:
        await account.sent()
    (text,) = [text for path, text in texts if path.endswith(("/user/order", "/sendTx"))]
    number = 1
    for _, put in hostile.changed(text):
        number += 1
        ready = await account.prepared(number)
        account.world.rewrite(account.name, SEND, times=1, body=put)
        told = await account.venue.submit(ready)
        assert isinstance(told, Accepted | NoProof | Declined | NeverSent)
        assert_told(told.detail)


@pytest.mark.parametrize(
    "date",
    [
        "Fri, 31 Dec 9999 23:59:59 GMT",
        "Fri, 31 Dec 9999 23:59:59 -2359",
        "Mon, 99999999999999999999 Jan 2026 00:00:00 GMT",
        "Mon, 01 Jan 2026 00:00:00 +99999999999999999999",
        "1e999999",
        "9" * 5_000,
        "\u00b2" * 20,
    ],
)
async def test_security_f2_no_date_of_an_answer_breaks_out(account: Account, date: str) -> None:
    venue: Any = account.venue
    clock = venue._http.time if account.name == "x10" else venue._gateway.time
    now = account.world.clock.now()
    before = account.venue.offset

    clock.answered(date, now)

    assert account.venue.offset == before
    await account.prepared()


async def test_a_packed_answer_of_a_sane_size_is_read(account: Account) -> None:
    import gzip

    async with httpx.AsyncClient(trust_env=False) as client:
        option = "api_base_url" if account.name == "x10" else "url"
        path = "/info/markets" if account.name == "x10" else "/api/v1/orderBookDetails"
        true = (await client.get(str(account.access().options[option]) + path)).content
    account.world.rewrite(
        account.name,
        path,
        body=gzip.compress(true),
        headers={"Content-Encoding": "gzip"},
    )

    assert (await account.quotes.instruments())["ETH"].size_step > Decimal(0)  # type: ignore[index]


IN_A_PROCESS = """
import sys
from adapters.common import sdk
from hedger.common.bounds import loads
before = sys.getrecursionlimit()
sdk.load("lighter")
assert sys.getrecursionlimit() == before, sys.getrecursionlimit()
from adapters.common.answers import envelope, parse_json
from adapters.lighter.answers import classify
from adapters.x10.codes import classify as classify_x10
from hedger.errors import DriftError
deep = '{"code":200,"data":' + "[" * 100_000 + "]" * 100_000 + "}"
assert envelope(deep) == {}
print(type(classify(200, deep, None)).__name__, type(classify_x10(200, deep, "1")).__name__)
try:
    parse_json("lighter", "GET /account", deep)
except DriftError as error:
    print(error)
"""


def test_security_f1_a_deep_answer_does_not_end_the_process() -> None:
    done = subprocess.run(
        [sys.executable, "-c", IN_A_PROCESS], capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, (done.returncode, done.stderr)
    assert done.stdout.splitlines()[0] == "NoProof NoProof"
    assert "not JSON" in done.stdout
