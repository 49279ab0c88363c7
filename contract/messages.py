"""Requests of both Socket.IO namespaces and of the HTTP interface, and what limits them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, StrictBool, StrictInt

from contract.values import Count, Id, Json, Lenient, Model, Ordinal

VIEWERS = "/executions"
"""The namespace of viewers and operators."""
EXECUTORS = "/executor"
"""The namespace of the bridge."""

MAX_SUBSCRIPTIONS = 256
"""Subscriptions a connection."""
MAX_VIEWER_MESSAGE_BYTES = 64 * 1024
MAX_EXECUTOR_MESSAGE_BYTES = 4 * 1024 * 1024
MAX_BATCH_EVENTS = 2_000
"""Events in one `events` message."""
MAX_HELD = 10_000
"""Executions in one `heartbeat`."""
MAX_PAGE = 1_000
"""Events or executions on one HTTP page."""
MAX_STATE_BYTES = 256 * 1024
"""A longer snapshot is left out of the answer to `subscribe`."""


class Subscribe(Lenient):
    """`subscribe`: every event with seq > after, from the store and then live; in batches,
    and these in MessagePack, if asked for."""

    execution_id: Id
    after: Count = 0
    batch: StrictBool = False
    binary: StrictBool = False


class Unsubscribe(Lenient):
    execution_id: Id


class Refresh(Lenient):
    """A new token for a connection whose old one is about to end."""

    token: str


class Claim(Lenient):
    """`claim`: at most `max` executions for this executor."""

    max: Annotated[StrictInt, Field(ge=1, le=1_000)] = 1


class Events(Lenient):
    """`events`: a batch of one execution, numbered by the executor."""

    execution_id: Id
    attempt: Ordinal
    events: Annotated[list[Any], Field(max_length=MAX_BATCH_EVENTS)]


class Held(Lenient):
    """An execution that an executor believes to hold."""

    execution_id: Id
    attempt: Ordinal


class Heartbeat(Lenient):
    """`heartbeat`: renews the leases of all executions named."""

    executions: Annotated[list[Held], Field(max_length=MAX_HELD, default_factory=list)]


class Output(Lenient):
    """`output`: asks for a finished node's whole output."""

    execution_id: Id
    node_id: Id


class Register(Lenient):
    """`register`: an outside system's own run, claimed by the caller at once."""

    execution_id: Id | None = None
    workflow_id: Id
    workflow_name: str | None = Field(default=None, max_length=500)
    nodes: Annotated[list[Any], Field(max_length=2_000, default_factory=list)]
    edges: Annotated[list[Any], Field(max_length=20_000, default_factory=list)]


class Execute(Lenient):
    """`POST /api/workflows/{id}/execute`."""

    input: Json = None
    priority: Annotated[StrictInt, Field(ge=0, le=9)] = 0


class ExecuteWorkflow(Lenient):
    """`POST /api/execute-workflow` (seed 001): a stored workflow or one in the request."""

    workflow_id: Id | None = None
    name: str | None = Field(default=None, max_length=500)
    nodes: list[Any] | None = None
    edges: list[Any] | None = None
    input: Json = None
    priority: Annotated[StrictInt, Field(ge=0, le=9)] = 0
    use_realtime: StrictBool = True
    use_worker_pool: StrictBool = False


class Retry(Lenient):
    """`POST /api/executions/{id}/retry`."""

    from_node: Id | None = None


class Claimed(Model):
    """One execution in the answer to `claim`."""

    execution_id: Id
    attempt: Ordinal
    head: int
    workflow: dict[str, Any]
    input: Json
    priority: int
    state: dict[str, Any]
    reuse: tuple[Id, ...] = ()
    """Nodes that take their outputs over from execution `state.retryOf`."""


class Presence(Model):
    """`presence` (not logged): who watches an execution."""

    execution_id: Id
    count: int
    viewers: list[PresentViewer]


class PresentViewer(Model):
    """One person with `count` open connections to the execution."""

    id: str
    name: str
    count: int


class ExecutorPresence(Model):
    """`executor` (not logged): the holder's lease is alive or lost."""

    execution_id: Id
    executor_id: str
    state: Literal["alive", "lost"]


class Reset(Model):
    """`reset` (not logged): forget what you have; `ahead` replays from 1, `deleted` ends."""

    execution_id: Id
    reason: Literal["ahead", "deleted"]
    head: int | None = None
