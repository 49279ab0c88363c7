"""Real servers and executors in a folder of their own, on a port of their own.

    async with stack(tmp_path) as runroom:
        server = await runroom.server()
        await runroom.executor()

Everything goes through the front doors: settings come from the environment, tokens from
`POST /api/dev/token`, the executor's from the file that the server leaves for it. What the
processes print is kept in files, and shown with the error of a test that fails.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import aiohttp
import orjson

from contract.messages import MAX_PAGE
from tests.support.program import ROOT, Program, environment, free_port

__all__ = ["ROOT", "Program", "Stack", "environment", "stack"]

SECRET = "a secret that is long enough for HS256"
START_SECONDS = 20


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

    async def histories(self, *execution_ids: str) -> dict[str, list[dict[str, Any]]]:
        """All events of these executions."""
        return {each: (await self.history(each))[1] for each in execution_ids}

    def reports(self) -> str:
        """What all of them printed."""
        return "\n".join(program.report() for program in self.programs)

    async def close(self) -> None:
        """Stop what runs, last started first, as an operator would.

        Raises:
            AssertionError: one does not stop cleanly, or printed a stack trace before.
        """
        for program in reversed(self.programs):
            if program.returncode is None:
                assert await program.stop() == 0, f"{program.name}: exit code {program.returncode}"
        for program in self.programs:
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
