"""WebSocket and Socket.IO as bytes: just enough to make load without a client library."""

from __future__ import annotations

import json
import struct
from typing import Any

VIEWERS = "/executions"
EXECUTORS = "/executor"
PING, PONG = b"\x81\x012", "3"
STAMP = "t="
"""Stands before the 16 digits of the nanosecond at which an event was due."""


def upgrade(host: str, path: str = "/socket.io/?EIO=4&transport=websocket") -> bytes:
    """The request that opens a WebSocket."""
    return (
        f"GET {path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\n"
        "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    ).encode()


def text_frame(text: str | bytes, *, masked: bool) -> bytes:
    """One text frame; a client's is masked, here with zeros, which changes nothing."""
    payload = text.encode() if isinstance(text, str) else text
    size, bit = len(payload), 0x80 if masked else 0
    if size < 126:
        head = struct.pack("!BB", 0x81, bit | size)
    elif size < 65_536:
        head = struct.pack("!BBH", 0x81, bit | 126, size)
    else:
        head = struct.pack("!BBQ", 0x81, bit | 127, size)
    return head + bytes(4 if masked else 0) + payload


def connect(namespace: str, auth: dict[str, Any]) -> bytes:
    """Socket.IO's CONNECT."""
    return text_frame(f"40{namespace},{json.dumps(auth)}", masked=True)


def emit(namespace: str, event: str, argument: str, *, ack: int | str = "") -> bytes:
    """Socket.IO's EVENT; `argument` is JSON already."""
    return text_frame(f'42{namespace},{ack}["{event}",{argument}]', masked=True)


def log_line(execution_id: str, seq: int, due: int) -> str:
    """The JSON of a log event's payload, 270 bytes long for a seq of four digits.

    Args:
        due: nanoseconds of the monotonic clock.
    """
    return (
        f'{{"executionId":"{execution_id}","seq":{seq},"attempt":1,'
        '"timestamp":"2026-01-31T12:00:00.000Z","log":{'
        f'"id":"{execution_id}:{seq}","level":"info",'
        f'"message":"{STAMP}{due:016d} a line of an ordinary length, as tools print them '
        'while they work","createdAt":"2026-01-31T12:00:00.000Z"}}'
    )
