"""What a node has to do: a value, a call, or a call for each element."""

from __future__ import annotations

from typing import Any

import pytest

from contract.errors import Invalid
from contract.workflow import Node
from executor.nodes.builtin import standard
from executor.nodes.plan import MAX_ITEMS, Call, Each, Value, plan
from executor.nodes.registry import Registry


@pytest.fixture(scope="module")
def registry() -> Registry:
    return standard(packages=False)


def node(kind: str, config: dict[str, Any] | None = None) -> Node:
    return Node.model_validate({"id": "n", "kind": kind, "config": config})


SCOPE = {"input": {"names": ["a", "b"], "text": "t"}, "nodes": {"x": 1, "y": [2], "gone": None}}


def test_a_trigger_gives_the_input(registry: Registry) -> None:
    assert plan(node("trigger"), SCOPE, registry, []) == Value(SCOPE["input"])


@pytest.mark.parametrize(
    ("predecessors", "output"),
    [(["y"], [2]), (["x", "gone"], {"x": 1, "gone": None}), (["gone"], None), ([], {})],
)
def test_an_output_passes_on_what_came_before(
    registry: Registry, predecessors: list[str], output: Any
) -> None:
    assert plan(node("output"), SCOPE, registry, predecessors) == Value(output)


def test_a_tool_is_called_with_its_expressions_replaced(registry: Registry) -> None:
    config = {"tool": "text.stats", "arguments": {"text": {"$expr": "input.text"}, "name": "n"}}
    for kind in ("tool", "agent", "trigger", "output"):
        assert plan(node(kind, config), SCOPE, registry, ["x"]) == Call(
            registry.get("text.stats"), {"text": "t", "name": "n"}
        )


def test_a_tool_without_arguments_is_called_with_none(registry: Registry) -> None:
    assert plan(node("tool", {"tool": "fail"}), SCOPE, registry, []) == Call(
        registry.get("fail"), {}
    )


def test_for_each_makes_a_call_an_element_in_order(registry: Registry) -> None:
    config = {
        "tool": "files.read",
        "arguments": {"path": {"$expr": "join('', ['docs/', item])"}},
        "forEach": {"$expr": "input.names"},
    }
    work = plan(node("tool", config), SCOPE, registry, [])
    assert isinstance(work, Each)
    assert [call.arguments for call in work.calls] == [{"path": "docs/a"}, {"path": "docs/b"}]
    config["forEach"] = {"$expr": "`[]`"}
    assert plan(node("tool", config), SCOPE, registry, []) == Each(())


def test_a_model_is_a_call_of_the_agent(registry: Registry) -> None:
    config = {"model": "openai:m", "prompt": {"$expr": "input.text"}, "tools": ["text.stats"]}
    assert plan(node("agent", config), SCOPE, registry, []) == Call(
        registry.get("agent"), {"model": "openai:m", "prompt": "t", "tools": ["text.stats"]}
    )


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"tool": "nope"}, 'there is no tool "nope"; known are agent, '),
        (
            {"tool": "fail", "arguments": {"message": {"$expr": "sum(input.text)"}}},
            'the expression "sum(input.text)" cannot be evaluated: ',
        ),
        ({"tool": "fail", "forEach": {"$expr": "nodes.x"}}, 'forEach "nodes.x" gives a number'),
        ({"tool": "fail", "forEach": {"$expr": "nodes.gone"}}, 'forEach "nodes.gone" gives null'),
        ({"tool": "fail", "forEach": {"$expr": "input"}}, 'forEach "input" gives an object'),
        ({"tool": "fail", "forEach": {"$expr": "input.text"}}, 'forEach "input.text" gives a str'),
        ({"tool": "fail", "forEach": {"$expr": "`true`"}}, 'forEach "`true`" gives a boolean'),
        ({"forEach": {"$expr": "input.names"}}, "config.forEach needs work to do"),
    ],
)
def test_what_cannot_be_planned_names_node_and_expression(
    registry: Registry, config: dict[str, Any], message: str
) -> None:
    with pytest.raises(Invalid) as refused:
        plan(node("output", config), SCOPE, registry, [])
    assert str(refused.value).startswith(f'node "n": {message}')


def test_for_each_is_bounded(registry: Registry) -> None:
    config = {"tool": "fail", "forEach": {"$expr": "input"}}
    assert isinstance(plan(node("tool", config), {"input": [0] * MAX_ITEMS}, registry, []), Each)
    with pytest.raises(Invalid, match="10,001 elements; at most 10,000"):
        plan(node("tool", config), {"input": [0] * (MAX_ITEMS + 1)}, registry, [])
