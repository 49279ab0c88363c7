"""One connection to a namespace of the server: calls with answers, events, a sure end."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from functools import partial
from typing import Any, Final, Self
from urllib.parse import urlsplit

import aiohttp
import orjson
import socketio
from engineio import base_client
from socketio import packet

from contract.errors import RunroomError
from executor.answers import error_of

log = logging.getLogger(__name__)

MAX_ANSWER_BYTES = 64 * 1024 * 1024
"""A claim may bring the snapshots of many executions at once."""
_DROPPED: Final = object()

Answer = dict[str, Any]


class Dropped(Exception):
    """The connection ended before the answer came; the request may have been carried out."""


class Refused(Exception):
    """The server refused the connection for a reason that it named.

    Attributes:
        error: what it said, with its code.
    """

    def __init__(self, error: RunroomError) -> None:
        super().__init__(str(error))
        self.error = error


class _Json:
    """orjson for the packets of this connection only; takes `orjson.Fragment`s."""

    loads = staticmethod(orjson.loads)

    @staticmethod
    def dumps(value: object, **_: object) -> str:
        return orjson.dumps(value).decode()


class _Packet(packet.Packet):
    # `serializer=` takes this class; the client's `json=` would change the whole process.
    uses_binary_events = False
    json = _Json


class Connection:
    """Open it with `open`; it ends once and for all, by `drop`, `close` or the other side.

    Attributes:
        ended: set when it has ended.
        proven: the server has answered a request with `ok`.
    """

    def __init__(
        self,
        namespace: str,
        *,
        on_event: Callable[[str, Any], None],
        on_end: Callable[[], None],
        answer_timeout: float = 30.0,
    ) -> None:
        self.ended = asyncio.Event()
        self.proven = False
        self._namespace = namespace
        self._on_event = on_event
        self._on_end = on_end
        self._answer_timeout = answer_timeout
        self._answers: set[asyncio.Future[Any]] = set()
        self._sockets: list[socket.socket] = []
        self._refusal: RunroomError | None = None
        # The library logs whole packets, tokens among them, at INFO.
        transport = logging.getLogger(f"{__name__}.transport")
        transport.setLevel(logging.ERROR)
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(socket_factory=self._socket)
        )
        self._client = socketio.AsyncClient(
            reconnection=False,
            serializer=_Packet,
            handle_sigint=False,
            logger=transport,
            engineio_logger=transport,
            http_session=self._session,
            websocket_extra_options={
                "max_msg_size": MAX_ANSWER_BYTES,
                "timeout": aiohttp.ClientWSTimeout(ws_close=1.0),
            },
        )

    @classmethod
    async def open(
        cls,
        url: str,
        namespace: str,
        auth: Mapping[str, Any],
        *,
        events: Iterable[str],
        on_event: Callable[[str, Any], None],
        on_end: Callable[[], None] = lambda: None,
        timeout: float = 10.0,
        answer_timeout: float = 30.0,
    ) -> Self:
        """Connect, by WebSocket only.

        Args:
            url: the server's `http(s)://host[:port][/prefix]`.
            events: the server's events to hand to `on_event(name, argument)`; they come
                in the order of their arrival as far as the library keeps it.
            on_end: called once, in the moment in which the connection is known to be over.
            answer_timeout: seconds after which an unanswered call drops the connection.

        Raises:
            Refused: the server named a reason.
            OSError: it cannot be reached, or did not answer in `timeout` seconds.
        """
        self = cls(namespace, on_event=on_event, on_end=on_end, answer_timeout=answer_timeout)
        client = self._client
        client.on("connect_error", self._refused, namespace=namespace)
        for event in events:
            client.on(event, partial(self._received, event), namespace=namespace)
        try:
            async with asyncio.timeout(timeout):
                await client.connect(
                    url,
                    auth=dict(auth),
                    transports=["websocket"],
                    namespaces=[namespace],
                    socketio_path=f"{urlsplit(url).path.strip('/')}/socket.io",
                    wait_timeout=timeout,
                )
            if client.eio.state != "connected":
                raise ConnectionError("the connection was dropped while it was being made")
        except BaseException as error:
            await self.close()
            if self._refusal is not None:
                raise Refused(self._refusal) from None
            if isinstance(error, OSError) or not isinstance(error, Exception):
                raise
            raise ConnectionError(str(error) or type(error).__name__) from error
        # The library's own disconnect event is missed when the drop meets the connect.
        client.eio.read_loop_task.add_done_callback(lambda _: self._end())
        return self

    async def call(
        self,
        event: str,
        argument: object,
        *,
        abandoned: Callable[[Answer], None] | None = None,
    ) -> Answer:
        """Send a request and wait for its answer, whatever it says.

        Args:
            argument: JSON; parts of it may be `orjson.Fragment`s.
            abandoned: gets the answer if the caller is cancelled before it comes.

        Raises:
            Dropped: the connection ended first, or the answer took too long (which
                drops the connection).
        """
        if self.ended.is_set():
            raise Dropped
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._answers.add(answer)
        answer.add_done_callback(self._answers.discard)
        try:
            await self._client.emit(
                event, argument, namespace=self._namespace, callback=partial(_settle, answer)
            )
            async with asyncio.timeout(self._answer_timeout):
                result = await asyncio.shield(answer)
        except TimeoutError:
            log.warning("no answer to %s in %g s: reconnecting", event, self._answer_timeout)
            self.drop()
            raise Dropped from None
        except socketio.exceptions.SocketIOError:
            self.drop()
            raise Dropped from None
        except asyncio.CancelledError:
            if abandoned is not None:
                answer.add_done_callback(partial(_hand_over, abandoned))
            raise
        if result is _DROPPED:
            raise Dropped
        if not isinstance(result, dict):
            result = {}
        self.proven = self.proven or result.get("ok") is True
        return result

    async def settled(self) -> None:
        """Wait until nothing that was asked is unanswered."""
        while self._answers:
            await asyncio.wait(self._answers)

    def drop(self) -> None:
        """End it now, without a word to the other side."""
        for each in self._sockets:
            # A socket of ours, since neither library closes one whose peer reads no more.
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        self._end()

    async def close(self) -> None:
        """End it, with a word if that is possible at once, and free everything."""
        eio = self._client.eio
        try:
            with suppress(Exception):
                async with asyncio.timeout(2.0):
                    await self._client.disconnect()
        finally:
            self.drop()
            tasks = [task for task in (eio.read_loop_task, eio.write_loop_task) if task]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            with suppress(ValueError):
                base_client.connected_clients.remove(eio)
            await self._session.close()

    def _end(self) -> None:
        if self.ended.is_set():
            return
        self.ended.set()
        for answer in tuple(self._answers):
            _settle(answer, _DROPPED)
        self._on_end()

    def _socket(self, address: Any) -> socket.socket:
        made = socket.socket(*address[:3])
        self._sockets.append(made)
        return made

    def _received(self, event: str, argument: Any = None, *_: Any) -> None:
        try:
            self._on_event(event, argument)
        except Exception:
            log.exception("handling the server's %s failed", event)

    def _refused(self, reason: Any = None, *_: Any) -> None:
        # A text is the library's own word for "cannot reach it", never the server's.
        if isinstance(reason, dict):
            data = reason.get("data")
            data = data if isinstance(data, dict) else {}
            message = data.get("message") or reason.get("message") or "refused"
            self._refusal = error_of({**data, "message": message})


def _settle(answer: asyncio.Future[Any], result: Any = None, *_: Any) -> None:
    if not answer.done():
        answer.set_result(result)


def _hand_over(abandoned: Callable[[Answer], None], answer: asyncio.Future[Any]) -> None:
    if not answer.cancelled() and isinstance(answer.result(), dict):
        abandoned(answer.result())
