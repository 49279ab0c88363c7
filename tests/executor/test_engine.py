"""The engine: what an attempt writes into its journal, whatever happens to its nodes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Any

import pytest

from contract.errors import NotFound, Unavailable
from contract.execution import ExecutionState, fold, initial
from contract.messages import Claimed
from contract.states import ExecutionStatus
from contract.values import Json
from executor.engine import Engine
from executor.redact import Redactor
from tests.executor.conftest import MakeEngine
from tests.executor.fakes import FakeJournal, claim_of, record_of

TRIGGER = {"id": "in", "kind": "trigger"}
OUT = {"id": "out", "kind": "output"}


def node(node_id: str, tool: str, **rest: Any) -> dict[str, Any]:
    """A tool node; what is no member of a node is an argument."""
    members = {"retry", "timeoutMs", "pool", "kind"}
    own = {name: value for name, value in rest.items() if name in members}
    config: dict[str, Any] = {"tool": tool}
    if "forEach" in rest:
        config["forEach"] = {"$expr": rest.pop("forEach")}
    config["arguments"] = {n: v for n, v in rest.items() if n not in members}
    return {"id": node_id, "kind": "tool", "config": config, **own}


async def unasked(execution_id: str, node_id: str) -> Json:
    raise AssertionError(f"{node_id} was fetched")


async def carry_out(engine: Engine, claimed: Claimed, refused: Sequence[str] = ()) -> FakeJournal:
    journal = FakeJournal(claimed)
    async with asyncio.timeout(20):
        status = await engine.attempt(claimed, journal, unasked).run()
    assert status == journal.state.status
    assert journal.refused == list(refused)
    return journal


async def test_a_chain_from_trigger_to_output(make_engine: MakeEngine) -> None:
    nodes = [TRIGGER, node("a", "echo", value={"$expr": "input.x"}), OUT]
    journal = await carry_out(make_engine(), claim_of(nodes, "in>a a>out", input={"x": [1]}))
    assert journal.told() == [
        "status running",
        "in running",
        "in completed",
        "a running",
        "a completed",
        "out running",
        "out completed",
        "result [1]",
        "status completed",
    ]
    progress = [e.progress for e in journal.events if e.type == "progress"]
    assert progress == [33, 66, 100]
    assert journal.log_count == 0
    done = next(e for e in journal.events if e.type == "nodeStatus" and e.status == "completed")
    assert done.duration_ms is not None
    assert journal.state.nodes["a"].tries == 1


async def test_progress_follows_each_terminal_node_status(make_engine: MakeEngine) -> None:
    journal = await carry_out(make_engine(), claim_of([TRIGGER, OUT], "in>out"))
    for event, following in zip(journal.events, journal.events[1:], strict=False):
        if event.type == "nodeStatus" and event.status in ("completed", "skipped"):
            assert following.type == "progress"


async def test_branches_run_at_the_same_time(make_engine: MakeEngine) -> None:
    claimed = claim_of([TRIGGER, node("a", "forever"), node("b", "forever")], "in>a in>b")
    journal = FakeJournal(claimed)
    attempt = make_engine().attempt(claimed, journal, unasked)
    run = asyncio.create_task(attempt.run())
    await journal.until_running("a")
    await journal.until_running("b")
    attempt.cancel()
    assert await run is ExecutionStatus.CANCELLED


async def test_conditions_skip_nodes(make_engine: MakeEngine) -> None:
    nodes = [TRIGGER, node("a", "echo", value=1), node("b", "echo", value=2), OUT]
    claimed = claim_of(nodes, "in>a?input.a in>b?input.b a>out b>out", input={"b": True})
    journal = await carry_out(make_engine(), claimed)
    assert "a skipped" in journal.told()
    assert journal.state.result == {"a": None, "b": 2}


async def test_a_failure_stops_the_others(make_engine: MakeEngine) -> None:
    nodes = [TRIGGER, node("a", "forever"), node("b", "boom"), node("c", "echo")]
    journal = await carry_out(make_engine(), claim_of(nodes, "in>a in>b a>c"))
    told = journal.told()
    assert told.index("b failed") < told.index("c skipped") < told.index("a cancelled")
    assert told[-2:] == ["error ValueError: it broke", "status failed"]
    error = next(e for e in journal.events if e.type == "error")
    assert error.node_id == "b"
    lines = [e.log for e in journal.events if e.type == "log"]
    assert [(x.level, x.message, x.node_id) for x in lines] == [
        ("error", "ValueError: it broke", "b")
    ]
    trace = lines[0].metadata["traceback"]
    # the tool's own frames, not the pool's
    assert trace.startswith("Traceback") and "in boom" in trace
    assert "pools/local.py" not in trace
    assert journal.log_count == 1


async def test_a_node_that_waits_for_its_slot_does_not_start_any_more(
    make_engine: MakeEngine,
) -> None:
    nodes = [TRIGGER, node("a", "boom"), node("b", "echo")]
    journal = await carry_out(make_engine(slots=1), claim_of(nodes, "in>a in>b"))
    assert "b skipped" in journal.told() and "b running" not in journal.told()


async def test_a_waiting_node_is_not_kept_by_one_that_will_not_stop(
    make_engine: MakeEngine,
) -> None:
    nodes = [TRIGGER, node("a", "stubborn", seconds=0.3), node("b", "boom"), node("c", "forever")]
    journal = await carry_out(make_engine(slots=2), claim_of(nodes, "in>a in>b in>c"))
    told = journal.told()
    assert "c skipped" in told and "c running" not in told
    assert told[-1] == "status failed"


@pytest.mark.parametrize(
    ("tool", "arguments", "error"),
    [
        ("a_set", {}, "the output is not JSON: "),
        ("not_a_number", {}, "the output holds NaN"),
        ("big", {"size": 1_000_000}, "the output is 1,000,002 bytes of JSON; at most"),
        ("big", {"size": 999_000}, "the output is 999,002 bytes of JSON; at most 995,904 fit"),
        ("echo", {"wrong": 1}, 'tool "echo": argument "wrong"'),
        ("echo", {"value": {"$expr": "abs(input)"}}, 'node "a": the expression "abs(input)"'),
        ("nothing", {}, 'node "a": there is no tool "nothing"'),
        ("leave", {}, "SystemExit: that is it"),
        ("leave_async", {}, "SystemExit: that is it"),
        ("boom", {"message": "one\ntwo"}, "ValueError: one"),
        ("boom", {"message": ""}, "ValueError"),
    ],
)
async def test_what_fails_a_node(
    make_engine: MakeEngine, tool: str, arguments: dict[str, Json], error: str
) -> None:
    nodes = [TRIGGER, node("a", tool, **arguments)]
    journal = await carry_out(make_engine(), claim_of(nodes, "in>a", input="text"))
    assert journal.state.status == "failed"
    assert str(journal.state.error).startswith(error)
    assert journal.state.nodes["a"].error == journal.state.error


async def test_a_large_output_that_fits(make_engine: MakeEngine) -> None:
    nodes = [TRIGGER, node("a", "big", size=995_000)]
    journal = await carry_out(make_engine(), claim_of(nodes, "in>a"))
    assert journal.state.status == "completed"


async def test_results_that_are_too_large_together(make_engine: MakeEngine) -> None:
    nodes = [TRIGGER, node("a", "big", size=600_000), OUT, {**OUT, "id": "out2"}]
    journal = await carry_out(make_engine(), claim_of(nodes, "in>a a>out a>out2"), ["result"])
    assert journal.told()[-1] == "status failed"
    assert str(journal.state.error).startswith("the result cannot be kept: ")


async def test_retries_until_it_works(
    make_engine: MakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []

    def at_once(least: float, most: float) -> float:
        waits.append(most)
        return 0.0

    monkeypatch.setattr("executor.retry.random.uniform", at_once)
    nodes = [TRIGGER, node("a", "third_time", retry={"attempts": 5, "backoffMs": 8000})]
    journal = await carry_out(make_engine(), claim_of(nodes, "in>a"))
    runs = [e for e in journal.events if e.type == "nodeStatus" and e.node_id == "a"]
    assert [(e.status.value, e.try_) for e in runs] == [
        ("running", 1),
        ("running", 2),
        ("running", 3),
        ("completed", 3),
    ]
    assert runs[1].message == "RuntimeError: not at try 1 – try 2 of 5 in 0.0 s"
    assert waits == [8, 16]
    assert [level for level, _ in journal.logs("a")] == ["warning", "warning"]
    assert journal.state.nodes["a"].tries == 3


@pytest.mark.parametrize(
    ("tool", "retry", "tries"),
    [
        ("boom", None, 1),
        ("boom_idempotent", None, 3),
        ("boom_idempotent", {"attempts": 1}, 1),
        ("boom", {"attempts": 2, "backoffMs": 0}, 2),
        ("refuse", {"attempts": 5, "backoffMs": 0}, 1),
    ],
)
async def test_how_often_a_node_is_tried(
    make_engine: MakeEngine, monkeypatch: pytest.MonkeyPatch, tool: str, retry: Any, tries: int
) -> None:
    monkeypatch.setattr("executor.retry.random.uniform", lambda a, b: 0.0)
    claimed = claim_of([TRIGGER, node("a", tool, retry=retry)], "in>a")
    journal = await carry_out(make_engine(tries=3), claimed)
    assert journal.state.nodes["a"].tries == tries
    assert journal.state.status == "failed"


@pytest.mark.parametrize("tool", ["forever", "stubborn"])
async def test_a_try_that_takes_too_long(make_engine: MakeEngine, tool: str) -> None:
    arguments = {"seconds": 2} if tool == "stubborn" else {}
    nodes = [TRIGGER, node("a", tool, timeoutMs=20, **arguments)]
    begun = time.monotonic()
    journal = await carry_out(make_engine(), claim_of(nodes, "in>a"))
    assert time.monotonic() - begun < 1
    assert journal.state.error == "TimeoutError: no result within 0.02 s"


async def test_for_each_keeps_the_order(make_engine: MakeEngine) -> None:
    nodes = [TRIGGER, node("a", "double", forEach="input", value={"$expr": "item"}), OUT]
    claimed = claim_of(nodes, "in>a a>out", input=list(range(20)))
    journal = await carry_out(make_engine(slots=3), claimed)
    assert journal.state.result == [2 * x for x in range(20)]
    own = [e for e in journal.events if e.type == "progress" and e.node_id == "a"]
    assert own and own[0].node_progress is not None
    assert len(own) < 10


async def test_for_each_of_nothing(make_engine: MakeEngine) -> None:
    nodes = [TRIGGER, node("a", "double", forEach="input", value={"$expr": "item"})]
    journal = await carry_out(make_engine(), claim_of(nodes, "in>a", input=[]))
    assert journal.state.nodes["a"].output == []


async def test_for_each_fails_with_its_item(make_engine: MakeEngine) -> None:
    nodes = [TRIGGER, node("a", "odd_fails", forEach="input", value={"$expr": "item"})]
    journal = await carry_out(make_engine(slots=1), claim_of(nodes, "in>a", input=[0, 2, 3, 5]))
    assert journal.state.error == "item 2: ValueError: 3 is odd"


async def test_no_more_nodes_at_once_than_slots(make_engine: MakeEngine) -> None:
    nodes = [TRIGGER, *(node(f"n{i}", "forever") for i in range(5))]
    claimed = claim_of(nodes, " ".join(f"in>n{i}" for i in range(5)))
    journal, engine = FakeJournal(claimed), make_engine(slots=2)
    attempt = engine.attempt(claimed, journal, unasked)
    run = asyncio.create_task(attempt.run())
    await journal.until_running("n1")
    for _ in range(20):
        await asyncio.sleep(0)
    assert sum(n.status == "running" for n in journal.state.nodes.values()) == 2
    attempt.cancel()
    await run
    assert engine.workshop.slots.taken == 0


async def test_the_higher_priority_goes_first(make_engine: MakeEngine) -> None:
    engine, order = make_engine(slots=1), []
    first = claim_of([TRIGGER, node("a", "forever")], "in>a", execution_id="first")
    blocking = engine.attempt(first, journal := FakeJournal(first), unasked)
    blocked = asyncio.create_task(blocking.run())
    await journal.until_running("a")
    tasks = []
    for name, priority in (("low", 1), ("high", 9), ("middle", 5)):
        claimed = claim_of(
            [TRIGGER, node("a", "echo")], "in>a", execution_id=name, priority=priority
        )
        journal = FakeJournal(claimed)
        journal.on_put = lambda e: (
            order.append(e.execution_id)
            if e.type == "nodeStatus" and (e.node_id, e.status) == ("a", "running")
            else None
        )
        tasks.append(asyncio.create_task(engine.attempt(claimed, journal, unasked).run()))
    while len(engine.workshop.slots._waiting) < 3:
        await asyncio.sleep(0)
    blocking.cancel()
    await asyncio.gather(blocked, *tasks)
    assert order == ["high", "middle", "low"]


@pytest.mark.parametrize("tool", ["forever", "stubborn"])
async def test_cancel(make_engine: MakeEngine, tool: str) -> None:
    arguments = {"seconds": 0.5} if tool == "stubborn" else {}
    claimed = claim_of([TRIGGER, node("a", tool, **arguments), OUT], "in>a a>out")
    journal = FakeJournal(claimed)
    attempt = make_engine().attempt(claimed, journal, unasked)
    run = asyncio.create_task(attempt.run())
    await journal.until_running("a")
    attempt.cancel()
    attempt.cancel()
    assert await run is ExecutionStatus.CANCELLED
    assert journal.told()[-3:] == ["out cancelled", "a cancelled", "status cancelled"]


async def test_a_cancel_before_the_start_runs_nothing(make_engine: MakeEngine) -> None:
    claimed = claim_of([TRIGGER, OUT], "in>out")
    journal = FakeJournal(claimed)
    attempt = make_engine().attempt(claimed, journal, unasked)
    attempt.cancel()
    assert await attempt.run() is ExecutionStatus.CANCELLED
    assert journal.told() == ["in cancelled", "out cancelled", "status cancelled"]


async def test_a_stop_writes_nothing(make_engine: MakeEngine) -> None:
    claimed = claim_of([TRIGGER, node("a", "forever")], "in>a")
    journal = FakeJournal(claimed)
    run = asyncio.create_task(make_engine().attempt(claimed, journal, unasked).run())
    await journal.until_running("a")
    before = list(journal.events)
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    assert journal.events == before
    left = [t for t in asyncio.all_tasks() if t is not asyncio.current_task()]
    assert left == []


async def test_a_lost_claim_ends_it_quietly(make_engine: MakeEngine) -> None:
    claimed = claim_of([TRIGGER, node("a", "chatter_async", text="x"), OUT], "in>a a>out")
    journal = FakeJournal(claimed)
    journal.on_put = lambda e: setattr(journal, "lost", e.type == "log")
    assert await make_engine().attempt(claimed, journal, unasked).run() is None
    assert journal.events[-1].type == "log"


async def test_back_pressure_holds_nodes_up(make_engine: MakeEngine) -> None:
    claimed = claim_of([TRIGGER, OUT], "in>out")
    journal = FakeJournal(claimed)
    journal.open.clear()
    run = asyncio.create_task(make_engine().attempt(claimed, journal, unasked).run())
    for _ in range(20):
        await asyncio.sleep(0)
    assert journal.events == []
    journal.open.set()
    assert await run is ExecutionStatus.COMPLETED


# resuming


async def interrupted(engine: Engine, claimed: Claimed, node_id: str) -> FakeJournal:
    """A journal of an attempt that was stopped while `node_id` ran."""
    journal = FakeJournal(claimed)
    run = asyncio.create_task(engine.attempt(claimed, journal, unasked).run())
    await journal.until_running(node_id)
    run.cancel()
    await asyncio.wait({run})
    return journal


async def test_resuming_goes_on_from_the_state(make_engine: MakeEngine) -> None:
    nodes = [TRIGGER, node("a", "chatter", text="x"), node("b", "third_time"), OUT]
    claimed = claim_of(nodes, "in>a a>b b>out", input=7)
    whole = await interrupted(make_engine(), claimed, "b")
    # as after two interruptions, so that the next try is the third
    state = whole.state
    b = state.nodes["b"].model_copy(update={"tries": 2})
    state = state.model_copy(update={"nodes": {**state.nodes, "b": b}})
    claimed = claim_of(nodes, "in>a a>b b>out", input=7, state=state)
    journal = FakeJournal(claimed)
    assert await make_engine().attempt(claimed, journal, unasked).run() == "completed"
    assert journal.told() == [
        "status running",
        "b running",
        "b completed",
        "out running",
        "out completed",
        "result 3",
        "status completed",
    ]
    assert [e.try_ for e in journal.events if e.type == "nodeStatus"][:2] == [3, 3]
    # the lines of both attempts are counted, and their ids differ
    assert state.log_count == 5
    assert journal.log_count == 5
    assert {e.attempt for e in journal.events} == {2}


async def test_previews_are_fetched_before_they_are_used(make_engine: MakeEngine) -> None:
    nodes = [TRIGGER, node("a", "echo", value={"$expr": "length(nodes.in)"}), OUT]
    claimed = claim_of(nodes, "in>a a>out", input="x")
    state = (await interrupted(make_engine(), claimed, "a")).state
    preview = {"$preview": '"xx', "$size": 70_000, "$ref": "/api/executions/e1/nodes/in/output"}
    done = state.nodes["in"].model_copy(update={"output": preview})
    state = state.model_copy(update={"nodes": {**state.nodes, "in": done}})
    claimed = claim_of(nodes, "in>a a>out", input="x", state=state)
    asked = []

    async def fetch(execution_id: str, node_id: str) -> Json:
        assert execution_id == "e1"
        asked.append(node_id)
        if len(asked) == 1:
            raise Unavailable("not now", retry_after_ms=1)
        return "x" * 70_000

    journal = FakeJournal(claimed)
    assert await make_engine().attempt(claimed, journal, fetch).run() == "completed"
    assert asked == ["in", "in"]
    assert journal.state.result == 70_000

    async def gone(execution_id: str, node_id: str) -> Json:
        raise NotFound("no such output")

    journal = FakeJournal(claimed)
    assert await make_engine().attempt(claimed, journal, gone).run() == "failed"
    assert journal.state.error == "the execution cannot be taken up: no such output"


async def test_a_failure_before_the_interruption_stays_one(make_engine: MakeEngine) -> None:
    nodes = [TRIGGER, node("a", "boom"), node("b", "echo")]
    claimed = claim_of(nodes, "in>a a>b")
    journal = await carry_out(make_engine(), claimed)
    cut = next(i for i, e in enumerate(journal.events) if e.type == "error")
    for events, errors in ((journal.events[: cut - 2], 1), (journal.events[: cut + 1], 0)):
        state = fold(initial(record_of(journal.state.graph)), events)
        again = claim_of(nodes, "in>a a>b", state=state)
        second = await carry_out(make_engine(), again)
        assert second.state.status == "failed"
        assert second.state.error == "ValueError: it broke"
        assert sum(e.type == "error" for e in second.events) == errors
        assert second.state.nodes["b"].status == "skipped"


async def test_a_claim_that_cannot_be_read_fails(make_engine: MakeEngine) -> None:
    claimed = claim_of([TRIGGER, OUT], "in>out")
    journal = FakeJournal(claimed)
    broken = claimed.model_copy(update={"state": {**claimed.state, "surprise": 1}})
    assert await make_engine().attempt(broken, journal, unasked).run() == "failed"
    assert str(journal.state.error).startswith("the execution cannot be taken up: surprise")


async def test_reused_outputs(make_engine: MakeEngine) -> None:
    nodes = [TRIGGER, node("a", "boom"), node("b", "echo", value={"$expr": "nodes.a"}), OUT]
    state = claim_of(nodes, "in>a a>b b>out").state
    claimed = claim_of(
        nodes,
        "in>a a>b b>out",
        state=ExecutionState.model_validate({**state, "retryOf": "e0"}),
    ).model_copy(update={"reuse": ("a", "in")})

    async def fetch(execution_id: str, node_id: str) -> Json:
        return {("e0", "in"): None, ("e0", "a"): 5}[execution_id, node_id]

    journal = FakeJournal(claimed)
    assert await make_engine().attempt(claimed, journal, fetch).run() == "completed"
    assert journal.state.result == 5
    reused = [e.node_id for e in journal.events if e.type == "nodeStatus" and e.reused]
    assert reused == ["in", "a"]


# what leaves the executor


@pytest.mark.parametrize("where", ["thread", "process"])
async def test_secrets_do_not_leave(make_engine: MakeEngine, where: str) -> None:
    nodes = [TRIGGER, node("a", "secretive", secret={"$expr": "input"}, pool=where), OUT]
    engine = make_engine(redactor=Redactor(["hunter22"]))
    journal = await carry_out(engine, claim_of(nodes, "in>a a>out", input="hunter22"))
    assert journal.state.result == {"[redacted]": "<[redacted]>"}
    assert journal.logs("a") == [
        ("info", "the secret is [redacted]!"),
        ("warning", "again [redacted]"),
    ]
    assert not any("hunter22" in e.model_dump_json() for e in journal.events)


async def test_secrets_do_not_leave_in_errors(make_engine: MakeEngine) -> None:
    nodes = [TRIGGER, node("a", "fails_with", secret="hunter22", retry={"attempts": 2})]
    nodes[1]["retry"]["backoffMs"] = 0
    engine = make_engine(redactor=Redactor(["hunter22"]))
    journal = await carry_out(engine, claim_of(nodes, "in>a"))
    assert journal.state.error == "ValueError: cannot log in with [redacted]"
    assert not any("hunter22" in e.model_dump_json() for e in journal.events)


async def test_log_ids_are_unique(make_engine: MakeEngine) -> None:
    nodes = [TRIGGER, *(node(f"n{i}", "flood", lines=30) for i in range(4))]
    claimed = claim_of(nodes, " ".join(f"in>n{i}" for i in range(4)))
    journal = await carry_out(make_engine(), claimed)
    ids = [e.log.id for e in journal.events if e.type == "log"]
    assert len(ids) == len(set(ids)) == 120
    assert journal.log_count == 120
    for i in range(4):
        assert [m for _, m in journal.logs(f"n{i}")] == [str(x) for x in range(30)]


async def test_a_fault_of_the_engine_fails_the_execution(make_engine: MakeEngine) -> None:
    engine = make_engine()

    class Broken:
        async def run(self, *arguments: object) -> Json:
            raise KeyError("a bug")

        async def close(self) -> None: ...

    object.__setattr__(engine.workshop, "pool", Broken())
    journal = await carry_out(engine, claim_of([TRIGGER, node("a", "echo"), OUT], "in>a a>out"))
    assert journal.state.error == "internal error: KeyError: 'a bug'"
    assert journal.told()[-1] == "status failed"
