"""Routes: executions, their events and their whole values."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import pytest

from contract.events import parse_event
from contract.execution import Record, fold, initial
from tests.bff.house import COMPLETED, RUNNING, WORKFLOW, House, log, node

NDJSON = {"Accept": "application/x-ndjson"}


async def finished(house: House, **body: Any) -> str:
    """An execution with one of each event."""
    id = await house.execution(**body)
    await house.write(
        id,
        RUNNING,
        node("start", "running"),
        node("start", "completed", output={"a": [1, None, "é"]}, durationMs=1.5),
        {"type": "progress", "progress": 33},
        log("working", nodeId="wait", metadata={"n": None}),
        node("wait", "running"),
        node("wait", "completed"),
        node("end", "skipped"),
        {"type": "result", "result": {"a": 1}},
        {**COMPLETED, "logCount": 1},
    )
    return id


async def test_the_events_folded_are_the_snapshot(house: House) -> None:
    id = await finished(house, input={"x": 1})
    page = await house.get(f"/api/executions/{id}/events")
    assert set(page) == {"execution", "events", "head"}
    assert page["head"] == 10
    record = Record.model_validate(page["execution"])
    state = fold(initial(record), [parse_event(event) for event in page["events"]])
    assert await house.get(f"/api/executions/{id}") == state.to_wire()
    assert (state.status, state.log_count, state.input) == ("completed", 1, {"x": 1})


async def test_event_pages_go_on_after_a_seq(house: House) -> None:
    id = await finished(house)
    path = f"/api/executions/{id}/events"
    whole = (await house.get(path))["events"]
    first = await house.get(path, params={"limit": "4"})
    assert first["events"] == whole[:4]
    assert first["head"] == 10
    assert (await house.get(path, params={"after": "4", "limit": "3"}))["events"] == whole[4:7]
    assert (await house.get(path, params={"after": "10"}))["events"] == []
    assert (await house.get(path, params={"after": "99"}))["head"] == 10


async def test_events_may_be_chosen_by_type(house: House) -> None:
    path = f"/api/executions/{await finished(house)}/events"
    for query in ("type=log,status", "type=log&type=status"):
        events = (await house.get(f"{path}?{query}"))["events"]
        assert [event["seq"] for event in events] == [1, 5, 10]


async def test_all_events_stream_as_lines(house: House) -> None:
    id = await house.execution()
    await house.write(id, RUNNING)
    for start in range(0, 3000, 500):
        await house.write(id, *(log(f"line {n} " + "x" * 200) for n in range(start, start + 500)))
    for coding in ("identity", "gzip"):
        response = await house.ask(
            "GET",
            f"/api/executions/{id}/events",
            headers={**NDJSON, "Accept-Encoding": coding},
        )
        assert response.content_type == "application/x-ndjson"
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert response.headers.get("Content-Encoding", "identity") == coding
        lines = (await response.text()).splitlines()
        assert len(lines) == 3001
        events = [json.loads(line) for line in lines]
        assert [event["seq"] for event in events] == list(range(1, 3002))
        assert events[3000]["log"]["message"].startswith("line 2999 ")
        assert set(events[0]) == {
            "type",
            "executionId",
            "seq",
            "attempt",
            "timestamp",
            "status",
        }


async def test_a_stream_of_lines_takes_the_same_parameters(house: House) -> None:
    path = f"/api/executions/{await finished(house)}/events"
    for query, expected in (
        ("after=7", [8, 9, 10]),
        ("limit=2", [1, 2]),
        ("type=log", [5]),
        ("after=10", []),
    ):
        response = await house.ask("GET", f"{path}?{query}", headers=NDJSON)
        lines = (await response.text()).splitlines()
        assert [json.loads(line)["seq"] for line in lines] == expected, query
    await house.refusal("GET", "/api/executions/ex_unknown/events", headers=NDJSON, status=404)


@pytest.mark.parametrize(
    "accept",
    [
        "application/x-ndjson;q=0",
        "*/*",
        "application/json",
        "",
        "application/json, application/x-ndjson, */*",
        "application/x-ndjson;q=0.5, application/json",
    ],
)
async def test_lines_are_only_for_those_who_name_them(house: House, accept: str) -> None:
    path = f"/api/executions/{await finished(house)}/events"
    response = await house.ask("GET", path, headers={"Accept": accept})
    assert response.content_type == "application/json"


async def test_a_page_is_bounded_in_bytes_too(house: House) -> None:
    id = await house.execution()
    path = f"/api/executions/{id}/events"
    for _ in range(6):
        await house.write(id, log("x" * 900_000))
    first = await house.get(path)
    seqs = [event["seq"] for event in first["events"]]
    assert (first["head"], 1 <= len(seqs) < 6) == (6, True)
    rest = await house.get(f"{path}?after={seqs[-1]}")
    assert seqs + [event["seq"] for event in rest["events"]] == [1, 2, 3, 4, 5, 6]
    response = await house.ask("GET", path, headers=NDJSON)
    assert len((await response.text()).splitlines()) == 6


async def test_the_list_is_newest_first_and_pages(house: House) -> None:
    workflow = await house.workflow()
    made = [await house.execution(workflow) for _ in range(5)]
    seen: list[str] = []
    cursor: str | None = None
    for size in (2, 2, 1):
        params = {"limit": "2", **({"cursor": cursor} if cursor else {})}
        page = await house.get("/api/executions", params=params)
        assert len(page["items"]) == size
        seen += [item["executionId"] for item in page["items"]]
        cursor = page["nextCursor"]
    assert cursor is None
    assert seen == made[::-1]


async def test_the_list_is_filtered(house: House) -> None:
    done, other = await finished(house), await house.execution()
    page = await house.get("/api/executions?status=completed")
    (item,) = page["items"]
    assert item["executionId"] == done
    snapshot = await house.get(f"/api/executions/{done}")
    assert item == {name: snapshot[name] for name in item}
    assert (item["progress"], item["logCount"]) == (33, 1)
    workflow = (await house.get(f"/api/executions/{other}"))["workflowId"]
    page = await house.get(f"/api/executions?workflowId={workflow}")
    assert [item["executionId"] for item in page["items"]] == [other]


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("limit=0", "limit: takes a whole number from 1 to 1000"),
        ("limit=1001", "limit"),
        ("limit=ten", "limit"),
        ("limit=1.0", "limit"),
        ("limit=%2B1", "limit"),
        ("limit=%D9%A1", "limit"),
        ("limit=", "limit"),
        ("limit=1&limit=2", "limit: is given twice"),
        ("status=done", "status: takes one of pending, running, completed, failed, cancelled"),
        ("workflowId=a%20b", "workflowId: takes an id"),
        ("cursor=rubbish", "cursor"),
        ("colour=red", "colour: unknown parameter; accepted are cursor, limit, status, workflowId"),
        ("access_token=s3cret", "access_token: unknown parameter"),
        ("%FF=1", "unknown parameter"),
        ("cursor=%FF%00", "cursor"),
    ],
)
async def test_a_wrong_query_is_named(house: House, query: str, words: str) -> None:
    error = await house.refusal("GET", f"/api/executions?{query}", status=400)
    assert error["code"] == "invalid_request"
    assert words in error["message"]
    assert "s3cret" not in error["message"]


@pytest.mark.parametrize("query", ["after=-1", "after=x", "limit=1001", "type=logs", "level=info"])
async def test_a_wrong_query_of_events_is_named(house: House, query: str) -> None:
    id = await house.execution()
    error = await house.refusal("GET", f"/api/executions/{id}/events?{query}", status=400)
    assert query.partition("=")[0] in error["message"]


@pytest.mark.parametrize("id", ["a b", "x" * 129, "é", "..%2Fx", "%00"])
async def test_what_is_no_id_is_not_found(house: House, id: str) -> None:
    path = f"/api/executions/{id if '%' in id else quote(id)}/events"
    assert (await house.refusal("GET", path, status=404))["code"] == "not_found"


async def test_whole_values_are_answered(house: House) -> None:
    big = {"text": "x" * 70_000}
    id = await house.execution(input=big)
    path = f"/api/executions/{id}"
    assert (await house.get(path))["input"]["$size"] == 70_011
    assert await house.get((await house.get(path))["input"]["$ref"]) == big
    await house.refusal("GET", f"{path}/result", status=404)
    await house.refusal("GET", f"{path}/nodes/start/output", status=404)
    await house.refusal("GET", f"{path}/nodes/nowhere/output", status=404)
    reference = {"$preview": '{"a', "$size": 70_000, "$ref": f"{path}/nodes/start/output"}
    await house.write(
        id,
        RUNNING,
        node("start", "running"),
        node("start", "completed", output=reference),
        {"type": "result", "result": reference},
        COMPLETED,
        **{"nodes/start/output": b'{"a":1}', "result": b'{"b":2}'},
    )
    snapshot = await house.get(path)
    assert await house.get(snapshot["nodes"]["start"]["output"]["$ref"]) == {"a": 1}
    assert await house.get(f"{path}/result") == {"b": 2}


async def test_an_id_with_a_colon_has_a_path(house: House) -> None:
    nodes = [{**one, "id": f"n:{one['id']}"} for one in WORKFLOW["nodes"]]
    id = await house.execution(await house.workflow(nodes=nodes, edges=[]))
    await house.write(id, RUNNING, node("n:start", "running"), node("n:start", "completed"))
    assert await house.get(f"/api/executions/{id}/nodes/n%3Astart/output") is None


async def test_cancel_is_carried_out_once(house: House) -> None:
    id = await house.execution()
    path = f"/api/executions/{id}/cancel"
    answer = await house.json("POST", path, status=202)
    assert (answer["executionId"], answer["status"]) == (id, "cancelled")
    error = await house.refusal("POST", path, status=409)
    assert error["code"] == "sealed"


async def test_retry_makes_another_execution(house: House) -> None:
    id = await finished(house, input={"x": 1})
    path = f"/api/executions/{id}/retry"
    answer = await house.json("POST", path, status=202)
    assert answer["retryOf"] == id
    snapshot = await house.get(f"/api/executions/{answer['id']}")
    assert (snapshot["retryOf"], snapshot["status"]) == (id, "pending")
    assert snapshot["input"] == {"x": 1}
    key = {"Idempotency-Key": "again"}
    first = await house.json("POST", path, status=202, headers=key)
    assert await house.json("POST", path, status=202, headers=key) == first
    error = await house.refusal("POST", path, json={"fromNode": "nowhere"}, status=400)
    assert "fromNode" in error["message"]
    running = await house.execution()
    error = await house.refusal("POST", f"/api/executions/{running}/retry", status=409)
    assert error["code"] == "conflict"
