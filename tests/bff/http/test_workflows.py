"""Routes: workflows and executing them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.bff.house import WORKFLOW, House


async def test_a_workflow_is_made_read_changed_and_deleted(house: House) -> None:
    response = await house.ask("POST", "/api/workflows", json={**WORKFLOW, "description": "Hi"})
    made = await response.json()
    path = f"/api/workflows/{made['id']}"
    assert (response.status, response.headers["Location"]) == (201, path)
    assert made["nodes"][1]["config"] == WORKFLOW["nodes"][1]["config"]
    assert (made["owner"], made["description"]) == ("operator", "Hi")
    assert await house.get(path, role="viewer") == made
    # what was read may be sent back, changed
    changed = await house.json("PUT", path, json={**made, "name": "New", "id": "x"}, status=200)
    assert (changed["id"], changed["name"]) == (made["id"], "New")
    assert changed["createdAt"] == made["createdAt"] <= changed["updatedAt"]
    assert (await house.get("/api/workflows"))["items"] == [changed]
    assert (await house.ask("DELETE", path)).status == 204
    error = await house.refusal("GET", path, status=404)
    assert error == {"code": "not_found", "message": "no such workflow"}
    await house.refusal("DELETE", path, status=404)
    assert (await house.get("/api/workflows"))["items"] == []


async def test_a_chain_of_agents_is_a_workflow(house: House) -> None:
    body = {"name": "Chain", "description": "d", "agents": [{"name": "A"}, {"name": "B"}]}
    made = await house.json("POST", "/api/workflows", json=body, status=201)
    assert [node["name"] for node in made["nodes"]] == [None, "A", "B", None]
    assert len(made["edges"]) == 3


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"nodes": [{"id": "a", "kind": "robot"}]}, 'node "a": unknown kind "robot"'),
        ({"edges": [{"source": "start", "target": "gone"}]}, '"gone" is not a node'),
        ({"name": ""}, "name"),
        ({"colour": "red"}, "colour: is not a known member"),
        ({"nodes": None}, "nodes"),
    ],
)
async def test_what_is_no_workflow_is_refused(
    house: House, changes: dict[str, Any], words: str
) -> None:
    body = {**WORKFLOW, **changes}
    error = await house.refusal("POST", "/api/workflows", json=body, status=400)
    assert error["code"] == "invalid"
    assert words in error["message"]


async def test_all_problems_are_in_the_details(house: House) -> None:
    body = {"name": "x", "nodes": [{"id": "a", "kind": "tool"}], "edges": []}
    error = await house.refusal("POST", "/api/workflows", json=body, status=400)
    assert len(error["details"]) == 2
    assert error["details"][0] == error["message"]


async def test_execute_answers_202_with_both_ids(house: House) -> None:
    workflow = await house.workflow()
    path = f"/api/workflows/{workflow}/execute"
    for body in (None, {}, {"input": {"a": 1}, "priority": 9}):
        response = await house.ask("POST", path, json=body)
        answer = await response.json()
        assert response.status == 202
        assert answer == {
            "id": answer["executionId"],
            "executionId": answer["id"],
            "workflowId": workflow,
            "status": "pending",
        }
        assert response.headers["Location"] == f"/api/executions/{answer['id']}"
        assert (await house.get(response.headers["Location"]))["status"] == "pending"
    assert house.leases.woken == 3


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"priority": 10}, "priority"),
        ({"priority": "high"}, "priority"),
        ({"priority": True}, "priority"),
        ({"inputs": 1}, "inputs: is not a known member"),
        ([], "the body is a JSON object"),
        ("text", "the body is a JSON object"),
    ],
)
async def test_execute_refuses_what_is_not_documented(
    house: House, body: object, words: str
) -> None:
    path = f"/api/workflows/{await house.workflow()}/execute"
    error = await house.refusal("POST", path, json=body, status=400)
    assert error["code"] == "invalid_request"
    assert words in error["message"]


async def test_a_key_makes_execute_repeatable(house: House) -> None:
    path = f"/api/workflows/{await house.workflow()}/execute"
    request: dict[str, Any] = {"json": {"input": 1}, "headers": {"Idempotency-Key": "k-1"}}
    first = await house.json("POST", path, status=202, **request)
    assert await house.json("POST", path, status=202, **request) == first
    other = {**request, "json": {"input": 2}}
    error = await house.refusal("POST", path, status=409, **other)
    assert error["code"] == "conflict"
    # a key belongs to its tenant
    stranger = {"role": "operator", "claims": {"tenant": "other"}}
    theirs = await house.json("POST", "/api/workflows", json=WORKFLOW, status=201, **stranger)
    elsewhere = f"/api/workflows/{theirs['id']}/execute"
    made = await house.json("POST", elsewhere, status=202, **request, **stranger)
    assert made["id"] != first["id"]


@pytest.mark.parametrize("key", ["", "a b", "x" * 256, "é"])
async def test_a_key_is_short_visible_text(house: House, key: str) -> None:
    path = f"/api/workflows/{await house.workflow()}/execute"
    error = await house.refusal("POST", path, headers={"Idempotency-Key": key}, status=400)
    assert "Idempotency-Key" in error["message"]
