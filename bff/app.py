"""The composition root: the only place that names concrete parts and joins them."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from bff import http
from bff.auth import Authenticator
from bff.claims import Claims
from bff.executions import Executions
from bff.ingest import Ingest
from bff.leases import Leases, Notices
from bff.namespaces.executions import Viewers
from bff.namespaces.executor import Executors
from bff.origins import origin_allowed
from bff.presence import Watchers
from bff.retention import Retention
from bff.rooms import Rooms
from bff.settings import Settings
from bff.snapshots import Snapshots
from bff.sockets import SocketServer
from bff.stats import Stats
from bff.stores.base import EventStore
from bff.stores.sqlite import SqliteStore
from contract.messages import MAX_EXECUTOR_MESSAGE_BYTES, ExecutorPresence

log = logging.getLogger("bff.app")

SEND_BUFFER_BYTES = 64 * 1024
"""Small, so that a slow reader's pings are not far behind in the kernel."""
STOP_SECONDS = 5
"""How long connections may take to end at a stop."""
BACKLOG = 4_096


@dataclass(frozen=True, slots=True)
class Server:
    """A server that runs.

    Attributes:
        url: where, `http://host:port`.
        authenticator: mints tokens in development.
        store, snapshots, sockets, viewers, rooms, watchers: to look at what is there.
    """

    url: str
    authenticator: Authenticator
    store: EventStore
    snapshots: Snapshots
    sockets: SocketServer
    viewers: Viewers
    rooms: Rooms
    watchers: Watchers


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[Server]:
    """A server with these settings, until the block is left.

    Raises:
        OSError: the address cannot be used.
        Unavailable, Conflict: the store cannot.
    """
    async with AsyncExitStack() as stack:
        store: EventStore = await stack.enter_async_context(SqliteStore(settings.store_path))
        authenticator = Authenticator(settings)
        snapshots = Snapshots(store, evict_seconds=settings.evict_seconds)
        rooms = await stack.enter_async_context(Rooms(store, coalesce_ms=settings.coalesce_ms))
        store.listen(rooms.publish)
        watchers = Watchers(rooms)
        stack.callback(watchers.close)

        def tell_viewers(execution_id: str, presence: ExecutorPresence) -> None:
            rooms.announce(execution_id, "executor", presence.to_wire())

        # the namespace of executors is made last, but leases tell it what to do
        notices = Notices(
            work=lambda: executors.offer_work(),  # noqa: PLW0108
            cancel=lambda *claim: executors.cancel(*claim),  # noqa: PLW0108
            executor=tell_viewers,
        )
        leases = Leases(
            store,
            snapshots,
            lease_seconds=settings.lease_seconds,
            max_attempts=settings.max_attempts,
            notices=notices,
        )
        ingest = Ingest(store, snapshots, wake=rooms.wake, written=leases.written)
        stack.push_async_callback(ingest.close)
        executions = Executions(store, snapshots, leases)
        claims = Claims(store, snapshots, leases)
        viewers = Viewers(authenticator, executions, rooms, watchers)
        executors = Executors(authenticator, claims, leases, ingest)

        def welcome(origin: str | None, environ: dict[str, Any]) -> bool:
            host, scheme = environ.get("HTTP_HOST"), environ["aiohttp.request"].scheme
            return origin_allowed(origin, host, scheme, settings)

        sockets = SocketServer(
            max_message_bytes=MAX_EXECUTOR_MESSAGE_BYTES,
            origins=welcome,
            deflate=settings.compression,
        )
        sockets.register_namespace(viewers)
        sockets.register_namespace(executors)
        stats = Stats(sockets=sockets, rooms=rooms, ingest=ingest, executors=executors)
        stack.callback(stats.close)

        app = web.Application()
        http.setup(
            app,
            settings=settings,
            authenticator=authenticator,
            executions=executions,
            store=store,
            leases=leases,
            stats=stats,
        )
        sockets.attach(app)
        stack.push_async_callback(leases.close)
        await leases.start(ingest)
        stack.push_async_callback(sockets.shutdown)
        retention = Retention(store, snapshots, rooms, days=settings.retention_days)
        stack.push_async_callback(_end, asyncio.create_task(retention.run()))
        stack.push_async_callback(_end, asyncio.create_task(sockets.watch()))

        runner = web.AppRunner(
            app,
            access_log=None,
            handler_cancellation=True,
            shutdown_timeout=1,
            tcp_keepalive=False,  # the listener's
        )
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        listener = _listen(settings.host, settings.port)
        site = web.SockSite(runner, listener, backlog=BACKLOG)
        await site.start()
        host, port = listener.getsockname()[:2]
        shown = f"[{host}]" if ":" in host else host
        stack.push_async_callback(sockets.leave, grace=STOP_SECONDS)
        stack.callback(listener.close)
        url = f"http://{shown}:{port}"
        try:
            yield Server(url, authenticator, store, snapshots, sockets, viewers, rooms, watchers)
        finally:
            log.info("stopping: connections=%d", sockets.connections())
            await site.stop()


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait((task,))


def _listen(host: str, port: int) -> socket.socket:
    family, kind, protocol, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # these two are inherited by every connection that it accepts
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
        listener.bind(address)
        listener.setblocking(False)
    except OSError:
        listener.close()
        raise
    return listener


async def serve(settings: Settings, stop: asyncio.Event) -> None:
    """Run a server until `stop` is set."""
    async with running(settings) as server:
        log.info("listening: url=%s", server.url)
        await stop.wait()
