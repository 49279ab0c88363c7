"""The tables of legal moves and the look of each status."""

from __future__ import annotations

import re
from itertools import product

import pytest

from contract.errors import IllegalMove
from contract.states import (
    EXECUTION_MOVES,
    EXECUTION_TERMINAL,
    LOOKS,
    NODE_MOVES,
    NODE_TERMINAL,
    ExecutionStatus,
    NodeStatus,
    move_execution,
    move_node,
)

E, N = ExecutionStatus, NodeStatus
EXECUTION_PAIRS, NODE_PAIRS = list(product(E, E)), list(product(N, N))

# PROTOCOL section 1, written out once more
LEGAL_EXECUTION = {
    *product([E.PENDING], [E.RUNNING, E.CANCELLED]),
    *product([E.RUNNING], [E.COMPLETED, E.FAILED, E.CANCELLED]),
}
LEGAL_NODE = {
    *product([N.PENDING], [N.RUNNING, N.SKIPPED, N.CANCELLED]),
    *product([N.RUNNING], [N.RUNNING, N.COMPLETED, N.FAILED, N.CANCELLED]),
}


@pytest.mark.parametrize("new_attempt", [False, True])
@pytest.mark.parametrize(("now", "to"), EXECUTION_PAIRS)
def test_execution_moves_are_the_protocols(
    now: ExecutionStatus, to: ExecutionStatus, new_attempt: bool
) -> None:
    if (now, to) in LEGAL_EXECUTION or ((now, to) == (E.RUNNING, E.RUNNING) and new_attempt):
        assert move_execution(now, to, new_attempt=new_attempt) is to
    else:
        with pytest.raises(IllegalMove, match=f"{now} → {to}"):
            move_execution(now, to, new_attempt=new_attempt)


@pytest.mark.parametrize("reused", [False, True])
@pytest.mark.parametrize(("now", "to"), NODE_PAIRS)
def test_node_moves_are_the_protocols(now: NodeStatus, to: NodeStatus, reused: bool) -> None:
    if (now, to) in LEGAL_NODE or ((now, to) == (N.PENDING, N.COMPLETED) and reused):
        assert move_node("x", now, to, reused=reused) is to
    else:
        with pytest.raises(IllegalMove, match=f'node "x": {now} → {to}'):
            move_node("x", now, to, reused=reused)


def test_every_status_has_its_moves_and_terminal_ones_absorb() -> None:
    assert set(EXECUTION_MOVES) == set(E)
    assert set(NODE_MOVES) == set(N)
    assert {E.COMPLETED, E.FAILED, E.CANCELLED} == EXECUTION_TERMINAL
    assert {N.COMPLETED, N.FAILED, N.CANCELLED, N.SKIPPED} == NODE_TERMINAL
    assert not any(EXECUTION_MOVES[status] for status in EXECUTION_TERMINAL)
    assert not any(NODE_MOVES[status] for status in NODE_TERMINAL)


def test_a_refusal_names_what_is_accepted() -> None:
    with pytest.raises(IllegalMove, match="from pending it takes cancelled, running"):
        move_execution(E.PENDING, E.FAILED, new_attempt=False)
    with pytest.raises(IllegalMove, match="nothing more: it is terminal"):
        move_node("x", N.SKIPPED, N.RUNNING, reused=False)


def test_every_status_has_a_look() -> None:
    assert set(LOOKS) == set(N)
    for status in E:
        assert LOOKS[N(status.value)]
    for look in LOOKS.values():
        assert re.fullmatch("#[0-9a-f]{6}", look.color)
        assert look.icon
    assert LOOKS[N.RUNNING] == ("#3b82f6", "loader", "pulse-running")
    assert (LOOKS[N.FAILED].color, LOOKS[N.FAILED].animation) == ("#ef4444", "pulse-error")
    moving = {status for status, look in LOOKS.items() if look.animation}
    assert moving == {N.RUNNING, N.FAILED}
