"""Routes about the server itself."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from bff.http import system
from contract.errors import Unavailable
from tests.bff.house import House, open_house


async def test_health_needs_nothing(house: House) -> None:
    assert await house.get("/healthz", role=None) == {"status": "ok"}
    assert await house.get("/readyz", role=None) == {"status": "ready"}
    assert (await house.ask("HEAD", "/healthz", role=None)).status == 200


async def test_ready_says_what_is_wrong(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken() -> None:
        raise Unavailable("the disk is full", retry_after_ms=2500)

    monkeypatch.setattr(house.store, "check", broken)
    response = await house.ask("GET", "/readyz", role=None)
    assert (response.status, response.headers["Retry-After"]) == (503, "3")
    error = (await response.json())["error"]
    assert error == {"code": "unavailable", "message": "the disk is full", "retryAfterMs": 2500}
    assert (await house.ask("GET", "/healthz", role=None)).status == 200


async def test_ready_does_not_wait_for_ever(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    async def stuck() -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(house.store, "check", stuck)
    monkeypatch.setattr(system, "READY_SECONDS", 0.05)
    error = await house.refusal("GET", "/readyz", role=None, status=503)
    assert "has not answered" in error["message"]


async def test_stats_count_executions_of_the_tenant(house: House) -> None:
    workflow = await house.workflow()
    await house.execution(workflow)
    cancelled = await house.execution(workflow)
    await house.json("POST", f"/api/executions/{cancelled}/cancel", status=202)
    counts = {"pending": 1, "running": 0, "completed": 0, "failed": 0, "cancelled": 1}
    assert await house.get("/api/stats", role="viewer") == {
        "connections": 3,
        "subscriptions": 5,
        "executions": counts,
        "eventsPerSecond": 1.5,
        "executors": 1,
    }
    stranger = await house.get("/api/stats", role="viewer", claims={"tenant": "other"})
    assert set(stranger["executions"].values()) == {0}
    admin = await house.get("/api/stats", role="admin", claims={"tenant": "other"})
    assert admin["executions"] == counts


async def test_metrics_are_prometheus_text(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    id = await house.execution()
    await house.ask("GET", "/no/such/path")
    await house.ask("GET", f"/api/executions/{id}")
    response = await house.ask("GET", "/metrics", role=None)
    assert response.headers["Content-Type"].startswith("text/plain; version=")
    lines = (await response.text()).splitlines()
    for line in (
        "runroom_connections 3.0",
        "runroom_subscriptions 5.0",
        "runroom_executors 1.0",
        "runroom_events_total 7.0",
        "runroom_store_up 1.0",
        'runroom_executions{status="pending"} 1.0',
        'runroom_executions{status="failed"} 0.0',
        'runroom_http_requests_total{method="GET",route="unknown",status="404"} 1.0',
        'runroom_http_requests_total{method="GET",route="/api/executions/{id}",status="200"} 1.0',
    ):
        assert line in lines
    assert id not in "".join(lines)

    async def broken(*, tenant: str | None) -> None:
        raise Unavailable("gone")

    monkeypatch.setattr(house.store, "counts", broken)
    text = await (await house.ask("GET", "/metrics", role=None)).text()
    assert "runroom_store_up 0.0" in text
    assert "runroom_executions{" not in text


async def test_ui_config_is_for_the_page(tmp_path: Path) -> None:
    async with open_house(tmp_path, ui_refresh_interval_ms=500, ui_color_theme="static") as house:
        assert await house.get("/api/ui-config", role=None) == {
            "refreshInterval": 500,
            "animationEnabled": True,
            "colorTheme": "static",
        }


async def test_a_development_server_gives_tokens_to_this_machine(tmp_path: Path) -> None:
    async with open_house(tmp_path, dev=True) as house:
        path = "/api/dev/token"
        body = {"role": "operator", "sub": "ada", "name": "Ada", "tenant": "lab"}
        answer = await house.json("POST", path, role=None, json=body, status=200)
        principal = house.authenticator.authenticate(answer["token"])
        assert (principal.role, principal.sub, principal.name) == ("operator", "ada", "Ada")
        assert principal.tenant == "lab"
        assert answer["expiresIn"] == 12 * 3600
        viewer = await house.json("POST", path, role=None, status=200)
        assert house.authenticator.authenticate(viewer["token"]).role == "viewer"
        error = await house.refusal("POST", path, role=None, json={"role": "root"}, status=400)
        assert "role" in error["message"]
        for headers, status in (
            ({"Host": "rebound.example"}, 404),
            ({"Origin": "https://evil.example"}, 403),
            ({"Origin": "null"}, 403),
        ):
            await house.refusal("POST", path, role=None, headers=headers, status=status)
