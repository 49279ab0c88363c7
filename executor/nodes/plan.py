"""What a node has to do, decided before anything runs: a value, one call, or a call for each item.

Pure: no I/O, so that a scheduler can be tested without an engine.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from contract.errors import Invalid
from contract.values import Json
from contract.workflow import Node
from executor.nodes.expressions import Scope, evaluate, resolve
from executor.nodes.registry import Registry, Tool

MAX_ITEMS = 10_000
"""Elements that one `forEach` may have."""
AGENT = "agent"
"""The built-in tool behind `config.model`."""
_AGENT_ARGUMENTS = ("model", "instructions", "prompt", "tools")


@dataclass(frozen=True)
class Value:
    """Nothing to run: the node's output is known."""

    output: Json


@dataclass(frozen=True)
class Call:
    """One call of a tool; the arguments are resolved but not yet bound to its signature."""

    tool: Tool
    arguments: dict[str, Json]


@dataclass(frozen=True)
class Each:
    """`forEach`: the calls in the order of the elements; the output is the list of theirs."""

    calls: tuple[Call, ...]


Plan = Value | Call | Each


def plan(node: Node, scope: Scope, registry: Registry, predecessors: Sequence[str]) -> Plan:
    """The work of a node that is about to start.

    Args:
        scope: `{input, nodes: {id: output}}`; a node that was skipped, or has not run, is null.
        predecessors: the sources of the node's incoming edges, in the edges' order.

    Raises:
        Invalid: an expression that cannot be evaluated, an unknown tool, a `forEach` that is
            not a list; the message names the node and the expression.
    """
    config = node.config or {}
    try:
        work = _work_of(config)
        if work is None:
            if "forEach" in config:
                raise Invalid("config.forEach needs work to do: config.tool or config.model")
            return Value(_passed_on(node, scope, predecessors))
        name, arguments = work
        tool = registry.get(name)
        if config.get("forEach") is None:
            return Call(tool, resolve(arguments, scope))
        items = _items(config["forEach"], scope)
        return Each(
            tuple(Call(tool, resolve(arguments, {**scope, "item": item})) for item in items)
        )
    except Invalid as error:
        raise Invalid(f'node "{node.id}": {error}') from None


def _work_of(config: Mapping[str, Json]) -> tuple[str, dict[str, Any]] | None:
    if "tool" in config:
        arguments = config.get("arguments") or {}
        return config["tool"], arguments
    if "model" in config:
        return AGENT, {name: config[name] for name in _AGENT_ARGUMENTS if name in config}
    return None


def _passed_on(node: Node, scope: Scope, predecessors: Sequence[str]) -> Json:
    if node.kind == "trigger":
        return scope.get("input")
    outputs: Mapping[str, Json] = scope.get("nodes") or {}
    if len(predecessors) == 1:
        return outputs.get(predecessors[0])
    return {node_id: outputs.get(node_id) for node_id in predecessors}


def _items(for_each: Mapping[str, str], scope: Scope) -> list[Json]:
    expression = for_each["$expr"]
    items = evaluate(expression, scope)
    if not isinstance(items, list):
        raise Invalid(f'forEach "{expression[:200]}" gives {_kind_of(items)}, not a list')
    if len(items) > MAX_ITEMS:
        raise Invalid(
            f'forEach "{expression[:200]}" gives {len(items):,} elements; at most {MAX_ITEMS:,} fit'
        )
    return items


def _kind_of(value: Json) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, int | float):
        return "a number"
    return "a string" if isinstance(value, str) else "an object"
