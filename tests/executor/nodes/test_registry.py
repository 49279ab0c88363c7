"""Tools: found, named, bound to their arguments, carried to other processes."""

from __future__ import annotations

import pickle
import types
from collections.abc import AsyncIterator
from typing import Annotated, Any

import pytest
from pydantic import Field

from contract.errors import Invalid
from executor.nodes import Context, Registry, Tool, tool
from executor.nodes.builtin import standard


@tool("greet", idempotent=True)
def greet(
    user_name: str, context: Context, times: Annotated[int, Field(ge=1)] = 1, json: Any = None
) -> str:
    """Greets somebody."""
    return f"Hello {user_name} " * times


@tool()
async def wait(seconds: float) -> None: ...


def module(**members: Any) -> types.ModuleType:
    made = types.ModuleType("made")
    vars(made).update(members)
    return made


def test_a_decorated_function_stays_a_function_and_becomes_a_tool() -> None:
    registry = Registry()
    registry.load([module(greet=greet, wait=wait, other=len)])
    assert registry.names() == ["greet", "wait"]
    made = registry.get("greet")
    assert made.function is greet
    assert (made.idempotent, made.pool, made.description) == (True, "thread", "Greets somebody.")
    assert registry.get("wait").pool == "async"
    assert not registry.get("wait").idempotent


def test_arguments_are_coerced_and_the_context_is_given() -> None:
    context = Context(node_id="n")
    bound = Tool.of(greet).bind({"userName": "Ada", "times": "2"}, context)
    assert bound == {"user_name": "Ada", "times": 2, "context": context}
    assert greet(**bound) == "Hello Ada Hello Ada "
    assert Tool.of(greet).bind({"user_name": "Ada"}, context)["user_name"] == "Ada"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, 'argument "userName": is missing'),
        ({"userName": "A", "times": 0}, 'argument "times": input should be greater than or equal'),
        ({"userName": "A", "loud": 1}, 'argument "loud": is not a known member'),
        ({"userName": "A", "context": {}}, 'argument "context": is not a known member'),
        ({"userName": 7}, 'argument "userName": input should be a valid string'),
    ],
)
def test_wrong_arguments_are_told_with_what_is_taken(
    arguments: dict[str, Any], message: str
) -> None:
    with pytest.raises(Invalid) as refused:
        Tool.of(greet).bind(arguments, Context())
    assert str(refused.value).startswith(f'tool "greet": {message}')
    assert str(refused.value).endswith("it takes {userName, times?, json?}")


def test_a_number_that_is_none_is_refused() -> None:
    with pytest.raises(Invalid, match="finite"):
        Tool.of(wait).bind({"seconds": float("nan")}, Context())


def test_an_unknown_tool_is_told_with_the_known_ones() -> None:
    registry = Registry([Tool.of(greet), Tool.of(wait)])
    with pytest.raises(Invalid, match='there is no tool "greeet"; known are greet, wait'):
        registry.get("greeet")


def test_two_functions_cannot_have_one_name_but_one_may_come_twice() -> None:
    registry = Registry([Tool.of(greet)])
    registry.add(Tool.of(greet))
    with pytest.raises(Invalid, match="two functions have this name"):
        registry.add(Tool("greet", wait))


def test_functions_that_cannot_be_called_by_keyword_are_refused() -> None:
    def positional(a: int, /) -> None: ...

    def many(*values: int) -> None: ...

    def items() -> Any:
        yield 1

    async def pages() -> AsyncIterator[int]:
        yield 1

    for function in (positional, many):
        with pytest.raises(Invalid, match="has no keyword"):
            Tool.of(function)
    for generator in (items, pages):
        with pytest.raises(Invalid, match="a generator cannot be a tool"):
            Tool.of(generator)
    with pytest.raises(Invalid, match="a name is 1 to 128"):
        Tool.of(len, "two words")


def test_a_pool_must_fit_the_function() -> None:
    with pytest.raises(Invalid, match='a coroutine function cannot run in the pool "process"'):
        Tool.of(wait, pool="process")
    with pytest.raises(Invalid, match='a plain function cannot run in the pool "async"'):
        Tool.of(greet, pool="async")
    assert Tool.of(greet, pool="process").pool == "process"


def test_free_keywords_are_accepted_when_the_function_has_them() -> None:
    def free(**rest: Any) -> dict[str, Any]:
        return rest

    made = Tool.of(free)
    assert made.signature == "{…}"
    assert made.bind({"any": 1}, Context()) == {"any": 1}


def test_a_tool_travels_to_another_process() -> None:
    made = Tool.of(greet)
    made.bind({"userName": "Ada"}, Context())  # fills its caches, which do not travel
    copy = pickle.loads(pickle.dumps(made))
    assert copy == made
    assert copy.bind({"userName": "Ada"}, Context())["user_name"] == "Ada"


def test_modules_that_are_no_use_are_told() -> None:
    with pytest.raises(Invalid, match=r'"no\.such\.module" cannot be imported'):
        Registry().load(["no.such.module"])
    with pytest.raises(Invalid, match="has no function decorated with @tool"):
        Registry().load(["json"])


def test_the_standard_registry_has_the_protocols_tools() -> None:
    registry = standard(packages=False)
    signatures = {tool.name: tool.signature for tool in registry}
    assert signatures == {
        "agent": "{model, prompt, instructions?, tools?}",
        "data.query": "{expression, data}",
        "delay": "{seconds}",
        "fail": "{message?}",
        "files.list": "{path?, glob?}",
        "files.read": "{path}",
        "files.write": "{path, text}",
        "http.request": "{method, url, headers?, json?}",
        "simulate": "{seconds?, failureRate?, seed?, logs?}",
        "text.stats": "{text, name?}",
        "text.summarize": "{text, sentences?, name?}",
    }
    assert {tool.name for tool in registry if not tool.idempotent} == {
        "agent",
        "fail",
        "http.request",
    }
    assert all(tool.description and tool.schema["type"] == "object" for tool in registry)


def test_every_built_in_tool_that_may_leave_the_loop_can_be_pickled() -> None:
    for each in standard(packages=False):
        if each.pool != "async":
            assert pickle.loads(pickle.dumps(each)).function is each.function
