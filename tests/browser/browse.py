"""A scenario in a browser, as a program of the stack.

scenario = await browse(runroom, "restart")
await scenario.says("running")
…
scenario.tell("killed")
await scenario.passes()
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
from pathlib import Path
from typing import Any

from tests.support.processes import ROOT, Program, Stack

RUNNER = ROOT / "tests" / "browser" / "browser.mjs"
NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")


def chromium() -> str:
    """The browser to use.

    Raises:
        AssertionError: there is none; says what to install.
    """
    found = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    assert found, "the browser tests need Chromium: apt install chromium, or set CHROMIUM to one"
    return found


class Scenario:
    """A scenario that runs. Made by `browse`."""

    def __init__(self, program: Program, folder: Path) -> None:
        self._program = program
        self._folder = folder

    async def says(self, word: str, *, seconds: float = 60) -> None:
        """Wait until the scenario says this word.

        Raises:
            AssertionError: it ended before.
        """
        async with asyncio.timeout(seconds):
            await self._program.printed(f"@{word}\n")

    def tell(self, word: str) -> None:
        """Let the scenario go on that waits to hear this word."""
        (self._folder / word).touch()

    async def passes(self) -> None:
        """Wait until it has ended well."""
        assert await self._program.ended() == 0, self._program.err


async def browse(runroom: Stack, name: str, **args: Any) -> Scenario:
    """Start a scenario of `scenarios/` against the stack's server."""
    folder = runroom.folder / f"{name}-words"
    folder.mkdir()
    given = json.dumps({"url": runroom.url, "folder": str(folder), **args})
    program = runroom.program(f"browser-{name}", "node", RUNNER, name, given, CHROMIUM=chromium())
    await program.start()
    return Scenario(program, folder)
