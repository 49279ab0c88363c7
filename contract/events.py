"""The six logged events, frozen, and the union that parses them.

An event's *payload* is what viewers get as the argument of the Socket.IO event named by
its `type`; the payload's JSON is made once (`encode`) and then stored and sent as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import FailFast, Field, StrictBool, StrictInt, TypeAdapter, ValidationError

from contract import states
from contract.errors import Invalid
from contract.values import (
    MAX_EVENT_BYTES,
    MAX_INT,
    Count,
    Duration,
    Id,
    Json,
    Model,
    Ordinal,
    Text,
    Timestamp,
    dumps,
    explain,
    shown,
)

Percent = Annotated[StrictInt, Field(ge=0, le=100)]
Level = Literal["info", "warning", "error"]
_TAG = Field(exclude=True)
"""The payload has no type: it is the name of the message that carries it."""


class BaseEvent(Model):
    """What every logged event carries."""

    execution_id: Id
    seq: Ordinal
    attempt: Ordinal
    timestamp: Timestamp


class Status(BaseEvent):
    """The execution moves to `status`; the terminal one seals the log and has `log_count`."""

    type: Annotated[Literal["status"], _TAG] = "status"
    status: states.ExecutionStatus
    log_count: Count | None = None


class NodeStatus(BaseEvent):
    """A node moves to `status`; `try_` counts from 1 within the node."""

    type: Annotated[Literal["nodeStatus"], _TAG] = "nodeStatus"
    node_id: Id
    status: states.NodeStatus
    output: Json = None
    error: Text | None = None
    message: Text | None = None
    duration_ms: Duration = None
    try_: Ordinal | None = Field(default=None, alias="try")
    reused: StrictBool | None = None


class LogLine(Model):
    """One line of an execution's log; `id` is stable, so that clients can tell repeats."""

    id: Annotated[str, Field(strict=True, min_length=1, max_length=200)]
    node_id: Id | None = None
    level: Level
    message: Text
    metadata: Json = None
    created_at: Timestamp


class Log(BaseEvent):
    """A line that a node, or the execution itself, printed or logged."""

    type: Annotated[Literal["log"], _TAG] = "log"
    log: LogLine


class Progress(BaseEvent):
    """How much of the execution is done and, where given, of one node."""

    type: Annotated[Literal["progress"], _TAG] = "progress"
    progress: Percent
    node_id: Id | None = None
    node_progress: Annotated[float, Field(strict=True, ge=0, le=100)] | None = None
    message: Text | None = None


class Result(BaseEvent):
    """What the execution as a whole produced; comes before `status: completed`."""

    type: Annotated[Literal["result"], _TAG] = "result"
    result: Json


class Error(BaseEvent):
    """Why the execution failed; logged once, before `status: failed`."""

    type: Annotated[Literal["error"], _TAG] = "error"
    error: Text
    node_id: Id | None = None


Event = Annotated[
    Status | NodeStatus | Log | Progress | Result | Error, Field(discriminator="type")
]
AnyEvent = Status | NodeStatus | Log | Progress | Result | Error
EVENT_TYPES = ("status", "nodeStatus", "log", "progress", "result", "error")

_events: TypeAdapter[list[AnyEvent]] = TypeAdapter(Annotated[list[Event], FailFast()])


def parse_events(raw: Sequence[object], execution_id: str, attempt: int) -> list[AnyEvent]:
    """Validate a batch once, at the edge.

    Args:
        raw: `{type, seq, timestamp, …payload}` each; `executionId` and `attempt` may be
            left out, and must be the batch's if given.

    Raises:
        Invalid: names the index and the member of the first problem.
    """
    return _parse([_filled(raw, i, execution_id, attempt) for i in range(len(raw))])


def _parse(raw: list[dict[str, Any]]) -> list[AnyEvent]:
    try:
        return _events.validate_python(raw)
    except ValidationError as error:
        raise Invalid(_where(error)) from None
    except RecursionError:
        raise Invalid(_deepest(raw)) from None


def _filled(raw: Sequence[object], index: int, execution_id: str, attempt: int) -> dict[str, Any]:
    """The event with what it may leave out; itself if it leaves nothing out."""
    item = raw[index]
    if not isinstance(item, dict):
        raise Invalid(f"events[{index}]: an event is an object with type, seq and timestamp")
    given, number, log = item.get("executionId"), item.get("attempt"), item.get("log")
    whole_log = not isinstance(log, dict) or (
        log.get("id") is not None and log.get("createdAt") is not None
    )
    named = given == execution_id and number == attempt and type(number) is int
    if named and whole_log and type(item.get("type")) is str:
        return item
    for name, told, own in (("executionId", given, execution_id), ("attempt", number, attempt)):
        if told is not None and told != own:
            raise Invalid(f"events[{index}].{name}: must be the batch's, {own!r}")
    event = {**item, "executionId": execution_id, "attempt": attempt}
    if not isinstance(item.get("type"), str):
        event["type"] = None
    if isinstance(log, dict) and not whole_log:
        seq = item.get("seq")
        known = isinstance(seq, int) and 0 < seq <= MAX_INT
        event["log"] = log = {**log}
        if log.get("id") is None:
            log["id"] = f"{execution_id}:{seq if known else 0}"
        if log.get("createdAt") is None:
            log["createdAt"] = item.get("timestamp")
    return event


def _deepest(raw: Sequence[dict[str, Any]]) -> str:
    for index, item in enumerate(raw):
        for name, value in item.items():
            try:
                dumps(value)
            except ValueError as error:
                return f"events[{index}].{shown(name)}: {error}"
    return "events: one nests too deep"


def _where(error: ValidationError) -> str:
    path, message = explain(error)
    # the union's tag stands in the path between the index and the member
    index, _, rest = path.partition(".")
    tag, _, member = rest.partition(".")
    member = member if tag in EVENT_TYPES else rest
    if member == "type" or not tag:
        return f"events{index}.type: must be one of {', '.join(EVENT_TYPES)}"
    return f"events{index}.{member}: {message}" if member else f"events{index}: {message}"


def parse_event(raw: dict[str, Any]) -> AnyEvent:
    """One stored or received `{type, …payload}` as an event.

    Raises:
        Invalid: not one of the six events.
    """
    return _parse([raw])[0]


def encode(event: AnyEvent) -> bytes:
    """The event's payload as JSON: canonical, so that equal events give equal bytes.

    Members that are None are left out, save `result`. The objects inside an output, a
    result or a log's metadata keep the order of their members.

    Raises:
        Invalid: the payload is longer than `MAX_EVENT_BYTES` or cannot be encoded.
    """
    try:
        data = event.__pydantic_serializer__.to_json(event, by_alias=True, exclude_none=True)
    except ValueError as error:
        raise Invalid(f"events: seq {event.seq} is not JSON: {error}") from None
    if event.type == "result" and event.result is None:
        data = data[:-1] + b',"result":null}'
    if len(data) > MAX_EVENT_BYTES:
        raise Invalid(
            f"events: seq {event.seq} is {len(data):,} bytes; at most {MAX_EVENT_BYTES:,} fit"
        )
    return data
