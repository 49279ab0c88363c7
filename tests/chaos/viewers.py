"""The Python counterpart of `viewers.mjs`, on stock python-socketio: same argument, same output."""

from __future__ import annotations

import asyncio
import json
import sys
from hashlib import sha256
from typing import Any

import aiohttp
import socketio

from contract.states import EXECUTION_TERMINAL
from tests.chaos.judge import line

VIEWERS = "/executions"


def say(viewer: int, **what: Any) -> None:
    print(json.dumps({"viewer": viewer, **what}), flush=True)


async def view(url: str, token: str, asked: dict[str, Any], viewer: int) -> None:
    """One stock client, until the last of its executions has ended."""
    seen = dict.fromkeys(asked["executions"], 0)
    digests = {execution_id: sha256() for execution_id in seen}
    done = asyncio.Event()
    drops = list(asked.get("drops", ()))
    since = connects = 0
    dropped = False
    async with aiohttp.ClientSession() as session:
        client = socketio.AsyncClient(
            http_session=session,
            handle_sigint=False,
            reconnection_delay=0.05,
            reconnection_delay_max=0.5,
        )

        async def connected() -> None:
            nonlocal connects, since, dropped
            connects, since, dropped = connects + 1, 0, False
            for execution_id in tuple(seen):
                request = {"executionId": execution_id, "after": seen[execution_id]}
                await client.emit("subscribe", request, namespace=VIEWERS, callback=answered)

        def answered(answer: dict[str, Any]) -> None:
            if answer["ok"]:
                say(viewer, note="subscribed", executionId=answer["executionId"])
            elif answer["error"]["code"] != "unavailable":
                say(viewer, wrong=answer["error"]["message"])

        def received(kind: str, event: dict[str, Any]) -> None:
            nonlocal since, dropped
            if kind == "reset":
                say(viewer, wrong=f"reset {event['reason']}")
            if "seq" not in event or dropped:
                return
            execution_id, seq = event["executionId"], event["seq"]
            if execution_id not in seen:
                say(viewer, wrong=f"seq {seq} after the end")
                return
            if seq != seen[execution_id] + 1:
                say(viewer, wrong=f"seq {seq} after {seen[execution_id]}", executionId=execution_id)
            seen[execution_id] = seq
            digests[execution_id].update(f"{line(kind, event)}\n".encode())
            since += 1
            if kind == "status" and event["status"] in EXECUTION_TERMINAL:
                del seen[execution_id]
                digest = digests[execution_id].hexdigest()
                end = {"seen": seq, "digest": digest, "connects": connects}
                say(viewer, executionId=execution_id, **end)
                if not seen:
                    done.set()
            elif drops and since >= drops[0]:
                drops.pop(0)
                dropped = True
                # what a network does, and no goodbye
                connection = client.eio.ws._response.connection
                if connection is not None and connection.transport is not None:
                    connection.transport.abort()

        client.on("connect", connected, namespace=VIEWERS)
        client.on("*", received, namespace=VIEWERS)
        await client.connect(
            url, auth={"token": token}, namespaces=[VIEWERS], transports=["websocket"], retry=True
        )
        await done.wait()
        await client.disconnect()


async def main(url: str, token: str, viewers: list[dict[str, Any]]) -> None:
    async with asyncio.TaskGroup() as group:
        for number, asked in enumerate(viewers):
            group.create_task(view(url, token, asked, number))


if __name__ == "__main__":
    asyncio.run(main(**json.loads(sys.argv[1])))
