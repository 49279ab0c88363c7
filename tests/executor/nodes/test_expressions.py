"""JMESPath in workflows: evaluated once, told clearly when it cannot be."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.errors import Invalid
from executor.nodes.expressions import evaluate, holds, resolve, truthy

SCOPE = {"input": {"a": [1, 2, 3], "zero": 0, "empty": ""}, "nodes": {"n-1": {"x": "y"}}, "item": 7}


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("input.a[1]", 2),
        ('nodes."n-1".x', "y"),
        ("item", 7),
        ("input.missing.further", None),
        ("sum(input.a)", 6),
        ("`null`", None),
    ],
)
def test_an_expression_sees_the_scope(expression: str, value: Any) -> None:
    assert evaluate(expression, SCOPE) == value


@pytest.mark.parametrize(
    "expression",
    ["input.a[", "no_such(input)", "sum(input.empty)", "input.a[::0]", "", "(" * 5_000],
)
def test_what_cannot_be_evaluated_is_named(expression: str) -> None:
    with pytest.raises(Invalid) as refused:
        evaluate(expression, SCOPE)
    assert f'the expression "{expression[:200]}' in str(refused.value)
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 600


def test_every_expression_inside_a_value_is_replaced() -> None:
    value = {
        "plain": "text",
        "deep": [{"$expr": "item"}, {"further": {"$expr": "input.a[0]"}}],
        "not one": {"$expr": "item", "and": "more"},
    }
    assert resolve(value, SCOPE) == {
        "plain": "text",
        "deep": [7, {"further": 1}],
        "not one": {"$expr": "item", "and": "more"},
    }


def test_data_cannot_bring_expressions_along() -> None:
    scope = {"input": {"$expr": "secret"}, "secret": "s"}
    assert resolve({"value": {"$expr": "input"}}, scope) == {"value": {"$expr": "secret"}}


@pytest.mark.parametrize("value", [False, None, "", [], {}])
def test_the_five_false_values(value: Any) -> None:
    assert not truthy(value)
    assert not holds("input", {"input": value})


@pytest.mark.parametrize("value", [True, 0, 0.0, -1, "0", " ", [0], {"a": None}])
def test_everything_else_is_true(value: Any) -> None:
    assert truthy(value)
    assert holds("input", {"input": value})


def test_no_condition_always_holds() -> None:
    assert holds(None, {})


@given(st.recursive(st.none() | st.integers() | st.text(), st.lists) | st.booleans())
def test_truth_agrees_with_jmespath_itself(value: Any) -> None:
    assert truthy(value) == (evaluate("input && `1` || `0`", {"input": value}) == 1)
