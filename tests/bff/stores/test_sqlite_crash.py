"""A real process is killed at any moment: what it was told to be durable is there."""

from __future__ import annotations

import asyncio
import json
import os
import random
import sys
from pathlib import Path

import pytest

from bff.stores.sqlite import SqliteStore

ROOT = Path(__file__).parents[3]
ROUNDS = int(os.environ.get("CRASH_ROUNDS", "8"))


async def append_until_killed(path: Path, seed: int, chance: random.Random) -> dict[str, int]:
    """Start the appender, kill it at a random moment; the heads it was told."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.bff.stores.appender",
        str(path),
        str(seed),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    acknowledged: dict[str, int] = {}
    try:
        for _ in range(chance.choice((1, 2, 10, 100, 400))):
            note(await process.stdout.readline(), acknowledged)
        await asyncio.sleep(chance.random() * 0.01)  # anywhere between two acknowledgements
    finally:
        process.kill()
        rest = await process.stdout.read()
        await process.wait()
    for line in rest.splitlines(keepends=True):
        note(line, acknowledged)
    acknowledged.pop("open")
    return acknowledged


def note(line: bytes, acknowledged: dict[str, int]) -> None:
    name, head = line.split()
    assert int(head) >= acknowledged.get(name.decode(), 0)
    acknowledged[name.decode()] = int(head)


async def everything(store: SqliteStore, execution_id: str) -> list[list[object]]:
    """What the payloads of an execution say, the seqs being checked."""
    told: list[list[object]] = []
    while page := await store.read(execution_id, len(told)):
        assert [event.seq for event in page] == [*range(len(told) + 1, len(told) + 1 + len(page))]
        told += (json.loads(event.payload) for event in page)
    return told


@pytest.mark.parametrize("seed", [1])
async def test_what_was_acknowledged_survives_a_kill(tmp_path: Path, seed: int) -> None:
    path = tmp_path / "runs.db"
    chance = random.Random(seed)
    appended = 0
    for number in range(ROUNDS):
        acknowledged = await append_until_killed(path, seed * 1000 + number, chance)
        async with SqliteStore(path) as store:
            for found in await store.unfinished():
                told = await everything(store, found.id)
                assert found.head == len(told) >= acknowledged.get(found.id, 0)
                position = 0
                while position < len(told):
                    _, head, count, first, _ = told[position]
                    assert (head, first) == (position, 1)
                    assert isinstance(count, int)
                    whole = told[position : position + count]
                    assert [each[1:4] for each in whole] == [
                        [head, count, each] for each in range(1, count + 1)
                    ]
                    assert await store.value(found.id, f"nodes/{head}/output") == b"%d" % count
                    position += count
                appended += len(told)
            assert set(acknowledged) <= {found.id for found in await store.unfinished()}
    assert appended > 0
