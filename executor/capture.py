"""What nodes print and log, caught: `sys.stdout`, `sys.stderr` and `logging` inside a call.

Which call it is stands in a context variable, so tasks and threads of the call are caught
too. Outside of calls everything goes where it always went.
"""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Literal, Protocol, TextIO, cast

from contract.values import Json

Level = Literal["info", "warning", "error"]
MAX_TRACEBACK = 16 * 1024


class Sink(Protocol):
    """Where one call's output goes. Callable from any thread; never raises."""

    def write(self, level: Level, text: str) -> None:
        """Printed text as it comes, not yet cut into lines."""

    def record(self, level: Level, message: str, metadata: Json) -> None:
        """One logged message."""

    def progress(self, percent: float, message: str | None = None) -> None:
        """The call's own progress, 0 to 100."""


class Capture:
    """Puts itself before the process's streams and loggers while it is open.

    Attributes:
        fallback: gets the output that no context claims; in a worker process, which
            serves one call at a time, the output of threads that its tool started.
    """

    def __init__(self) -> None:
        self.fallback: Sink | None = None
        self._current: ContextVar[Sink | None] = ContextVar("sink", default=None)

    @property
    def sink(self) -> Sink | None:
        """The sink of the present context."""
        return self._current.get() or self.fallback

    @contextmanager
    def into(self, sink: Sink | None) -> Iterator[None]:
        """Send the output of this block, and of tasks that it makes, to `sink`.

        With None it goes to the process's own streams: for what must not log itself.
        """
        token = self._current.set(sink)
        try:
            yield
        finally:
            self._current.reset(token)

    @contextmanager
    def installed(self) -> Iterator[Capture]:
        """Catch output from here on, and put everything back at the end."""
        root = logging.getLogger()
        level, handlers = root.level, list(root.handlers)
        stdout, stderr = sys.stdout, sys.stderr
        out = cast("TextIO", Stream(self, stdout, "info"))
        err = cast("TextIO", Stream(self, stderr, "warning"))
        sys.stdout, sys.stderr = out, err
        handler, outside = _Handler(self), _Outside(self, level)
        for other in handlers:
            other.addFilter(outside)
        root.addHandler(handler)
        if root.getEffectiveLevel() > logging.INFO:
            root.setLevel(logging.INFO)
        try:
            yield self
        finally:
            root.setLevel(level)
            root.removeHandler(handler)
            for other in handlers:
                other.removeFilter(outside)
            if sys.stdout is out:
                sys.stdout = stdout
            if sys.stderr is err:
                sys.stderr = stderr


class Stream:
    """A text stream that goes to the context's sink, or to the real stream outside of calls."""

    def __init__(self, capture: Capture, real: TextIO, level: Level) -> None:
        self._capture = capture
        self._real = real
        self._level: Level = level

    def write(self, text: str) -> int:
        sink = self._capture.sink
        if sink is None:
            return self._real.write(text)
        sink.write(self._level, text)
        return len(text)

    def writelines(self, lines: Any) -> None:
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        if self._capture.sink is None:
            self._real.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


class _Handler(logging.Handler):
    """Logged messages to the context's sink; where there is none and nobody else, to stderr."""

    def __init__(self, capture: Capture) -> None:
        super().__init__()
        self._capture = capture

    def emit(self, record: logging.LogRecord) -> None:
        sink = self._capture.sink
        if sink is None:
            alone = logging.getLogger().handlers == [self]
            if alone and logging.lastResort and record.levelno >= logging.lastResort.level:
                logging.lastResort.handle(record)
            return
        try:
            message = record.getMessage()
        except Exception as error:
            message = f"{record.msg} (its arguments do not fit: {error})"
        # logging's own way to add to a record: extra={"metadata": {…}}
        extra = getattr(record, "metadata", None)
        metadata: dict[str, Json] = {"logger": record.name}
        if isinstance(extra, dict):
            metadata.update(extra)
        if record.exc_info and record.exc_info[0] is not None:
            text = "".join(traceback.format_exception(*record.exc_info))
            metadata["traceback"] = text[-MAX_TRACEBACK:]
        sink.record(level_of(record.levelno), message, metadata)


class _Outside(logging.Filter):
    """Keeps the process's own handlers free of what nodes log and of the lowered level."""

    def __init__(self, capture: Capture, level: int) -> None:
        super().__init__()
        self._capture = capture
        self._level = level

    def filter(self, record: logging.LogRecord) -> bool:
        if self._capture.sink is not None:
            return False
        # a logger with a level of its own has decided already
        own = logging.getLogger(record.name)
        return own.level != logging.NOTSET or record.levelno >= self._level


def level_of(number: int) -> Level:
    """A `logging` level in the contract's words."""
    if number >= logging.ERROR:
        return "error"
    return "warning" if number >= logging.WARNING else "info"
