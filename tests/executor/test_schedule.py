"""The scheduler: its decisions for given outcomes, and that no order of outcomes breaks them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.errors import Invalid
from contract.execution import ExecutionState, Graph, Record, fold, initial
from contract.states import NODE_TERMINAL, ExecutionStatus, NodeStatus
from executor.nodes.expressions import holds
from executor.schedule import End, Schedule, Step
from tests.executor.fakes import TypedEvents, graph_of

N, E = NodeStatus, ExecutionStatus


def schedule_of(edges: str, **arguments) -> Schedule:
    return Schedule(graph_of(edges), holds, **arguments)


def told(step: Step) -> list[str]:
    """A step in short: its moves as "node status", then what is to be started and stopped."""
    moves = [f"{m.node_id} {m.status}" for m in step.moves]
    return [*moves, *(f"+{n}" for n in step.ready), *(f"-{n}" for n in step.stop)]


def carry_out(schedule: Schedule, outcomes: dict[str, object] | None = None) -> list[str]:
    """Run everything at once, completing each node with its own id or as `outcomes` says."""
    step = schedule.begin()
    waiting: list[str] = []
    order: list[str] = []
    while True:
        waiting += step.ready
        if not waiting:
            return order
        node_id = waiting.pop(0)
        order.append(node_id)
        schedule.started(node_id)
        outcome = (outcomes or {}).get(node_id, node_id)
        if isinstance(outcome, Exception):
            step = schedule.failed(node_id, str(outcome))
            waiting.clear()
        else:
            step = schedule.completed(node_id, outcome)


@pytest.mark.parametrize(
    ("edges", "order"),
    [
        ("a", "a"),
        ("a>b b>c", "abc"),
        ("a>b a>c b>d c>d", "abcd"),
        ("a>c b>c", "abc"),
        ("a>d b>d c>d d>e", "abcde"),
    ],
)
def test_runs_in_topological_order(edges: str, order: str) -> None:
    schedule = schedule_of(edges)
    assert "".join(carry_out(schedule)) == order
    assert schedule.end == End(status=E.COMPLETED)
    assert schedule.progress == 100


def test_a_node_waits_for_all_its_predecessors() -> None:
    schedule = schedule_of("a>c b>c")
    assert told(schedule.begin()) == ["+a", "+b"]
    for node_id in "ab":
        schedule.started(node_id)
    assert told(schedule.completed("a", 1)) == ["a completed"]
    assert told(schedule.completed("b", 2)) == ["b completed", "+c"]


@pytest.mark.parametrize(
    ("edges", "skipped"),
    [
        ("a>b?`false`", "b"),
        ("a>b?`true`", ""),
        ("a>b?`false` b>c", "bc"),
        ("a>b?`false` a>c b>d c>d", "b"),
        ("a>b?`false` a>c?`false` b>d c>d d>e", "bcde"),
        ("a>b?nodes.a.go", "b"),
        ("a>b?nodes.a=='a'", ""),
        ("a>b?input.go", ""),
        ("a>b?`false` b>c?`true`", "bc"),
    ],
)
def test_conditions_skip(edges: str, skipped: str) -> None:
    schedule = schedule_of(edges, input={"go": True})
    ran = carry_out(schedule)
    assert {n for n, s in schedule.status.items() if s is N.SKIPPED} == set(skipped)
    assert set(ran).isdisjoint(skipped)
    assert all(schedule.outputs[n] is None for n in skipped)
    assert schedule.end is not None and schedule.end.status is E.COMPLETED


def test_a_condition_that_cannot_be_decided_fails_its_target() -> None:
    schedule = schedule_of("a>b?abs(nodes.a) a>c")
    schedule.begin()
    schedule.started("a")
    step = schedule.completed("a", "text")
    assert told(step) == ["a completed", "b running", "b failed", "c skipped"]
    end = schedule.end
    assert end is not None and end.node_id == "b"
    assert str(end.error).startswith("the condition of edge a → b cannot be decided: ")


def test_what_was_ready_in_the_same_step_does_not_start() -> None:
    schedule = schedule_of("a>c a>b?abs(nodes.a)")
    schedule.begin()
    schedule.started("a")
    step = schedule.completed("a", "text")
    assert told(step) == ["a completed", "b running", "b failed", "c skipped"]


def test_failure_stops_everything() -> None:
    schedule = schedule_of("a>b a>c a>d b>e")
    schedule.begin()
    schedule.started("a")
    assert told(schedule.completed("a", 1)) == ["a completed", "+b", "+c", "+d"]
    schedule.started("b")
    schedule.started("c")
    step = schedule.failed("b", "broken")
    # d was ready but had not started
    assert told(step) == ["b failed", "d skipped", "e skipped", "-c"]
    assert [m.progress for m in step.moves] == [40, 60, 80]
    assert schedule.end is None
    assert told(schedule.cancelled("c")) == ["c cancelled"]
    assert schedule.end == End(status=E.FAILED, error="broken", node_id="b")


def test_the_first_failure_is_the_reason() -> None:
    schedule = schedule_of("a b")
    schedule.begin()
    schedule.started("a")
    schedule.started("b")
    assert told(schedule.failed("b", "first")) == ["b failed", "-a"]
    assert told(schedule.failed("a", "second")) == ["a failed"]
    assert schedule.end == End(status=E.FAILED, error="first", node_id="b")


def test_cancel() -> None:
    schedule = schedule_of("a>c b>c")
    schedule.begin()
    schedule.started("a")
    assert told(schedule.cancel()) == ["c cancelled", "b cancelled", "-a"]
    assert told(schedule.cancel()) == []
    # a was quicker than its cancellation
    assert told(schedule.completed("a", 1)) == ["a completed"]
    assert schedule.end == End(status=E.CANCELLED)


@pytest.mark.parametrize(
    ("edges", "kinds", "result"),
    [
        ("a>b", {}, None),
        ("a>b", {"b": "output"}, "b"),
        ("a>b a>c", {"b": "output", "c": "output"}, {"b": "b", "c": "c"}),
        ("a>b?`false` a>c", {"b": "output", "c": "output"}, {"b": None, "c": "c"}),
        ("a>b?`false`", {"b": "output"}, None),
    ],
)
def test_the_result_is_what_output_nodes_gave(edges: str, kinds: dict, result: object) -> None:
    schedule = Schedule(graph_of(edges, kinds), holds)
    carry_out(schedule)
    assert schedule.end == End(status=E.COMPLETED, result=result)


def test_progress_counts_terminal_nodes() -> None:
    schedule = schedule_of("a>b b>c")
    step, seen = schedule.begin(), []
    while step.ready:
        node_id = step.ready[0]
        assert schedule.started(node_id).moves[0].progress is None
        step = schedule.completed(node_id, None)
        seen += [move.progress for move in step.moves]
    assert seen == [33, 66, 100]


def test_reused_nodes_complete_without_running() -> None:
    schedule = schedule_of("a>b b>c", reuse={"a": 1, "b": {"x": 2}})
    step = schedule.begin()
    assert told(step) == ["a completed", "b completed", "+c"]
    assert [(m.reused, m.output) for m in step.moves] == [(True, 1), (True, {"x": 2})]
    assert schedule.scope["nodes"] == {"a": 1, "b": {"x": 2}}


def state_of(edges: str, **statuses: str) -> ExecutionState:
    """A state in which nodes have a status, as `status` or `status:output`."""
    record = Record(
        execution_id="e",
        workflow_id="w",
        workflow_name="w",
        graph=graph_of(edges),
        owner="o",
        created_at="2026-01-01T00:00:00.000Z",
    )
    state = initial(record)
    nodes = dict(state.nodes)
    for node_id, text in statuses.items():
        status, _, output = text.partition(":")
        error = "broken before" if status == "failed" else None
        update = {"status": N(status), "output": output or None, "error": error}
        nodes[node_id] = nodes[node_id].model_copy(update=update)
    return state.model_copy(update={"nodes": nodes, "status": E.RUNNING, "attempt": 1})


@pytest.mark.parametrize(
    ("edges", "statuses", "first", "end"),
    [
        ("a>b b>c", {"a": "completed:x"}, ["+b"], None),
        ("a>b b>c", {"a": "completed:x", "b": "running"}, ["+b"], None),
        ("a>c b>c", {"a": "running"}, ["+a", "+b"], None),
        ("a>b a>c", {"a": "completed:x", "b": "skipped"}, ["+c"], None),
        ("a>b", {"a": "skipped"}, ["b skipped"], E.COMPLETED),
        ("a>b", {"a": "completed", "b": "completed"}, [], E.COMPLETED),
        ("a>b c", {"a": "failed", "c": "running"}, ["b skipped", "-c"], None),
        ("a>b c", {"a": "cancelled", "c": "running"}, ["b cancelled", "-c"], None),
        ("a>b", {"a": "failed", "b": "skipped"}, [], E.FAILED),
    ],
)
def test_resumes(edges: str, statuses: dict, first: list[str], end: ExecutionStatus | None) -> None:
    state = state_of(edges, **statuses)
    schedule = Schedule(state.graph, holds, state=state)
    assert told(schedule.begin()) == first
    assert (schedule.end.status if schedule.end else None) == end
    if end is E.FAILED:
        assert schedule.end == End(status=E.FAILED, error="broken before", node_id="a")


def test_resuming_hands_outputs_on() -> None:
    state = state_of("a>b?nodes.a=='x'", a="completed:x")
    schedule = Schedule(state.graph, holds, state=state)
    assert told(schedule.begin()) == ["+b"]


def test_abort_fails_without_a_node() -> None:
    schedule = schedule_of("a>b c")
    schedule.begin()
    schedule.started("a")
    assert told(schedule.abort("no disk")) == ["b skipped", "c skipped", "-a"]
    schedule.cancelled("a")
    assert schedule.end == End(status=E.FAILED, error="no disk")


# any graph, any order


@st.composite
def graphs(draw) -> Graph:
    size = draw(st.integers(1, 9))
    ids = [f"n{i}" for i in range(size)]
    edges = []
    for target in range(size):
        for source in range(target):
            if draw(st.integers(0, 2)) == 0:
                when = draw(st.sampled_from([None, None, "`true`", "`false`", "abs('x')"]))
                edges.append({"source": ids[source], "target": ids[target], "when": when})
    order = draw(st.permutations(ids))
    nodes = [{"id": n, "kind": draw(st.sampled_from(["trigger", "output"]))} for n in order]
    return Graph.model_validate({"nodes": nodes, "edges": edges})


def play(schedule: Schedule, events: TypedEvents, data: st.DataObject, steps: int | None) -> None:
    """Drive the schedule with drawn outcomes, logging all moves, to the end or for some steps."""
    sources = {n: {e.source for e in events.graph.edges if e.target == n} for n in schedule.nodes}
    ready: list[str] = []
    running: set[str] = set()
    stopping: set[str] = set()

    def take(step: Step) -> None:
        for move in step.moves:
            events.move(move)
            if move.progress is not None:
                done = sum(s in NODE_TERMINAL for s in events.statuses().values())
                assert move.progress == 100 * done // len(schedule.nodes)
            running.discard(move.node_id)
        for node_id in step.ready:
            assert all(schedule.status[s] in NODE_TERMINAL for s in sources[node_id])
            assert node_id not in ready
        ready.extend(step.ready)
        for node_id in step.stop:
            if node_id not in running:  # an earlier attempt's
                take(schedule.cancelled(node_id))
            else:
                stopping.add(node_id)

    take(schedule.begin())
    while schedule.end is None:
        if steps is not None:
            steps -= 1
            if steps < 0:
                return
        ready[:] = [n for n in ready if schedule.status[n] not in NODE_TERMINAL]
        if schedule.stopping:
            ready.clear()
        assert ready or running, "it hangs"
        node_id = data.draw(st.sampled_from([*ready, *sorted(running)]))
        if node_id in running:
            outcomes = ["cancelled"] if node_id in stopping else ["completed"] * 4
            outcome = data.draw(st.sampled_from([*outcomes, "completed", "failed", "cancel"]))
            if outcome == "completed":
                take(schedule.completed(node_id, node_id))
            elif outcome == "failed":
                take(schedule.failed(node_id, "broken"))
            elif outcome == "cancelled":
                take(schedule.cancelled(node_id))
            else:
                take(schedule.cancel())
        else:
            assert not schedule.stopping
            ready.remove(node_id)
            take(schedule.started(node_id))
            running.add(node_id)


@given(graphs(), st.data())
def test_every_order_of_outcomes_is_legal_and_ends(graph: Graph, data: st.DataObject) -> None:
    events = TypedEvents(graph)
    schedule = Schedule(graph, holds)
    play(schedule, events, data, None)
    assert schedule.end is not None
    # the log is legal, and says the same as the schedule
    assert events.statuses() == schedule.status
    if schedule.end.status is E.COMPLETED:
        assert schedule.progress == 100


@given(graphs(), st.data())
def test_every_prefix_can_be_resumed(graph: Graph, data: st.DataObject) -> None:
    events = TypedEvents(graph)
    play(Schedule(graph, holds), events, data, data.draw(st.integers(0, 12)))
    # the executor may die between any two events
    keep = data.draw(st.integers(0, len(events.events)))
    state = fold(initial(events.record), events.events[:keep])
    events.restart(state)
    resumed = Schedule(graph, holds, state=state)
    finished = {n for n, node in state.nodes.items() if node.status in NODE_TERMINAL}
    play(resumed, events, data, None)
    assert resumed.end is not None
    assert events.statuses() == resumed.status
    assert finished.isdisjoint(events.moved)


def oracle(graph: Graph) -> set[str]:
    """The nodes that are skipped when every node completes, by definition."""
    status: dict[str, bool] = {}

    def runs(node_id: str) -> bool:
        if node_id not in status:
            incoming = [e for e in graph.edges if e.target == node_id]
            taken = [runs(e.source) and e.when != "`false`" for e in incoming]
            status[node_id] = not incoming or any(taken)
        return status[node_id]

    return {node.id for node in graph.nodes if not runs(node.id)}


@given(graphs().filter(lambda g: all(e.when != "abs('x')" for e in g.edges)))
def test_skipping_equals_its_definition(graph: Graph) -> None:
    schedule = Schedule(graph, holds)
    carry_out(schedule)
    assert {n for n, s in schedule.status.items() if s is N.SKIPPED} == oracle(graph)
    assert schedule.end is not None and schedule.end.status is E.COMPLETED


def test_invalid_comes_from_the_condition_alone() -> None:
    def broken(when: str, scope: object) -> bool:
        raise Invalid("no")

    schedule = Schedule(graph_of("a>b?x b>c"), broken)
    assert carry_out(schedule) == ["a"]
    assert schedule.end is not None
    assert schedule.end.error == "the condition of edge a → b cannot be decided: no"
