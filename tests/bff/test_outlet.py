"""The outlet: direct only while nothing waits, so that all leaves in one order."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from engineio import packet

from bff.outlet import Frame, Outlet, websocket_frame


class Transport:
    def __init__(self) -> None:
        self.written: list[bytes] = []

    def write(self, data: bytes) -> None:
        self.written.append(data)

    def is_closing(self) -> bool:
        return False

    def get_write_buffer_size(self) -> int:
        return 0


def outlet_on(transport: Transport, *, upgraded: bool) -> Outlet:
    outlet = Outlet()
    socket: Any = SimpleNamespace(closed=False, closing=False, upgraded=upgraded)
    outlet.bind(socket)
    websocket: Any = SimpleNamespace(paused=False)
    outlet.attach(websocket, transport)  # type: ignore[arg-type]
    return outlet


@pytest.mark.parametrize("upgraded", [True, False])
async def test_it_writes_past_the_queue_only_if_nothing_waits(upgraded: bool) -> None:
    transport = Transport()
    outlet = outlet_on(transport, upgraded=upgraded)
    first, second, third = (Frame((b"4" + name,)) for name in (b"a", b"b", b"c"))
    outlet.write(first)
    assert transport.written == [], "engine.io's writer is not there yet"
    assert await outlet.get() is first
    writer = asyncio.create_task(outlet.get())
    await asyncio.sleep(0)
    outlet.write(second)
    if not upgraded:
        assert await writer is second and transport.written == []
        return
    assert transport.written == [websocket_frame(b"4b")]
    ping = packet.Packet(packet.PING)
    outlet.put_nowait(ping)
    outlet.write(third)  # the writer was woken, but has not run: the ping is before this
    assert transport.written == [websocket_frame(b"4b")]
    assert await writer is ping
    outlet.write(Frame((b"4d",)))  # the writer has the ping in hand
    assert transport.written == [websocket_frame(b"4b")]
    assert outlet.get_nowait() is third
