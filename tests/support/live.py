"""A whole server in this process, on a free port, and hands to talk to it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson

from bff.app import Server, running
from bff.settings import Settings
from contract.messages import EXECUTORS, VIEWERS
from contract.values import now
from tests.support.engine import Client, Polling, Session, websocket

SECRET = "a secret that is long enough for HS256"

GRAPH: dict[str, Any] = {
    "name": "Three steps",
    "nodes": [
        {"id": "start", "kind": "trigger"},
        {"id": "work", "kind": "tool", "config": {"tool": "delay", "arguments": {"seconds": 0}}},
        {"id": "end", "kind": "output"},
    ],
    "edges": [{"source": "start", "target": "work"}, {"source": "work", "target": "end"}],
}


class Live:
    """A running server; every client made here is closed with it."""

    def __init__(self, server: Server, session: Session) -> None:
        self.server = server
        self.session = session

    def token(self, role: Any = "operator", **claims: Any) -> str:
        return self.server.authenticator.mint(role=role, **claims)

    async def http(self, method: str, path: str, *, role: Any = "operator", **options: Any) -> Any:
        """The parsed answer of an HTTP request."""
        headers = {"Authorization": f"Bearer {self.token(role)}"}
        url = self.server.url + path
        async with self.session.http.request(method, url, headers=headers, **options) as answer:
            return orjson.loads(await answer.read())

    async def execute(self, graph: dict[str, Any] | None = None, **body: Any) -> str:
        """The id of a new execution."""
        workflow = await self.http("POST", "/api/workflows", json=graph or GRAPH)
        path = f"/api/workflows/{workflow['id']}/execute"
        made = await self.http("POST", path, json=body)
        return str(made["executionId"])

    async def viewer(
        self, role: Any = "viewer", *, transport: str = "websocket", **claims: Any
    ) -> Client:
        wire = (
            await websocket(self.session, self.server.url)
            if transport == "websocket"
            else await Polling(self.session, self.server.url).open()
        )
        client = Client(wire, VIEWERS)
        kind, answer = await client.connect({"token": self.token(role, **claims)})
        assert kind == "0", answer
        return client

    async def executor(self, executor_id: str = "one", **claims: Any) -> Client:
        client = Client(await websocket(self.session, self.server.url), EXECUTORS)
        auth = {
            "token": self.token("executor", **claims),
            "executorId": executor_id,
            "capacity": 10,
        }
        kind, answer = await client.connect(auth)
        assert kind == "0", answer
        return client


@asynccontextmanager
async def live(folder: Path, **changes: Any) -> AsyncIterator[Live]:
    """A server whose store is in `folder`; `changes` are settings by field name."""
    store = f"sqlite:///{folder}/executions.db"
    chosen = {"port": 0, "jwt_secret": SECRET, "store": store, **changes}
    session = Session()
    async with running(Settings(_env_file=None, **chosen)) as server:
        try:
            yield Live(server, session)
        finally:
            await session.close()


def log(seq: int, message: str = "line") -> dict[str, Any]:
    """A numbered log event, always the same for the same arguments."""
    moment = "2026-01-31T12:00:00.000Z"
    line = {"id": f"l{seq}", "level": "info", "message": message, "createdAt": moment}
    return {"type": "log", "seq": seq, "timestamp": moment, "log": line}


def status(seq: int, word: str) -> dict[str, Any]:
    return {"type": "status", "seq": seq, "timestamp": now(), "status": word}


def node(seq: int, node_id: str, word: str, **payload: Any) -> dict[str, Any]:
    event = {"type": "nodeStatus", "seq": seq, "timestamp": now()}
    return {**event, "nodeId": node_id, "status": word, **payload}


def logs(first: int, last: int, size: int = 10) -> list[dict[str, Any]]:
    return [log(seq, f"{seq} " + "x" * size) for seq in range(first, last + 1)]
