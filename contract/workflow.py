"""Workflows: nodes, edges and what makes a graph valid."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice, pairwise
from typing import Annotated, Any, Literal, get_args

import jmespath
from jmespath.exceptions import JMESPathError
from pydantic import Field, StrictInt, ValidationError

from contract.errors import Invalid
from contract.values import MAX_DEPTH, Id, Json, Lenient, Text, explain, shown

Kind = Literal["trigger", "agent", "tool", "output"]
Pool = Literal["async", "thread", "process", "dask"]
KINDS: tuple[str, ...] = get_args(Kind)
POOLS: tuple[str, ...] = get_args(Pool)
MAX_NODES = 2_000
MAX_EDGES = 20_000
MAX_PROBLEMS = 100
"""An error lists no more of what is wrong with a workflow."""
MAX_STEPS = 12
"""Of a longer cycle, an error shows the first and last steps."""
MAX_EXPRESSION = 10_000
"""Characters in one JMESPath."""


class Position(Lenient):
    """Where a front end draws the node."""

    x: float
    y: float


class Retry(Lenient):
    """How often a node is tried in all, and the first wait between tries."""

    attempts: Annotated[StrictInt, Field(ge=1, le=100)] = 1
    backoff_ms: Annotated[StrictInt, Field(ge=0, le=3_600_000)] = 1_000


class Node(Lenient):
    """One step. The kind tells a reader what it is; `config` tells what it does."""

    id: Id
    kind: Kind
    name: str | None = Field(default=None, max_length=500)
    config: dict[str, Json] | None = None
    position: Position | None = None
    retry: Retry | None = None
    timeout_ms: Annotated[StrictInt, Field(ge=1, le=7 * 24 * 3_600_000)] | None = None
    pool: Pool | None = None
    requires: tuple[Text, ...] = ()


class Edge(Lenient):
    """`target` waits for `source`; with `when`, only if the JMESPath holds."""

    source: Id
    target: Id
    when: Text | None = None


class Workflow(Lenient):
    """A directed acyclic graph of nodes and edges."""

    name: str = Field(min_length=1, max_length=500)
    description: str | None = Field(default=None, max_length=10_000)
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...] = ()


def parse_workflow(raw: object) -> Workflow:
    """A valid workflow from `{name, nodes, edges}` or seed 003's `{name, agents}`.

    Raises:
        Invalid: the first problem as the message, all of them in `details`.
    """
    if not isinstance(raw, dict):
        raise Invalid("a workflow is an object: {name, description?, nodes, edges}")
    if raw.get("agents") is not None:
        raw = _from_agents(raw)
    problems = list(islice(_unknown_words(raw), MAX_PROBLEMS))
    if problems:
        raise Invalid(problems[0], details=problems)
    try:
        workflow = Workflow.model_validate(raw)
    except ValidationError as error:
        path, message = explain(error)
        raise Invalid(f"{_name_node(raw, path)}: {message}") from None
    except RecursionError:
        raise Invalid(f"the workflow nests deeper than {MAX_DEPTH} levels") from None
    check(workflow)
    return workflow


def check(workflow: Workflow) -> None:
    """Make sure that the graph can be run.

    Raises:
        Invalid: the first problem as the message, all of them in `details`.
    """
    problems = list(islice(problems_of(workflow.nodes, workflow.edges), MAX_PROBLEMS))
    if problems:
        raise Invalid(problems[0], details=problems)


def problems_of(
    nodes: Iterable[Node], edges: Iterable[Edge], *, runnable: bool = True
) -> Iterator[str]:
    """Everything that is wrong with a graph, a sentence each that names the node.

    Args:
        runnable: the executor shall run it; else it is only shown, and needs neither a
            trigger nor configs.
    """
    nodes, edges = tuple(nodes), tuple(edges)
    if len(nodes) > MAX_NODES:
        yield f"the workflow has {len(nodes):,} nodes; at most {MAX_NODES:,} are accepted"
    if len(edges) > MAX_EDGES:
        yield f"the workflow has {len(edges):,} edges; at most {MAX_EDGES:,} are accepted"
    ids: dict[str, None] = {}
    for node in nodes:
        if node.id in ids:
            yield f'node "{node.id}": the id is used twice; ids are unique within a workflow'
        ids[node.id] = None
        if runnable:
            yield from _config_problems(node)
    if runnable and not any(node.kind == "trigger" for node in nodes):
        yield "the workflow has no trigger: at least one node of kind trigger starts it"
    seen: set[tuple[str, str]] = set()
    for edge in edges:
        for end, node_id in (("source", edge.source), ("target", edge.target)):
            if node_id not in ids:
                yield f'edge {edge.source} → {edge.target}: its {end} "{node_id}" is not a node'
        if (edge.source, edge.target) in seen:
            yield f"edge {edge.source} → {edge.target}: stands twice"
        seen.add((edge.source, edge.target))
        if edge.when is not None and (problem := _jmespath_problem(edge.when)):
            yield f"edge {edge.source} → {edge.target}: when: {problem}"
    cycle = find_cycle(ids, edges)
    if cycle:
        steps = [*cycle, cycle[0]]
        if len(steps) > MAX_STEPS:
            steps[MAX_STEPS // 2 : -MAX_STEPS // 2] = ["…"]
        yield f'node "{cycle[0]}" is part of a cycle: {" → ".join(steps)}'


def find_cycle(ids: Iterable[str], edges: Iterable[Edge]) -> list[str]:
    """The node ids of one cycle in order, or an empty list."""
    following: dict[str, list[str]] = {node_id: [] for node_id in ids}
    for edge in edges:
        if edge.source in following and edge.target in following:
            following[edge.source].append(edge.target)
    done: set[str] = set()
    for start, first_steps in following.items():
        if start in done:
            continue
        path: dict[str, None] = {start: None}
        stack = [iter(first_steps)]
        while stack:
            step = next(stack[-1], None)
            if step is None:
                stack.pop()
                done.add(path.popitem()[0])
            elif step in path:
                ordered = list(path)
                return ordered[ordered.index(step) :]
            elif step not in done:
                path[step] = None
                stack.append(iter(following[step]))
    return []


def downstream(edges: Iterable[Edge], node_id: str) -> set[str]:
    """The node and all that are reached from it."""
    following: dict[str, list[str]] = {}
    for edge in edges:
        following.setdefault(edge.source, []).append(edge.target)
    reached, waiting = {node_id}, [node_id]
    while waiting:
        for target in following.get(waiting.pop(), ()):
            if target not in reached:
                reached.add(target)
                waiting.append(target)
    return reached


def expressions(value: Json) -> Iterator[str]:
    """Every JMESPath that stands as `{"$expr": …}` anywhere inside `value`."""
    if isinstance(value, dict):
        if set(value) == {"$expr"}:
            yield value["$expr"]
        else:
            for inner in value.values():
                yield from expressions(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from expressions(inner)


def _config_problems(node: Node) -> Iterator[str]:
    where = f'node "{node.id}"'
    config = node.config or {}
    if "tool" in config and "model" in config:
        yield f"{where}: config has both tool and model; a node does one of them"
    elif "tool" in config:
        if not isinstance(config["tool"], str):
            yield f"{where}: config.tool is the name of a tool"
        if not isinstance(config.get("arguments", {}), dict):
            yield f"{where}: config.arguments is an object"
    elif "model" in config:
        if not isinstance(config["model"], str):
            yield f'{where}: config.model is a model\'s name, like "openai:gpt-4o-mini"'
        if not isinstance(config.get("prompt"), str | dict):
            yield f"{where}: config.prompt is missing: text or {{$expr}}"
    elif node.kind in ("agent", "tool"):
        yield f"{where}: a node of kind {node.kind} needs config.tool or config.model"
    each = config.get("forEach")
    if each is not None and (not isinstance(each, dict) or set(each) != {"$expr"}):
        yield f'{where}: config.forEach is {{"$expr": "JMESPath"}}'
    for expression in expressions(config):
        problem = _jmespath_problem(expression)
        if problem:
            yield f"{where}: {problem}"


def _jmespath_problem(expression: object) -> str | None:
    if not isinstance(expression, str):
        return "$expr takes a JMESPath string"
    if len(expression) > MAX_EXPRESSION:
        return f"an expression has {len(expression):,} characters; at most {MAX_EXPRESSION:,} fit"
    try:
        jmespath.compile(expression)
    except RecursionError:
        return f'"{shown(expression)}" is not JMESPath: too deeply nested'
    except (JMESPathError, ValueError) as error:
        reason = (str(error).splitlines() or ["it does not parse"])[0]
        return f'"{shown(expression)}" is not JMESPath: {shown(reason)}'
    return None


def _unknown_words(raw: dict[str, Any]) -> Iterator[str]:
    nodes = raw.get("nodes")
    for index, node in enumerate(nodes if isinstance(nodes, list) else ()):
        if not isinstance(node, dict):
            continue
        kind, pool, where = node.get("kind"), node.get("pool"), f"nodes[{index}]"
        if isinstance(node.get("id"), str):
            where = f'node "{shown(node["id"])}"'
        if kind is not None and kind not in KINDS:
            yield f'{where}: unknown kind "{shown(kind)}"; accepted are {", ".join(KINDS)}'
        if pool is not None and pool not in POOLS:
            yield f'{where}: unknown pool "{shown(pool)}"; accepted are {", ".join(POOLS)}'


def _name_node(raw: dict[str, Any], path: str) -> str:
    """`nodes[3].retry` with the node's id, if it can be told."""
    index = path.removeprefix("nodes[").partition("]")[0]
    nodes = raw.get("nodes")
    if path.startswith("nodes[") and index.isdigit() and isinstance(nodes, list):
        node = nodes[int(index)]
        if isinstance(node, dict) and isinstance(node.get("id"), str):
            return f'node "{shown(node["id"])}": {path}'
    return path or "workflow"


def _from_agents(raw: dict[str, Any]) -> dict[str, Any]:
    """Seed 003's form: trigger → each agent in turn → output."""
    if raw.get("nodes") is not None or raw.get("edges") is not None:
        raise Invalid("a workflow has either agents or nodes and edges, not both")
    agents = raw["agents"]
    if not isinstance(agents, list) or not agents:
        raise Invalid("agents is a list of at least one {id?, name, config?}")
    nodes: list[dict[str, Any]] = [{"id": "trigger", "kind": "trigger"}]
    for number, agent in enumerate(agents, 1):
        if not isinstance(agent, dict):
            raise Invalid(f"agents[{number - 1}]: an agent is an object {{id?, name, config?}}")
        name, config = agent.get("name"), agent.get("config") or {}
        if not isinstance(name, str) or not name:
            raise Invalid(f"agents[{number - 1}].name: is missing")
        if not isinstance(agent.get("id"), str | None):
            raise Invalid(f"agents[{number - 1}].id: is a string")
        if not isinstance(config, dict):
            raise Invalid(f"agents[{number - 1}].config: is an object")
        if "tool" not in config and "model" not in config:
            config = {**config, "tool": "simulate", "arguments": {"seconds": 1}}
        node_id = agent.get("id") or f"agent-{number}"
        nodes.append({"id": node_id, "kind": "agent", "name": name, "config": config})
    nodes.append({"id": "output", "kind": "output"})
    edges = [{"source": before["id"], "target": after["id"]} for before, after in pairwise(nodes)]
    workflow = {"name": raw.get("name"), "nodes": nodes, "edges": edges}
    if raw.get("description") is not None:
        workflow["description"] = raw["description"]
    return workflow
