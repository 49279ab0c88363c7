"""Workflows: each problem has its own sentence naming the node."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from contract.errors import Invalid
from contract.workflow import (
    MAX_EDGES,
    MAX_NODES,
    MAX_PROBLEMS,
    Edge,
    Workflow,
    check,
    expressions,
    find_cycle,
    parse_workflow,
    problems_of,
)
from tests.contract.strategies import Dag, dags, scalars

TRIGGER = {"id": "t", "kind": "trigger"}


def flow(*nodes: Any, edges: Any = (), **more: Any) -> dict[str, Any]:
    return {"name": "W", "nodes": [TRIGGER, *nodes], "edges": list(edges), **more}


def tool(**more: Any) -> dict[str, Any]:
    return {"id": "n", "kind": "tool", "config": {"tool": "delay"}, **more}


def configured(**config: Any) -> dict[str, Any]:
    return flow(tool(config=config))


def edge(source: str, target: str, **more: Any) -> dict[str, Any]:
    return {"source": source, "target": target, **more}


def chain(count: int) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """`count` nodes in a row, and the edges between them."""
    ids = [f"n{number}" for number in range(count)]
    return [{"id": i, "kind": "trigger"} for i in ids], [edge(s, t) for s, t in pairwise(ids)]


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


PROBLEMS: list[tuple[object, str]] = [
    (None, "a workflow is an object"),
    ([], "a workflow is an object"),
    ({}, "name: is missing"),
    ({"name": "", "nodes": [TRIGGER]}, "name: "),
    ({"name": "W"}, "nodes: is missing"),
    ({"name": "W", "nodes": {}}, "nodes: "),
    ({"name": "W", "nodes": [5]}, "nodes[0]: "),
    ({"name": "W", "nodes": []}, "the workflow has no trigger"),
    ({"name": "W", "nodes": [{"id": "o", "kind": "output"}]}, "the workflow has no trigger"),
    (flow(more=1), "more: is not a known member"),
    (flow(tool(kind="step")), 'node "n": unknown kind "step"; accepted are trigger, agent, tool, '),
    (flow(tool(kind=["tool"])), 'node "n": unknown kind "a list"'),
    (flow(tool(kind=nested(10_000))), 'node "n": unknown kind'),
    (flow(tool(kind="k" * 1_000_000)), 'node "n": unknown kind'),
    (flow(tool(kind="\ud800")), 'node "n": unknown kind "?"'),
    (flow(tool(pool="gpu")), 'node "n": unknown pool "gpu"; accepted are async, thread, process'),
    (flow({"id": "n"}), 'node "n": nodes[1].kind: is missing'),
    (flow({"kind": "tool"}), "nodes[1].id: is missing"),
    (flow(tool(id=nested(10_000))), "nodes[1].id: "),
    (flow(tool(id="a b")), 'node "a b": nodes[1].id: '),
    (flow(tool(retry={"attempts": 0})), 'node "n": nodes[1].retry.attempts: '),
    (flow(tool(retry={"attempts": True})), 'node "n": nodes[1].retry.attempts: '),
    (flow(tool(timeoutMs=0)), 'node "n": nodes[1].timeoutMs: '),
    (flow(tool(data={})), 'node "n": nodes[1].data: is not a known member'),
    (flow(tool(name="\ud800")), 'node "n": nodes[1].name: '),
    (flow(tool(), tool()), 'node "n": the id is used twice'),
    (flow(edges=[edge("t", "x")]), 'edge t → x: its target "x" is not a node'),
    (flow(edges=[edge("x", "t")]), 'edge x → t: its source "x" is not a node'),
    (flow(tool(), edges=[edge("t", "n"), edge("t", "n")]), "edge t → n: stands twice"),
    (flow(edges=[{"source": "t"}]), "edges[0].target: is missing"),
    (flow(edges=[edge("t", "t")]), 'node "t" is part of a cycle: t → t'),
    (
        flow(tool(), edges=[edge("t", "n"), edge("n", "t")]),
        'node "t" is part of a cycle: t → n → t',
    ),
    (
        flow({"id": "n", "kind": "tool"}),
        'node "n": a node of kind tool needs config.tool or config.m',
    ),
    (
        flow({"id": "n", "kind": "agent", "config": {}}),
        'node "n": a node of kind agent needs config',
    ),
    (configured(tool="delay", model="m"), 'node "n": config has both tool and model'),
    (configured(tool=5), 'node "n": config.tool is the name of a tool'),
    (configured(tool="delay", arguments=[]), 'node "n": config.arguments is an object'),
    (configured(model=5, prompt="p"), 'node "n": config.model is a model'),
    (configured(model="m"), 'node "n": config.prompt is missing'),
    (configured(tool="delay", forEach="items"), 'node "n": config.forEach is {"$expr"'),
    (configured(tool="delay", forEach={"$expr": "["}), 'node "n": "[" is not JMESPath'),
    (
        configured(tool="delay", arguments={"a": [{"$expr": "a."}]}),
        'node "n": "a." is not JMESPath: ',
    ),
    (configured(tool="delay", arguments={"a": {"$expr": 5}}), 'node "n": $expr takes a JMESPath'),
    (configured(tool="delay", x={"$expr": ""}), 'node "n": "" is not JMESPath'),
    (configured(tool="delay", x={"$expr": "(" * 9_000}), 'node "n": "((('),
    (configured(tool="delay", x={"$expr": "a[" + "9" * 5_000 + "]"}), 'node "n": "a[999'),
    (configured(tool="delay", x={"$expr": "a" * 10_001}), 'node "n": an expression has 10,001'),
    (
        configured(tool="delay", x=nested(10_000)),
        'node "n": nodes[1].config.x: nests deeper than 64',
    ),
    (configured(tool="delay", x=float("nan")), 'node "n": nodes[1].config.x: holds NaN'),
    (configured(tool="delay", x="\ud800"), 'node "n": nodes[1].config.x: is not JSON'),
    (
        flow(tool(), edges=[edge("t", "n", when="a.")]),
        'edge t → n: when: "a." is not JM',
    ),
    ({"name": "W", "agents": []}, "agents is a list of at least one"),
    ({"name": "W", "agents": "x"}, "agents is a list of at least one"),
    ({"name": "W", "agents": [5]}, "agents[0]: an agent is an object"),
    ({"name": "W", "agents": [{"id": "a"}]}, "agents[0].name: is missing"),
    ({"name": "W", "agents": [{"id": 5, "name": "A"}]}, "agents[0].id: is a string"),
    ({"name": "W", "agents": [{"name": "A", "config": 5}]}, "agents[0].config: is an object"),
    (
        {"name": "W", "agents": [{"name": "A", "id": "output"}]},
        'node "output": the id is used twice',
    ),
    ({"agents": [{"name": "A"}]}, "name: "),
    (flow(agents=[{"name": "A"}]), "a workflow has either agents or nodes and edges, not both"),
]


@pytest.mark.parametrize(("raw", "expected"), PROBLEMS, ids=[e[:40] for _, e in PROBLEMS])
def test_each_problem_has_its_own_sentence(raw: object, expected: str) -> None:
    with pytest.raises(Invalid) as caught:
        parse_workflow(raw)
    message = str(caught.value)
    assert message.startswith(expected)
    assert len(message) < 600
    message.encode()


def test_all_problems_are_listed_up_to_a_bound() -> None:
    with pytest.raises(Invalid) as caught:
        parse_workflow({"name": "W", "nodes": [tool(config=None), tool(config=None)]})
    details = caught.value.fields["details"]
    assert details[0] == str(caught.value)
    assert len(details) == 4  # twice no config, the id twice, no trigger
    with pytest.raises(Invalid) as caught:
        parse_workflow(flow(edges=[edge("x", f"y{n}") for n in range(5_000)]))
    assert len(caught.value.fields["details"]) == MAX_PROBLEMS


def test_two_thousand_nodes_are_the_most() -> None:
    nodes, edges = chain(MAX_NODES)
    assert len(parse_workflow({"name": "W", "nodes": nodes, "edges": edges}).nodes) == MAX_NODES
    nodes, edges = chain(MAX_NODES + 1)
    with pytest.raises(Invalid, match=r"^the workflow has 2,001 nodes; at most 2,000 are accepted"):
        parse_workflow({"name": "W", "nodes": nodes, "edges": edges})
    many = [edge("t", "t")] * (MAX_EDGES + 1)
    with pytest.raises(Invalid, match=r"^the workflow has 20,001 edges; at most 20,000"):
        parse_workflow(flow(edges=many))


def test_a_cycle_of_two_thousand_nodes_is_found_and_told_briefly() -> None:
    nodes, edges = chain(MAX_NODES)
    edges.append(edge("n1999", "n0"))
    with pytest.raises(Invalid) as caught:
        parse_workflow({"name": "W", "nodes": nodes, "edges": edges})
    assert str(caught.value) == (
        'node "n0" is part of a cycle: n0 → n1 → n2 → n3 → n4 → n5 → … → '
        "n1995 → n1996 → n1997 → n1998 → n1999 → n0"
    )
    found = find_cycle([n["id"] for n in nodes], [Edge(**e) for e in edges])
    assert len(found) == MAX_NODES


@pytest.mark.timeout(10)
def test_a_graph_of_a_billion_paths_is_walked_once() -> None:
    layers = [f"n{number}" for number in range(30)]
    edges = []
    for above, below in pairwise(layers):
        for side in (f"{above}.left", f"{above}.right"):
            edges += [Edge(source=above, target=side), Edge(source=side, target=below)]
    ids = [*layers, *(edge.target for edge in edges)]
    assert find_cycle(ids, edges) == []
    assert len(find_cycle(ids, [*edges, Edge(source="n29", target="n0")])) == 59


@given(dags())
def test_a_random_dag_is_valid(dag: Dag) -> None:
    workflow = Workflow(name="W", nodes=tuple(dag.nodes), edges=tuple(dag.edges))
    check(workflow)
    assert find_cycle(dag.order, dag.edges) == []
    assert parse_workflow(workflow.to_wire()) == workflow


@given(dags(min_nodes=2), st.data())
def test_a_dag_with_a_back_edge_has_a_cycle_that_is_one(dag: Dag, data: st.DataObject) -> None:
    assume(dag.edges)
    reach: dict[str, set[str]] = {node_id: {node_id} for node_id in dag.order}
    for node_id in reversed(dag.order):
        for one in dag.edges:
            if one.source == node_id:
                reach[node_id] |= reach[one.target]
    below = data.draw(st.sampled_from([i for i in dag.order if len(reach[i]) > 1]))
    above = data.draw(st.sampled_from(sorted(reach[below])))
    edges = [*dag.edges, Edge(source=above, target=below)]
    cycle = find_cycle([node.id for node in dag.nodes], data.draw(st.permutations(edges)))
    assert cycle
    assert len(set(cycle)) == len(cycle)
    pairs = {(one.source, one.target) for one in edges}
    assert pairs.issuperset(zip(cycle, [*cycle[1:], cycle[0]], strict=True))
    problems = list(problems_of(dag.nodes, edges))
    assert [p for p in problems if "is part of a cycle" in p] == problems[-1:]


@st.composite
def planted(draw: st.DrawFn) -> tuple[Any, list[str]]:
    """A JSON value with expressions in it, and these in order."""
    found: list[str] = []

    def grow(depth: int) -> Any:
        match draw(st.integers(0, 3 if depth < 4 else 1)):
            case 0:
                return draw(scalars)
            case 1:
                found.append(f"e{len(found)}")
                return {"$expr": found[-1]}
            case 2:
                return [grow(depth + 1) for _ in range(draw(st.integers(0, 3)))]
            case _:
                names = draw(st.lists(st.sampled_from(["a", "$expr", "c"]), unique=True))
                if names == ["$expr"]:
                    names = []
                return {name: grow(depth + 1) for name in names}

    return grow(0), found


@given(planted())
def test_every_expression_is_found(value: tuple[Any, list[str]]) -> None:
    tree, planted_there = value
    assert list(expressions(tree)) == planted_there


@given(st.text(alphabet="ab.[]{}()*?|&!=<>@`'\"\\:,-0129 \n💥\x00", max_size=30))
@pytest.mark.filterwarnings("ignore:deprecated string literal syntax:PendingDeprecationWarning")
def test_no_expression_breaks_the_validation(text: str) -> None:
    try:
        parse_workflow(configured(tool="delay", x={"$expr": text}))
    except Invalid as error:
        assert "is not JMESPath" in str(error)


def test_the_agents_form_is_a_chain() -> None:
    workflow = parse_workflow(
        {
            "name": "W",
            "description": "D",
            "agents": [
                {"name": "A"},
                {"id": "b", "name": "B", "config": {"tool": "delay"}, "x": 1},
            ],
        }
    )
    assert [(n.id, n.kind, n.name) for n in workflow.nodes] == [
        ("trigger", "trigger", None),
        ("agent-1", "agent", "A"),
        ("b", "agent", "B"),
        ("output", "output", None),
    ]
    assert [(e.source, e.target) for e in workflow.edges] == [
        ("trigger", "agent-1"),
        ("agent-1", "b"),
        ("b", "output"),
    ]
    assert workflow.nodes[1].config == {"tool": "simulate", "arguments": {"seconds": 1}}
    assert workflow.nodes[2].config == {"tool": "delay"}
    assert workflow.description == "D"


def test_null_members_count_as_left_out() -> None:
    raw = flow(tool(requires=None, retry={"attempts": None}, pool=None), agents=None)
    raw["edges"] = None
    workflow = parse_workflow(raw)
    assert (workflow.edges, workflow.nodes[1].requires) == ((), ())
    assert parse_workflow({"name": "W", "agents": [{"name": "A"}], "nodes": None}).nodes
