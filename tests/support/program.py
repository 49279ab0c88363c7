"""One real process: started, signalled, waited for, and stopped whatever happens."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import socket
import subprocess
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

ROOT = Path(__file__).parents[2]
OURS = ("BFF_", "EXECUTOR_", "WORKER_", "WS_", "UI_", "RUNROOM_", "OPENAI_")
"""Prefixes of variables that a test's processes do not inherit."""
PORTS = range(20_000, 30_000)
"""Below the ephemeral ports: while a server is down, no client's own port may be its port."""
STOP_SECONDS = 10
SHOWN_LINES, SHOWN_COLUMNS = 20, 200


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
    def lines(self) -> list[str]:
        """The lines of its standard output; only a line feed ends one."""
        return self.out.split("\n")[:-1]

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
        for pid in living(self._family):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)

    def report(self) -> str:
        """What it printed, for people; of much, the end."""
        shown = [f"--- {self.name}: exit code {self.returncode}"]
        for text in (self.out, self.err):
            lines = text.rstrip().split("\n")
            if len(lines) > SHOWN_LINES:
                shown.append(f"… {len(lines) - SHOWN_LINES} lines")
            shown += [line[:SHOWN_COLUMNS] for line in lines[-SHOWN_LINES:]]
        return "\n".join(shown)


def descendants(pid: int) -> set[int]:
    """The ids of all processes that this one started, and theirs."""
    parents = _parents()
    found: set[int] = set()
    grown = {pid}
    while grown:
        grown = {child for child, parent in parents.items() if parent in grown} - found
        found |= grown
    return found


def living(pids: set[int]) -> set[int]:
    """Those of the processes that have not ended."""
    return pids & set(_parents())


def _parents() -> dict[int, int]:
    """Parent by process, of all that live."""
    if not Path("/proc/self/stat").exists():  # not Linux
        table = subprocess.check_output(["ps", "-A", "-o", "pid=,ppid=,stat="], text=True)
        rows = [line.split() for line in table.splitlines()]
        return {int(pid): int(parent) for pid, parent, state in rows if state[0] != "Z"}
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            # the name in parentheses may itself hold any character
            state, parent = stat.read_text().rpartition(")")[2].split()[:2]
            if state != "Z":
                parents[int(stat.parent.name)] = int(parent)
    return parents
