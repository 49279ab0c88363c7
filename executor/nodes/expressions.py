"""JMESPath in workflows: evaluate one, replace every `{"$expr": …}`, decide an edge's `when`.

Expressions see the scope `{input, nodes: {id: output}, item}`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jmespath
from jmespath.exceptions import JMESPathError

from contract.errors import Invalid
from contract.values import Json

Scope = Mapping[str, Json]
_SHOWN = 200


def evaluate(expression: str, scope: Json) -> Json:
    """What the JMESPath gives on `scope`; null where there is nothing.

    Raises:
        Invalid: it is not JMESPath, or cannot be computed on these values.
    """
    try:
        return jmespath.search(expression, scope)
    except RecursionError:
        reason = "too deeply nested"
    except JMESPathError as error:
        reason = _first_line(error)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        # jmespath leaves some misuse, like a slice's step 0, to Python's own errors
        reason = _first_line(error)
    raise Invalid(f'the expression "{_short(expression)}" cannot be evaluated: {reason}')


def resolve(value: Json, scope: Json) -> Json:
    """`value` with every `{"$expr": "JMESPath"}` in it replaced by what it gives.

    What an expression gives is not looked into again: data cannot bring expressions along.

    Raises:
        Invalid: names the expression that cannot be evaluated.
    """
    if isinstance(value, Mapping):
        if value.keys() == {"$expr"} and isinstance(value["$expr"], str):
            return evaluate(value["$expr"], scope)
        return {name: resolve(inner, scope) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [resolve(inner, scope) for inner in value]
    return value


def holds(when: str | None, scope: Json) -> bool:
    """Whether an edge is taken: no condition, or one that gives something true.

    False are, as in JMESPath, only `false`, `null`, `""`, `[]` and `{}`; 0 is true.

    Raises:
        Invalid: the expression cannot be evaluated.
    """
    return when is None or truthy(evaluate(when, scope))


def truthy(value: Json) -> bool:
    """JMESPath's own notion of true."""
    if isinstance(value, str | list | tuple | Mapping):
        return bool(value)
    return value is not None and value is not False


def _short(expression: Any) -> str:
    text = str(expression)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"


def _first_line(error: Exception) -> str:
    lines = str(error).splitlines()
    return lines[0].strip() if lines else type(error).__name__
