"""Processes that make load: started on a core of their own, told what to do line by line.

A worker's module calls `serve` with its verbs; the other side calls `Worker.ask`.
"""

from __future__ import annotations

import asyncio
import json
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from scripts.bench import machine

ANSWER_SECONDS = 300


class Worker:
    """A process that obeys; made by `working`."""

    def __init__(self, name: str, process: Process) -> None:
        self._name = name
        self._process = process

    @property
    def pid(self) -> int:
        return self._process.pid

    async def ask(self, verb: str, **arguments: Any) -> dict[str, Any]:
        """Have one thing done.

        Raises:
            RuntimeError: the worker failed; what went wrong is on standard error.
        """
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        stdin.write(json.dumps([verb, arguments]).encode() + b"\n")
        async with asyncio.timeout(ANSWER_SECONDS):
            line = await stdout.readline()
        if not line:
            raise RuntimeError(f"{self._name} failed to {verb}, see above")
        answer: dict[str, Any] = json.loads(line)
        return answer


@asynccontextmanager
async def working(module: str) -> AsyncIterator[Worker]:
    """A worker that runs this module; stopped in the end."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", module,
        stdin=PIPE, stdout=PIPE, preexec_fn=machine.pin(machine.LOAD_CORE),
    )  # fmt: skip
    try:
        yield Worker(module, process)
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()
