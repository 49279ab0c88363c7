"""`python -m bff` as a process: settings, signals, one server a database."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.support.live import SECRET
from tests.support.processes import ROOT


@asynccontextmanager
async def started(folder: Path, **variables: str) -> AsyncIterator[Process]:
    """A server process in a folder of its own, killed in the end if it still runs."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("BFF_")}
    environment = {**kept, "PYTHONPATH": str(ROOT), "BFF_PORT": "0", "BFF_JWT_SECRET": SECRET}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bff", cwd=folder, env={**environment, **variables}, stderr=PIPE
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def listening(process: Process) -> None:
    assert process.stderr is not None
    async with asyncio.timeout(20):
        while b"listening" not in (line := await process.stderr.readline()):
            assert line, "the server ended"


async def test_a_signal_stops_it_and_a_second_one_ends_it_at_once(tmp_path: Path) -> None:
    async with started(tmp_path) as process:
        await listening(process)
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 10) == 0
    async with started(tmp_path) as process:
        await listening(process)
        process.send_signal(signal.SIGSTOP)
        process.send_signal(signal.SIGTERM)
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGCONT)
        assert await asyncio.wait_for(process.wait(), 10) == 1


async def test_a_wrong_setting_is_one_line_and_exit_code_2(tmp_path: Path) -> None:
    async with started(tmp_path, BFF_LEASE_SECONDS="soon") as process:
        _, printed = await asyncio.wait_for(process.communicate(), 20)
        assert process.returncode == 2
        assert printed.decode().splitlines() == [
            'BFF_LEASE_SECONDS: got "soon"; takes a number of seconds, 0.1 to 86400'
        ]


async def test_a_second_server_on_the_same_database_says_so(tmp_path: Path) -> None:
    async with started(tmp_path) as first:
        await listening(first)
        async with started(tmp_path) as second:
            _, printed = await asyncio.wait_for(second.communicate(), 20)
            assert second.returncode == 1
            (line,) = printed.decode().splitlines()
            assert f"in use by process {first.pid}" in line
