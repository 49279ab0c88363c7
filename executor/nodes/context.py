"""What a tool may know about the call that it serves, and how it reports progress."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


class Reporter(Protocol):
    """How a tool says how far it is: percent of its own work, and optionally a word about it."""

    def __call__(self, percent: float, message: str | None = None) -> None: ...


def _unheard(percent: float, message: str | None = None) -> None:
    """The reporter of a context that nobody listens to."""


@dataclass(frozen=True, kw_only=True)
class Context:
    """What a tool may know about the call it serves.

    Attributes:
        try_: counts from 1 within the node.
        item: the index within `forEach`, else None.
        files_root: the folder that file tools may touch.
        http_allow: hosts (`host`, `host:port`, `*.example.com`) that http tools may call.
        progress: `context.progress(percent, message=None)`; may be called from any thread, and
            in a process pool through the channel that the pool provides.
    """

    execution_id: str = "execution"
    node_id: str = "node"
    try_: int = 1
    item: int | None = None
    files_root: Path = Path()
    http_allow: tuple[str, ...] = ()
    progress: Reporter = _unheard
