"""Where a server of the chaos tests can be told to die: before or after a step, at its n-th time.

The product knows nothing of it: `install` wraps methods of its classes in this process.
"""

from __future__ import annotations

import functools
import inspect
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from bff import snapshots
from bff.rooms import Room, Rooms
from bff.sockets import SocketServer
from bff.stores.sqlite import SqliteStore
from bff.stores.sqlite.transaction import Transaction

When = Literal["before", "after"]
SNAPSHOT_EVERY = 40
"""Instead of thousands of events, so that there are snapshots to die at."""


def _always(*_: Any) -> bool:
    return True


def _has_rows(transaction: Any, *_: Any) -> bool:
    return bool(transaction._rows)


@dataclass(frozen=True, slots=True)
class Step:
    """A method that is wrapped.

    Attributes:
        begins: whether a call with these arguments counts.
        ends: whether one with this result does, afterwards.
    """

    owner: type
    method: str
    begins: Callable[..., bool] = _always
    ends: Callable[[Any], bool] = _always


STEPS = {
    "insert": Step(Transaction, "flush", begins=_has_rows),
    "commit": Step(Transaction, "commit"),
    "acknowledgement": Step(SocketServer, "_acknowledge"),
    "publish": Step(Rooms, "publish"),
    "snapshot": Step(SqliteStore, "save_snapshot"),
    "live": Step(Room, "_enter"),
    "claim": Step(SqliteStore, "claim", ends=bool),
}
"""By name. `live` is the step that makes a viewer live, `claim` one that gives something
away; before that is done, any claim may be one."""

MOMENTS: tuple[When, ...] = ("before", "after")
FAILPOINTS = tuple((name, when) for name in STEPS for when in MOMENTS)


def install(name: str, when: When, passes: int) -> None:
    """Have this process kill itself when it passes the failpoint for the n-th time."""
    snapshots.SNAPSHOT_EVERY = SNAPSHOT_EVERY
    step = STEPS[name]
    left = passes

    def passed(at: When, counted: bool) -> None:
        nonlocal left
        left -= at == when and counted
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    original = getattr(step.owner, step.method)
    if inspect.iscoroutinefunction(original):

        @functools.wraps(original)
        async def wrapped(*args: Any, **options: Any) -> Any:
            begins = step.begins(*args)
            passed("before", begins)
            result = await original(*args, **options)
            passed("after", begins and step.ends(result))
            return result

    else:

        @functools.wraps(original)
        def wrapped(*args: Any, **options: Any) -> Any:
            begins = step.begins(*args)
            passed("before", begins)
            result = original(*args, **options)
            passed("after", begins and step.ends(result))
            return result

    setattr(step.owner, step.method, wrapped)
