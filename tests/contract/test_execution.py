"""The fold: legal histories fold, illegal events change nothing, prefixes add up."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.errors import Fenced, Gap, IllegalMove, Invalid, RunroomError, Sealed
from contract.events import AnyEvent, Log, NodeStatus
from contract.execution import ExecutionState, Graph, Record, apply, fold, initial
from contract.states import EXECUTION_MOVES, NODE_MOVES, ExecutionStatus
from contract.states import NodeStatus as Word
from contract.workflow import Node
from tests.contract.strategies import EXECUTION, TIME, History, event, histories

RECORD = Record(
    execution_id=EXECUTION,
    workflow_id="w",
    workflow_name="W",
    graph=Graph(nodes=(Node(id="a", kind="trigger", name="Start"), Node(id="b", kind="output"))),
    owner="ada",
    created_at=TIME,
)


def play(*payloads: dict[str, Any], attempt: int = 1) -> ExecutionState:
    """Fold events of one attempt over `RECORD`."""
    return fold(initial(RECORD), [event(p, seq, attempt) for seq, p in enumerate(payloads, 1)])


def node(node_id: str, status: str, **more: Any) -> dict[str, Any]:
    return {"type": "nodeStatus", "nodeId": node_id, "status": status, **more}


def status(word: str, **more: Any) -> dict[str, Any]:
    return {"type": "status", "status": word, **more}


def assert_refused(
    state: ExecutionState, events: list[AnyEvent], error: type[RunroomError]
) -> RunroomError:
    """`events` raise `error`, and the state is deeply what it was."""
    before = deepcopy(state)
    with pytest.raises(error) as caught:
        fold(state, events)
    assert type(caught.value) is error
    assert state == before
    assert orjson.dumps(state.to_wire()) == orjson.dumps(before.to_wire())
    return caught.value


@given(histories())
def test_every_legal_history_folds_to_where_the_tables_lead(history: History) -> None:
    state = fold(initial(history.record), history.events)
    assert state.seq == len(history.events)
    assert state.status == history.status
    assert state.attempt == history.attempt
    assert state.terminal == (not EXECUTION_MOVES[history.status])
    assert state.log_count == sum(isinstance(one, Log) for one in history.events)
    for node_id, word in history.nodes.items():
        assert state.nodes[node_id].status == word
    for known in history.record.graph.nodes:
        assert state.nodes[known.id].name == (known.name or known.id)


@given(histories(), st.data())
def test_folding_a_prefix_and_then_the_rest_is_folding_all(
    history: History, data: st.DataObject
) -> None:
    cut = data.draw(st.integers(0, len(history.events)))
    start = initial(history.record)
    early = fold(start, history.events[:cut])
    kept = deepcopy(early)
    assert fold(early, history.events[cut:]) == fold(start, history.events)
    assert early == kept, "folding on must not change an earlier state"
    assert start == initial(history.record)


@given(histories())
def test_fold_is_apply_one_by_one(history: History) -> None:
    state = initial(history.record)
    for one in history.events:
        state = apply(state, one)
    assert state == fold(initial(history.record), history.events)


@given(histories())
def test_a_snapshot_survives_its_json(history: History) -> None:
    state = fold(initial(history.record), history.events)
    assert ExecutionState.model_validate(state.to_wire()) == state
    assert ExecutionState.model_validate(orjson.loads(orjson.dumps(state.to_wire()))) == state
    assert ExecutionState.model_validate_json(state.model_dump_json(by_alias=True)) == state


@given(histories(ended=False), st.data())
def test_an_illegal_node_move_raises_and_changes_nothing(
    history: History, data: st.DataObject
) -> None:
    state = fold(initial(history.record), history.events)
    node_id = data.draw(st.sampled_from([*state.nodes, "unseen"]))
    now = state.nodes[node_id].status if node_id in state.nodes else Word.PENDING
    wrong = sorted(set(Word) - NODE_MOVES[now])
    to = data.draw(st.sampled_from(wrong))
    seq, attempt = state.seq + 1, max(1, state.attempt)
    illegal = event(node(node_id, to), seq + 1, attempt)
    legal = event({"type": "progress", "progress": 1}, seq, attempt)
    error = assert_refused(state, [legal, illegal], IllegalMove)
    assert f'node "{node_id}": {now} → {to}' in str(error)


@given(histories(ended=False), st.data())
def test_an_illegal_execution_move_raises_and_changes_nothing(
    history: History, data: st.DataObject
) -> None:
    state = fold(initial(history.record), history.events)
    wrong = sorted(set(ExecutionStatus) - EXECUTION_MOVES[state.status])
    if state.status is ExecutionStatus.RUNNING:
        wrong.append(ExecutionStatus.RUNNING)  # the same attempt cannot take over
    to = data.draw(st.sampled_from(wrong))
    illegal = event(status(to), state.seq + 1, max(1, state.attempt))
    error = assert_refused(state, [illegal], IllegalMove)
    assert f"{state.status} → {to}" in str(error)


@given(histories(), st.integers(-3, 3).filter(lambda offset: offset != 0))
def test_a_seq_that_does_not_follow_is_a_gap(history: History, offset: int) -> None:
    events = history.events
    if history.status in (word for word in ExecutionStatus if not EXECUTION_MOVES[word]):
        events = events[:-1]
    state = fold(initial(history.record), events)
    seq = state.seq + 1 + offset
    if seq < 1:
        return
    late = event({"type": "error", "error": "x"}, seq, max(1, state.attempt))
    error = assert_refused(state, [late], Gap)
    assert error.fields == {"head": state.seq}


@given(histories(), st.data())
def test_an_older_attempt_is_fenced_whatever_else_is_wrong(
    history: History, data: st.DataObject
) -> None:
    state = fold(initial(history.record), history.events)
    if state.attempt < 2:
        return
    older = data.draw(st.integers(1, state.attempt - 1))
    seq = data.draw(st.integers(1, state.seq + 3))
    assert_refused(state, [event(status("running"), seq, older)], Fenced)


@given(histories(ended=True), st.integers(0, 1), st.data())
def test_after_the_terminal_status_the_log_is_sealed(
    history: History, newer: int, data: st.DataObject
) -> None:
    state = fold(initial(history.record), history.events)
    payload = data.draw(
        st.sampled_from([status("running"), node("a", "running"), {"type": "result", "result": 1}])
    )
    assert_refused(state, [event(payload, state.seq + 1, state.attempt + newer)], Sealed)


def test_an_event_of_another_execution_is_refused() -> None:
    other = NodeStatus(
        execution_id="other", seq=1, attempt=1, timestamp=TIME, node_id="a", status=Word.RUNNING
    )
    assert "other" in str(assert_refused(initial(RECORD), [other], Invalid))


def test_folding_nothing_is_the_state_itself() -> None:
    state = play(status("running"))
    assert fold(state, []) is state


def test_pending_to_completed_needs_reused() -> None:
    assert_refused(initial(RECORD), [event(node("a", "completed"), 1, 1)], IllegalMove)
    assert_refused(
        initial(RECORD), [event(node("a", "completed", reused=False), 1, 1)], IllegalMove
    )
    reused = play(node("a", "completed", reused=True, output=[1])).nodes["a"]
    assert (reused.status, reused.output, reused.progress) == (Word.COMPLETED, [1], 100)
    assert (reused.tries, reused.duration_ms, reused.ended_at) == (0, None, TIME)


def test_running_again_is_only_for_the_first_event_of_a_new_attempt() -> None:
    state = play(status("running"), node("a", "running"))
    taken = fold(state, [event(status("running"), 3, 2)])
    assert (taken.attempt, taken.started_at, taken.nodes["a"].status) == (2, TIME, Word.RUNNING)
    late = [event({"type": "progress", "progress": 0}, 3, 2), event(status("running"), 4, 2)]
    assert_refused(state, late, IllegalMove)


def test_tries_are_counted_and_a_try_starts_afresh() -> None:
    begun = play(
        node("a", "running"),
        {"type": "progress", "progress": 0, "nodeId": "a", "nodeProgress": 70, "message": "m"},
    )
    assert (begun.nodes["a"].tries, begun.nodes["a"].progress) == (1, 70)
    again = apply(begun, event(node("a", "running"), 3, 1)).nodes["a"]
    assert (again.tries, again.progress, again.message, again.started_at) == (2, 0, None, TIME)
    named = apply(begun, event(node("a", "running", **{"try": 5}), 3, 1)).nodes["a"]
    assert named.tries == 5


@pytest.mark.parametrize("word", ["completed", "failed", "cancelled"])
def test_a_late_progress_leaves_an_ended_node_alone(word: str) -> None:
    ended = play(node("a", "running"), node("a", word, message="done"))
    late = {"type": "progress", "progress": 50, "nodeId": "a", "nodeProgress": 10, "message": "?"}
    after = apply(ended, event(late, 3, 1))
    assert after.progress == 50
    assert after.nodes == ended.nodes


def test_a_duration_is_measured_where_none_is_given_and_never_negative() -> None:
    begun = play(node("a", "running"))
    for end, given_ms, expected in [
        ("2026-01-31T12:00:01.250Z", None, 1250),
        ("2026-01-31T11:00:00.000Z", None, 0),
        ("2026-01-31T12:00:01.250Z", 7.5, 7.5),
    ]:
        done = event(node("a", "completed", durationMs=given_ms), 2, 1, end)
        assert apply(begun, done).nodes["a"].duration_ms == expected


def test_nodes_that_were_not_registered_appear_with_their_first_event() -> None:
    state = play(node("extra", "running"), {"type": "progress", "progress": 1, "nodeId": "other"})
    assert list(state.nodes) == ["a", "b", "extra"]
    assert (state.nodes["extra"].name, state.nodes["extra"].kind) == ("extra", None)
    assert initial(RECORD).nodes.keys() == {"a", "b"}


def test_null_results_and_outputs_are_values() -> None:
    state = play(
        status("running"),
        node("a", "running"),
        node("a", "completed", output=None),
        {"type": "result", "result": {"x": 1}},
        {"type": "result", "result": None},
    )
    assert state.result is None
    assert state.nodes["a"].output is None
