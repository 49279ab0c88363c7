"""How often, how long, and the waits between."""

from __future__ import annotations

import pytest

from contract.workflow import Node
from executor.nodes.registry import Tool
from executor.retry import MAX_BACKOFF, Limits, backoff, last_try


def node(**members: object) -> Node:
    return Node.model_validate({"id": "n", "kind": "tool", **members})


def tool(name: str = "t", idempotent: bool = False) -> Tool:
    return Tool(name, print, idempotent)


@pytest.mark.parametrize(
    ("members", "name", "seconds"),
    [
        ({}, "t", 30),
        ({"kind": "agent"}, "t", 600),
        ({}, "agent", 600),
        ({"kind": "agent", "timeoutMs": 1500}, "agent", 1.5),
    ],
)
def test_timeouts(members: dict, name: str, seconds: float) -> None:
    assert Limits(timeout=30).timeout_of(node(**members), tool(name)) == seconds


@pytest.mark.parametrize(
    ("retry", "idempotent", "tries"),
    [(None, False, 1), (None, True, 4), ({"attempts": 2}, True, 2), ({"attempts": 9}, False, 9)],
)
def test_tries(retry: dict | None, idempotent: bool, tries: int) -> None:
    assert Limits(tries=4).tries_of(node(retry=retry), tool(idempotent=idempotent)) == tries


@pytest.mark.parametrize(
    ("tries", "before", "last"), [(3, 0, 3), (1, 0, 1), (3, 1, 4), (3, 3, 4), (1, 1, 2), (1, 5, 6)]
)
def test_an_interrupted_try_does_not_count(tries: int, before: int, last: int) -> None:
    assert last_try(tries, before) == last


def test_backoff_doubles_up_to_a_bound() -> None:
    slow = node(retry={"attempts": 100, "backoffMs": 1000})
    for failures, bound in ((1, 1), (2, 2), (5, 16), (50, MAX_BACKOFF), (99, MAX_BACKOFF)):
        waits = [backoff(slow, failures) for _ in range(300)]
        # full jitter: anywhere between nothing and the bound
        assert 0 <= min(waits) < bound / 4 and bound * 3 / 4 < max(waits) <= bound
    assert backoff(node(retry={"backoffMs": 0}), 3) == 0
