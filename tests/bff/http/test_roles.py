"""Who may use which route: every role against every route."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.bff.house import COMPLETED, RUNNING, WORKFLOW, House, node, open_house

CALLERS: dict[str, dict[str, Any]] = {
    "viewer": {"role": "viewer"},
    "operator": {"role": "operator"},
    "admin": {"role": "admin", "claims": {"tenant": "office"}},
    "executor": {"role": "executor"},
    "nobody": {"role": None},
    "stranger": {"role": "operator", "claims": {"tenant": "other"}},
    "limited": {"role": "operator", "claims": {"executions": ["ex_elsewhere"]}},
    "expired": {"role": "operator", "claims": {"ttl": -60}},
}
EXECUTION_READS = ("", "/events", "/logs", "/input", "/result", "/nodes/start/output")

# route → status for viewer, operator, admin, executor, nobody, stranger, limited, expired
ROUTES: dict[tuple[str, str], tuple[int, ...]] = {
    ("GET", "/healthz"): (200,) * 8,
    ("GET", "/readyz"): (200,) * 8,
    ("GET", "/metrics"): (200,) * 8,
    # the page is for everyone; what it asks for is not
    **{
        ("GET", address): (200,) * 8
        for address in ("/", "/executions", "/executions/{ended}", "/monitoring", "/stats")
    },
    ("GET", "/assets/{name}"): (404,) * 8,
    ("GET", "/api/ui-config"): (200,) * 8,
    ("POST", "/api/dev/token"): (404,) * 8,
    ("GET", "/api/nothing"): (404,) * 8,
    ("GET", "/api/stats"): (200, 200, 200, 403, 401, 200, 200, 401),
    ("GET", "/api/workflows"): (200, 200, 200, 403, 401, 200, 200, 401),
    ("POST", "/api/workflows"): (403, 201, 201, 403, 401, 201, 403, 401),
    ("GET", "/api/workflows/{workflow}"): (200, 200, 200, 403, 401, 404, 404, 401),
    ("PUT", "/api/workflows/{workflow}"): (403, 200, 200, 403, 401, 404, 403, 401),
    ("POST", "/api/workflows/{workflow}/execute"): (403, 202, 202, 403, 401, 404, 403, 401),
    ("DELETE", "/api/workflows/{workflow}"): (403, 204, 204, 403, 401, 404, 403, 401),
    ("GET", "/api/executions"): (200, 200, 200, 403, 401, 200, 200, 401),
    **{
        ("GET", "/api/executions/{ended}" + part): (200, 200, 200, 403, 401, 404, 404, 401)
        for part in EXECUTION_READS
    },
    ("POST", "/api/executions/{pending}/cancel"): (403, 202, 202, 403, 401, 404, 404, 401),
    ("POST", "/api/executions/{ended}/retry"): (403, 202, 202, 403, 401, 404, 403, 401),
}
CODES = {401: {"token_missing", "token_expired"}, 403: {"forbidden"}, 404: {"not_found"}}


@pytest.fixture
async def places(house: House) -> dict[str, str]:
    workflow = await house.workflow()
    ended = await house.execution(workflow)
    await house.write(
        ended,
        RUNNING,
        node("start", "running"),
        node("start", "completed", output=1),
        {"type": "result", "result": 1},
        COMPLETED,
    )
    pending = await house.execution(workflow)
    return {"workflow": workflow, "ended": ended, "pending": pending, "name": "nothing.js"}


@pytest.mark.parametrize(("method", "path"), ROUTES)
async def test_roles(house: House, places: dict[str, str], method: str, path: str) -> None:
    takes_one = method != "GET" and path.endswith(("/workflows", "{workflow}"))
    body = WORKFLOW if takes_one else None
    answers = []
    # those who may not come first: a cancel or a delete can be done once
    expected = ROUTES[method, path]
    order = sorted(zip(CALLERS, expected, strict=True), key=lambda pair: -pair[1])
    for caller, status in order:
        concrete = path.format_map(places)
        response = await house.ask(method, concrete, json=body, **CALLERS[caller])
        answers.append((caller, response.status))
        if response.status in CODES:
            error = (await response.json())["error"]
            assert error["code"] in CODES[response.status], caller
            assert (response.headers.get("WWW-Authenticate") == "Bearer") is (
                response.status == 401
            )
        if response.status == 204:
            places["workflow"] = await house.workflow()
        if response.status == 202 and path.endswith("cancel"):
            places["pending"] = await house.execution(places["workflow"])
        assert response.status == status, caller
    assert len(answers) == len(CALLERS)


async def test_every_route_is_in_the_table(house: House) -> None:
    named = {
        (route.method, route.resource.canonical.replace("nodes/{nodeId}", "nodes/start"))
        for route in house.app.router.routes()
        if route.resource is not None and route.method != "HEAD"
    }
    table = {
        (method, path.replace("{workflow}", "{id}").replace("{ended}", "{id}"))
        for method, path in ROUTES
    }
    table = {(method, path.replace("{pending}", "{id}")) for method, path in table}
    # whether there is an icon depends on the build
    named.remove(("GET", "/favicon.svg"))
    assert named == table - {("GET", "/api/nothing"), ("POST", "/api/dev/token")}


async def test_an_unknown_execution_and_a_forbidden_one_answer_the_same(
    house: House, places: dict[str, str]
) -> None:
    for part in (*EXECUTION_READS, "/cancel"):
        method = "POST" if part == "/cancel" else "GET"
        answers = []
        for caller, id in (
            ("stranger", places["ended"]),
            ("stranger", "ex_unknown"),
            ("operator", "ex_unknown"),
            ("limited", places["ended"]),
        ):
            response = await house.ask(method, f"/api/executions/{id}{part}", **CALLERS[caller])
            ours = {k: v for k, v in response.headers.items() if k != "Date"}
            answers.append((response.status, await response.read(), ours))
        assert all(answer == answers[0] for answer in answers), part
        assert answers[0][0] == 404


@pytest.fixture
async def private(tmp_path: Path) -> AsyncIterator[House]:
    async with open_house(tmp_path, visibility="owner") as opened:
        yield opened


async def test_with_visibility_owner_a_viewer_sees_its_own(private: House) -> None:
    id = await private.execution()
    path = f"/api/executions/{id}"
    await private.get(path, role="viewer", claims={"sub": "operator"})
    await private.get(path, role="operator", claims={"sub": "someone"})
    await private.refusal("GET", path, role="viewer", claims={"sub": "someone"}, status=404)
    page = await private.get("/api/executions", role="viewer", claims={"sub": "someone"})
    assert page["items"] == []
    stats = await private.get("/api/stats", role="viewer", claims={"sub": "someone"})
    assert stats["executions"] is None


async def test_anonymous_viewers_watch_but_do_not_operate(tmp_path: Path) -> None:
    async with open_house(tmp_path, anonymous="viewer") as house:
        id = await house.execution()
        await house.get(f"/api/executions/{id}", role=None)
        await house.refusal("POST", f"/api/executions/{id}/cancel", role=None, status=403)
        rubbish = {"Authorization": "Bearer rubbish"}
        await house.refusal("GET", "/api/executions", role=None, headers=rubbish, status=401)


async def test_an_anonymous_operator_must_be_on_this_machine(tmp_path: Path) -> None:
    async with open_house(tmp_path, anonymous="operator", dev=True) as house:
        await house.json("POST", "/api/workflows", role=None, json=WORKFLOW, status=201)
        rebound = {"Host": "rebound.example"}
        error = await house.refusal(
            "POST", "/api/workflows", role=None, json=WORKFLOW, headers=rebound, status=401
        )
        assert error["code"] == "token_missing"
