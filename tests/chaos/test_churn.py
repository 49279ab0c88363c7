"""Subscribes, unsubscribes and disconnects race with writes on the same executions."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path
from typing import Any

import orjson
import pytest

from contract.messages import VIEWERS
from tests.chaos.census import census, returns
from tests.chaos.form import form
from tests.support.engine import Session, WebSocket, websocket
from tests.support.live import Live, live, log, status

pytestmark = pytest.mark.timeout(form(120, 900))

ACTIONS = form(1_000, 10_000)
FICKLE = form(20, 50)
RUNS = 4
SETTLE_SECONDS = 10
PAUSE = 0.002
"""Seconds between two messages of a run, about."""
FIRST = 1_000
"""Acknowledgements of events are numbered from here."""
PREFIX = f"42{VIEWERS},"
ANSWER = f"43{VIEWERS},"


class Fickle:
    """A viewer that cannot decide, and checks every event against what it last asked for.

    Attributes:
        seen: the last seq of each execution that it is subscribed to now.
        events: how many it has had.
    """

    def __init__(self, room: Live, luck: random.Random, runs: list[Source]) -> None:
        self.seen: dict[str, int] = {}
        self.events = 0
        self._room = room
        self._luck = luck
        self._runs = runs
        self._session = Session()
        self._asked: dict[int, tuple[str, str, int, asyncio.Future[None]]] = {}
        self._number = 0
        self._wire: WebSocket | None = None
        self._reading: asyncio.Task[None] | None = None

    async def act(self) -> None:
        """One thing or another, with or without waiting for the answer."""
        if self._wire is None:
            await self._connect()
        assert self._reading is not None
        if self._reading.done():
            self._reading.result()
            raise AssertionError("the server closed the connection")
        deed = self._luck.random()
        run = self._luck.choice(self._runs)
        if deed < 0.45:
            after = self._luck.choice([0, self.seen.get(run.execution_id, 0), run.head])
            done = await self._ask("subscribe", run.execution_id, after)
        elif deed < 0.9:
            done = await self._ask("unsubscribe", run.execution_id, 0)
        else:
            await self.leave()
            return
        if self._luck.random() < 0.7:
            await done
        if self._luck.random() < 0.5:
            await asyncio.sleep(self._luck.uniform(0, 0.02))

    async def leave(self) -> None:
        """Be gone, at times without a word."""
        if self._wire is None or self._reading is None:
            return
        wire, self._wire = self._wire, None
        if self._luck.random() < 0.5:
            connection = wire.socket._response.connection
            assert connection is not None
            assert connection.transport is not None
            connection.transport.abort()
        else:
            await wire.socket.close()
        await self._reading
        self.seen.clear()
        self._asked.clear()

    async def close(self) -> None:
        await self.leave()
        await self._session.http.close()

    async def _connect(self) -> None:
        self._wire = await websocket(self._session, self._room.server.url)
        auth = orjson.dumps({"token": self._room.token("viewer")}).decode()
        await self._wire.send(f"40{VIEWERS},{auth}")
        assert (await self._wire.receive()).startswith(f"40{VIEWERS},")
        self._reading = asyncio.create_task(self._read(self._wire))

    async def _ask(self, event: str, execution_id: str, after: int) -> asyncio.Future[None]:
        assert self._wire is not None
        self._number += 1
        done = asyncio.get_running_loop().create_future()
        self._asked[self._number] = (event, execution_id, after, done)
        argument: Any = execution_id
        if event == "subscribe":
            argument = {"executionId": execution_id, "after": after}
        await self._wire.send(f"{PREFIX}{self._number}{orjson.dumps([event, argument]).decode()}")
        return done

    async def _read(self, wire: WebSocket) -> None:
        try:
            while True:
                packet = await wire.receive()
                if packet.startswith(PREFIX):
                    self._take(*orjson.loads(packet[len(PREFIX) :]))
                else:
                    number, _, answer = packet.removeprefix(ANSWER).partition("[")
                    self._answered(int(number), orjson.loads("[" + answer)[0])
        except ConnectionError:
            pass
        finally:
            # whoever waits finds the reason, if there is one, with its next deed
            for *_, done in self._asked.values():
                if not done.done():
                    done.set_result(None)

    def _answered(self, number: int, answer: dict[str, Any]) -> None:
        event, execution_id, after, done = self._asked.pop(number)
        assert answer["ok"], answer
        if event == "subscribe":
            self.seen[execution_id] = after
        else:
            self.seen.pop(execution_id, None)
        if not done.done():
            done.set_result(None)

    def _take(self, kind: str, payload: dict[str, Any]) -> None:
        assert kind != "reset", payload
        if "seq" in payload:
            execution_id = payload["executionId"]
            assert execution_id in self.seen, "an event after unsubscribe was answered"
            assert payload["seq"] == self.seen[execution_id] + 1
            self.seen[execution_id] += 1
            self.events += 1


class Source:
    """An executor that writes one run and does not wait for the answers: events become durable
    faster than rooms write frames, and so some always wait while somebody joins.

    Attributes:
        head: the last seq that was acknowledged.
    """

    def __init__(self, room: Live, luck: random.Random) -> None:
        self.execution_id = ""
        self.head = 0
        self._room = room
        self._luck = luck
        self._sent = 0
        self._last: int | None = None

    async def open(self) -> None:
        self._client = await self._room.executor(f"source-{self._luck.random()}")
        answer = await self._client.call("register", {"workflowId": "churn"})
        self.execution_id = answer["executionId"]

    async def write(self, stop: asyncio.Event) -> None:
        """Until it shall stop, and to the end."""
        hearing = asyncio.create_task(self._hear())
        seq = 1
        await self._send([status(seq, "running")])
        while not stop.is_set():
            events = [log(seq + n) for n in range(1, self._luck.randint(2, 4))]
            await self._send(events)
            seq += len(events)
            await asyncio.sleep(PAUSE)
        self._last = self._sent + 1
        await self._send([status(seq + 1, "completed")])
        await hearing
        assert self.head == seq + 1
        assert isinstance(self._client.wire, WebSocket)
        await self._client.wire.socket.close()

    async def _send(self, events: list[dict[str, Any]]) -> None:
        batch = {"executionId": self.execution_id, "attempt": 1, "events": events}
        self._sent += 1
        await self._client.emit_with(FIRST + self._sent, "events", batch)

    async def _hear(self) -> None:
        heard = 0
        while heard != self._last:
            heard += 1
            answer = await self._client.acknowledged(FIRST + heard)
            assert answer["ok"], answer
            self.head = answer["head"]


async def race(room: Live, luck: random.Random, actions: int) -> int:
    """So many actions of fickle viewers while runs are written; how many events they saw."""
    stop = asyncio.Event()
    left = actions
    runs = [Source(room, luck) for _ in range(RUNS)]
    for run in runs:
        await run.open()
    writing = [asyncio.create_task(run.write(stop)) for run in runs]
    fickle = [Fickle(room, luck, runs) for _ in range(FICKLE)]
    steady = await room.viewer()
    await steady.call("subscribe", runs[0].execution_id)

    async def acts(viewer: Fickle) -> None:
        nonlocal left
        while left > 0:
            left -= 1
            await viewer.act()

    async with asyncio.TaskGroup() as group:
        for viewer in fickle:
            group.create_task(acts(viewer))
    stop.set()
    await asyncio.gather(*writing)
    assert len(await steady.logged(runs[0].head)) == runs[0].head
    for viewer in fickle:
        await viewer.close()
    assert isinstance(steady.wire, WebSocket)
    await steady.wire.socket.close()
    return sum(viewer.events for viewer in fickle)


@pytest.mark.usefixtures("swift")
async def test_whoever_comes_and_goes_sees_what_it_asked_for(
    tmp_path: Path, luck: random.Random
) -> None:
    async with live(tmp_path) as room:
        # what is made when it is needed first is there after this
        await race(room, luck, 2 * FICKLE)
        async with asyncio.timeout(SETTLE_SECONDS):
            while room.server.sockets.connections():
                await asyncio.sleep(0.01)
        before = census(room.server)
        events = await race(room, luck, ACTIONS)
        await returns(room.server, before, SETTLE_SECONDS)
        assert len(room.server.rooms) == 0
        assert events > ACTIONS
        print(f"{ACTIONS} actions, {events} events")
