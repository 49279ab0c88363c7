"""The outlet: what waits while the connection polls leaves first, then all goes straight out."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

from engineio import packet

from bff.frames import Frame, websocket_frame
from bff.outlet import Outlet


class Transport:
    def __init__(self) -> None:
        self.written: list[bytes] = []

    def write(self, data: bytes) -> None:
        self.written.append(data)

    def is_closing(self) -> bool:
        return False

    def get_write_buffer_size(self) -> int:
        return 0


def polling() -> Outlet:
    outlet = Outlet()
    socket: Any = SimpleNamespace(closed=False, closing=False, last_ping=0)
    outlet.bind(socket)
    return outlet


def attach(outlet: Outlet, transport: Transport, greeting: bytes = b"") -> None:
    websocket: Any = SimpleNamespace(paused=False)
    outlet.attach(websocket, transport, greeting)  # type: ignore[arg-type]


async def test_what_waits_leaves_before_what_comes_after_the_upgrade() -> None:
    outlet, transport = polling(), Transport()
    outlet.write(Frame((b"4a", b"4b")))
    outlet.put_nowait(packet.Packet(packet.MESSAGE, "c"))
    outlet.write(Frame((b"4d",)))
    assert outlet.backlog > 0
    attach(outlet, transport, b"hello")
    outlet.write(Frame((b"4e",)))
    outlet.ping()
    await outlet.put(packet.Packet(packet.MESSAGE, "f"))
    sent = (b"4a", b"4b", b"4c", b"4d", b"4e", b"2", b"4f")
    assert b"".join(transport.written) == b"hello" + b"".join(map(websocket_frame, sent))
    assert outlet.empty() and outlet.backlog == 0


async def test_a_poll_that_was_woken_loses_nothing_to_the_upgrade() -> None:
    outlet, transport = polling(), Transport()
    polls = [asyncio.create_task(outlet.get()) for _ in range(2)]
    await asyncio.sleep(0)
    outlet.write(Frame((b"4a",)))  # wakes a poll, which has not run
    attach(outlet, transport)
    assert transport.written == [websocket_frame(b"4a")]
    for poll in polls:
        assert (await poll).packet_type == packet.NOOP
    assert (await outlet.get()).packet_type == packet.NOOP, "a poll after the upgrade ends too"


async def test_a_poll_has_drained_what_it_took_once_the_next_one_waits() -> None:
    outlet = polling()
    frame = Frame((b"4a",))
    outlet.write(frame)
    drained = asyncio.create_task(outlet.drained())
    assert await outlet.get() is frame
    await asyncio.sleep(0)
    assert not drained.done() and outlet.backlog > 0
    waiting = asyncio.create_task(outlet.get())
    await asyncio.wait_for(drained, 1)
    assert outlet.backlog == 0
    waiting.cancel()
