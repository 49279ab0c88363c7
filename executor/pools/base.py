"""What the engine asks of a pool, whatever runs the work."""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from contract.errors import Invalid, RunroomError
from contract.values import Json
from executor.capture import Sink
from executor.nodes.registry import Context, Tool

MAX_ERROR = 2_000
"""Characters of an error's one line."""
MAX_TRACEBACK = 8_000
_INNER = (str(Path(__file__).parent), str(Path(traceback.__file__).parent / "asyncio"))


@dataclass(frozen=True, slots=True)
class Work:
    """One call of a tool, the arguments not yet bound to its signature, and where to run it."""

    tool: Tool
    arguments: Mapping[str, Json]
    context: Context
    pool: str


class WorkFailed(Exception):
    """The work ended with an error.

    Attributes:
        error: one line, like `ValueError: text`.
        trace: the traceback of the tool's own part, shortened; None if there is none.
        permanent: another try would end the same way.
    """

    def __init__(self, error: str, trace: str | None = None, *, permanent: bool = False) -> None:
        super().__init__(error)
        self.error = error
        self.trace = trace
        self.permanent = permanent

    @classmethod
    def of(cls, error: BaseException) -> WorkFailed:
        """What a tool raised, as what the log will say of it."""
        permanent = isinstance(error, Invalid)
        trace = None if isinstance(error, RunroomError) else traceback_of(error)
        return cls(one_line(error), trace, permanent=permanent)


class BoundedSink(Sink, Protocol):
    """A sink whose reader may be slow; for pools that carry a work's output themselves."""

    async def room(self) -> None:
        """Wait until it takes more."""


class Pool(Protocol):
    """A place where work runs."""

    async def run(self, work: Work, sink: BoundedSink, timeout: float) -> Json:
        """Do the work and return its output.

        Whatever the work prints or logs is given to `sink` before this returns. When the
        calling task is cancelled, or the time is up, the work is stopped where that is
        possible and its result dropped where it is not; either way this ends soon.

        Args:
            timeout: seconds from when the work starts.

        Raises:
            WorkFailed: the work raised, or was lost with its process.
            TimeoutError: the time is up.
        """

    async def close(self) -> None:
        """Stop what still runs and give everything back."""


def one_line(error: BaseException) -> str:
    """`ValueError: text`; our own errors are sentences already."""
    text = next((line.strip() for line in str(error).splitlines() if line.strip()), "")
    if not isinstance(error, RunroomError):
        name = type(error).__name__
        text = f"{name}: {text}" if text else name
    return text if len(text) <= MAX_ERROR else text[: MAX_ERROR - 1] + "…"


def traceback_of(error: BaseException) -> str:
    """The traceback without the frames of the pools, its middle left out if it is long."""
    formatted = traceback.TracebackException.from_exception(error)
    formatted.stack = traceback.StackSummary.from_list(
        [frame for frame in formatted.stack if not frame.filename.startswith(_INNER)]
    )
    text = "".join(formatted.format()).rstrip()
    if len(text) > MAX_TRACEBACK:
        text = f"{text[:2_000]}\n  …\n{text[-(MAX_TRACEBACK - 2_000) :]}"
    return text
