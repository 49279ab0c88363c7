"""`python -m executor` as a process, against a small real server."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from contract.events import parse_events
from contract.execution import ExecutionState, fold
from contract.messages import Claimed
from tests.executor.fake_server import FakeServer
from tests.executor.fakes import claim_of
from tests.executor.test_engine import OUT, TRIGGER, node

ROOT = Path(__file__).parents[2]


class ClaimServer(FakeServer):
    """Gives claims with their state folded from what has arrived so far."""

    def __init__(self) -> None:
        super().__init__()
        self.claims: dict[str, Claimed] = {}

    def give(self, claimed: Claimed) -> None:
        self.claims[claimed.execution_id] = claimed
        self.offer(claimed.execution_id)

    def state(self, execution_id: str) -> ExecutionState:
        state = ExecutionState.model_validate(self.claims[execution_id].state)
        for event in self.executions[execution_id]["events"]:
            attempt = event.get("attempt", 1)
            state = fold(state, parse_events([event], execution_id, attempt))
        return state

    def _claim(self, argument: dict[str, Any], sid: str) -> dict[str, Any]:
        answer = super()._claim(argument, sid)
        for given in answer["executions"]:
            whole = self.claims[given["executionId"]]
            state = self.state(given["executionId"])
            given.update(workflow=whole.workflow, input=whole.input, state=state.to_wire())
        return answer

    def _events(self, argument: dict[str, Any], sid: str) -> dict[str, Any]:
        for event in argument["events"]:
            event["attempt"] = argument["attempt"]
        return super()._events(argument, sid)

    def running(self, execution_id: str, node_id: str, attempt: int = 1) -> bool:
        return any(
            e.get("nodeId") == node_id and e.get("status") == "running" and e["attempt"] == attempt
            for e in self.executions[execution_id]["events"]
        )


@pytest.fixture
async def server() -> AsyncIterator[ClaimServer]:
    server = ClaimServer()
    async with server:
        yield server


class Process:
    """An executor process in a folder of its own."""

    def __init__(self, folder: Path, server: FakeServer) -> None:
        self.folder = folder
        self.environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "EXECUTOR_BFF_URL": server.url,
            "EXECUTOR_TOKEN": "a-token",
            "EXECUTOR_TOOLS": "tests.executor.tools",
        }
        self.process: asyncio.subprocess.Process | None = None

    async def start(self, **environment: str) -> asyncio.subprocess.Process:
        self.process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "executor",
            cwd=self.folder,
            env={k: v for k, v in {**self.environment, **environment}.items() if v},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        return self.process

    async def end(self) -> None:
        if self.process is not None:
            if self.process.returncode is None:
                self.process.kill()
            await self.process.communicate()


@pytest.fixture
async def executor(tmp_path: Path, server: ClaimServer) -> AsyncIterator[Process]:
    executor = Process(tmp_path, server)
    yield executor
    await executor.end()


@pytest.mark.parametrize(
    ("environment", "line"),
    [
        ({"WORKER_TIMEOUT": "soon"}, 'WORKER_TIMEOUT: got "soon"; takes a whole number of'),
        ({"EXECUTOR_TOOLS": "no.such.module"}, 'EXECUTOR_TOOLS: tools module "no.such.module"'),
        ({"EXECUTOR_REDACT": "PIN", "PIN": "12"}, "EXECUTOR_REDACT: the value of PIN has 2"),
    ],
)
async def test_a_wrong_setting(executor: Process, environment: dict[str, str], line: str) -> None:
    process = await executor.start(**environment)
    out, err = await process.communicate()
    assert process.returncode == 2
    assert err.decode().startswith(line) and err.count(b"\n") == 1
    assert out == b""


async def test_executes_and_stops(executor: Process, server: ClaimServer) -> None:
    server.give(
        claim_of(
            [TRIGGER, node("a", "chatter", text="hi", pool="process"), OUT], "in>a a>out", input=1
        )
    )
    process = await executor.start(EXECUTOR_ID="ex-1")
    assert process.stdout is not None
    greeting = (await process.stdout.readline()).decode()
    assert (
        greeting == f"executor ex-1 is connected to {server.url} and runs up to 5 nodes at once\n"
    )
    async with asyncio.timeout(20):
        await server.until(lambda: server.state("e1").terminal)
    state = server.state("e1")
    assert (state.status, state.result, state.log_count) == ("completed", "hi", 5)
    process.send_signal(signal.SIGTERM)
    out, _ = await process.communicate()
    assert process.returncode == 0
    # what nodes print does not appear here
    assert out == b""


async def test_a_stop_hands_work_to_another(executor: Process, server: ClaimServer) -> None:
    nodes = [TRIGGER, node("a", "chatter", text="hi"), node("b", "delay", seconds=1), OUT]
    server.give(claim_of(nodes, "in>a a>b b>out"))
    process = await executor.start()
    async with asyncio.timeout(20):
        await server.until(lambda: server.running("e1", "b"))
    begun = time.monotonic()
    process.send_signal(signal.SIGINT)
    await process.communicate()
    assert process.returncode == 0
    assert time.monotonic() - begun < 3
    assert server.executions["e1"]["holder"] is None
    assert not server.state("e1").terminal
    await executor.start()
    async with asyncio.timeout(20):
        await server.until(lambda: server.state("e1").terminal)
    state = server.state("e1")
    assert (state.status, state.attempt) == ("completed", 2)
    assert not server.running("e1", "a", attempt=2)
    assert state.nodes["b"].tries == 2


async def test_a_second_signal_ends_at_once(executor: Process, server: ClaimServer) -> None:
    server.give(claim_of([TRIGGER, node("a", "forever")], "in>a"))
    server.misbehave = lambda event, argument: "silent" if event == "release" else None
    process = await executor.start()
    async with asyncio.timeout(20):
        await server.until(lambda: server.running("e1", "a"))
    process.send_signal(signal.SIGTERM)
    async with asyncio.timeout(20):
        await server.until(lambda: any(event == "release" for event, _ in server.calls))
    assert process.returncode is None
    process.send_signal(signal.SIGTERM)
    async with asyncio.timeout(2):
        await process.communicate()
    assert process.returncode == 1


async def test_a_hanging_thread_does_not_keep_the_process(
    executor: Process, server: ClaimServer
) -> None:
    file = executor.folder / "pid"
    server.give(claim_of([TRIGGER, node("a", "hang", file=str(file), seconds=60)], "in>a"))
    process = await executor.start()
    async with asyncio.timeout(20):
        await server.until(lambda: server.running("e1", "a"))
        while not file.exists():
            await asyncio.sleep(0.01)
        process.send_signal(signal.SIGTERM)
        await process.communicate()
    assert process.returncode == 0


async def test_the_development_token(executor: Process, server: ClaimServer) -> None:
    process = await executor.start(EXECUTOR_TOKEN="")
    (executor.folder / ".data").mkdir()
    (executor.folder / ".data" / "executor.token").write_text("from-the-file\n")
    async with asyncio.timeout(20):
        await server.until(lambda: server.auths)
    assert server.auths[0]["token"] == "from-the-file"
    process.send_signal(signal.SIGTERM)
    await process.communicate()
    assert process.returncode == 0


async def test_a_refused_token(executor: Process, server: ClaimServer) -> None:
    server.refuse = lambda token: {"code": "token_invalid"}
    process = await executor.start()
    async with asyncio.timeout(20):
        _, err = await process.communicate()
    assert process.returncode == 2
    assert b"Traceback" not in err
