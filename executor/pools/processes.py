"""Worker processes whose running call can be killed.

Written by hand because a call's output and its result must come in one order: each worker
has one connection for both. (pebble can kill too, but has no such channel, and a queue of
its own may be left locked by a killed worker.)
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import pickle
import signal
import socket
import sys
from dataclasses import replace

import orjson

from contract.values import Json
from executor.nodes.registry import Context
from executor.pools.base import BoundedSink, Work, WorkFailed
from executor.pools.frames import LENGTH, pack, unpack

_KEPT_BACK = ("EXECUTOR_TOKEN",)
"""Variables that a tool's process has no need of."""


class Processes:
    """Runs functions in processes of their own; one is started when none is idle.

    How many there are is bounded by whoever calls. On cancel and timeout the process is
    killed with everything it started, and a later call starts another.
    """

    def __init__(self) -> None:
        self._idle: list[Worker] = []
        self._busy: set[Worker] = set()

    async def run(self, work: Work, sink: BoundedSink, timeout: float) -> Json:
        """As `Pool.run`."""
        request = _request(work)
        worker = await self._worker()
        self._busy.add(worker)
        try:
            async with asyncio.timeout(timeout):
                output = await worker.call(request, sink)
        except WorkFailed:
            self._keep(worker)
            raise
        except BaseException:
            self._busy.discard(worker)
            await worker.kill()
            raise
        self._keep(worker)
        return output

    async def close(self) -> None:
        workers = [*self._idle, *self._busy]
        self._idle.clear()
        self._busy.clear()
        await asyncio.gather(*(worker.kill() for worker in workers))

    @property
    def pids(self) -> list[int]:
        """The worker processes that are alive."""
        return [worker.pid for worker in (*self._idle, *self._busy) if worker.alive]

    async def _worker(self) -> Worker:
        while self._idle:
            worker = self._idle.pop()
            if worker.alive:
                return worker
            await worker.kill()
        return await Worker.start()

    def _keep(self, worker: Worker) -> None:
        # not among the busy ones any more: the pool was closed meanwhile
        if worker in self._busy:
            self._busy.discard(worker)
            self._idle.append(worker)


class Worker:
    """One worker process and the connection to it."""

    def __init__(
        self,
        process: asyncio.subprocess.Process,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self._process = process
        self._reader = reader
        self._writer = writer

    @classmethod
    async def start(cls) -> Worker:
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                process = await asyncio.create_subprocess_exec(
                    sys.executable,
                    "-m",
                    "executor.pools.worker",
                    str(theirs.fileno()),
                    pass_fds=(theirs.fileno(),),
                    stdin=asyncio.subprocess.DEVNULL,
                    # a group of its own, so that what it starts can be killed with it
                    start_new_session=True,
                    env=_environment(),
                )
            ours.setblocking(False)
            reader, writer = await asyncio.open_connection(sock=ours)
        except BaseException:
            ours.close()  # which ends the worker, if it has started
            raise
        return cls(process, reader, writer)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._process.returncode is None and not self._reader.at_eof()

    async def call(self, request: bytes, sink: BoundedSink) -> Json:
        """
        Raises:
            WorkFailed: the work raised, or the process died.
        """
        try:
            self._writer.write(request)
            await self._writer.drain()
            while True:
                (length,) = LENGTH.unpack(await self._reader.readexactly(LENGTH.size))
                kind, *rest = unpack(await self._reader.readexactly(length))
                if kind == "done":
                    return orjson.loads(rest[0])
                if kind == "failed":
                    error, trace, permanent = rest
                    raise WorkFailed(error, trace, permanent=permanent)
                if kind == "progress":
                    sink.progress(*rest)
                    continue
                getattr(sink, kind)(*rest)
                # while the journal has no room, the worker is not read and so held up
                await sink.room()
        except (EOFError, ConnectionError):
            raise WorkFailed(await self._death()) from None

    async def kill(self) -> None:
        """End the process and everything in its group, whatever it is doing."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._writer.close()
        await self._process.wait()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()

    async def _death(self) -> str:
        await self.kill()
        code = self._process.returncode or 0
        if code >= 0:
            return f"the worker process ended by itself, with exit code {code}"
        return f"the worker process was killed by {signal.Signals(-code).name}"


def _request(work: Work) -> bytes:
    """
    Raises:
        WorkFailed: the tool's function cannot be found from another process.
    """
    # the worker has a reporter of its own
    bare = replace(work, context=replace(work.context, progress=Context().progress))
    try:
        return pack(bare)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise WorkFailed(
            f'tool "{work.tool.name}" cannot run in the process pool: its function must stand '
            f"at the top level of a module ({error})",
            permanent=True,
        ) from None


def _environment() -> dict[str, str]:
    environment = {k: v for k, v in os.environ.items() if k not in _KEPT_BACK}
    # what can be imported here can be imported there
    environment["PYTHONPATH"] = os.pathsep.join(path or os.getcwd() for path in sys.path)
    return environment
