"""The WebSocket of a connection, frame by frame: what RFC 6455 asks of a server."""

from __future__ import annotations

import asyncio
import struct
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import orjson
import pytest

from bff import outlet
from bff import websocket as module
from bff.frames import Frame
from bff.outlet import broadcast
from bff.sockets import Handler
from bff.websocket import OutletWebSocket
from tests.support.engine import Client, Polling, upgrade
from tests.support.recorder import NAME, Setup, recording, until

TEXT, BINARY, CLOSE, PING, PONG, MORE = 0x1, 0x2, 0x8, 0x9, 0xA, 0x0
FINAL = 0x80
HELLO = b'40/executions,{"token":"good"}'


WIRES: list[asyncio.StreamWriter] = []


@pytest.fixture
async def setup() -> AsyncIterator[Setup]:
    async with serving() as made:
        yield made


@asynccontextmanager
async def serving(*, deflate: bool = False) -> AsyncIterator[Setup]:
    """A server, and an end for all who connected to it by `request`."""
    async with recording(deflate=deflate) as made:
        try:
            yield made
        finally:
            while WIRES:
                writer = WIRES.pop()
                writer.transport.abort()
                with suppress(ConnectionError):
                    await writer.wait_closed()


def frame(payload: bytes, opcode: int = TEXT, *, first: int = FINAL) -> bytes:
    """One masked frame, as clients send them."""
    mask = b"\x01\x02\x03\x04"
    size = len(payload)
    if size < 126:
        head = struct.pack("!BB", first | opcode, 0x80 | size)
    else:
        head = struct.pack("!BBQ", first | opcode, 0x80 | 127, size)
    return head + mask + bytes(byte ^ mask[at % 4] for at, byte in enumerate(payload))


class Wire:
    """A client of bytes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def read(self) -> tuple[int, bytes]:
        """The next frame: opcode and payload."""
        async with asyncio.timeout(5):
            first, size = await self.reader.readexactly(2)
            assert first & FINAL
            if size == 126:
                (size,) = struct.unpack("!H", await self.reader.readexactly(2))
            elif size == 127:
                (size,) = struct.unpack("!Q", await self.reader.readexactly(8))
            return first & 0xF, await self.reader.readexactly(size)

    async def until(self, opcode: int) -> bytes:
        while True:
            found, payload = await self.read()
            if found == opcode:
                return payload


async def request(setup: Setup, *sent: bytes, **changes: str | None) -> Wire:
    """Ask for a WebSocket, with frames in the same segment."""
    host, port = setup.url.removeprefix("http://").split(":")
    headers = {
        "Host": host,
        "Upgrade": "websocket",
        "Connection": "keep-alive, Upgrade",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Version": "13",
    }
    for name, value in changes.items():
        headers[name.replace("_", "-")] = value  # type: ignore[assignment]
    lines = [f"{name}: {value}\r\n" for name, value in headers.items() if value is not None]
    reader, writer = await asyncio.open_connection(host, int(port))
    start = "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\n"
    WIRES.append(writer)
    writer.write((start + "".join(lines) + "\r\n").encode() + b"".join(sent))
    return Wire(reader, writer)


async def accepted(setup: Setup, *sent: bytes) -> Wire:
    wire = await request(setup, *sent)
    head = await wire.reader.readuntil(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 101 ")
    assert b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n" in head, "RFC 6455, 1.3"
    assert (await wire.read())[1].startswith(b'0{"sid"')
    return wire


async def test_frames_in_the_requests_segment_are_not_lost(setup: Setup) -> None:
    wire = await accepted(setup, frame(HELLO), frame(b'42/executions,1["echo",1]'))
    assert (await wire.read())[1].startswith(b"40/executions,")
    assert (await wire.read())[1] == b'43/executions,1[{"ok":true,"echo":1}]'


async def test_a_message_in_pieces_with_a_ping_between_them_is_one(setup: Setup) -> None:
    wire = await accepted(setup)
    wire.writer.write(frame(HELLO[:5], first=0) + frame(b"are you there?", PING))
    wire.writer.write(frame(HELLO[5:9], MORE, first=0) + frame(HELLO[9:], MORE))
    assert await wire.until(PONG) == b"are you there?"
    assert (await wire.until(TEXT)).startswith(b"40/executions,")
    for byte in frame(b'42/executions,1["echo",1]'):  # and one that comes byte by byte
        wire.writer.write(bytes((byte,)))
        await asyncio.sleep(0)
    assert (await wire.until(TEXT)).startswith(b"43/executions,1")


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (frame(b"4\xff\xfe"), 1007),
        (frame(b"4x", first=FINAL | 0x40), 1002),
        (frame(b"x", MORE), 1002),
        (frame(b"x" * 126, PING), 1002),
        (frame(b"4x", 0x5), 1002),
        (struct.pack("!BBQ", FINAL | TEXT, 0x80 | 127, 1_000_001), 1009),
        (frame(b"7"), 1002),
        (frame(struct.pack("!H", 4_000) + b"bye", CLOSE), 1000),
        (frame(b"", CLOSE), 1000),
        (frame(b"1"), 1000),
    ],
)
async def test_each_end_has_its_code_and_leaves_nothing(
    setup: Setup, sent: bytes, code: int
) -> None:
    wire = await accepted(setup, frame(HELLO))
    await wire.until(TEXT)
    wire.writer.write(sent)
    assert struct.unpack("!H", (await wire.until(CLOSE))[:2]) == (code,)
    await until(lambda: not setup.server.eio.sockets and not setup.server.environ)
    assert len(setup.namespace.departed) == 1
    wire.writer.write(frame(struct.pack("!H", code), CLOSE))
    assert await wire.reader.read() == b""


async def test_a_closing_handshake_that_is_not_answered_ends(
    setup: Setup, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CLOSE_SECONDS", 0.1)
    wire = await accepted(setup)
    wire.writer.write(frame(b"7"))
    await wire.until(CLOSE)
    async with asyncio.timeout(5):
        with pytest.raises(ConnectionError):
            while True:
                wire.writer.write(frame(b"4x"))
                assert not await wire.reader.read(1)
                await asyncio.sleep(0.02)


@pytest.mark.parametrize(
    "changes",
    [
        {"Sec_WebSocket_Key": None},
        {"Sec_WebSocket_Key": "c2hvcnQ="},
        {"Sec_WebSocket_Key": "!!!!"},
        {"Sec_WebSocket_Version": "12"},
        {"Sec_WebSocket_Version": None},
        {"Connection": "keep-alive"},
    ],
)
async def test_a_handshake_that_is_none_is_refused_and_leaves_nothing(
    setup: Setup, changes: dict[str, str | None]
) -> None:
    wire = await request(setup, **changes)
    assert (await wire.reader.readline()).startswith(b"HTTP/1.1 400 ")
    await until(lambda: not setup.server.eio.sockets and not setup.server.environ)
    assert len(setup.server._doors) == 0


async def test_what_was_sent_before_the_end_is_handled_in_order(setup: Setup) -> None:
    wire = await accepted(setup, frame(HELLO))
    await wire.until(TEXT)
    calls = [frame(f'42{NAME},["slow",{number}]'.encode()) for number in range(20)]
    wire.writer.write(b"".join(calls))
    wire.writer.close()
    await until(lambda: len(setup.namespace.departed) == 1)
    assert setup.namespace.calls == list(range(20))


async def test_a_client_faster_than_the_handlers_is_not_read_on(setup: Setup) -> None:
    wire = await accepted(setup, frame(HELLO))
    await wire.until(TEXT)
    websocket = setup.outlet()._websocket
    assert isinstance(websocket, OutletWebSocket)
    one = frame(f'42{NAME},["slow",[{"1," * 20_000}1]]'.encode())

    async def send() -> None:
        for _ in range(40):
            wire.writer.write(one)
            await wire.writer.drain()

    sending = asyncio.create_task(send())
    most = 0
    setup.namespace.handlers = {"slow": _slowly(setup)}
    while len(setup.namespace.calls) < 40:
        most = max(most, websocket._inbox_bytes)
        await asyncio.sleep(0.001)
    await sending
    assert websocket._inbox is None
    # the bound, and one read of the transport
    assert outlet.PAUSE_BYTES < most < outlet.PAUSE_BYTES + 300_000


def _slowly(setup: Setup) -> Handler:
    async def handle(sid: str, argument: object) -> None:
        await asyncio.sleep(0.005)
        setup.namespace.calls.append(1)

    return handle


async def test_a_second_probe_replaces_the_first(setup: Setup) -> None:
    polling = await setup.polling()
    assert isinstance(polling.wire, Polling)
    first = await upgrade(setup.session, polling.wire)
    await polling.wire.poll()
    second = await upgrade(setup.session, polling.wire)
    await first.closed()
    await second.send("5")
    assert (await Client(second, NAME).call("echo", 1))["ok"]


async def test_a_probe_ends_with_the_connection_that_it_was_for(setup: Setup) -> None:
    polling = await setup.polling()
    assert isinstance(polling.wire, Polling)
    probe = await upgrade(setup.session, polling.wire)
    await polling.wire.poll()
    assert await polling.wire.post("1") == 200
    await probe.closed()
    await until(lambda: not setup.server.eio.sockets and not setup.server.environ)


OFFER = {"Sec_WebSocket_Extensions": "permessage-deflate; client_max_window_bits"}
LONG = Frame((b'42/executions,["long",%s]' % orjson.dumps("a line of a log\n" * 300),))


async def test_long_messages_are_deflated_once_for_all_who_offer_it() -> None:
    async with serving(deflate=True) as setup:
        clients = [await setup.websocket(compress=compress) for compress in (15, 15, 0)]
        outlets = list(setup.namespace.arrived.values())
        assert [outlet.deflates for outlet in outlets] == [True, True, False]
        assert broadcast(LONG, outlets, 100_000) == []
        assert len(LONG.deflated) < len(LONG.wire) / 10
        taken = [outlet.taken for outlet in outlets]
        assert taken[2] - taken[0] == taken[2] - taken[1] == len(LONG.wire) - len(LONG.deflated)
        for client in clients:
            assert await client.next_event() == ("long", "a line of a log\n" * 300)
            for _ in range(3):  # what it sends is compressed as well, in one context
                assert (await client.call("echo", "x" * 2_000))["echo"] == "x" * 2_000


async def test_a_deflated_frame_says_so_and_a_short_one_is_sent_as_it_is() -> None:
    async with serving(deflate=True) as setup:
        wire = await request(setup, **OFFER)
        head = await wire.reader.readuntil(b"\r\n\r\n")
        agreed = b"Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover\r\n"
        assert agreed in head
        assert (await wire.read())[1].startswith(b'0{"sid"')
        wire.writer.write(frame(HELLO))
        assert (await wire.read())[1].startswith(b"40/executions,")
        for _ in range(2):  # each for itself
            setup.outlet().write(LONG)
            first = (await wire.reader.readexactly(1))[0]
            assert first == FINAL | 0x40 | TEXT
            size = (await wire.reader.readexactly(1))[0]
            if size == 126:
                (size,) = struct.unpack("!H", await wire.reader.readexactly(2))
            data = await wire.reader.readexactly(size)
            whole = zlib.decompressobj(-zlib.MAX_WBITS).decompress(data + b"\x00\x00\xff\xff")
            assert whole == LONG.packets[0]


@pytest.mark.parametrize(
    ("deflate", "offer"),
    [
        (False, "permessage-deflate"),
        (True, None),
        (True, "permessage-deflate; server_max_window_bits=10"),
        (True, "x-webkit-something"),
    ],
)
async def test_nothing_is_deflated_that_was_not_agreed_on(deflate: bool, offer: str | None) -> None:
    async with serving(deflate=deflate) as setup:
        wire = await request(setup, Sec_WebSocket_Extensions=offer)
        head = await wire.reader.readuntil(b"\r\n\r\n")
        assert b"101 " in head and b"Sec-WebSocket-Extensions" not in head
        assert (await wire.read())[1].startswith(b'0{"sid"')
        wire.writer.write(frame(HELLO))
        assert (await wire.read())[1].startswith(b"40/executions,")
        setup.outlet().write(LONG)
        assert (await wire.read())[1] == LONG.packets[0]


async def test_a_bomb_is_refused_before_it_is_whole() -> None:
    async with serving(deflate=True) as setup:
        wire = await request(setup, **OFFER)
        await wire.reader.readuntil(b"\r\n\r\n")
        deflate = zlib.compressobj(9, wbits=-zlib.MAX_WBITS)
        data = deflate.compress(b"4" + b"0" * 50_000_000) + deflate.flush(zlib.Z_SYNC_FLUSH)
        wire.writer.write(frame(data[:-4], first=FINAL | 0x40))
        assert struct.unpack("!H", (await wire.until(CLOSE))[:2]) == (1009,)
