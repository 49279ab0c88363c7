"""The server's HTTP side on a real store and a real port, and hands to run executions."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiohttp import ClientResponse, web
from aiohttp.test_utils import TestClient, TestServer

from bff import http
from bff.auth import Authenticator
from bff.executions import Executions
from bff.settings import Settings
from bff.snapshots import Snapshots, decode
from bff.stores.base import Append, EventStore, Execution, StoredEvent, Summary
from bff.stores.sqlite import SqliteStore
from contract.events import encode, parse_events
from contract.execution import ExecutorState, fold, initial
from contract.values import now

SECRET = "a secret that is long enough for HS256"


def settings(**changes: Any) -> Settings:
    """Settings that come from nowhere but the test."""
    return Settings(_env_file=None, **{"port": 0, "jwt_secret": SECRET, **changes})


class FakeLeases:
    """Holders are set by the test; a cancel without a holder is carried out at once."""

    def __init__(self, store: EventStore) -> None:
        self.store = store
        self.woken = 0
        self.told: list[str] = []
        self.holders: dict[str, ExecutorState] = {}

    async def cancel(self, execution: Execution) -> None:
        execution = await self.store.request_cancel(execution.id)
        if execution.holder is None:
            await write(self.store, execution.id, [{"type": "status", "status": "cancelled"}])
        else:
            self.told.append(execution.id)

    def executor(self, execution_id: str) -> ExecutorState | None:
        return self.holders.get(execution_id)

    def wake(self) -> None:
        self.woken += 1


async def write(
    store: EventStore,
    execution_id: str,
    bodies: list[dict[str, Any]],
    values: Mapping[str, bytes] | None = None,
) -> None:
    """Append events as the server's ingest does; claims the execution if nobody holds it."""
    execution = await store.execution(execution_id)
    if execution.holder is None:
        execution = await store.take(execution_id, "tester")
    numbered = [
        {"seq": seq, "timestamp": now(), **body}
        for seq, body in enumerate(bodies, execution.head + 1)
    ]
    events = parse_events(numbered, execution_id, execution.attempt)
    state = initial(execution.record)
    while state.seq < execution.head:
        state = fold(state, map(decode, await store.read(execution_id, state.seq)))
    state = fold(state, events)
    await store.append(
        Append(
            execution_id=execution_id,
            attempt=execution.attempt,
            head=execution.head,
            events=[StoredEvent(event.seq, event.type, encode(event)) for event in events],
            numbering="executor",
            summary=Summary(
                status=state.status,
                progress=state.progress,
                started_at=state.started_at,
                ended_at=state.ended_at,
                error=state.error,
                log_count=state.log_count,
            ),
            values=values or {},
        )
    )


RUNNING = {"type": "status", "status": "running"}
COMPLETED = {"type": "status", "status": "completed"}


def log(message: str, **line: Any) -> dict[str, Any]:
    return {"type": "log", "log": {"level": "info", "message": message, **line}}


def node(node_id: str, status: str, **payload: Any) -> dict[str, Any]:
    return {"type": "nodeStatus", "nodeId": node_id, "status": status, **payload}


WORKFLOW: dict[str, Any] = {
    "name": "Greet",
    "nodes": [
        {"id": "start", "kind": "trigger"},
        {"id": "wait", "kind": "tool", "config": {"tool": "delay", "arguments": {"seconds": 0}}},
        {"id": "end", "kind": "output"},
    ],
    "edges": [{"source": "start", "target": "wait"}, {"source": "wait", "target": "end"}],
}


class House:
    """A server to ask, and what is behind it."""

    def __init__(self, store: EventStore, chosen: Settings, **parts: Any) -> None:
        self.store = store
        self.settings = chosen
        self.authenticator = Authenticator(chosen)
        self.leases = FakeLeases(store)
        self.snapshots = Snapshots(store, evict_seconds=60)
        self.executions = Executions(store, self.snapshots, self.leases)
        self.live = {
            "connections": 3,
            "subscriptions": 5,
            "eventsPerSecond": 1.5,
            "eventsTotal": 7,
            "executors": [{"executorId": "one"}],
        }
        self.app = web.Application()
        http.setup(
            self.app,
            settings=chosen,
            authenticator=self.authenticator,
            executions=self.executions,
            store=store,
            leases=self.leases,
            stats=lambda: self.live,
        )
        self.client: TestClient[Any, Any] = TestClient(TestServer(self.app))

    def headers(self, role: str | None, **claims: Any) -> dict[str, str]:
        """The Authorization of a role; None: none."""
        if role is None:
            return {}
        token = self.authenticator.mint(role=role, **{"sub": role, **claims})  # type: ignore[arg-type]
        return {"Authorization": f"Bearer {token}"}

    async def ask(
        self,
        method: str,
        path: str,
        *,
        role: str | None = "operator",
        claims: Mapping[str, Any] | None = None,
        **request: Any,
    ) -> ClientResponse:
        headers = {**self.headers(role, **(claims or {})), **request.pop("headers", {})}
        return await self.client.request(method, path, headers=headers, **request)

    async def get(self, path: str, *, status: int = 200, **request: Any) -> Any:
        """The JSON of an answer that must have this status."""
        return await self.json("GET", path, status=status, **request)

    async def json(self, method: str, path: str, *, status: int, **request: Any) -> Any:
        response = await self.ask(method, path, **request)
        body = await response.json()
        assert response.status == status, body
        return body

    async def refusal(self, method: str, path: str, *, status: int, **request: Any) -> Any:
        """The `error` of a refused request."""
        body = await self.json(method, path, status=status, **request)
        assert set(body) == {"error"}
        return body["error"]

    async def workflow(self, **changes: Any) -> str:
        made = await self.json("POST", "/api/workflows", status=201, json={**WORKFLOW, **changes})
        return str(made["id"])

    async def execution(self, workflow_id: str | None = None, **body: Any) -> str:
        path = f"/api/workflows/{workflow_id or await self.workflow()}/execute"
        made = await self.json("POST", path, status=202, json=body)
        return str(made["executionId"])

    async def write(self, execution_id: str, *bodies: dict[str, Any], **values: bytes) -> None:
        await write(self.store, execution_id, list(bodies), values)


@asynccontextmanager
async def open_house(folder: Path, **changes: Any) -> AsyncIterator[House]:
    """A house with its store in `folder`."""
    async with SqliteStore(folder / "executions.db") as store:
        house = House(store, settings(**changes))
        async with house.client:
            # a test must not wait for ever
            async with asyncio.timeout(60):
                yield house
