"""How much a server holds: every container that can be reached from it, and its tasks."""

from __future__ import annotations

import asyncio
import os
from collections import Counter, deque
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

OURS = ("bff.", "socketio.", "engineio.", "bidict.")
COLLECTIONS = (set, frozenset, list, tuple, deque)
APART = ("store", "_store", "_states", "_packed", "_settings", "_verified")
"""Attributes that are not looked into: the store, the cache of states and that of verified
tokens, which are bounded by themselves and grow with executions and users, not with
connections."""


def census(server: object) -> Counter[str]:
    """Sizes of all mappings and collections, by the way of attributes that leads to them."""
    found: Counter[str] = Counter()
    known: set[int] = set()
    todo: deque[tuple[str, Any]] = deque([("server", server)])
    while todo:
        path, thing = todo.popleft()
        if id(thing) in known:
            continue
        known.add(id(thing))
        if isinstance(thing, Mapping):
            found[path] += len(thing)
            todo += ((path, value) for value in thing.values())
        elif isinstance(thing, COLLECTIONS):
            found[path] += len(thing)
            todo += ((path, value) for value in thing)
        elif type(thing).__module__.startswith(OURS):
            todo += ((f"{path}.{name}", value) for name, value in _attributes(thing))
    found["tasks"] = len(asyncio.all_tasks())
    found["connections"] = _open_sockets()
    return +found


def _open_sockets() -> int:
    """Of this process; files are not counted, for the store opens its own when it needs them."""
    count = 0
    for file in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):
            count += os.readlink(file).startswith("socket:")
    return count


def _attributes(thing: object) -> list[tuple[str, Any]]:
    names = list(getattr(thing, "__dict__", ()))
    for kind in type(thing).__mro__:
        slots = getattr(kind, "__slots__", ())
        names += [slots] if isinstance(slots, str) else slots
    wanted = [name for name in names if name not in APART and hasattr(thing, name)]
    return [(name, getattr(thing, name)) for name in wanted]


async def returns(server: object, before: Counter[str], seconds: float) -> None:
    """Wait until nothing is larger than it was.

    Raises:
        AssertionError: it is not in time; says what has grown.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds
    while grown := census(server) - before:
        assert loop.time() < deadline, f"grown: {dict(grown)}"
        await asyncio.sleep(0.1)
