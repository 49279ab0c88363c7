"""A stack of real processes under load, the audience that watches it, and the verdict."""

from __future__ import annotations

import asyncio
import json
import sys
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiohttp

from contract.states import EXECUTION_TERMINAL
from tests.chaos import judge
from tests.support.processes import Program, Stack, stack

HERE = Path(__file__).parent
DATABASE = Path(".data/executions.db")
RETRY_SECONDS = 0.1


def simulated(seconds: float, logs: int, *, nodes: int = 3) -> dict[str, Any]:
    """A chain of nodes that each last so long and log so many lines."""
    work = [
        {
            "id": f"step-{number}",
            "kind": "tool",
            "config": {
                "tool": "simulate",
                "arguments": {"seconds": seconds, "logs": logs, "seed": 1},
            },
        }
        for number in range(nodes)
    ]
    whole: list[dict[str, Any]] = [
        {"id": "start", "kind": "trigger"},
        *work,
        {"id": "end", "kind": "output"},
    ]
    edges = [{"source": one["id"], "target": next_one["id"]} for one, next_one in pairwise(whole)]
    return {"name": "Simulated", "nodes": whole, "edges": edges}


class Audience:
    """Viewers that share one process and check what they see."""

    def __init__(self, program: Program, viewers: Sequence[dict[str, Any]]) -> None:
        self.program = program
        self.viewers = viewers

    def says(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.program.lines]

    async def subscribed(self) -> None:
        """Wait until every viewer has had all its subscriptions."""
        asked = sum(len(viewer["executions"]) for viewer in self.viewers)
        await self.program.printed(lambda out: out.count('"subscribed"') >= asked)

    async def satisfied(self, logs: dict[str, judge.Log]) -> int:
        """Wait for the end of all viewers; each must have seen each of its executions whole.

        Returns:
            How many connections they had in all.
        """
        assert await self.program.ended() == 0, f"{self.program.name} failed"
        said = self.says()
        assert [one for one in said if "wrong" in one] == []
        ends: dict[int, dict[str, dict[str, Any]]] = defaultdict(dict)
        for one in said:
            if "digest" in one:
                ends[one["viewer"]][one["executionId"]] = one
        for number, viewer in enumerate(self.viewers):
            for execution_id in viewer["executions"]:
                end, events = ends[number][execution_id], logs[execution_id]
                assert end["seen"] == len(events), (self.program.name, number, execution_id)
                assert end["digest"] == judge.digest(events), (number, execution_id)
        return sum(
            max(end["connects"] for end in ends[number].values())
            for number in range(len(self.viewers))
        )


class Writer:
    """A `writer.py` in a process of its own."""

    def __init__(self, program: Program, runs: Sequence[dict[str, Any]], notes: Path) -> None:
        self.program = program
        self.runs = runs
        self.notes = notes


class Scene:
    """What a test plays with. Made by `scene`."""

    def __init__(self, runroom: Stack, http: aiohttp.ClientSession) -> None:
        self.runroom = runroom
        self.writers: list[Writer] = []
        self.audiences: list[Audience] = []
        self.executions: list[str] = []
        self._http = http

    async def execute(self, workflow: dict[str, Any], **body: Any) -> str:
        """The id of a new execution, asked for until there is an answer: just one is made."""
        made = await self._insist("/api/workflows", workflow)
        answer = await self._insist(f"/api/workflows/{made['id']}/execute", body)
        self.executions.append(str(answer["executionId"]))
        return self.executions[-1]

    async def _insist(self, path: str, body: Any) -> Any:
        token = await self.runroom.token()
        headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": str(uuid4())}
        while True:
            try:
                async with self._http.post(
                    self.runroom.url + path, json=body, headers=headers
                ) as answer:
                    said = await answer.json()
                    if answer.status < 300:
                        return said
                    assert answer.status == 503, said
            except (aiohttp.ClientError, ConnectionError):
                pass
            await asyncio.sleep(RETRY_SECONDS)

    async def write(
        self,
        name: str,
        runs: Sequence[dict[str, Any]],
        *,
        url: str | None = None,
        go: Path | None = None,
    ) -> Writer:
        """A writer of these runs, started; it begins to write when the file `go` is there."""
        notes = self.runroom.folder / f"{name}.heads"
        asked = {
            "url": url or self.runroom.url,
            "token": await self.runroom.token("executor"),
            "executorId": name,
            "runs": list(runs),
            "notes": str(notes),
            "go": None if go is None else str(go),
        }
        program = self.runroom.program(
            name, sys.executable, "-m", "tests.chaos.writer", json.dumps(asked)
        )
        await program.start()
        self.writers.append(Writer(program, runs, notes))
        return self.writers[-1]

    async def registered(self, execution_ids: Iterable[str]) -> None:
        """Wait until the server knows these executions."""
        for execution_id in execution_ids:
            while True:
                token = await self.runroom.token()
                url = f"{self.runroom.url}/api/executions/{execution_id}"
                headers = {"Authorization": f"Bearer {token}"}
                async with self._http.get(url, headers=headers) as answer:
                    if answer.status == 200:
                        break
                await asyncio.sleep(RETRY_SECONDS)

    async def watch(
        self,
        name: str,
        viewers: Sequence[dict[str, Any]],
        *,
        python: bool = False,
        url: str | None = None,
    ) -> Audience:
        """An audience on its way to connect, in Node.js or in Python."""
        asked = {
            "url": url or self.runroom.url,
            "token": await self.runroom.token("viewer"),
            "viewers": list(viewers),
        }
        command = (
            [sys.executable, "-m", "tests.chaos.viewers"]
            if python
            else ["node", HERE / "viewers.mjs"]
        )
        program = self.runroom.program(name, *command, json.dumps(asked))
        await program.start()
        self.audiences.append(Audience(program, viewers))
        return self.audiences[-1]

    async def ended(self, execution_ids: Iterable[str]) -> None:
        """Wait until all of these have ended."""
        for execution_id in execution_ids:
            while (await self.runroom.snapshot(execution_id))["status"] not in EXECUTION_TERMINAL:
                await asyncio.sleep(RETRY_SECONDS)

    async def verdict(self, *, expected: str = r"(?!)") -> int:
        """Wait for the end of everything, check all invariants and stop what runs.

        Args:
            expected: matches what processes may print as an error.

        Returns:
            How many events there were.
        """
        for writer in self.writers:
            assert await writer.program.ended() == 0, f"{writer.program.name} failed"
        await self.ended(self.executions)
        logs = {one: await judge.sound(self.runroom, one) for one in self.executions}
        for writer in self.writers:
            heads = judge.acknowledged(writer.notes)
            for run in writer.runs:
                execution_id, total = run["executionId"], run["events"]
                logs[execution_id] = events = await judge.sound(self.runroom, execution_id)
                judge.as_written(events, total, run.get("size", 0))
                assert heads[execution_id] == total
        for audience in self.audiences:
            await audience.satisfied(logs)
        await self.runroom.close()
        judge.quiet(self.runroom.programs, expected)
        judge.unharmed(self.runroom.folder / DATABASE)
        return sum(map(len, logs.values()))

    @property
    def lost_leases(self) -> int:
        return judge.lost_leases(self.runroom.folder / DATABASE)


@asynccontextmanager
async def scene(folder: Path, *, seconds: float, **settings: object) -> AsyncIterator[Scene]:
    """An empty scene in `folder` that must be over after so many seconds."""
    async with (
        aiohttp.ClientSession() as http,
        stack(folder, seconds=seconds, **settings) as runroom,
    ):
        yield Scene(runroom, http)
