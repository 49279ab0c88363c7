"""What a viewer notes of the bytes that it gets: counts for all, order and latency for some."""

from __future__ import annotations

import re
import time

_LOG = b'"log":{'
"""Once in each event, and in nothing else that a server sends."""
_EDGE = len(_LOG) - 1
_STAMP = re.compile(rb"t=(\d{16})")
_CARRY = 64
_NUMBER = re.compile(rb'"seq":(\d+),"attempt":1,"timestamp":"[^"]*","log"')


class Tally:
    """Counts events in a stream that may be cut anywhere.

    Args:
        measured: note the latency of each event.
        kept: keep everything, so that the order can be checked in the end.
    """

    __slots__ = ("_edge", "_kept", "_measured", "_tail", "latencies", "seen")

    def __init__(self, *, measured: bool = False, kept: bool = False) -> None:
        self.seen = 0
        self.latencies: list[int] = []
        """Nanoseconds between the time that an event carries and its arrival."""
        self._measured = measured
        self._kept: list[bytes] | None = [] if kept else None
        self._edge = self._tail = b""

    def begin(self) -> None:
        """Forget what was counted so far."""
        self.seen = 0
        self.latencies.clear()
        if self._kept is not None:
            self._kept.clear()

    def add(self, data: bytes) -> None:
        """Take the next piece of the stream."""
        self.seen += data.count(_LOG) + (self._edge + data[:_EDGE]).count(_LOG)
        self._edge = (self._edge + data[-_EDGE:])[-_EDGE:]
        if self._kept is not None:
            self._kept.append(data)
        if self._measured:
            present = time.monotonic_ns()
            whole = self._tail + data
            last = 0
            for match in _STAMP.finditer(whole):
                self.latencies.append(present - int(match[1]))
                last = match.end()
            self._tail = whole[max(last, len(whole) - _CARRY) :]

    def in_order(self, count: int) -> bool:
        """Whether what was kept are `count` events, each following the one before."""
        numbers = list(map(int, _NUMBER.findall(b"".join(self._kept or ()))))
        return len(numbers) == count > 0 and numbers == list(range(numbers[0], numbers[0] + count))
