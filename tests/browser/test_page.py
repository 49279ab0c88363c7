"""The page, watched and used as a person would."""

from __future__ import annotations

import asyncio
import gzip
from pathlib import Path
from typing import Any

import pytest

from tests.browser.browse import browse
from tests.support.processes import ROOT, Stack, stack

pytestmark = [pytest.mark.browser, pytest.mark.node, pytest.mark.timeout(240)]

OPEN: dict[str, Any] = {"BFF_ANONYMOUS": "operator", "seconds": 180}
"""As `make run` has it: who comes from this machine may do all, without a token."""


def workflow(name: str, tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """One step between a trigger and an output."""
    return {
        "name": name,
        "nodes": [
            {"id": "start", "kind": "trigger"},
            {"id": "work", "kind": "tool", "config": {"tool": tool, "arguments": arguments}},
            {"id": "end", "kind": "output"},
        ],
        "edges": [{"source": "start", "target": "work"}, {"source": "work", "target": "end"}],
    }


async def ended(runroom: Stack, *executions: str) -> None:
    for execution in executions:
        while not (await runroom.snapshot(execution))["endedAt"]:
            await asyncio.sleep(0.05)


async def test_the_first_example_starts_with_one_click(tmp_path: Path) -> None:
    async with stack(tmp_path, **OPEN) as runroom:
        await runroom.server()
        await runroom.executor()
        await (await browse(runroom, "first_example")).passes()


async def test_a_reload_in_the_middle_loses_nothing(tmp_path: Path) -> None:
    async with stack(tmp_path, **OPEN) as runroom:
        await runroom.server()
        await runroom.executor()
        await (await browse(runroom, "reload")).passes()


async def test_a_token_leaves_the_address(tmp_path: Path) -> None:
    async with stack(tmp_path, seconds=180) as runroom:
        await runroom.server()
        await (await browse(runroom, "token", token=await runroom.token("viewer"))).passes()


async def test_the_server_is_killed_and_comes_back(tmp_path: Path) -> None:
    async with stack(tmp_path, **OPEN) as runroom:
        server = await runroom.server()
        await runroom.executor()
        scenario = await browse(runroom, "restart")
        await scenario.says("running")
        await server.kill()
        scenario.tell("killed")
        await scenario.says("seen")
        await server.start()
        await runroom.ready(server)
        scenario.tell("back")
        await scenario.passes()


async def test_the_list_is_filtered_searched_and_walked_by_keyboard(tmp_path: Path) -> None:
    async with stack(tmp_path, **OPEN) as runroom:
        await runroom.server()
        await runroom.executor()
        fails = workflow("Always fails", "fail", {"message": "as it was told"})
        quick = workflow("Quick", "delay", {"seconds": 0})
        done = [await runroom.execute(each) for each in (fails, quick, fails, quick)]
        await ended(runroom, *done)
        newest = await runroom.execute(workflow("Slow", "delay", {"seconds": 100}))
        scenario = await browse(runroom, "list", count=5, failed=2, newest=newest)
        await scenario.passes()


async def test_the_form_starts_an_execution_with_its_input(tmp_path: Path) -> None:
    async with stack(tmp_path, **OPEN) as runroom:
        await runroom.server()
        await runroom.executor()
        await (await browse(runroom, "start")).passes()


async def test_several_are_watched_at_once(tmp_path: Path) -> None:
    async with stack(tmp_path, **OPEN) as runroom:
        await runroom.server()
        await runroom.executor(WORKER_CONCURRENCY=20)
        await (await browse(runroom, "monitoring")).passes()


async def test_everyone_can_use_it(tmp_path: Path) -> None:
    async with stack(tmp_path, **OPEN) as runroom:
        await runroom.server()
        await runroom.executor()
        logs = {"seconds": 0.2, "failureRate": 0, "logs": 30}
        execution = await runroom.execute(workflow("Chatty", "simulate", logs))
        await ended(runroom, execution)
        await (await browse(runroom, "access", execution=execution)).passes()


def test_the_page_is_small() -> None:
    files = [path for path in (ROOT / "bff" / "static").rglob("*") if path.is_file()]
    sent = [path for path in files if path.suffix not in (".gz", ".br") and path.name != ".stamp"]
    sizes = {path.name: len(gzip.compress(path.read_bytes())) for path in sent}
    assert sum(sizes.values()) <= 250_000, sizes
