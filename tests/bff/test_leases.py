"""Leases on a real server: nothing living is robbed, nothing ownerless runs for ever."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

from bff.endings import terminal_events
from contract.events import parse_events
from contract.execution import Graph, Record, fold, initial
from contract.workflow import Node
from tests.support.engine import Client
from tests.support.live import Live, live, log, node, status

LEASE = 0.4


async def ended(house: Live, execution_id: str, timeout: float = 10) -> dict[str, Any]:
    """The snapshot, once the execution is terminal."""
    async with asyncio.timeout(timeout):
        while True:
            state = await house.http("GET", f"/api/executions/{execution_id}")
            if state["status"] in ("completed", "failed", "cancelled"):
                return dict(state)
            await asyncio.sleep(0.02)


async def claim(client: Client, timeout: float = 5) -> dict[str, Any]:
    async with asyncio.timeout(timeout):
        while True:
            found = (await client.call("claim", {"max": 1}))["executions"]
            if found:
                return dict(found[0])
            await asyncio.sleep(0.02)


async def send(client: Client, claimed: dict[str, Any], *events: dict[str, Any]) -> Any:
    batch = {"executionId": claimed["executionId"], "attempt": claimed["attempt"]}
    return await client.call("events", {**batch, "events": list(events)})


def held(claimed: dict[str, Any]) -> dict[str, Any]:
    return {"executionId": claimed["executionId"], "attempt": claimed["attempt"]}


async def test_an_execution_that_lost_too_many_leases_fails_and_says_why(tmp_path: Path) -> None:
    async with live(tmp_path, lease_seconds=LEASE, max_attempts=3) as house:
        made = await house.execute()
        client = await house.executor()
        first = await claim(client)
        await send(client, first, status(1, "running"), node(2, "start", "running"))
        second = await claim(client)
        assert (second["attempt"], second["head"]) == (2, 2)
        assert second["state"]["nodes"]["start"]["status"] == "running"
        third = await claim(client)
        assert third["attempt"] == 3
        state = await ended(house, made)
        assert state["status"] == "failed" and state["executor"] is None
        assert "3 executors were lost" in state["error"] and "one" in state["error"]
        words = {name: one["status"] for name, one in state["nodes"].items()}
        assert words == {"start": "cancelled", "work": "skipped", "end": "skipped"}
        late = await send(client, third, status(3, "running"))
        assert late["error"]["code"] == "fenced"


async def test_an_execution_that_never_began_fails_as_well(tmp_path: Path) -> None:
    async with live(tmp_path, lease_seconds=LEASE, max_attempts=1) as house:
        made = await house.execute()
        await claim(await house.executor())
        state = await ended(house, made)
        assert (state["status"], state["startedAt"] is not None) == ("failed", True)


async def test_releases_cost_no_attempt(tmp_path: Path) -> None:
    async with live(tmp_path, max_attempts=2) as house:
        made = await house.execute()
        head = 0
        for number in range(20):
            client = await house.executor(f"executor-{number}")
            claimed = await claim(client)
            assert claimed["attempt"] == number + 1
            head += 1
            assert (await send(client, claimed, status(head, "running")))["ok"]
            assert (await client.call("release", held(claimed)))["ok"]
        last = await house.executor("last")
        claimed = await claim(last)
        await send(last, claimed, status(head + 1, "running"), status(head + 2, "completed"))
        assert (await ended(house, made))["status"] == "completed"


async def test_heartbeats_and_events_renew_a_lease(tmp_path: Path) -> None:
    async with live(tmp_path, lease_seconds=LEASE) as house:
        await house.execute()
        client = await house.executor()
        claimed = await claim(client)
        await send(client, claimed, status(1, "running"))
        until = time.monotonic() + 4 * LEASE
        seq = 1
        while time.monotonic() < until:
            seq += 1
            assert (await send(client, claimed, log(seq)))["ok"]
            await asyncio.sleep(LEASE / 3)
        until = time.monotonic() + 4 * LEASE
        while time.monotonic() < until:
            answer = await client.call("heartbeat", {"executions": [held(claimed)]})
            assert answer["lost"] == []
            await asyncio.sleep(LEASE / 3)
        other = await house.executor("two")
        assert (await other.call("claim", {"max": 1}))["executions"] == []


async def test_a_lost_lease_is_revived_until_somebody_else_claims(tmp_path: Path) -> None:
    async with live(tmp_path, lease_seconds=LEASE) as house:
        await house.execute()
        client = await house.executor()
        claimed = await claim(client)
        await send(client, claimed, status(1, "running"))
        await asyncio.sleep(3 * LEASE)
        answer = await client.call("heartbeat", {"executions": [held(claimed)]})
        assert answer["lost"] == []
        await asyncio.sleep(3 * LEASE)
        assert (await send(client, claimed, log(2)))["ok"]
        other = await house.executor("two")
        assert (await other.call("claim", {"max": 1}))["executions"] == []
        taken = await claim(other)
        assert taken["attempt"] == 2
        answer = await client.call("heartbeat", {"executions": [held(claimed)]})
        assert answer["lost"] == [claimed["executionId"]]


async def test_a_server_that_was_down_longer_than_a_lease_takes_nothing_away(
    tmp_path: Path,
) -> None:
    async with live(tmp_path, lease_seconds=LEASE) as house:
        await house.execute()
        client = await house.executor()
        claimed = await claim(client)
        await send(client, claimed, status(1, "running"))
    await asyncio.sleep(2 * LEASE)
    async with live(tmp_path, lease_seconds=LEASE) as house:
        other = await house.executor("two")
        assert (await other.call("claim", {"max": 1}))["executions"] == []
        client = await house.executor()
        assert (await send(client, claimed, log(2)))["head"] == 2


async def test_a_claim_that_ran_out_before_a_restart_is_given_back(tmp_path: Path) -> None:
    async with live(tmp_path, lease_seconds=LEASE) as house:
        made = await house.execute()
        client = await house.executor()
        claimed = await claim(client)
        await send(client, claimed, status(1, "running"))
        async with asyncio.timeout(5):
            while True:
                state = await house.http("GET", f"/api/executions/{made}")
                if state["executor"]["state"] == "lost":
                    break
                await asyncio.sleep(0.02)
    async with live(tmp_path) as house:
        client = await house.executor()
        answer = await client.call("heartbeat", {"executions": [held(claimed)]})
        assert answer["lost"] == []
        other = await house.executor("two")
        assert (await other.call("claim", {"max": 1}))["executions"] == []


async def test_a_server_that_stood_still_gives_everyone_a_new_lease(tmp_path: Path) -> None:
    async with live(tmp_path, lease_seconds=LEASE) as house:
        await house.execute()
        client = await house.executor()
        claimed = await claim(client)
        await send(client, claimed, status(1, "running"))
        time.sleep(3 * LEASE)
        await asyncio.sleep(LEASE / 2)
        state = await house.http("GET", f"/api/executions/{claimed['executionId']}")
        assert state["executor"]["state"] == "alive"


async def test_the_last_resend_after_a_restart_is_not_told_that_it_lost(tmp_path: Path) -> None:
    async with live(tmp_path) as house:
        await house.execute()
        client = await house.executor()
        claimed = await claim(client)
        events = [status(1, "running"), status(2, "completed")]
        assert (await send(client, claimed, *events))["head"] == 2
    async with live(tmp_path) as house:
        client = await house.executor()
        answer = await client.call("heartbeat", {"executions": [held(claimed)]})
        assert answer["lost"] == []
        assert (await send(client, claimed, *events))["head"] == 2


async def test_a_cancel_whose_executor_is_lost_ends_the_execution(tmp_path: Path) -> None:
    async with live(tmp_path, lease_seconds=LEASE) as house:
        made = await house.execute()
        client = await house.executor()
        claimed = await claim(client)
        await send(client, claimed, status(1, "running"), node(2, "start", "running"))
        await house.http("POST", f"/api/executions/{made}/cancel")
        state = await ended(house, made)
        assert state["status"] == "cancelled"
        assert {one["status"] for one in state["nodes"].values()} == {"cancelled"}


async def test_a_cancel_before_a_restart_is_carried_out_after_it(tmp_path: Path) -> None:
    async with live(tmp_path) as house:
        made = await house.execute()
        client = await house.executor()
        claimed = await claim(client)
        await send(client, claimed, status(1, "running"))
        await house.http("POST", f"/api/executions/{made}/cancel")
    async with live(tmp_path) as house:
        client = await house.executor()
        answer = await client.call("heartbeat", {"executions": [held(claimed)]})
        assert answer["cancel"] == [made]
        assert (await client.call("release", held(claimed)))["ok"]
        assert (await ended(house, made))["status"] == "cancelled"


async def test_a_registered_run_whose_owner_is_gone_fails_in_the_end(tmp_path: Path) -> None:
    async with live(tmp_path, lease_seconds=LEASE, max_attempts=2) as house:
        client = await house.executor()
        made = await client.call("register", {"workflowId": "nightly"})
        claimed = {"executionId": made["executionId"], "attempt": 1}
        await send(client, claimed, status(1, "running"))
        state = await ended(house, made["executionId"])
        assert state["status"] == "failed" and "one is gone" in state["error"]


async def test_a_claim_whose_answer_was_lost_is_no_lost_lease(tmp_path: Path) -> None:
    async with live(tmp_path, lease_seconds=LEASE, max_attempts=1) as house:
        made = await house.execute()
        client = await house.executor()
        await claim(client)  # the executor never hears of it, but lives
        for _ in range(2):
            await client.call("heartbeat", {"executions": []})
        again = await claim(client)
        assert (again["executionId"], again["attempt"]) == (made, 2)
        answer = await client.call("heartbeat", {"executions": [held(again)]})
        assert answer["lost"] == []
        assert (await ended(house, made))["status"] == "failed", "this one it knew of"


async def test_a_heartbeat_in_parts_takes_nothing_away(tmp_path: Path) -> None:
    async with live(tmp_path, lease_seconds=LEASE) as house:
        for _ in range(3):
            await house.execute()
        client = await house.executor()
        claims = [await claim(client) for _ in range(3)]
        until = time.monotonic() + 3 * LEASE
        while time.monotonic() < until:
            for claimed in claims:
                answer = await client.call("heartbeat", {"executions": [held(claimed)]})
                assert answer["lost"] == []
            await asyncio.sleep(LEASE / 4)


async def test_another_tenants_heartbeat_revives_nothing(tmp_path: Path) -> None:
    async with live(tmp_path, lease_seconds=LEASE) as house:
        await house.execute()
        claimed = await claim(await house.executor())
        await asyncio.sleep(3 * LEASE)
        for thief in (
            await house.executor("one", tenant="evil"),
            await house.executor("two"),
            await house.executor("one", executions=["ex_other"]),
        ):
            answer = await thief.call("heartbeat", {"executions": [held(claimed)]})
            assert answer["lost"] == [claimed["executionId"]]
            answer = await send(thief, claimed, status(1, "running"))
            assert answer["error"]["code"] in ("fenced", "not_found")
        assert (await claim(await house.executor("two")))["attempt"] == 2


async def test_what_was_released_is_not_revived(tmp_path: Path) -> None:
    async with live(tmp_path) as house:
        await house.execute()
        client = await house.executor()
        claimed = await claim(client)
        assert (await client.call("release", held(claimed)))["ok"]
        answer = await client.call("heartbeat", {"executions": [held(claimed)]})
        assert answer["lost"] == [claimed["executionId"]]
        answer = await send(client, claimed, status(1, "running"))
        assert answer["error"]["code"] == "fenced"
        assert (await claim(await house.executor("two")))["attempt"] == 2


async def test_a_token_for_certain_executions_claims_only_those(tmp_path: Path) -> None:
    async with live(tmp_path) as house:
        await house.execute()
        mine = await house.execute()
        client = await house.executor(executions=[mine])
        assert [one["executionId"] for one in (await client.call("claim", {"max": 5}))[
            "executions"]] == [mine]  # fmt: skip
        refused = await client.call("register", {"workflowId": "w", "executionId": "other"})
        assert refused["error"]["code"] == "forbidden"


async def test_a_claim_whose_connection_dies_meanwhile_has_a_lease(tmp_path: Path) -> None:
    async with live(tmp_path, lease_seconds=LEASE) as house:
        for _ in range(5):
            await house.execute()
        for _ in range(5):
            client = await house.executor("dying")
            await client.emit_with(1, "claim", {"max": 1})
            client.wire.socket._writer.transport.abort()  # type: ignore[union-attr]
        other = await house.executor("two")
        assert len([await claim(other) for _ in range(5)]) == 5


async def test_an_execution_of_many_nodes_ends_as_well(tmp_path: Path) -> None:
    async with live(tmp_path, lease_seconds=LEASE, max_attempts=1) as house:
        made = await house.execute()
        client = await house.executor()
        claimed = await claim(client)
        await send(client, claimed, status(1, "running"))
        for start in range(2, 5_002, 1_000):
            batch = [node(seq, f"n{seq}", "running") for seq in range(start, start + 1_000)]
            assert (await send(client, claimed, *batch))["ok"]
        state = await ended(house, made)
        assert state["status"] == "failed" and len(state["nodes"]) > 5_000


def test_terminal_events_are_legal_from_every_state() -> None:
    nodes = tuple(Node(id=name, kind="trigger") for name in "abc")
    record = Record(
        execution_id="e",
        workflow_id="w",
        workflow_name="w",
        graph=Graph(nodes=nodes),
        owner="o",
        created_at="2026-01-31T12:00:00.000Z",
    )
    pending = initial(record)
    raw = [
        status(1, "running"),
        node(2, "a", "running"),
        node(3, "a", "completed"),
        node(4, "b", "running"),
        log(5),
    ]
    running = fold(pending, parse_events(raw, "e", 1))
    for state in (pending, running):
        for ending in ("cancelled", "failed"):
            events = parse_events(terminal_events(state, ending, "why"), "e", 2)
            done = fold(state, events)
            assert done.terminal and done.status == ending
            assert events[-1].type == "status" and events[-1].log_count == state.log_count
            assert (done.error == "why") is (ending == "failed")
            assert all(one.status != "pending" for one in done.nodes.values())
