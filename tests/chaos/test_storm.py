"""A recovery storm: many viewers lose their connections again and again over a long log."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.chaos.form import form
from tests.chaos.scene import scene

pytestmark = [pytest.mark.node, pytest.mark.timeout(form(120, 900))]

VIEWERS = form(8, 20)
DROPS = form(8, 50)
EVENTS = form(5_000, 50_000)
RATE = form(1_500, 2_000)
OPTIONS = {"reconnectionDelay": 10, "reconnectionDelayMax": 200}


async def test_no_gap_and_no_repeat(tmp_path: Path, luck: random.Random) -> None:
    async with scene(tmp_path, seconds=form(100, 800)) as stage:
        await stage.runroom.server()
        await stage.write("writer", [{"executionId": "run", "events": EVENTS, "rate": RATE}])
        await stage.registered(["run"])
        viewers = [
            {
                "executions": ["run"],
                "drops": [luck.randint(1, EVENTS // DROPS) for _ in range(DROPS)],
                "options": OPTIONS | ({"transports": ["websocket"]} if number % 3 else {}),
            }
            for number in range(VIEWERS)
        ]
        half = VIEWERS // 2
        audiences = [
            await stage.watch("node", viewers[:half]),
            await stage.watch("python", viewers[half:], python=True),
        ]
        await stage.verdict()
        connects = [
            one["connects"] for audience in audiences for one in audience.says() if "digest" in one
        ]
        assert connects == [DROPS + 1] * VIEWERS
        print(f"{VIEWERS} viewers of {EVENTS} events connected {sum(connects)} times")
