"""Statuses, their legal moves as tables, and how each looks.

The tables are the contract: whatever is not in them is an illegal move. Colours, words
and animations of the look are seed 001's.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from contract.errors import IllegalMove


class ExecutionStatus(StrEnum):
    PENDING = "pending"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class NodeStatus(StrEnum):
    PENDING = "pending"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    SKIPPED = "skipped"


E, N = ExecutionStatus, NodeStatus

EXECUTION_MOVES: dict[ExecutionStatus, frozenset[ExecutionStatus]] = {
    E.PENDING: frozenset({E.RUNNING, E.CANCELLED}),
    # running → running only when a new attempt takes over
    E.RUNNING: frozenset({E.RUNNING, E.COMPLETED, E.FAILED, E.CANCELLED}),
    E.COMPLETED: frozenset(),
    E.FAILED: frozenset(),
    E.CANCELLED: frozenset(),
}

NODE_MOVES: dict[NodeStatus, frozenset[NodeStatus]] = {
    # pending → completed only with `reused: true`
    N.PENDING: frozenset({N.RUNNING, N.COMPLETED, N.SKIPPED, N.CANCELLED}),
    # running → running is a new try or a new attempt
    N.RUNNING: frozenset({N.RUNNING, N.COMPLETED, N.FAILED, N.CANCELLED}),
    N.COMPLETED: frozenset(),
    N.FAILED: frozenset(),
    N.CANCELLED: frozenset(),
    N.SKIPPED: frozenset(),
}

EXECUTION_TERMINAL = frozenset(status for status, moves in EXECUTION_MOVES.items() if not moves)
NODE_TERMINAL = frozenset(status for status, moves in NODE_MOVES.items() if not moves)


def move_execution(
    current: ExecutionStatus, to: ExecutionStatus, *, new_attempt: bool
) -> ExecutionStatus:
    """The execution's next status.

    Args:
        new_attempt: the event is the first of an attempt later than any before it.

    Raises:
        IllegalMove: the table does not have the move.
    """
    if to not in EXECUTION_MOVES[current]:
        raise IllegalMove(_refused("execution", current, to, EXECUTION_MOVES[current]))
    if current is E.RUNNING and to is E.RUNNING and not new_attempt:
        raise IllegalMove("execution: running → running is only for a new attempt's first event")
    return to


def move_node(node_id: str, current: NodeStatus, to: NodeStatus, *, reused: bool) -> NodeStatus:
    """The node's next status.

    Raises:
        IllegalMove: the table does not have the move.
    """
    if to not in NODE_MOVES[current]:
        raise IllegalMove(_refused(f'node "{node_id}"', current, to, NODE_MOVES[current]))
    if current is N.PENDING and to is N.COMPLETED and not reused:
        raise IllegalMove(f'node "{node_id}": pending → completed is only for reused: true')
    return to


def _refused(what: str, current: str, to: str, legal: frozenset[StrEnum]) -> str:
    accepted = ", ".join(sorted(legal)) or "nothing more: it is terminal"
    return f"{what}: {current} → {to} is not a legal move; from {current} it takes {accepted}"


class Look(NamedTuple):
    """How a status is shown: a colour, an icon's name and a CSS animation or None."""

    color: str
    icon: str
    animation: str | None = None


LOOKS: dict[NodeStatus, Look] = {
    N.PENDING: Look("#9ca3af", "clock"),
    N.RUNNING: Look("#3b82f6", "loader", "pulse-running"),
    N.COMPLETED: Look("#10b981", "check"),
    N.FAILED: Look("#ef4444", "x", "pulse-error"),
    N.CANCELLED: Look("#9ca3af", "ban"),
    N.SKIPPED: Look("#f59e0b", "skip-forward"),
}
