"""One call's output on its way into the journal: whole lines, in order, from any thread."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import deque
from collections.abc import Callable

from contract.errors import Fenced, Invalid
from contract.values import Json
from executor.capture import Capture, Level
from executor.writer import Writer, clean

MAX_LINE = 64 * 1024
"""Bytes of a log line; a longer one is cut into several."""
MAX_WAITING = 256 * 1024
"""Characters that other threads may have waiting before they are held up."""
CUT = " … [cut: the line goes on]"
_BATCH = 64
_INSIDE = 0b1000_0000
"""How the bytes of UTF-8 begin that are inside a character."""

Entry = tuple[Level, str, Json]
OnProgress = Callable[[float, str | None], None]


class JournalSink:
    """The `Sink` of one call: gives lines to the journal as `log` events of its node.

    Lines of the loop's own thread are put at once. Those of other threads wait in a queue
    that the loop empties as fast as the journal has room; at `MAX_WAITING` the thread waits.
    """

    def __init__(
        self,
        writer: Writer,
        capture: Capture,
        *,
        node_id: str,
        on_progress: OnProgress,
        item: int | None = None,
    ) -> None:
        self._writer = writer
        self._capture = capture
        self._node_id = node_id
        self._item = item
        self._on_progress = on_progress
        self._loop = asyncio.get_running_loop()
        self._home = threading.get_ident()
        self._changed = threading.Condition()
        self._partial: dict[Level, str] = {}
        self._parts: dict[Level, int] = {}
        self._waiting: deque[Entry] = deque()
        self._size = 0
        self._draining: asyncio.Task[None] | None = None
        self._woken = False
        self._closed = False
        self._latest: tuple[float, str | None] | None = None

    # from any thread

    def write(self, level: Level, text: str) -> None:
        with self._changed:
            if self._closed:
                return
            whole = self._partial.pop(level, "") + text
            *lines, rest = whole.split("\n")
            for line in lines:
                self._finish(level, line)
            keep = self._writer.redactor.longest
            while len(rest) > MAX_LINE + keep:
                rest = self._cut(level, rest, keep)
            if rest:
                self._partial[level] = rest

    def record(self, level: Level, message: str, metadata: Json) -> None:
        with self._changed:
            if not self._closed:
                self._lines(level, message, metadata, 0)

    def progress(self, percent: float, message: str | None = None) -> None:
        if threading.get_ident() == self._home:
            if not self._closed:
                self._on_progress(percent, message)
            return
        with self._changed:
            told = self._latest is not None
            self._latest = (percent, message)
        if not told:
            self._call(self._tell_progress)

    # from the loop

    async def room(self) -> None:
        """Wait until the journal takes more lines."""
        with contextlib.suppress(Fenced):
            await self._writer.room()

    async def end(self) -> None:
        """Have everything written so far in the journal, and ignore what comes later."""
        with self._changed:
            self._flush()
            self._wake_up()
        try:
            while self._draining is not None:
                await asyncio.wait({self._draining})
        finally:
            self.close()

    def close(self) -> None:
        """Put what still waits into the journal, whether it has room or not; then ignore all."""
        with self._changed:
            entries, self._waiting = list(self._waiting), deque()
            self._closed = True
            self._changed.notify_all()
        for entry in entries:
            self._emit(entry)

    # inside; `_changed` is held

    def _flush(self) -> None:
        for level, rest in list(self._partial.items()):
            del self._partial[level]
            self._finish(level, rest)

    def _finish(self, level: Level, line: str) -> None:
        """A printed line is complete."""
        # a carriage return starts the line anew, as on a terminal: bars leave their last state
        line = line.removesuffix("\r").rpartition("\r")[2]
        self._lines(level, line, None, self._parts.pop(level, 0))

    def _cut(self, level: Level, rest: str, keep: int) -> str:
        """Pass on the head of an overlong line, but nothing that a secret may straddle."""
        rest = self._writer.redactor.text(rest)
        part = self._parts[level] = self._parts.get(level, 0) + 1
        head, rest = rest[: -keep or None][:MAX_LINE], rest[min(MAX_LINE, len(rest) - keep) :]
        for number, piece in enumerate(pieces(head), part):
            self._parts[level] = number
            self._push((level, piece + CUT, {"part": number}))
        return rest

    def _lines(self, level: Level, text: str, metadata: Json, part: int) -> None:
        if len(text) * 4 > MAX_LINE:
            # redacted before it is cut: half a secret would not be recognised
            text = self._writer.redactor.text(text)
        cut = pieces(text)
        if len(cut) == 1 and not part:
            self._push((level, text, metadata))
            return
        for number, piece in enumerate(cut, 1):
            more = {**(metadata or {}), "part": part + number}
            self._push((level, piece if number == len(cut) else piece + CUT, more))

    def _push(self, entry: Entry) -> None:
        if self._item is not None:
            entry = (entry[0], entry[1], {**(entry[2] or {}), "item": self._item})
        if threading.get_ident() == self._home and not self._waiting and not self._woken:
            self._emit(entry)
            return
        self._waiting.append(entry)
        self._size += len(entry[1])
        self._wake_up()
        if threading.get_ident() != self._home:
            self._changed.wait_for(lambda: self._closed or self._size <= MAX_WAITING)

    def _wake_up(self) -> None:
        if self._waiting and not self._woken:
            self._woken = True
            if threading.get_ident() == self._home:
                self._start_draining()
            else:
                self._call(self._start_draining)

    # inside; on the loop

    def _start_draining(self) -> None:
        with self._capture.into(None):
            self._draining = self._loop.create_task(self._drain())

    async def _drain(self) -> None:
        try:
            while True:
                await self._writer.room()
                with self._changed:
                    count = min(len(self._waiting), _BATCH)
                    batch = [self._waiting.popleft() for _ in range(count)]
                    self._size -= sum(len(entry[1]) for entry in batch)
                    self._changed.notify_all()
                    if not batch:
                        self._woken = False
                        self._draining = None
                        return
                for entry in batch:
                    self._emit(entry)
        except Fenced:
            self._draining = None
            self.close()

    def _emit(self, entry: Entry) -> None:
        level, message, metadata = entry
        # what the journal itself logs must not come back here
        with self._capture.into(None):
            try:
                self._writer.log(level, message, node_id=self._node_id, metadata=metadata)
            except Invalid as problem:
                with contextlib.suppress(Fenced, Invalid):
                    self._writer.log(
                        "warning", f"a log line was left out: {problem}", node_id=self._node_id
                    )
            except Fenced:
                pass

    def _tell_progress(self) -> None:
        with self._changed:
            latest, self._latest = self._latest, None
            closed = self._closed
        if latest is not None and not closed:
            self._on_progress(*latest)

    def _call(self, function: Callable[[], None]) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is gone: nobody reads it any more
            self._loop.call_soon_threadsafe(function)


def pieces(text: str) -> list[str]:
    """The text in pieces of at most `MAX_LINE` bytes of UTF-8."""
    text = clean(text)
    if len(text) * 4 <= MAX_LINE:
        return [text]
    data = text.encode()
    cut: list[str] = []
    start = 0
    while len(data) - start > MAX_LINE:
        end = start + MAX_LINE
        while data[end] & 0b1100_0000 == _INSIDE:
            end -= 1
        cut.append(data[start:end].decode())
        start = end
    return [*cut, data[start:].decode()]
