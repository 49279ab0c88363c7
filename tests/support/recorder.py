"""A Socket.IO server whose only namespace remembers what it was given."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

from bff.outlet import Outlet
from bff.sockets import Answer, Namespace, Promise, SocketServer, event_frame
from contract.errors import NotFound, RunroomError, Unauthorized, Unavailable
from tests.support.engine import Client, Polling, Session, websocket

NAME = "/executions"


class Recorder(Namespace):
    """Answers `echo`, remembers all it was given."""

    def __init__(self) -> None:
        super().__init__(NAME)
        self.calls: list[Any] = []
        self.arrived: dict[str, Outlet] = {}
        self.departed: list[str] = []
        self.refusals: list[tuple[str, RunroomError]] = []
        self.later: list[asyncio.Future[Any]] = []
        self.handlers = {
            "echo": self._echo,
            "slow": self._slow,
            "then": self._then,
            "fail": self._fail,
            "refuse": self._refuse,
        }
        self.promises = {"later": self._later}

    async def arrive(self, sid: str, outlet: Outlet, auth: Any, environ: dict[str, Any]) -> None:
        token = auth.get("token") if isinstance(auth, dict) else None
        match token:
            case "wrong":
                raise Unauthorized("the token is not valid")
            case "later":
                raise Unavailable("not now")
            case "bug":
                raise KeyError("a bug")
        self.arrived[sid] = outlet

    async def depart(self, sid: str) -> None:
        self.departed.append(sid)

    def refused(self, sid: str, event: str, argument: object, error: RunroomError) -> None:
        self.refusals.append((event, error))

    async def _echo(self, sid: str, argument: Any) -> Any:
        self.calls.append(argument)
        return {"ok": True, "echo": argument}

    async def _slow(self, sid: str, argument: Any) -> Any:
        await asyncio.sleep(0.05 / (1 + argument))
        self.calls.append(argument)
        return argument

    def _later(self, sid: str, argument: Any) -> Promise:
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.later.append(future)
        return Promise(future, lambda value: value)

    async def _then(self, sid: str, argument: Any) -> Answer:
        outlet = self.arrived[sid]
        return Answer("answer", lambda _: outlet.write(event_frame(NAME, "after", {})))

    async def _fail(self, sid: str, argument: Any) -> Any:
        raise ZeroDivisionError

    async def _refuse(self, sid: str, argument: Any) -> Any:
        raise NotFound("no such thing")


class Setup:
    def __init__(self, url: str, server: SocketServer, namespace: Recorder) -> None:
        self.url = url
        self.server = server
        self.namespace = namespace
        self.session = Session()

    async def websocket(self, **options: Any) -> Client:
        client = Client(await websocket(self.session, self.url, **options), NAME)
        assert (await client.connect({"token": "good"}))[0] == "0"
        return client

    async def polling(self) -> Client:
        client = Client(await Polling(self.session, self.url).open(), NAME)
        assert (await client.connect({"token": "good"}))[0] == "0"
        return client

    def outlet(self) -> Outlet:
        return next(iter(self.namespace.arrived.values()))


@asynccontextmanager
async def recording(*, deflate: bool = False) -> AsyncIterator[Setup]:
    """A server with one `Recorder`, on a free port."""
    server = SocketServer(
        max_message_bytes=1_000_000,
        origins=lambda origin, _: "good" in (origin or ""),
        deflate=deflate,
    )
    namespace = Recorder()
    server.register_namespace(namespace)
    app = web.Application()
    server.attach(app)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.2)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    made = Setup(f"http://127.0.0.1:{port}", server, namespace)
    yield made
    await server.leave(grace=1)
    await made.session.close()
    await server.shutdown()
    await runner.cleanup()


async def until(condition: Any, timeout: float = 5) -> None:
    async with asyncio.timeout(timeout):
        while not condition():
            await asyncio.sleep(0.005)
