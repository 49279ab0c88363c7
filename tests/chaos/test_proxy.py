"""The proxy does to connections what it says, and otherwise leaves every byte as it is."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from tests.chaos.proxy import BLACKHOLE, CLEAR, Faults, Proxy

DATA = bytes(range(256)) * 400


@asynccontextmanager
async def echo() -> AsyncIterator[int]:
    """The port of a server that sends back what it gets."""
    tasks: set[asyncio.Task[None] | None] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        tasks.add(task)
        with suppress(OSError):
            while data := await reader.read(65_536):
                writer.write(data)
                await writer.drain()
        writer.close()
        tasks.discard(task)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        while tasks:
            await asyncio.sleep(0.01)


class Caller:
    """A connection through the proxy."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def say(self, data: bytes) -> bytes:
        """What comes back for it."""
        self.writer.write(data)
        return await self.reader.readexactly(len(data))

    async def silent(self, seconds: float = 0.2) -> bool:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.reader.readexactly(1)
            return False
        return True


@asynccontextmanager
async def call(proxy: Proxy) -> AsyncIterator[Caller]:
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    try:
        yield Caller(reader, writer)
    finally:
        writer.transport.abort()


@asynccontextmanager
async def proxied(seed: int = 1) -> AsyncIterator[Proxy]:
    async with echo() as port, Proxy(port, random.Random(seed)) as proxy:
        yield proxy


@pytest.mark.parametrize(
    "faults",
    [
        CLEAR,
        Faults(delay=0.02),
        Faults(delay=0.01, jitter=0.02),
        Faults(bandwidth=2_000_000),
        Faults(slices=True),
    ],
    ids=["clear", "delay", "jitter", "bandwidth", "slices"],
)
async def test_every_byte_arrives_in_order(faults: Faults) -> None:
    async with proxied() as proxy:
        proxy.faults = faults
        async with call(proxy) as caller:
            data = DATA[:20_000] if faults.slices else DATA
            assert await caller.say(data) == data


async def test_delay_is_that_long_each_way() -> None:
    async with proxied() as proxy, call(proxy) as caller:
        await caller.say(b"x")
        proxy.faults = Faults(delay=0.1)
        before = asyncio.get_running_loop().time()
        await caller.say(b"x")
        assert 0.2 <= asyncio.get_running_loop().time() - before < 1


async def test_delay_does_not_hold_up_what_comes_behind() -> None:
    async with proxied() as proxy, call(proxy) as caller:
        proxy.faults = Faults(delay=0.1)
        before = asyncio.get_running_loop().time()
        for _ in range(20):
            caller.writer.write(b"x")
            await asyncio.sleep(0.005)
        await caller.reader.readexactly(20)
        assert asyncio.get_running_loop().time() - before < 1


async def test_bandwidth_is_a_limit() -> None:
    async with proxied() as proxy, call(proxy) as caller:
        proxy.faults = Faults(bandwidth=100_000)
        before = asyncio.get_running_loop().time()
        await caller.say(DATA[:30_000])
        assert 0.25 <= asyncio.get_running_loop().time() - before < 3


async def test_slices_are_small() -> None:
    sizes = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            sizes.append(len(data))
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with Proxy(port, random.Random(1)) as proxy:
        proxy.faults = Faults(slices=True)
        async with call(proxy) as caller:
            caller.writer.write(b"x" * 1_000)
            async with asyncio.timeout(5):
                while sum(sizes) < 1_000:
                    await asyncio.sleep(0.01)
    server.close()
    # the kernel may join some on the way
    assert len(sizes) > 50
    assert max(sizes) < 500


async def test_reset_reaches_both_sides() -> None:
    async with proxied() as proxy, call(proxy) as caller:
        await caller.say(b"x")
        proxy.reset()
        with pytest.raises(ConnectionResetError):
            await caller.say(b"x")
        assert proxy.resets == 1
        async with call(proxy) as again:
            assert await again.say(b"y") == b"y"


async def test_a_cut_comes_in_the_middle_and_at_the_same_byte_for_the_same_seed() -> None:
    arrived = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        size = 0
        with suppress(ConnectionResetError):
            while data := await reader.read(100):
                size += len(data)
        arrived.append(size)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    for seed in (5, 5, 6):
        async with Proxy(port, random.Random(seed)) as proxy:
            # slowly, so that the reset does not overtake what was sent before it
            proxy.faults = Faults(cut=2_000, bandwidth=20_000)
            async with call(proxy) as caller:
                caller.writer.write(DATA)
                with suppress(ConnectionResetError):
                    await caller.reader.read()
            assert proxy.resets == 1
    while len(arrived) < 3:
        await asyncio.sleep(0.01)
    server.close()
    assert 0 < arrived[0] == arrived[1] != arrived[2] <= 2_000


async def test_blackhole_loses_nothing_and_ends() -> None:
    async with proxied() as proxy, call(proxy) as caller:
        await caller.say(b"x")
        proxy.faults = BLACKHOLE
        caller.writer.write(b"y")
        async with call(proxy) as newcomer:
            newcomer.writer.write(b"z")
            assert await caller.silent()
            assert await newcomer.silent()
            assert proxy.connections == 1
            proxy.faults = CLEAR
            assert await caller.reader.readexactly(1) == b"y"
            assert await newcomer.reader.readexactly(1) == b"z"


@pytest.mark.parametrize("faults", [Faults(up=False), Faults(down=False)], ids=["up", "down"])
async def test_one_direction_alone(faults: Faults) -> None:
    async with proxied() as proxy, call(proxy) as caller:
        await caller.say(b"x")
        proxy.faults = faults
        caller.writer.write(b"y")
        assert await caller.silent()
        proxy.faults = CLEAR
        assert await caller.reader.readexactly(1) == b"y"


async def test_half_open_tells_the_client_nothing() -> None:
    async with proxied() as proxy, call(proxy) as caller:
        await caller.say(b"x")
        proxy.orphan()
        caller.writer.write(b"y")
        assert await caller.silent()
        async with call(proxy) as again:
            assert await again.say(b"z") == b"z"


async def test_refuse_and_listen_again() -> None:
    async with proxied() as proxy, call(proxy) as caller:
        port = proxy.port
        proxy.refuse()
        assert await caller.say(b"x") == b"x"
        with pytest.raises(ConnectionRefusedError):
            async with call(proxy):
                pass
        await proxy.listen()
        assert proxy.port == port
        async with call(proxy) as again:
            assert await again.say(b"y") == b"y"


async def test_an_end_is_passed_on() -> None:
    async with proxied() as proxy, call(proxy) as caller:
        caller.writer.write(b"x")
        caller.writer.write_eof()
        assert await caller.reader.read() == b"x"
