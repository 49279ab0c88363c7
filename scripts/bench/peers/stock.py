"""`python -m scripts.bench.peers.stock PORT asyncio|uvloop`: python-socketio on aiohttp."""

from __future__ import annotations

import sys
from typing import Any

import socketio
import uvloop
from aiohttp import web


def application() -> web.Application:
    """A server with rooms, as the library's documentation makes one; no store, no auth."""
    server = socketio.AsyncServer(async_mode="aiohttp")

    async def connect(sid: str, environ: dict[str, Any], auth: object = None) -> None:
        return None

    async def subscribe(sid: str, execution_id: str) -> dict[str, Any]:
        await server.enter_room(sid, execution_id, namespace="/executions")
        return {"ok": True, "executionId": execution_id}

    async def log(sid: str, payload: dict[str, Any]) -> None:
        await server.emit("log", payload, room=payload["executionId"], namespace="/executions")

    for namespace in ("/executions", "/executor"):
        server.on("connect", connect, namespace=namespace)
    server.on("subscribe", subscribe, namespace="/executions")
    server.on("log", log, namespace="/executor")

    async def home(request: web.Request) -> web.Response:
        return web.Response(text="ok")

    app = web.Application()
    app.router.add_get("/", home)
    server.attach(app)
    return app


if __name__ == "__main__":
    if sys.argv[2] == "uvloop":
        uvloop.install()
    web.run_app(application(), host="127.0.0.1", port=int(sys.argv[1]), print=None)
