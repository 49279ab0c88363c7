"""How often a node is tried, how long a try may take and how long to wait before the next."""

from __future__ import annotations

import random
from dataclasses import dataclass

from contract.workflow import Node, Retry
from executor.nodes.plan import AGENT
from executor.nodes.registry import Tool

MAX_BACKOFF = 300.0
"""Seconds that are waited at most before a further try."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What holds for nodes that do not say otherwise.

    Attributes:
        timeout: seconds a try may take.
        agent_timeout: seconds a try of an agent may take.
        tries: tries in all, if the tool is idempotent; any other tool has one.
    """

    timeout: float = 30.0
    agent_timeout: float = 600.0
    tries: int = 3

    def timeout_of(self, node: Node, tool: Tool) -> float:
        if node.timeout_ms is not None:
            return node.timeout_ms / 1000
        agent = node.kind == "agent" or tool.name == AGENT
        return self.agent_timeout if agent else self.timeout

    def tries_of(self, node: Node, tool: Tool) -> int:
        if node.retry is not None:
            return node.retry.attempts
        return self.tries if tool.idempotent else 1


def last_try(tries: int, before: int) -> int:
    """The number of the last try.

    Args:
        before: how many tries earlier attempts have begun. The last of them was cut short,
            not failed, so it does not count.
    """
    return max(before + 1, before + tries - max(0, before - 1))


def backoff(node: Node, failures: int) -> float:
    """Seconds to wait after so many failures: exponential, with full jitter."""
    first = (node.retry or Retry()).backoff_ms / 1000
    # the exponent is bounded, so that a hundred failures do not overflow
    longest = min(MAX_BACKOFF, first * 2 ** min(failures - 1, 30))
    return random.uniform(0, longest)
