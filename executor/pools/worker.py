"""A worker process of the process pool: `python -m executor.pools.worker FD`.

It serves one call at a time on its main thread, in the order of the parent's frames, and
ends, with whatever it started, when the parent is gone.
"""

from __future__ import annotations

import asyncio
import inspect
import os
import signal
import socket
import sys
import threading
import time
from dataclasses import replace
from queue import SimpleQueue
from typing import Any

from contract.values import Json, encode_json
from executor.capture import Capture, Level
from executor.pools.base import Work, WorkFailed
from executor.pools.frames import LENGTH, pack, unpack

_CHUNK = 64 * 1024
_PROGRESS_EVERY = 0.05


class SocketSink:
    """The `Sink` of a call inside a worker: passes everything on to the parent."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._lock = threading.Lock()
        self._partial: dict[Level, str] = {}
        self._last_progress = 0.0

    def write(self, level: Level, text: str) -> None:
        with self._lock:
            text = self._partial.pop(level, "") + text
            if text.endswith("\n") or len(text) > _CHUNK:
                self._send(("write", level, text))
            elif text:
                self._partial[level] = text

    def record(self, level: Level, message: str, metadata: Json) -> None:
        with self._lock:
            self._send(("record", level, message, metadata))

    def progress(self, percent: float, message: str | None = None) -> None:
        with self._lock:
            now = time.monotonic()
            if now - self._last_progress >= _PROGRESS_EVERY:
                self._last_progress = now
                self._send(("progress", float(percent), message))

    def end(self, *frame: Any) -> None:
        """The call's last frame, after what was not yet a whole line."""
        with self._lock:
            for level, text in self._partial.items():
                self._send(("write", level, text))
            self._partial.clear()
            self._send(frame)

    def _send(self, frame: Any) -> None:
        self._connection.sendall(pack(frame))


def perform(work: Work, sink: SocketSink) -> bytes:
    """The JSON of what the work gives.

    Raises:
        WorkFailed: it raised, or gave something that is not JSON.
    """
    try:
        context = replace(work.context, progress=sink.progress)
        result = work.tool.function(**work.tool.bind(work.arguments, context))
        if inspect.iscoroutine(result):
            result = asyncio.run(result)
        return encode_json(result, "the output")
    except BaseException as error:
        raise WorkFailed.of(error) from None


def answer(data: bytes, sink: SocketSink) -> tuple[Any, ...]:
    """The last frame of the call that a frame of the parent asks for."""
    try:
        work = unpack(data)
    except BaseException as error:
        failed = WorkFailed.of(error)
        return "failed", f"the worker process cannot load it: {failed.error}", failed.trace, True
    try:
        return "done", perform(work, sink)
    except WorkFailed as failed:
        return "failed", failed.error, failed.trace, failed.permanent


def serve(connection: socket.socket) -> None:
    """Work until the parent closes the connection."""
    inbox: SimpleQueue[bytes] = SimpleQueue()
    threading.Thread(target=_read, args=(connection, inbox), daemon=True).start()
    with Capture().installed() as capture:
        while True:
            data = inbox.get()
            sink = SocketSink(connection)
            capture.fallback = sink
            outcome = answer(data, sink)
            capture.fallback = None
            sink.end(*outcome)


def _read(connection: socket.socket, inbox: SimpleQueue[bytes]) -> None:
    """Frames into the inbox; at the connection's end, the end of this process group."""
    with connection.makefile("rb") as stream:
        while len(head := stream.read(LENGTH.size)) == LENGTH.size:
            inbox.put(stream.read(LENGTH.unpack(head)[0]))
    os.killpg(os.getpgrp(), signal.SIGKILL)


def main() -> None:
    # Ctrl-C in a terminal and a stop of the parent are the parent's to handle.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    serve(socket.socket(fileno=int(sys.argv[1])))


if __name__ == "__main__":
    main()
