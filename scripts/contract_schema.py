"""Write `web/packages/core/contract.json`: the contract as JSON Schema, and its tables.

    python -m scripts.contract_schema

`npm run generate` in `web/` makes TypeScript of it. Under `$defs` stand the types that a viewer
reads or writes, under `tables` the legal moves, looks and words.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import orjson
from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, models_json_schema
from pydantic_core import core_schema

from contract import events, execution, messages, states, workflow
from contract.errors import ErrorCode
from contract.values import PREVIEW_ABOVE_BYTES

FILE = Path(__file__).parent.parent / "web" / "packages" / "core" / "contract.json"

READ: dict[str, type[BaseModel]] = {
    "ExecutionState": execution.ExecutionState,
    "NodeState": execution.NodeState,
    "ExecutorState": execution.ExecutorState,
    "ExecutionRecord": execution.Record,
    "Graph": execution.Graph,
    "GraphNode": workflow.Node,
    "GraphEdge": workflow.Edge,
    "GraphRetry": workflow.Retry,
    "Presence": messages.Presence,
    "PresentViewer": messages.PresentViewer,
    "ExecutorPresence": messages.ExecutorPresence,
    "Reset": messages.Reset,
}
"""What the server writes whole: every member is there, and may be null."""

WRITTEN: dict[str, type[BaseModel]] = {
    "StatusEvent": events.Status,
    "NodeStatusEvent": events.NodeStatus,
    "LogEvent": events.Log,
    "LogLine": events.LogLine,
    "ProgressEvent": events.Progress,
    "ResultEvent": events.Result,
    "ErrorEvent": events.Error,
    "Workflow": workflow.Workflow,
    "WorkflowNode": workflow.Node,
    "WorkflowEdge": workflow.Edge,
    "Position": workflow.Position,
    "RetryPolicy": workflow.Retry,
    "SubscribeRequest": messages.Subscribe,
    "UnsubscribeRequest": messages.Unsubscribe,
    "RefreshRequest": messages.Refresh,
    "ExecuteRequest": messages.Execute,
    "RetryRequest": messages.Retry,
}
"""What leaves out a member that has no value: events, and what callers write."""


class _Schema(GenerateJsonSchema):
    """Without the titles of members, and with all members of what the server writes."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False

    def field_is_required(self, field: core_schema.ModelField | Any, total: bool) -> bool:
        if field["type"] != "model-field":
            return super().field_is_required(field, total)
        # an event's type has a default in Python, and stands in every event
        tag = field["schema"].get("schema", {}).get("type") == "literal"
        return self.mode == "serialization" or tag or super().field_is_required(field, total)


def document() -> dict[str, Any]:
    """The whole file."""
    names: dict[str, str] = {}
    models: list[tuple[type[BaseModel], Literal["serialization", "validation"]]] = []
    models += [(model, "serialization") for model in READ.values()]
    models += [(model, "validation") for model in WRITTEN.values()]
    references, schema = models_json_schema(models, schema_generator=_Schema)
    for name, key in zip([*READ, *WRITTEN], models, strict=True):
        names[_key(references[key]["$ref"])] = name
    # an enum is the same for readers and writers: contract__states__NodeStatus, NodeStatus-Output
    enums = [key for key, value in schema["$defs"].items() if "enum" in value]
    names |= {key: key.rpartition("__")[2].partition("-")[0] for key in enums}
    found = {names[key]: value for key, value in schema["$defs"].items()}
    defs = {name: _clean(found[name], names, name in WRITTEN) for name in sorted(found)}
    return {"$defs": defs, "tables": tables()}


def tables() -> dict[str, Any]:
    """What is not a type: the words in their order, the moves, the looks, the limits."""
    return {
        "eventTypes": list(events.EVENT_TYPES),
        "levels": ["info", "warning", "error"],
        "errorCodes": [code.value for code in ErrorCode],
        "executionMoves": _moves(states.EXECUTION_MOVES),
        "nodeMoves": _moves(states.NODE_MOVES),
        "looks": {status.value: look._asdict() for status, look in states.LOOKS.items()},
        "limits": {
            "page": messages.MAX_PAGE,
            "subscriptions": messages.MAX_SUBSCRIPTIONS,
            "nodes": workflow.MAX_NODES,
            "previewAbove": PREVIEW_ABOVE_BYTES,
        },
    }


def _moves(table: dict[Any, frozenset[Any]]) -> dict[str, list[str]]:
    # in the order of the table, not of the set
    return {
        current.value: [status.value for status in table if status in targets]
        for current, targets in table.items()
    }


def _key(reference: str) -> str:
    return reference.rpartition("/")[2]


def _clean(node: Any, names: dict[str, str], written: bool) -> Any:
    """The schema with our names, and without what TypeScript has no use for."""
    if isinstance(node, list):
        return [_clean(item, names, written) for item in node]
    if not isinstance(node, dict):
        return node
    if written and node.get("default", ...) is None and "anyOf" in node:
        node = _either(node)
    if "$ref" in node:
        return {"$ref": f"#/$defs/{names[_key(node['$ref'])]}"}
    kept = {key: value for key, value in node.items() if key not in ("title", "default")}
    properties = {
        name: _clean(value, names, written) for name, value in kept.pop("properties", {}).items()
    }
    cleaned = {key: _clean(value, names, written) for key, value in kept.items()}
    return cleaned | {"properties": properties} if properties else cleaned


def _either(node: dict[str, Any]) -> dict[str, Any]:
    """A member that is left out rather than null, as the type that it has otherwise."""
    others = [choice for choice in node["anyOf"] if choice != {"type": "null"}]
    rest = {key: value for key, value in node.items() if key not in ("anyOf", "default")}
    return {**others[0], **rest} if len(others) == 1 else {**rest, "anyOf": others}


def encoded() -> bytes:
    return orjson.dumps(document(), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def main() -> None:
    FILE.write_bytes(encoded())
    print(f"{FILE}: {len(document()['$defs'])} types")


if __name__ == "__main__":
    main()
