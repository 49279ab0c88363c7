"""What `follow` prints, and how it follows a server whose connection is cut."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import socketio
from aiohttp import web
from rich.console import Console

from contract.events import AnyEvent, parse_events
from contract.execution import ExecutionState, Record, fold, initial
from contract.values import parse
from scripts import rendering
from scripts.follow import Lines, Screen, find, follow, main, parse_arguments, read
from scripts.viewer import Trouble, Viewer

TIME = "2026-01-31T12:00:0{}.000Z"
LOG = {
    "id": "ex-1:3",
    "nodeId": "n0",
    "level": "warning",
    "message": "a\nb\x1b[2J",
    "createdAt": TIME.format(3),
}


def record(nodes: int = 2) -> dict[str, Any]:
    return {
        "executionId": "ex-1",
        "workflowId": "wf-1",
        "workflowName": "My flow",
        "graph": {"nodes": [{"id": f"n{i}", "kind": "trigger"} for i in range(nodes)], "edges": []},
        "owner": "me",
        "createdAt": TIME.format(0),
    }


def history() -> list[dict[str, Any]]:
    payloads: list[dict[str, Any]] = [
        {"type": "status", "status": "running"},
        {"type": "nodeStatus", "nodeId": "n0", "status": "running", "try": 2},
        {"type": "log", "log": LOG},
        {"type": "nodeStatus", "nodeId": "n0", "status": "completed", "durationMs": 1500},
        {"type": "progress", "progress": 50, "nodeId": "n1", "nodeProgress": 12.5},
        {"type": "result", "result": {"answer": 42}},
        {"type": "status", "status": "completed", "logCount": 1},
    ]
    return [
        {**payload, "seq": seq, "timestamp": TIME.format(seq)}
        for seq, payload in enumerate(payloads, 1)
    ]


def events(raw: list[dict[str, Any]] | None = None) -> list[AnyEvent]:
    return parse_events(history() if raw is None else raw, "ex-1", 1)


def state(upto: int, nodes: int = 2) -> ExecutionState:
    return fold(initial(parse(Record, record(nodes))), events()[:upto])


def printed(what: Any, width: int = 100) -> str:
    out = io.StringIO()
    Console(file=out, width=width).print(what)
    return out.getvalue()


def test_a_line_an_event() -> None:
    assert [rendering.line(event) for event in events()] == [
        "12:00:01.000      1 status     running",
        "12:00:02.000      2 nodeStatus n0 running (try 2)",
        "12:00:03.000      3 log        warning [n0] a ⏎ b�[2J",
        "12:00:04.000      4 nodeStatus n0 completed in 1.5 s",
        "12:00:05.000      5 progress   50% [n1] 12.5%",
        '12:00:06.000      6 result     {"answer":42}',
        "12:00:07.000      7 status     completed (1 log line)",
    ]


def test_a_failure_in_a_line() -> None:
    raw = {"type": "error", "error": "it\nbroke", "nodeId": "n0", "seq": 1}
    (event,) = events([{**raw, "timestamp": TIME.format(1)}])
    assert rendering.line(event) == "12:00:01.000      1 error      [n0] it ⏎ broke"


@pytest.mark.parametrize(
    ("duration", "text"),
    [(0, "0 ms"), (999, "999 ms"), (1_000, "1.0 s"), (61_000, "1 min 1 s")],
)
def test_durations(duration: float, text: str) -> None:
    assert rendering.milliseconds(duration) == text


def test_a_long_text_is_cut() -> None:
    assert rendering.clean("x" * 600) == "x" * 499 + "…"
    assert rendering.clean("x" * 500) == "x" * 500


def test_the_screen_shows_progress_and_each_node_with_icon_and_word() -> None:
    now = datetime(2026, 1, 31, 12, 0, 5, tzinfo=UTC)
    text = printed(rendering.screen(state(2), now, rows=10, notice="connection lost"))
    assert "My flow" in text
    assert "connection lost" in text
    (running,) = [each for each in text.splitlines() if "n0" in each]
    assert running.split() == ["●", "n0", "running", "3.0", "s", "try", "2"]
    (pending,) = [each for each in text.splitlines() if "n1" in each]
    assert pending.split() == ["○", "n1", "pending"]
    done = printed(rendering.screen(state(5), now, rows=10))
    assert "50%" in done
    (completed,) = [each for each in done.splitlines() if "n0" in each]
    assert completed.split() == ["✔", "n0", "completed", "1.5", "s", "try", "2"]


def test_a_large_workflow_shows_what_matters_and_counts_the_rest() -> None:
    now = datetime(2026, 1, 31, 12, 0, 5, tzinfo=UTC)
    text = printed(rendering.screen(state(2, nodes=50), now, rows=3))
    assert "n0 " in text
    assert "… and 47 more nodes: 47 pending" in text
    assert len(text.splitlines()) == 5


def test_the_ending() -> None:
    assert rendering.ending(state(7)) == [
        '{\n  "answer": 42\n}',
        "ex-1: completed in 6.0 s, 7 events, 1 log line",
    ]
    assert rendering.exit_code(state(7)) == 0
    failed = state(1).model_copy(update={"status": "failed", "error": "n0: broke"})
    assert rendering.ending(failed)[0] == "error: n0: broke"
    assert rendering.exit_code(failed) == 1
    large = state(7).model_copy(
        update={"result": {"$preview": "x", "$size": 70_000, "$ref": "/api/executions/ex-1/result"}}
    )
    assert rendering.ending(large)[0] == "result: 70,000 bytes, see /api/executions/ex-1/result"


def test_the_problems_of_a_refused_workflow() -> None:
    body = {"error": {"code": "invalid", "message": "one", "details": ["one", "two"]}}
    assert rendering.payload_error(body) == "one\n  two"
    assert "documented form" in rendering.payload_error("<html>")


class FakeServer:
    """The HTTP and the namespace `/executions`, as far as `follow` needs them."""

    def __init__(self, raw: list[dict[str, Any]]) -> None:
        self.raw = raw
        self.cut_after: list[int] = []
        self.subscribed: list[int] = []
        self.asked: list[tuple[str, Any]] = []
        self.url = ""
        self.ahead = False

    async def __aenter__(self) -> FakeServer:
        self.sio = socketio.AsyncServer(async_mode="aiohttp", namespaces=["/executions"])
        self.sio.on("connect", self._connect, namespace="/executions")
        self.sio.on("subscribe", self._subscribe, namespace="/executions")
        app = web.Application()
        app.router.add_post("/api/dev/token", self._token)
        app.router.add_post("/api/workflows", self._create)
        app.router.add_post("/api/workflows/{id}/execute", self._execute)
        app.router.add_get("/api/executions/{id}/events", self._events)
        self.sio.attach(app)
        self.runner = web.AppRunner(app, shutdown_timeout=0.1, access_log=None)
        await self.runner.setup()
        site = web.TCPSite(self.runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{self.runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.runner.cleanup()
        await self.sio.shutdown()

    async def _connect(self, sid: str, environ: Any, auth: dict[str, Any]) -> None:
        if auth["token"] != "operator-token":
            raise socketio.exceptions.ConnectionRefusedError(
                "unauthorized", {"code": "token_invalid"}
            )

    async def _subscribe(self, sid: str, argument: dict[str, Any]) -> dict[str, Any]:
        after = argument["after"]
        self.subscribed.append(after)
        if argument["executionId"] != "ex-1":
            return {"ok": False, "error": {"code": "not_found", "message": "no"}}
        task = self.sio.start_background_task(self._send, sid, after)
        assert task is not None
        return {"ok": True, "executionId": "ex-1", "head": len(self.raw), "state": None}

    async def _send(self, sid: str, after: int) -> None:
        async def emit(name: str, payload: dict[str, Any]) -> None:
            await self.sio.emit(name, payload, namespace="/executions", to=sid)

        if self.ahead and after:
            self.ahead = False
            await emit("reset", {"executionId": "ex-1", "reason": "ahead", "head": 0})
            after = 0
        cut = self.cut_after.pop(0) if self.cut_after else None
        await emit("presence", {"executionId": "ex-1", "count": 1, "viewers": []})
        # two by two in the wrong order: the viewer must not trust the arrival
        raw = self.raw[after:]
        for first in range(0, len(raw), 2):
            for event in reversed(raw[first : first + 2]):
                payload = {**event, "executionId": "ex-1", "attempt": 1}
                await emit(payload.pop("type"), payload)
            if cut is not None and first >= cut:
                environ = self.sio.get_environ(sid, "/executions")
                await asyncio.sleep(0.01)
                environ["aiohttp.request"].transport.abort()
                return

    async def _token(self, request: web.Request) -> web.Response:
        self.asked.append(("token", await request.json()))
        return web.json_response({"token": "operator-token", "expiresIn": 60})

    def _denied(self, request: web.Request) -> web.Response | None:
        if request.headers.get("Authorization") == "Bearer operator-token":
            return None
        error = {"code": "token_invalid", "message": "not a token"}
        return web.json_response({"error": error}, status=401)

    async def _create(self, request: web.Request) -> web.Response:
        self.asked.append(("create", await request.json()))
        return self._denied(request) or web.json_response({"id": "wf-1"}, status=201)

    async def _execute(self, request: web.Request) -> web.Response:
        if request.match_info["id"] != "wf-1":
            error = {"code": "not_found", "message": "no"}
            return web.json_response({"error": error}, status=404)
        self.asked.append(("execute", await request.json()))
        return web.json_response({"id": "ex-1", "executionId": "ex-1"}, status=202)

    async def _events(self, request: web.Request) -> web.Response:
        denied = self._denied(request)
        if denied is not None:
            return denied
        if request.match_info["id"] != "ex-1":
            error = {"code": "not_found", "message": "no"}
            return web.json_response({"error": error}, status=404)
        return web.json_response({"execution": record(), "events": [], "head": 0})


@pytest.fixture
async def server() -> AsyncIterator[FakeServer]:
    async with FakeServer(history()) as server:
        yield server


def lines(first: int = 1) -> tuple[Lines, io.StringIO]:
    out = io.StringIO()
    return Lines(Console(file=out, width=200), first), out


async def test_a_file_is_created_executed_and_followed(server: FakeServer, tmp_path: Path) -> None:
    file = tmp_path / "flow.json"
    file.write_text(json.dumps({"name": "My flow"}))
    display, out = lines()
    async with Viewer(server.url, None, display.notice) as viewer:
        found = await find(viewer, str(file), {"x": 1})
        last = await follow(viewer, found, display)
    assert server.asked == [
        ("token", {"role": "operator"}),
        ("create", {"name": "My flow"}),
        ("execute", {"input": {"x": 1}}),
    ]
    assert last == state(7)
    text = out.getvalue().splitlines()
    assert text[0] == "following ex-1 of My flow"
    assert text[1:8] == [rendering.line(event) for event in events()]
    assert text[-1] == "ex-1: completed in 6.0 s, 7 events, 1 log line"


async def test_after_a_cut_it_goes_on_where_it_was(server: FakeServer) -> None:
    server.cut_after = [0, 2]
    display, out = lines(first=4)
    async with Viewer(server.url, "operator-token", display.notice) as viewer:
        found = await find(viewer, "ex-1", None)
        assert await follow(viewer, found, display) == state(7)
    assert server.subscribed == [0, 2, 6]
    text = out.getvalue().splitlines()
    assert [line.split()[1] for line in text if line.startswith("12:")] == ["4", "5", "6", "7"]
    assert "connection lost, trying again" in text
    assert "connected again" in text


async def test_a_server_with_less_is_followed_from_the_first_event(server: FakeServer) -> None:
    server.cut_after = [0]
    server.ahead = True
    display, out = lines()
    async with Viewer(server.url, "operator-token", display.notice) as viewer:
        found = await find(viewer, "ex-1", None)
        assert await follow(viewer, found, display) == state(7)
    assert server.subscribed == [0, 2, 0]
    assert out.getvalue().count("      1 status     running") == 2


async def test_a_workflows_id_is_executed(server: FakeServer) -> None:
    async with Viewer(server.url, None, print) as viewer:
        assert (await find(viewer, "wf-1", None)).execution_id == "ex-1"
        with pytest.raises(Trouble, match="no file, execution or workflow"):
            await find(viewer, "other", None)
        with pytest.raises(Trouble, match="--input"):
            await find(viewer, "ex-1", {})


async def test_a_wrong_token_says_how_to_get_one(server: FakeServer) -> None:
    async with Viewer(server.url, "wrong", print) as viewer:
        with pytest.raises(Trouble, match="not a token") as caught:
            await find(viewer, "ex-1", None)
        assert "RUNROOM_TOKEN" in caught.value.advice
        with pytest.raises(Trouble, match="token_invalid"):
            await anext(viewer.events("ex-1"))
    async with Viewer(server.url, None, print) as viewer:
        with pytest.raises(Trouble, match="no execution other"):
            await anext(viewer.events("other"))


async def test_a_terminal_gets_the_log_above_the_nodes(server: FakeServer) -> None:
    out = io.StringIO()
    console = Console(file=out, width=80, height=20, force_terminal=True, color_system=None)
    async with Viewer(server.url, "operator-token", print) as viewer:
        found = await find(viewer, "ex-1", None)
        with Screen(console, 1) as display:
            await follow(viewer, found, display)
    text = out.getvalue()
    assert "n0 a ⏎ b\N{REPLACEMENT CHARACTER}[2J" in text
    assert "✔  n0  completed" in text
    assert text.rstrip().endswith("ex-1: completed in 6.0 s, 7 events, 1 log line")


def test_no_server_says_how_to_start_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ex-1", "--url", "http://127.0.0.1:1"]) == 2
    problem = capsys.readouterr().err
    assert "no server answers at http://127.0.0.1:1" in problem
    assert "make run" in problem


def test_a_file_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(Trouble, match="cannot read"):
        read(tmp_path / "none.json")
    (tmp_path / "bad.json").write_text("{")
    with pytest.raises(Trouble, match="is not JSON"):
        read(tmp_path / "bad.json")


def test_an_input_that_is_no_json(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        parse_arguments(["x", "--input", "{"])
    assert caught.value.code == 2
    assert "is not JSON" in capsys.readouterr().err
