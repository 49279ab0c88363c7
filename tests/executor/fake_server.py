"""A small real server for the bridge's tests: `/executor` over a dict, and it misbehaves."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Any

import socketio
from aiohttp import web

NAMESPACE = "/executor"
TERMINAL = ("completed", "failed", "cancelled")


class FakeServer:
    """Protocol section 5 in short, kept in memory.

    Attributes:
        executions: `{attempt, head, events, holder}` by id; `events` are the payloads.
        misbehave: called with each message's event and argument; what it returns is done
            once to that message: None (nothing), "drop-before" or "drop-after" (the
            connection, before or after the message is carried out, without an answer),
            "silent" (no answer), a float (answers that much later), or a dict (the
            `error` of the answer).
        refuse: the `connect_error` data for a token, or None.
        calls: every message that came: (event, argument).
    """

    def __init__(self) -> None:
        self.executions: dict[str, dict[str, Any]] = {}
        self.pending: list[dict[str, Any]] = []
        self.lost: set[str] = set()
        self.cancel: set[str] = set()
        self.misbehave: Callable[[str, dict[str, Any]], Any] = lambda event, argument: None
        self.refuse: Callable[[str], dict[str, Any] | None] = lambda token: None
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.auths: list[dict[str, Any]] = []
        self.in_flight = 0
        self.most_in_flight = 0
        self.lease_ms = 15_000
        self.arrived = asyncio.Condition()
        self._runner: web.AppRunner | None = None
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port: int = free.getsockname()[1]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    async def __aenter__(self) -> FakeServer:
        await self.come()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.vanish()

    async def come(self) -> None:
        """Listen, with whatever was kept."""
        self._sio = socketio.AsyncServer(
            async_mode="aiohttp", max_http_buffer_size=4 * 1024 * 1024, namespaces=[NAMESPACE]
        )
        self._sio.on("connect", self._connect, namespace=NAMESPACE)
        for event in ("claim", "events", "heartbeat", "output", "release", "register", "refresh"):
            self._sio.on(event, self._handler(event), namespace=NAMESPACE)
        app = web.Application()
        self._sio.attach(app)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self._port).start()

    async def vanish(self) -> None:
        """Be gone, as a killed process is: all connections are reset."""
        if self._runner is None:
            return
        runner, self._runner = self._runner, None
        for sid in self.sids():
            self.abort(sid)
        await runner.cleanup()
        await self._sio.shutdown()

    def sids(self) -> list[str]:
        return [sid for sid, _ in self._sio.manager.get_participants(NAMESPACE, None)]

    def abort(self, sid: str) -> None:
        """Reset one connection."""
        environ = self._sio.get_environ(sid, NAMESPACE)
        if environ and environ["aiohttp.request"].transport:
            environ["aiohttp.request"].transport.abort()

    async def emit(self, event: str, argument: dict[str, Any]) -> None:
        await self._sio.emit(event, argument, namespace=NAMESPACE)

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait until it holds; looked at after each message and connect."""
        async with self.arrived:
            await self.arrived.wait_for(condition)

    def offer(self, execution_id: str) -> None:
        """Make an execution that `claim` gives."""
        self.executions[execution_id] = {"attempt": 0, "head": 0, "events": [], "holder": None}
        self.pending.append({"executionId": execution_id})

    async def _connect(self, sid: str, environ: Any, auth: dict[str, Any]) -> None:
        self.auths.append(auth)
        await self._notify()
        refusal = self.refuse(auth["token"])
        if refusal is not None:
            raise socketio.exceptions.ConnectionRefusedError("unauthorized", refusal)

    async def _notify(self) -> None:
        async with self.arrived:
            self.arrived.notify_all()

    def _handler(self, event: str) -> Callable[..., Any]:
        async def handle(sid: str, argument: dict[str, Any]) -> dict[str, Any]:
            self.calls.append((event, argument))
            await self._notify()
            self.in_flight += 1
            self.most_in_flight = max(self.most_in_flight, self.in_flight)
            try:
                fault = self.misbehave(event, argument)
                if isinstance(fault, dict):
                    return {"ok": False, "error": fault}
                if fault == "drop-before":
                    self.abort(sid)
                    await asyncio.Event().wait()
                if isinstance(fault, float):
                    await asyncio.sleep(fault)
                answer: dict[str, Any] = getattr(self, f"_{event}")(argument, sid)
                if fault == "drop-after":
                    self.abort(sid)
                if fault in ("drop-after", "silent"):
                    await self._notify()
                    await asyncio.Event().wait()
                return answer
            finally:
                self.in_flight -= 1
                await self._notify()

        return handle

    def _register(self, argument: dict[str, Any], sid: str) -> dict[str, Any]:
        fresh = {"attempt": 1, "head": 0, "events": [], "holder": self.auths[-1]["executorId"]}
        kept = self.executions.setdefault(argument["executionId"], fresh)
        if kept["holder"] != self.auths[-1]["executorId"]:
            return _refusal("conflict", "the id is taken")
        return {
            "ok": True,
            "executionId": argument["executionId"],
            "attempt": kept["attempt"],
            "head": kept["head"],
        }

    def _claim(self, argument: dict[str, Any], sid: str) -> dict[str, Any]:
        given: list[dict[str, Any]] = []
        while self.pending and len(given) < argument["max"]:
            execution_id = self.pending.pop(0)["executionId"]
            kept = self.executions[execution_id]
            kept["attempt"] += 1
            kept["holder"] = self.auths[-1]["executorId"]
            given.append(
                {
                    "executionId": execution_id,
                    "attempt": kept["attempt"],
                    "head": kept["head"],
                    "workflow": {},
                    "input": None,
                    "priority": 0,
                    "state": {},
                }
            )
        return {"ok": True, "leaseMs": self.lease_ms, "executions": given}

    def _events(self, argument: dict[str, Any], sid: str) -> dict[str, Any]:
        kept = self.executions.get(argument["executionId"])
        if kept is None:
            return _refusal("not_found", "no such execution")
        if argument["attempt"] < kept["attempt"]:
            return _refusal("fenced", "a newer attempt has begun")
        stored, head = list(kept["events"]), kept["head"]
        for event in argument["events"]:
            if event["seq"] <= head:
                if stored[event["seq"] - 1] != event:
                    return _refusal("conflict", f"seq {event['seq']} is another event")
                continue
            if stored and stored[-1]["type"] == "status" and stored[-1]["status"] in TERMINAL:
                return _refusal("sealed", "the execution has ended")
            if event["seq"] != head + 1:
                return _refusal("gap", "a hole", head=kept["head"])
            stored.append(event)
            head += 1
        kept["events"], kept["head"] = stored, head
        return {"ok": True, "head": head}

    def _heartbeat(self, argument: dict[str, Any], sid: str) -> dict[str, Any]:
        held = [each["executionId"] for each in argument["executions"]]
        return {
            "ok": True,
            "lost": [name for name in held if name in self.lost],
            "cancel": [name for name in held if name in self.cancel],
        }

    def _output(self, argument: dict[str, Any], sid: str) -> dict[str, Any]:
        for event in self.executions[argument["executionId"]]["events"]:
            if event.get("nodeId") == argument["nodeId"] and "output" in event:
                return {"ok": True, "output": event["output"]}
        return _refusal("not_found", "no such output")

    def _release(self, argument: dict[str, Any], sid: str) -> dict[str, Any]:
        self.executions[argument["executionId"]]["holder"] = None
        self.pending.append({"executionId": argument["executionId"]})
        return {"ok": True}

    def _refresh(self, argument: dict[str, Any], sid: str) -> dict[str, Any]:
        return {"ok": True, "expiresAt": "2100-01-01T00:00:00.000Z"}


def _refusal(code: str, message: str, **fields: Any) -> dict[str, Any]:
    return {"ok": False, "error": {"code": code, "message": message, **fields}}
