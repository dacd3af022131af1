"""Fixtures for all tests. Which loop a test gets follows from the fixtures it asks for."""

import asyncio
import gc
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hypothesis
import pytest

from hedger.clock import Clock, SystemClock

if TYPE_CHECKING:
    from tests.desk import Desk
    from tests.world import World  # loads both venues; a unit test does without

hypothesis.settings.register_profile(
    "hedger",
    deadline=None,  # two shared cores
    database=None,
    derandomize=True,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("hedger")

VIRTUAL_FIXTURES = frozenset({"virtual_time", "world", "desk"})
LoopFactory = Callable[[], asyncio.AbstractEventLoop]


@pytest.fixture(autouse=True)
def as_in_a_pipe(monkeypatch: pytest.MonkeyPatch) -> None:
    """The width of whoever runs the tests is not that of what they read."""
    monkeypatch.delenv("COLUMNS", raising=False)


def pytest_collection_finish() -> None:
    """What collecting has loaded stays: it is not searched for garbage thousands of times."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "sandbox(**options): SandboxOptions of the fixture world")
    config.addinivalue_line("markers", "config(**sections): configuration of the fixture desk")


def pytest_asyncio_loop_factories(
    config: pytest.Config,  # noqa: ARG001 - the hook's own names
    item: pytest.Item,
) -> Mapping[str, LoopFactory]:
    if VIRTUAL_FIXTURES.isdisjoint(getattr(item, "fixturenames", ())):
        return {"real": asyncio.new_event_loop}
    from tests import virtual_network

    return {"virtual": virtual_network.EventLoop}


@pytest.fixture
def _virtual_network() -> Iterator[None]:
    from tests import virtual_network

    with virtual_network.installed():
        yield


@pytest.fixture
async def virtual_time(_virtual_network: None) -> Clock:
    """The test runs in virtual time; this is its clock."""
    from tests.virtual_network import virtual_clock

    return virtual_clock()


@pytest.fixture
async def world(virtual_time: Clock, request: pytest.FixtureRequest) -> "AsyncIterator[World]":
    """Both venues in virtual time (tests/world.py)."""
    from tests.world import opened

    async with opened(virtual_time, **_sandbox_options(request)) as world:
        yield world


@pytest.fixture
async def real_world(request: pytest.FixtureRequest) -> "AsyncIterator[World]":
    """The same over real sockets on loopback, in real time."""
    from tests.world import opened

    async with opened(SystemClock(), **_sandbox_options(request)) as world:
        yield world


def _sandbox_options(request: pytest.FixtureRequest) -> dict[str, Any]:
    marker = request.node.get_closest_marker("sandbox")
    return {} if marker is None else dict(marker.kwargs)


@pytest.fixture
async def desk(
    world: "World", tmp_path: Path, request: pytest.FixtureRequest
) -> "AsyncIterator[Desk]":
    """The whole program over ``world``; ``@pytest.mark.config(section={...})`` changes it."""
    from tests.desk import at_desk

    marker = request.node.get_closest_marker("config")
    async with at_desk(world, tmp_path, **(marker.kwargs if marker else {})) as found:
        yield found
