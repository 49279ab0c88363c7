"""Viewers in processes of their own, and what each of them must have seen.

Run as a program it is the Python counterpart of `viewers.mjs`, with the same argument and the
same output: many stock python-socketio clients.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections import defaultdict
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import socketio

from contract.states import EXECUTION_TERMINAL
from tests.support.processes import Program, Stack

HERE = Path(__file__).parent
VIEWERS = "/executions"


class Crowd:
    """Viewers that share one process.

    Args:
        program: prints one JSON line for each event and each note.
        viewers: what each was asked to do, as `viewers.mjs` describes it.
    """

    def __init__(self, program: Program, viewers: list[dict[str, Any]]) -> None:
        self.program = program
        self.viewers = viewers
        self._notes: list[dict[str, Any]] = []

    def notes(self, viewer: int, note: str) -> list[dict[str, Any]]:
        """What a viewer that is complete said about its connection."""
        return [line for line in self._notes if (line["viewer"], line["note"]) == (viewer, note)]

    async def subscribed(self) -> None:
        """Wait until every viewer has all its subscriptions."""
        asked = sum(len(viewer["executions"]) for viewer in self.viewers)
        await self.program.printed(lambda out: out.count('"subscribed"') >= asked)

    async def complete(self, histories: dict[str, list[dict[str, Any]]]) -> None:
        """Wait for the end of all, and check each viewer of each execution.

        Args:
            histories: all events of the store, by execution.

        Raises:
            AssertionError: one has not seen every event once, in order and unchanged.
        """
        assert await self.program.ended() == 0, f"{self.program.name} failed"
        seen: dict[tuple[int, str], list[dict[str, Any]]] = defaultdict(list)
        for line in self.program.lines:
            said = json.loads(line)
            if "event" in said:
                seen[said["viewer"], said["event"]["executionId"]].append(said["event"])
            else:
                self._notes.append(said)
        for number, viewer in enumerate(self.viewers):
            for execution_id in viewer["executions"]:
                expected = histories[execution_id][viewer.get("after", 0) :]
                same(seen.pop((number, execution_id), []), expected)
        assert not seen, f"events of executions that were not asked for: {sorted(seen)}"


def same(seen: list[dict[str, Any]], expected: list[dict[str, Any]]) -> None:
    """What a viewer saw is what the store has: by number first, which is easier to read."""
    assert [event["seq"] for event in seen] == [event["seq"] for event in expected]
    assert seen == expected


async def crowd(
    runroom: Stack,
    name: str,
    viewers: list[dict[str, Any]],
    *,
    python: bool = False,
    url: str | None = None,
) -> Crowd:
    """Viewers on their way to connect, in Node.js or in Python."""
    token = await runroom.token("viewer")
    asked = {"url": url or runroom.url, "token": token, "viewers": viewers}
    command = (
        [sys.executable, "-m", "tests.e2e.viewers"] if python else ["node", HERE / "viewers.mjs"]
    )
    program = runroom.program(name, *command, json.dumps(asked))
    return Crowd(await program.start(), viewers)


async def follow(runroom: Stack, name: str, execution_id: str, after: int | None = None) -> Program:
    """The script that any user could write, started."""
    words = [runroom.url, execution_id, await runroom.token("viewer")]
    rest = [] if after is None else [after]
    return await runroom.program(name, "node", HERE / "follow.mjs", *words, *rest).start()


async def followed(runroom: Stack, program: Program, execution_id: str, after: int = 0) -> None:
    """Wait for the end of `follow`'s program, and check what it saw."""
    assert await program.ended() == 0, f"{program.name} failed"
    _, stored = await runroom.history(execution_id)
    same([json.loads(line) for line in program.lines], stored[after:])


# As a program.


def say(viewer: int, **what: Any) -> None:
    print(json.dumps({"viewer": viewer, **what}), flush=True)


def subscribed(viewer: int, answer: dict[str, Any]) -> None:
    assert answer["ok"], answer
    say(viewer, note="subscribed", executionId=answer["executionId"], head=answer["head"])


async def view(url: str, token: str, asked: dict[str, Any], viewer: int) -> None:
    """One stock client, until the last of its executions has ended."""
    last = dict.fromkeys(asked["executions"], asked.get("after", 0))
    done = asyncio.Event()
    options = asked.get("options", {})
    async with aiohttp.ClientSession() as session:
        client = socketio.AsyncClient(http_session=session, handle_sigint=False)

        async def connected() -> None:
            # an answer is not awaited here: until this handler ends, the library does not
            # notice that the connection is lost
            for execution_id in tuple(last):
                request = {"executionId": execution_id, "after": last[execution_id]}
                await client.emit(
                    "subscribe", request, namespace=VIEWERS, callback=partial(subscribed, viewer)
                )

        def received(kind: str, event: dict[str, Any]) -> None:
            if "seq" not in event:
                return
            execution_id = event["executionId"]
            last[execution_id] = event["seq"]
            say(viewer, event={"type": kind, **event})
            if kind == "status" and event["status"] in EXECUTION_TERMINAL:
                del last[execution_id]
                if not last:
                    done.set()

        client.on("connect", connected, namespace=VIEWERS)
        client.on("*", received, namespace=VIEWERS)
        await client.connect(
            url,
            auth={"token": token},
            namespaces=[VIEWERS],
            transports=options.get("transports"),
            retry=True,
        )
        await done.wait()
        say(viewer, note="done", transport=client.transport())
        await client.disconnect()


async def main(url: str, token: str, viewers: list[dict[str, Any]]) -> None:
    async with asyncio.TaskGroup() as group:
        for number, asked in enumerate(viewers):
            group.create_task(view(url, token, asked, number))


if __name__ == "__main__":
    asyncio.run(main(**json.loads(sys.argv[1])))
