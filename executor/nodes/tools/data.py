"""`data.query`: JMESPath over any JSON value."""

from __future__ import annotations

from contract.values import Json
from executor.nodes.expressions import evaluate
from executor.nodes.registry import tool


@tool("data.query", idempotent=True)
def query(expression: str, data: Json) -> Json:
    """What the JMESPath expression gives on `data`; null where there is nothing.

    Raises:
        Invalid: the expression cannot be evaluated.
    """
    return evaluate(expression, data)
