"""Engine.IO packets as bytes: encoded once, for any number of connections."""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Sequence
from functools import cached_property
from typing import Any

TEXT, BINARY, CLOSE, PONG = 0x1, 0x2, 0x8, 0xA
"""Opcodes of RFC 6455, section 5.2."""
DEFLATE_ABOVE_BYTES = 1024
"""Shorter messages are not worth it."""
_FINAL, _DEFLATED = 0x80, 0x40
_SHORT, _MEDIUM = 126, 65_536
_LEVEL = 1
"""Twice as fast as zlib's usual one, and JSON becomes hardly longer."""
_PACKET_OVERHEAD = 16


def websocket_frame(payload: bytes, opcode: int = TEXT) -> bytes:
    """One unmasked, final WebSocket frame (RFC 6455, section 5.2)."""
    size = len(payload)
    first = _FINAL | opcode
    if size < _SHORT:
        return bytes((first, size)) + payload
    if size < _MEDIUM:
        return struct.pack("!BBH", first, 126, size) + payload
    return struct.pack("!BBQ", first, 127, size) + payload


def deflated_frame(payload: bytes, opcode: int = TEXT) -> bytes:
    """The same, compressed on its own if it is long (RFC 7692, section 7.2.1)."""
    if len(payload) <= DEFLATE_ABOVE_BYTES:
        return websocket_frame(payload, opcode)
    deflate = zlib.compressobj(_LEVEL, wbits=-zlib.MAX_WBITS)
    data = deflate.compress(payload) + deflate.flush(zlib.Z_SYNC_FLUSH)
    return websocket_frame(data[:-4], _DEFLATED | opcode)


def goodbye(code: int, reason: str = "") -> bytes:
    """The frame that begins or ends the closing handshake (section 5.5.1)."""
    return websocket_frame(struct.pack("!H", code) + reason.encode()[:120], CLOSE)


class Attachment(bytes):
    """A packet that travels as a binary message: base64 in a polling payload."""


class Frame:
    """Engine.IO packets encoded once and written to any number of connections.

    Args:
        packets: each the UTF-8 text of one engine.io packet, type digit included, or the
            `Attachment` that a packet before it announces.
    """

    packet_type = 4  # engine.io's MESSAGE; it only looks at this to log

    def __init__(self, packets: Sequence[bytes]) -> None:
        self.packets = packets
        self.size = sum(map(len, packets)) + len(packets)

    @cached_property
    def wire(self) -> bytes:
        """All packets as WebSocket frames, ready for a transport."""
        return b"".join(websocket_frame(one, _opcode(one)) for one in self.packets)

    @cached_property
    def deflated(self) -> bytes:
        """The same for connections that negotiated compression without context takeover."""
        return b"".join(deflated_frame(one, _opcode(one)) for one in self.packets)

    @cached_property
    def _text(self) -> str:
        return b"\x1e".join(map(_printable, self.packets)).decode()

    def encode(self, b64: bool = False) -> Frame | str:
        """What engine.io asks of a packet: for a polling payload the text of all packets,
        for a WebSocket the frame itself, which `OutletWebSocket.send` knows."""
        return self._text if b64 else self


def _opcode(packet: bytes) -> int:
    return BINARY if isinstance(packet, Attachment) else TEXT


def _printable(packet: bytes) -> bytes:
    return b"b" + base64.b64encode(packet) if isinstance(packet, Attachment) else packet


def queued_size(item: Any) -> int:
    """About how many bytes an item of engine.io's queue has."""
    if item is None:
        return 0
    if isinstance(item, Frame):
        return item.size
    data = item.data
    return _PACKET_OVERHEAD + (len(data) if isinstance(data, str | bytes) else 256)


def wire_of(item: Any, *, deflate: bool) -> bytes:
    """A queue's item as a transport takes it."""
    if item is None:
        return b""
    if isinstance(item, Frame):
        return item.deflated if deflate else item.wire
    encoded = item.encode()
    if isinstance(encoded, str):
        return websocket_frame(encoded.encode())
    return websocket_frame(encoded, BINARY)
