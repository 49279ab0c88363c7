"""What may be done with executions, on a real store."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bff.auth import Principal
from bff.executions import Executions
from contract.errors import Conflict, Forbidden, Invalid, InvalidRequest, NotFound, Sealed
from contract.execution import ExecutorState
from contract.values import ID_PATTERN
from contract.workflow import parse_workflow
from tests.bff.house import COMPLETED, RUNNING, WORKFLOW, House, node, open_house

BIG = {"text": "x" * 70_000}


def principal(role: Any = "operator", **changes: Any) -> Principal:
    return Principal(**{"sub": "ada", "name": "Ada", "role": role, "tenant": "default", **changes})


ADA = principal()


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with open_house(tmp_path) as opened:
        yield opened


@pytest.fixture
def executions(house: House) -> Executions:
    return house.executions


async def new_workflow(executions: Executions, **changes: Any) -> str:
    return (await executions.workflows.create(ADA, {**WORKFLOW, **changes})).id


async def finish(house: House, execution_id: str) -> None:
    await house.write(execution_id, RUNNING, COMPLETED)


async def test_execute_fixes_the_graph_of_that_moment(executions: Executions) -> None:
    workflow_id = await new_workflow(executions)
    made = await executions.execute(ADA, workflow_id, input={"a": 1}, priority=7)
    await executions.workflows.update(ADA, workflow_id, {**WORKFLOW, "name": "Other", "edges": []})
    record = (await executions.see(ADA, made.id)).record
    assert (record.workflow_name, len(record.graph.edges)) == ("Greet", 2)
    assert (record.input, record.priority, record.owner) == ({"a": 1}, 7, "ada")
    for id, kind in ((made.id, "ex_"), (workflow_id, "wf_")):
        assert id.startswith(kind)
        assert re.fullmatch(ID_PATTERN, id)


async def test_execute_wakes_the_executors(house: House, executions: Executions) -> None:
    await executions.execute(ADA, await new_workflow(executions))
    assert house.leases.woken == 1


async def test_an_execution_requires_what_its_nodes_require(executions: Executions) -> None:
    nodes = [
        {**one, "requires": needs}
        for one, needs in zip(WORKFLOW["nodes"], (["gpu"], ["gpu", "disk"], []), strict=True)
    ]
    made = await executions.execute(ADA, await new_workflow(executions, nodes=nodes))
    assert made.requires == {"gpu", "disk"}


async def test_a_large_input_is_kept_whole_and_shown_as_a_preview(
    executions: Executions,
) -> None:
    made = await executions.execute(ADA, await new_workflow(executions), input=BIG)
    shown = made.record.input
    assert shown["$ref"] == f"/api/executions/{made.id}/input"
    assert shown["$size"] == 70_011
    assert len(shown["$preview"]) == 2048
    whole = await executions.value(ADA, made.id, "input")
    assert whole == b'{"text":"%s"}' % (b"x" * 70_000)


async def test_the_snapshot_as_json_is_the_snapshot_at_every_moment(
    house: House, executions: Executions
) -> None:
    made = await executions.execute(ADA, await new_workflow(executions))
    holder = ExecutorState(executor_id="one", state="alive", last_seen_at=made.record.created_at)
    for moment, held in (((), False), ((RUNNING,), True), ((COMPLETED,), True), ((), False)):
        for event in moment:
            await house.write(made.id, event)
        for _ in range(2):  # made, and made before
            house.leases.holders = {made.id: holder} if held else {}
            execution = await executions.see(ADA, made.id)
            seq, data = await executions.encoded(execution)
            snapshot = await executions.snapshot(ADA, made.id)
            assert data.decode() == snapshot.model_dump_json(by_alias=True)
            assert seq == snapshot.seq


async def test_an_input_beyond_the_limit_is_refused(executions: Executions) -> None:
    with pytest.raises(Invalid, match="at most 1,000,000"):
        await executions.execute(ADA, await new_workflow(executions), input="x" * 1_000_000)


async def test_the_same_key_gives_the_same_execution(house: House, executions: Executions) -> None:
    workflow_id = await new_workflow(executions)
    first = await executions.execute(ADA, workflow_id, input={"a": 1, "b": 2}, idempotency_key="k")
    again = await executions.execute(ADA, workflow_id, input={"b": 2, "a": 1}, idempotency_key="k")
    assert again.id == first.id
    assert house.leases.woken == 1
    assert (await executions.execute(ADA, workflow_id, idempotency_key="other")).id != first.id


async def test_the_same_key_with_another_request_is_a_conflict(executions: Executions) -> None:
    workflow_id = await new_workflow(executions)
    await executions.execute(ADA, workflow_id, input=1, idempotency_key="k")
    another = await new_workflow(executions)
    bob = principal(sub="bob")
    for who, where, changes in (
        (ADA, workflow_id, {"input": 2}),
        (ADA, workflow_id, {"input": True}),
        (ADA, workflow_id, {"input": 1, "priority": 1}),
        (ADA, another, {"input": 1}),
        (bob, workflow_id, {"input": 1}),
    ):
        with pytest.raises(Conflict):
            await executions.execute(who, where, idempotency_key="k", **changes)


async def test_a_large_input_is_compared_whole(executions: Executions) -> None:
    workflow_id = await new_workflow(executions)
    first = await executions.execute(ADA, workflow_id, input=BIG, idempotency_key="k")
    again = await executions.execute(ADA, workflow_id, input=BIG, idempotency_key="k")
    assert again.id == first.id
    other = {"text": "x" * 69_999 + "y"}
    with pytest.raises(Conflict):
        await executions.execute(ADA, workflow_id, input=other, idempotency_key="k")


async def test_a_workflow_in_the_request_is_executed(executions: Executions) -> None:
    workflow = parse_workflow(WORKFLOW)
    first = await executions.execute_inline(ADA, workflow, input=1, idempotency_key="k")
    assert first.record.workflow_name == "Greet"
    again = await executions.execute_inline(ADA, workflow, input=1, idempotency_key="k")
    assert again.id == first.id
    with pytest.raises(Conflict):
        other = parse_workflow({**WORKFLOW, "edges": []})
        await executions.execute_inline(ADA, other, input=1, idempotency_key="k")


async def test_what_one_may_not_see_does_not_exist(executions: Executions) -> None:
    made = await executions.execute(ADA, await new_workflow(executions))
    stranger = principal(tenant="other")
    messages = set()
    for who, id in ((stranger, made.id), (ADA, "ex_unknown"), (stranger, "ex_unknown")):
        for ask in (executions.see, executions.snapshot, executions.cancel, executions.retry):
            with pytest.raises(NotFound) as caught:
                await ask(who, id)
            messages.add(str(caught.value))
    assert len(messages) == 1


async def test_an_admin_acts_in_the_tenant_of_the_thing(executions: Executions) -> None:
    workflow_id = await new_workflow(executions)
    root = principal("admin", sub="root", tenant="office")
    made = await executions.execute(root, workflow_id)
    assert (made.tenant, made.record.owner) == ("default", "root")
    assert (await executions.see(ADA, made.id)).id == made.id


@pytest.mark.parametrize("role", ["viewer", "executor"])
async def test_others_may_not_operate(executions: Executions, role: str) -> None:
    workflow_id = await new_workflow(executions)
    made = await executions.execute(ADA, workflow_id)
    someone = principal(role)
    for refused in (
        executions.workflows.create(someone, WORKFLOW),
        executions.workflows.update(someone, workflow_id, WORKFLOW),
        executions.workflows.delete(someone, workflow_id),
        executions.execute(someone, workflow_id),
        executions.execute_inline(someone, parse_workflow(WORKFLOW)),
        executions.cancel(someone, made.id),
        executions.retry(someone, made.id),
    ):
        with pytest.raises(Forbidden):
            await refused


async def test_the_snapshot_names_the_executor(house: House, executions: Executions) -> None:
    made = await executions.execute(ADA, await new_workflow(executions))
    assert (await executions.snapshot(ADA, made.id)).executor is None
    house.leases.holders[made.id] = ExecutorState(executor_id="one", state="alive")
    await house.write(made.id, RUNNING)
    state = await executions.snapshot(ADA, made.id)
    assert (state.status, state.seq) == ("running", 1)
    assert state.executor is not None
    assert state.executor.executor_id == "one"


async def test_cancel_of_what_nobody_holds_ends_it(executions: Executions) -> None:
    made = await executions.execute(ADA, await new_workflow(executions))
    assert (await executions.cancel(ADA, made.id)).summary.status == "cancelled"
    with pytest.raises(Sealed):
        await executions.cancel(ADA, made.id)


async def test_cancel_tells_the_holder(house: House, executions: Executions) -> None:
    made = await executions.execute(ADA, await new_workflow(executions))
    await house.write(made.id, RUNNING)
    cancelled = await executions.cancel(ADA, made.id)
    assert (cancelled.summary.status, cancelled.cancelling) == ("running", True)
    assert house.leases.told == [made.id]


async def test_retry_makes_a_new_execution_of_the_same(
    house: House, executions: Executions
) -> None:
    workflow_id = await new_workflow(executions)
    before = await executions.execute(ADA, workflow_id, input=BIG, priority=4)
    await finish(house, before.id)
    await executions.workflows.delete(ADA, workflow_id)
    bob = principal(sub="bob")
    after = await executions.retry(bob, before.id)
    assert after.id != before.id
    assert (after.record.retry_of, after.record.priority) == (before.id, 4)
    assert after.record.owner == "bob"
    assert after.record.graph == before.record.graph
    assert after.record.input["$ref"] == f"/api/executions/{after.id}/input"
    assert await executions.value(bob, after.id, "input") == (
        await executions.value(ADA, before.id, "input")
    )
    assert house.leases.woken == 2


async def test_retry_is_for_what_has_ended(house: House, executions: Executions) -> None:
    made = await executions.execute(ADA, await new_workflow(executions))
    with pytest.raises(Conflict, match="pending"):
        await executions.retry(ADA, made.id)
    await finish(house, made.id)
    with pytest.raises(InvalidRequest, match="fromNode"):
        await executions.retry(ADA, made.id, from_node="nowhere")


async def test_an_outside_run_is_not_retried(house: House, executions: Executions) -> None:
    made = await executions.execute(ADA, await new_workflow(executions))
    record = made.record.model_copy(update={"execution_id": "theirs"})
    await house.store.create(replace(made, record=record, registered=True))
    await finish(house, "theirs")
    with pytest.raises(Conflict, match="outside"):
        await executions.retry(ADA, "theirs")


async def test_a_token_for_certain_executions_lists_those(executions: Executions) -> None:
    workflow_id = await new_workflow(executions)
    made = [(await executions.execute(ADA, workflow_id)).id for _ in range(5)]
    chosen = principal(executions=frozenset({*made[:3], "ex_unknown"}))
    seen, cursor = [], None
    for _ in range(2):
        page, cursor = await executions.page(chosen, limit=2, cursor=cursor)
        seen += [execution.id for execution in page]
    assert cursor is None
    assert sorted(seen) == sorted(made[:3])
    assert (await executions.page(chosen, workflow_id="wf_other"))[0] == []
    with pytest.raises(InvalidRequest):
        await executions.page(chosen, cursor=made[4])
    assert await executions.counts(chosen) is None
    assert await executions.workflows.all(chosen) == []


async def test_a_viewer_of_its_own_lists_its_own(executions: Executions) -> None:
    workflow_id = await new_workflow(executions)
    await executions.execute(ADA, workflow_id)
    bobs = await executions.execute(principal(sub="bob"), workflow_id)
    bob = principal("viewer", sub="bob", own_only=True)
    page, _ = await executions.page(bob)
    assert [execution.id for execution in page] == [bobs.id]
    assert await executions.counts(bob) is None


async def test_outputs_and_results_are_whole(house: House, executions: Executions) -> None:
    made = await executions.execute(ADA, await new_workflow(executions))
    await house.write(made.id, RUNNING, node("start", "running"))
    for missing, reason in (
        (executions.output(ADA, made.id, "start"), "running"),
        (executions.output(ADA, made.id, "nowhere"), "no such node"),
        (executions.value(ADA, made.id, "result"), "running"),
    ):
        with pytest.raises(NotFound, match=reason):
            await missing
    preview = {"$preview": "…", "$size": 70_000, "$ref": "…"}
    await house.write(
        made.id,
        node("start", "completed", output={"small": 1}),
        node("wait", "running"),
        node("wait", "completed", output=preview),
        node("end", "skipped"),
        {"type": "result", "result": [1]},
        COMPLETED,
        **{"nodes/wait/output": b'"whole"'},
    )
    assert await executions.output(ADA, made.id, "start") == b'{"small":1}'
    assert await executions.output(ADA, made.id, "wait") == b'"whole"'
    assert await executions.output(ADA, made.id, "end") == b"null"
    assert await executions.value(ADA, made.id, "result") == b"[1]"
