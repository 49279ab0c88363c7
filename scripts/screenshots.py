"""`python -m scripts.screenshots [--readme] [FOLDER]`: pictures of every view of the page.

Dark and light, 1440 and 390 px wide, of a server of their own with executions that completed,
failed and still run. `ONLY=list,logs` takes some views alone; `--readme` renews the README's two.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.browser.browse import chromium
from tests.support.processes import ROOT, Stack, stack

SCRIPT = ROOT / "scripts" / "screenshots.mjs"
README = {"execution": ("running", "wide-light"), "timeline": ("timeline", "wide-dark")}
"""The pictures in docs/images, and which view each is."""
PIPELINE = json.loads((ROOT / "examples" / "simulated-pipeline.json").read_text("utf-8"))
DIGEST = json.loads((ROOT / "examples" / "docs-digest.json").read_text("utf-8"))


def failing() -> dict[str, Any]:
    """The pipeline, with a search that fails for good."""
    changed: dict[str, Any] = json.loads(json.dumps(PIPELINE))
    for node in changed["nodes"]:
        if node["id"] == "web":
            node["config"]["arguments"]["failureRate"] = 1
            node["retry"] = {"attempts": 3, "backoffMs": 200}
    return {**changed, "name": "Research without the web"}


def chatty() -> dict[str, Any]:
    arguments = {"seconds": 3, "failureRate": 0, "logs": 900}
    return {
        "name": "Nightly import of a name that is long enough to be cut off somewhere",
        "nodes": [
            {"id": "start", "kind": "trigger"},
            {
                "id": "import",
                "kind": "tool",
                "name": "Import the rows",
                "config": {"tool": "simulate", "arguments": arguments},
            },
            {"id": "end", "kind": "output"},
        ],
        "edges": [{"source": "start", "target": "import"}, {"source": "import", "target": "end"}],
    }


async def ended(runroom: Stack, *executions: str) -> None:
    """Wait until all of them have ended."""
    for execution in executions:
        async with asyncio.timeout(60):
            while True:
                if (await runroom.snapshot(execution))["endedAt"]:
                    break
                await asyncio.sleep(0.1)


async def take(folder: Path) -> None:
    with tempfile.TemporaryDirectory() as work:
        async with stack(Path(work), seconds=600, BFF_ANONYMOUS="operator") as runroom:
            await runroom.server()
            await runroom.executor("worker-1", WORKER_CONCURRENCY=40, EXECUTOR_FILES_ROOT=ROOT)
            made = await runroom.post("/api/workflows", PIPELINE, status=201)
            again = f"/api/workflows/{made['id']}/execute"

            async def pipeline(seed: int) -> str:
                return str((await runroom.post(again, {"input": {"seed": seed}}))["executionId"])

            completed = await pipeline(10)
            failed = await runroom.execute(failing())
            much = await runroom.execute(chatty())
            await runroom.execute(DIGEST, input={"folder": "docs"})
            cancelled = await pipeline(3)
            await asyncio.sleep(2)
            await runroom.post(f"/api/executions/{cancelled}/cancel", {})
            await ended(runroom, completed, failed, much)
            slow = json.loads(json.dumps(PIPELINE))
            for node in slow["nodes"]:
                if node.get("config", {}).get("tool") == "simulate" and node["id"] != "plan":
                    node["config"]["arguments"] |= {"seconds": 150, "logs": 700}
            running = await runroom.execute({**slow, "name": "Market study"})
            tiles = [running, *[await pipeline(seed) for seed in (21, 22)], failed, completed]
            await asyncio.sleep(4)
            ids = {
                "completed": completed,
                "failed": failed,
                "running": running,
                "chatty": much,
                "tiles": tiles,
            }
            shooter = runroom.program(
                "shooter", "node", SCRIPT, folder, runroom.url, json.dumps(ids), CHROMIUM=chromium()
            )
            assert await (await shooter.start()).ended() == 0, shooter.err


def main() -> int:
    parser = argparse.ArgumentParser(description="Pictures of every view of the page.")
    parser.add_argument("folder", nargs="?", type=Path, default=Path(".cache/screenshots"))
    parser.add_argument("--readme", action="store_true", help="renew docs/images")
    arguments = parser.parse_args()
    folder = arguments.folder.resolve()
    if arguments.readme:
        os.environ["ONLY"] = ",".join(view for view, _ in README.values())
    os.environ.setdefault("PYTHONPATH", str(ROOT))
    subprocess.run([sys.executable, "-m", "scripts.build_web"], cwd=ROOT, check=True)
    asyncio.run(take(folder))
    if arguments.readme:
        for name, (view, look) in README.items():
            shutil.copy(folder / f"{view}-{look}.png", ROOT / "docs" / "images" / f"{name}.png")
    print(f"{len(list(folder.glob('*.png')))} pictures in {folder}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
