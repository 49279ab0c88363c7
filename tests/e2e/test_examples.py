"""The examples run to their end on the real processes, followed by the stock client."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from tests.e2e.viewers import follow, followed
from tests.support.processes import ROOT, stack


@pytest.mark.node
async def test_all_examples_complete(tmp_path: Path) -> None:
    paths = sorted((ROOT / "examples").glob("*.json"))
    assert len(paths) >= 4
    async with stack(tmp_path, seconds=90, WORKER_CONCURRENCY=20) as runroom:
        await runroom.server()
        await runroom.executor(EXECUTOR_FILES_ROOT=ROOT)
        executions = {
            path.stem: await runroom.execute(json.loads(path.read_text("utf-8"))) for path in paths
        }
        viewers = {
            name: await follow(runroom, name, execution_id)
            for name, execution_id in executions.items()
        }
        await asyncio.gather(
            *(followed(runroom, viewers[name], executions[name]) for name in viewers)
        )
        for name, execution_id in executions.items():
            snapshot = await runroom.snapshot(execution_id)
            assert snapshot["status"] == "completed", (name, snapshot["error"])
            assert snapshot["result"]
