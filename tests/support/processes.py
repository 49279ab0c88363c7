"""Real processes in a folder of their own, on ports of their own, stopped whatever happens.

    async with stack(tmp_path) as runroom:
        server = await runroom.server()
        await runroom.executor()

Everything goes through the front doors: settings come from the environment, tokens from
`POST /api/dev/token`, the executor's from the file that the server leaves for it. What the
processes print is kept in files, and shown with the error of a test that fails.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import aiohttp
import orjson

from contract.messages import MAX_PAGE

ROOT = Path(__file__).parents[2]
SECRET = "a secret that is long enough for HS256"
OURS = ("BFF_", "EXECUTOR_", "WORKER_", "WS_", "UI_", "RUNROOM_", "OPENAI_")
"""Prefixes of variables that a test's processes do not inherit."""
PORTS = range(20_000, 30_000)
"""Below the ephemeral ports: while a server is down, no client's own port may be its port."""
START_SECONDS = 20
STOP_SECONDS = 10
SHOWN_BYTES = 6_000


def free_port() -> int:
    """A loopback port that nobody listens on now."""
    while True:
        port = random.choice(PORTS)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def environment(**changes: object) -> dict[str, str]:
    """This process's environment without settings of the project, and with `changes`."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    kept.update(PYTHONPATH=str(ROOT), PYTHONUNBUFFERED="1", COLUMNS="500")
    return kept | {name: str(value) for name, value in changes.items()}


class Program:
    """One process, in a session of its own, with its output in files.

    Attributes:
        returncode: None while it runs, as `asyncio.subprocess.Process` has it.
    """

    def __init__(self, name: str, *command: object, folder: Path, env: dict[str, str]) -> None:
        self.name = name
        self._command = [str(word) for word in command]
        self._folder = folder
        self._env = env
        self._files = [folder / f"{name}.{kind}" for kind in ("out", "err")]
        self._process: asyncio.subprocess.Process | None = None
        self._family: set[int] = set()

    async def start(self) -> Program:
        """Start it; also again, after its end."""
        assert self._process is None or self.returncode is not None, f"{self.name} runs already"
        with self._files[0].open("ab") as out, self._files[1].open("ab") as err:
            self._process = await asyncio.create_subprocess_exec(
                *self._command,
                cwd=self._folder,
                env=self._env,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                start_new_session=True,
            )
        return self

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        return None if self._process is None else self._process.returncode

    @property
    def out(self) -> str:
        return self._files[0].read_text("utf-8", "replace") if self._files[0].exists() else ""

    @property
    def err(self) -> str:
        return self._files[1].read_text("utf-8", "replace") if self._files[1].exists() else ""

    async def printed(self, enough: str | Callable[[str], bool]) -> str:
        """Wait until the standard output has this; all of it so far.

        Raises:
            AssertionError: it ended without it.
        """
        while True:
            ended = self.returncode is not None
            out = self.out
            if (enough in out) if isinstance(enough, str) else enough(out):
                return out
            assert not ended, f"{self.name} ended with {self.returncode} before it printed {enough}"
            await asyncio.sleep(0.02)

    async def ended(self) -> int:
        """Wait for its end; its exit code, negative for a signal."""
        assert self._process is not None
        return await self._process.wait()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to this process alone."""
        assert self._process is not None
        self._family |= descendants(self.pid)
        self._process.send_signal(number)

    async def kill(self) -> None:
        """SIGKILL, which it cannot prepare for. What it started is left to itself."""
        self.signal(signal.SIGKILL)
        await self.ended()

    async def stop(self, seconds: float = STOP_SECONDS) -> int:
        """SIGTERM; its exit code.

        Raises:
            TimeoutError: it does not end.
        """
        self.signal(signal.SIGTERM)
        async with asyncio.timeout(seconds):
            return await self.ended()

    async def clear(self) -> None:
        """End it and whatever it started, however it is."""
        if self._process is None:
            return
        if self.returncode is None:
            self.signal(signal.SIGKILL)
            await self.ended()
        for pid in self._family & set(_parents()):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)

    def report(self) -> str:
        """What it printed, for people; of much, the end."""
        lines = [f"--- {self.name}: pid {self.pid}, exit code {self.returncode}"]
        for text in (self.out, self.err):
            cut = "…" if len(text) > SHOWN_BYTES else ""
            lines.append(cut + text[-SHOWN_BYTES:].rstrip())
        return "\n".join(line for line in lines if line)


def descendants(pid: int) -> set[int]:
    """The ids of all processes that this one started, and theirs."""
    parents = _parents()
    found: set[int] = set()
    grown = {pid}
    while grown:
        grown = {child for child, parent in parents.items() if parent in grown} - found
        found |= grown
    return found


def _parents() -> dict[int, int]:
    """Parent by process, of all that live."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            # the name in parentheses may itself hold any character
            state, parent = stat.read_text().rpartition(")")[2].split()[:2]
            if state != "Z":
                parents[int(stat.parent.name)] = int(parent)
    return parents


class Stack:
    """A server, its executors and its viewers, all in one folder. Made by `stack`."""

    def __init__(self, folder: Path, http: aiohttp.ClientSession, settings: dict[str, Any]) -> None:
        self.folder = folder
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.programs: list[Program] = []
        self._http = http
        self._tokens: dict[str, str] = {}
        self._env = environment(
            BFF_DEV=1, BFF_JWT_SECRET=SECRET, BFF_PORT=self.port, EXECUTOR_BFF_URL=self.url
        ) | {name: str(value) for name, value in settings.items()}

    def program(self, name: str, *command: object, **settings: object) -> Program:
        """A process that is stopped with the rest; not started yet."""
        assert name not in [program.name for program in self.programs]
        env = self._env | {key: str(value) for key, value in settings.items()}
        made = Program(name, *command, folder=self.folder, env=env)
        self.programs.append(made)
        return made

    async def server(self) -> Program:
        """A server that is ready."""
        server = self.program("server", sys.executable, "-m", "bff")
        await server.start()
        await self.ready(server)
        return server

    async def ready(self, server: Program) -> None:
        """Wait until the server answers that it is."""
        async with asyncio.timeout(START_SECONDS):
            while True:
                assert server.returncode is None, f"the server ended with {server.returncode}"
                with suppress(aiohttp.ClientConnectionError):
                    async with self._http.get(f"{self.url}/readyz") as answer:
                        if answer.status == 200:
                            return
                await asyncio.sleep(0.02)

    async def executor(self, name: str = "executor", **settings: object) -> Program:
        """An executor that is connected."""
        executor = self.program(
            name, sys.executable, "-m", "executor", EXECUTOR_ID=name, **settings
        )
        await executor.start()
        async with asyncio.timeout(START_SECONDS):
            await executor.printed("is connected to")
        return executor

    async def token(self, role: str = "operator") -> str:
        """A token that the server makes for development."""
        if role not in self._tokens:
            made = await self._request("POST", "/api/dev/token", 200, {"role": role}, {})
            self._tokens[role] = made["token"]
        return self._tokens[role]

    async def post(self, path: str, body: Any, *, status: int = 202) -> Any:
        """The JSON of an answer that must have this status."""
        headers = {"Authorization": f"Bearer {await self.token()}"}
        return await self._request("POST", path, status, body, headers)

    async def get(self, path: str) -> Any:
        headers = {"Authorization": f"Bearer {await self.token()}"}
        return await self._request("GET", path, 200, None, headers)

    async def execute(self, workflow: dict[str, Any], **body: Any) -> str:
        """The id of a new execution of a new workflow."""
        made = await self.post("/api/workflows", workflow, status=201)
        answer = await self.post(f"/api/workflows/{made['id']}/execute", body)
        return str(answer["executionId"])

    async def snapshot(self, execution_id: str) -> dict[str, Any]:
        found: dict[str, Any] = await self.get(f"/api/executions/{execution_id}")
        return found

    async def history(self, execution_id: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """The execution's record and all its events, page after page."""
        events: list[dict[str, Any]] = []
        while True:
            path = f"/api/executions/{execution_id}/events?after={len(events)}&limit={MAX_PAGE}"
            page = await self.get(path)
            events += page["events"]
            if len(events) >= page["head"]:
                return page["execution"], events

    def reports(self) -> str:
        """What all of them printed."""
        return "\n".join(program.report() for program in self.programs if program.returncode != -99)

    async def close(self) -> None:
        """Stop what runs, last started first, as an operator would.

        Raises:
            AssertionError: one does not stop cleanly, or printed a stack trace before.
        """
        for program in reversed(self.programs):
            if program.returncode is None:
                assert await program.stop() == 0, f"{program.name}: exit code {program.returncode}"
        self.check(self.programs)

    def check(self, programs: Iterable[Program]) -> None:
        for program in programs:
            assert "Traceback" not in program.err, f"{program.name} printed a stack trace"

    async def _request(
        self, method: str, path: str, status: int, body: Any, headers: dict[str, str]
    ) -> Any:
        async with self._http.request(
            method, self.url + path, json=body, headers=headers
        ) as answer:
            data = await answer.read()
            assert answer.status == status, f"{method} {path}: {answer.status} {data[:500]!r}"
            return orjson.loads(data)


@asynccontextmanager
async def stack(folder: Path, *, seconds: float = 60, **settings: object) -> AsyncIterator[Stack]:
    """An empty stack in `folder`; `settings` are environment variables of all its processes.

    At the end everything is stopped and must have been well; if the block fails, or takes
    longer than `seconds`, the error shows what all processes printed.
    """
    async with aiohttp.ClientSession() as http:
        made = Stack(folder, http, dict(settings))
        try:
            async with asyncio.timeout(seconds):
                yield made
                await made.close()
        except BaseException as error:
            error.add_note(made.reports())
            raise
        finally:
            for program in reversed(made.programs):
                await program.clear()
