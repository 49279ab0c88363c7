"""`make run` as a user meets it: start, run the printed command, stop with Ctrl-C."""

from __future__ import annotations

import asyncio
import json
import shlex
import shutil
import signal
import sys
from pathlib import Path

import pytest

from tests.e2e.graphs import working
from tests.support.processes import ROOT, Program, Stack, stack
from tests.support.program import descendants, living

STOP_SECONDS = 5


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A folder with what the examples read; the packages come from the repository."""
    for name in ("docs", "examples"):
        shutil.copytree(ROOT / name, tmp_path / name)
    return tmp_path


async def started(runroom: Stack, **settings: object) -> Program:
    run = await runroom.program("run", sys.executable, "-m", "scripts.run", **settings).start()
    await run.printed("is connected to")
    return run


async def interrupted(run: Program) -> set[int]:
    """Press Ctrl-C; what still lives 5 seconds later at most."""
    family = descendants(run.pid)
    assert len(family) >= 2, "server and executor"
    run.signal(signal.SIGINT)
    async with asyncio.timeout(STOP_SECONDS):
        assert await run.ended() == 0
    return living(family)


def printed_command(run: Program) -> list[str]:
    (line,) = (line for line in run.lines if "-m scripts.follow" in line)
    return shlex.split(line)


async def test_the_printed_command_shows_the_first_example_live(clone: Path) -> None:
    async with stack(clone) as runroom:
        run = await started(runroom)
        follow = await runroom.program("follow", *printed_command(run)).start()
        assert await follow.ended() == 0
        assert follow.lines[0].startswith("following ")
        assert any("nodeStatus" in line for line in follow.lines)
        assert "# Digest" in follow.out
        assert ": completed in " in follow.lines[-1]
        assert not await interrupted(run)


async def test_ctrl_c_in_the_middle_of_an_execution_gives_it_back(clone: Path) -> None:
    async with stack(clone) as runroom:
        run = await started(runroom)
        (clone / "work.json").write_text(json.dumps(working(seconds=1, logs=5)))
        command = [word.replace("examples/docs-digest", "work") for word in printed_command(run)]
        follow = await runroom.program("follow", *command).start()
        await follow.printed("nodeStatus second running")
        assert not await interrupted(run)
        assert ": released" in run.err
        # the viewer waits for the server to come back, and the execution with it
        again = await runroom.program("again", sys.executable, "-m", "scripts.run").start()
        await follow.printed("connected again")
        assert await follow.ended() == 0
        assert ": completed in " in follow.lines[-1]
        assert not await interrupted(again)


async def test_ctrl_c_while_it_starts(clone: Path) -> None:
    async with stack(clone) as runroom:
        run = await runroom.program("run", sys.executable, "-m", "scripts.run").start()
        while not descendants(run.pid):
            await asyncio.sleep(0.01)
        family = descendants(run.pid)
        run.signal(signal.SIGINT)
        async with asyncio.timeout(STOP_SECONDS):
            assert await run.ended() == 0
        assert not living(family)


async def test_a_port_that_is_taken_is_said(clone: Path) -> None:
    async with stack(clone) as runroom:
        await runroom.server()
        run = await runroom.program("run", sys.executable, "-m", "scripts.run").start()
        assert await run.ended() == 1
        assert run.lines == [f"Something listens at {runroom.url} already; is it another Runroom?"]


async def test_a_setting_that_is_wrong_is_said(clone: Path) -> None:
    async with stack(clone) as runroom:
        settings = {"BFF_LEASE_SECONDS": "soon"}
        run = runroom.program("run", sys.executable, "-m", "scripts.run", **settings)
        assert await (await run.start()).ended() == 2
        assert run.lines == [
            'BFF_LEASE_SECONDS: got "soon"; takes a number of seconds, 0.1 to 86400'
        ]
