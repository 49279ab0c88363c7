"""The registry an executor starts with: the built-in tools, installed packages', the user's."""

from __future__ import annotations

from collections.abc import Iterable

from executor.nodes.agent import Agent
from executor.nodes.registry import Registry, Tool
from executor.nodes.tools import data, delay, files, http, simulate, text


def standard(modules: Iterable[str] = (), *, packages: bool = True) -> Registry:
    """A registry with everything that a workflow may name.

    Args:
        modules: import paths with `@tool` functions (`EXECUTOR_TOOLS`).
        packages: whether to take the entry points of installed packages as well.

    Raises:
        Invalid: a module cannot be imported, or two tools have one name.
    """
    registry = Registry()
    registry.load([data, delay, files, http, simulate, text])
    # an agent may call the other tools, so it is given the registry that it stands in
    registry.add(Tool.of(Agent(registry).run, "agent"))
    if packages:
        registry.load_entry_points()
    registry.load(modules)
    return registry
