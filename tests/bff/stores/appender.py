"""A process that appends until it is killed, and prints what was acknowledged."""

from __future__ import annotations

import asyncio
import os
import random
import sys

from bff.stores.base import StoredEvent
from bff.stores.sqlite import SqliteStore
from tests.bff.stores.samples import appending, execution

EXECUTIONS = 4


async def append_for_ever(store: SqliteStore, execution_id: str, chance: random.Random) -> None:
    head = (await store.heads([execution_id])).get(execution_id)
    if head is None:
        await store.create(execution(execution_id))
        head = 0
    while True:
        count = chance.randint(1, 6)
        # each event says which append it came with, so that half an append would show
        events = [
            StoredEvent(
                head + number,
                "log",
                b'[%d,%d,%d,%d,"%s"]'
                % (os.getpid(), head, count, number, b"x" * chance.choice((0, 300, 9_000))),
            )
            for number in range(1, count + 1)
        ]
        values = {f"nodes/{head}/output": b"%d" % count}
        await store.append(appending(execution_id, head, events=events, values=values))
        head += count
        os.write(1, f"{execution_id} {head}\n".encode())


async def main(path: str, seed: int) -> None:
    async with SqliteStore(path) as store:
        os.write(1, b"open 0\n")
        await asyncio.gather(
            *(
                append_for_ever(store, f"e{number}", random.Random(f"{seed}/{number}"))
                for number in range(EXECUTIONS)
            )
        )


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
