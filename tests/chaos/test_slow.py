"""Viewers that stop reading or read slowly cost little, and nobody else anything."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bff.rooms import HIGH_WATER_BYTES
from tests.chaos.form import LONG, form
from tests.chaos.scene import Scene, scene
from tests.support.processes import Program

pytestmark = [pytest.mark.slow, pytest.mark.timeout(form(120, 900))]

STALLED, SLOW, HEALTHY = form((10, 4, 10), (100, 20, 100))
SECONDS = form(3, 60)
RATE, SIZE = form((1_000, 1_000), (125, 8_000))
"""Events a second and bytes an event: 1 MB/s. With more than a hundred readers on the server's
own machine, more events would measure the readers."""
EVENTS = SECONDS * RATE
SLOW_BYTES = form(600_000, 500_000)
MIB = 1024 * 1024


@dataclass
class Played:
    """What came of it.

    Attributes:
        late: `{p50, p99, most}`, seconds between an event's writing and a healthy viewer.
        waited: the most bytes that waited for one connection.
        grown: bytes by which the server's memory grew.
    """

    late: dict[str, float]
    waited: int
    grown: int


async def play(folder: Path, **kinds: int) -> Played:
    """Write one run before these readers; all must see all of it."""
    folder.mkdir()
    async with scene(folder, seconds=form(100, 400)) as stage:
        server = stage.runroom.program(
            "server", sys.executable, "-m", "tests.chaos.server", CHAOS_METER="meter"
        )
        await server.start()
        await stage.runroom.ready(server)
        run = {"executionId": "run", "events": EVENTS, "rate": RATE, "size": SIZE}
        await stage.write("writer", [run], go=folder / "go")
        await stage.registered(["run"])
        # apart, so that the work of some does not hold up the others
        readers = [await _readers(stage, kind, count) for kind, count in kinds.items()]
        (folder / "go").touch()
        said: list[dict[str, Any]] = []
        for reader in readers:
            assert await reader.ended() == 0
            said += map(json.loads, reader.lines)
        seen = [one["seen"] for one in said if "seen" in one]
        assert seen == [EVENTS] * sum(kinds.values())
        await stage.verdict()
    (late,) = [one for one in said if "p99" in one]
    return Played(late, **json.loads((folder / "meter").read_text()))


async def _readers(stage: Scene, kind: str, count: int) -> Program:
    asked = {
        "url": stage.runroom.url,
        "token": await stage.runroom.token("viewer"),
        "executionId": "run",
        "slowBytes": SLOW_BYTES,
        "stallSeconds": SECONDS,
        kind: count,
    }
    # those in trouble would sit at other machines: they leave this one's cores to the healthy
    polite = () if kind == "healthy" else ("nice", "-n", "19")
    words = (*polite, sys.executable, "-m", "tests.chaos.readers", json.dumps(asked))
    reader = await stage.runroom.program(kind, *words).start()
    await reader.printed(_subscribed(count))
    return reader


def _subscribed(count: int) -> Callable[[str], bool]:
    return lambda out: out.count("subscribed") == count


async def test_bounded_memory_and_no_effect_on_others(tmp_path: Path) -> None:
    alone = await play(tmp_path / "alone", healthy=HEALTHY)
    crowd = await play(tmp_path / "crowd", healthy=HEALTHY, slow=SLOW, stalled=STALLED)
    print(f"alone: {alone}\nin the crowd: {crowd}")
    # it came near the mark where a viewer is paused, and not far beyond
    assert HIGH_WATER_BYTES / 2 < crowd.waited <= MIB + 2 * SIZE
    assert crowd.grown - alone.grown <= (STALLED + SLOW) * (MIB + 2 * SIZE)
    if LONG:
        assert crowd.late["p99"] <= 2 * alone.late["p99"]
