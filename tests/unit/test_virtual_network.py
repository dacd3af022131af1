"""The virtual network behaves as a network: answers, timeouts, refusals, drops, streams."""

import asyncio
import threading

import aiohttp
import httpx
import pytest
import websockets
from aiohttp import web


@pytest.fixture
async def url(virtual_time):
    async def slow(request):
        await virtual_time.sleep(float(request.query.get("after_s", 3)))
        return web.json_response({"seen": request.query.get("after_s")})

    async def drop(request):
        request.transport.abort()
        return web.Response()

    async def stream(request):
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        reading = asyncio.create_task(socket.receive())  # is what answers the client's pings
        for number in range(3):
            await socket.send_str(str(number))
            await virtual_time.sleep(25)
        reading.cancel()
        await socket.close()
        return socket

    app = web.Application()
    app.add_routes([web.get("/slow", slow), web.get("/drop", drop), web.get("/stream", stream)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


async def test_hours_pass_without_waiting(virtual_time):
    began = virtual_time.now()
    await virtual_time.sleep(7_200)
    assert (virtual_time.now() - began).total_seconds() == 7_200


async def test_httpx_gets_answers_timeouts_refusals_and_drops(url, virtual_time):
    async with httpx.AsyncClient(trust_env=False, timeout=5) as client:
        for _ in range(2):  # the second one over the idle connection
            answer = await client.get(f"{url}/slow", params={"after_s": 3})
            assert answer.json() == {"seen": "3"}
        began_s = virtual_time.monotonic_s()
        with pytest.raises(httpx.ReadTimeout):
            await client.get(f"{url}/slow", params={"after_s": 60})
        assert virtual_time.monotonic_s() - began_s == pytest.approx(5)
        with pytest.raises(httpx.ConnectError):
            await client.get("http://127.0.0.1:1/")
        with pytest.raises(httpx.RemoteProtocolError):
            await client.get(f"{url}/drop")


async def test_aiohttp_gets_answers_timeouts_refusals_and_drops(url, virtual_time):
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as session:
        for _ in range(2):
            async with session.get(f"{url}/slow") as answer:
                assert answer.status == 200
        with pytest.raises(TimeoutError):
            await session.get(f"{url}/slow?after_s=60")
        with pytest.raises(aiohttp.ClientConnectorError):
            await session.get("http://127.0.0.1:1/")
        with pytest.raises(aiohttp.ServerDisconnectedError):
            await session.get(f"{url}/drop")
    assert virtual_time.monotonic_s() == pytest.approx(11)


async def test_websockets_receive_frames_as_time_passes(url, virtual_time):
    async with websockets.connect(f"{url.replace('http', 'ws')}/stream") as socket:
        arrivals = [(frame, round(virtual_time.monotonic_s())) async for frame in socket]
    assert arrivals == [("0", 0), ("1", 25), ("2", 50)]


async def test_work_in_a_thread_takes_no_virtual_time(virtual_time):
    here = threading.get_ident()
    there = await asyncio.to_thread(threading.get_ident)
    assert there != here
    assert virtual_time.monotonic_s() == 0
