"""python-socketio with its traps closed: events arrive in order, and each is answered.

Nothing here knows executions; a namespace gets decoded arguments and gives answers.
Each trap closed here has a test of its own name in `tests/bff/test_sockets.py`.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar

import orjson
import socketio
from socketio import packet as socket_packet
from socketio.exceptions import ConnectionRefusedError as Refused

from bff.alarms import Alarms
from bff.engine import Engine
from bff.frames import Frame
from bff.outlet import Outlet
from contract.errors import (
    ErrorCode,
    Forbidden,
    InvalidRequest,
    RunroomError,
    Unauthorized,
    Unavailable,
    refusal,
    to_wire,
)

log = logging.getLogger("bff.sockets")

UNAUTHENTICATED_SECONDS = 10
"""How long a connection may stay without a namespace before it is closed."""
STALL_SECONDS = 60
"""How long data may wait for a client that reads nothing."""
MAX_IN_FLIGHT = 64
"""Answers a connection may wait for before its next message is read."""
GOING_AWAY = 1001
KEPT_ENVIRON = ("HTTP_AUTHORIZATION", "HTTP_HOST", "HTTP_ORIGIN")
"""What is kept of a connection's first request, for namespaces that it connects to."""

_PROMPT = re.compile(r'2(/[^,?"\[]*),([0-9]{1,15})\["(\w+)",', re.ASCII)
"""The head of an event with one argument or more that wants to be acknowledged."""


class Malformed:
    """Stands for arguments that are not JSON, so that their caller can be answered."""

    def __init__(self, reason: str) -> None:
        self.reason = reason


class _Json:
    """orjson in the form of the `json` module, but for errors, which become `Malformed`."""

    @staticmethod
    def loads(text: str) -> Any:
        try:
            return orjson.loads(text)
        except orjson.JSONDecodeError as error:
            return Malformed(str(error))

    @staticmethod
    def dumps(value: Any, **_: Any) -> str:
        return orjson.dumps(value).decode()


class _Packet(socket_packet.Packet):
    json = _Json
    uses_binary_events = False  # spares a walk through every payload; none holds bytes


class _Manager(socketio.AsyncManager):
    """python-socketio's register of clients, without a room for each client of its own."""

    def basic_enter_room(
        self, sid: str, namespace: str, room: str | None, eio_sid: str | None = None
    ) -> None:
        if room != sid:
            super().basic_enter_room(sid, namespace, room, eio_sid)

    def basic_disconnect(self, sid: str, namespace: str, **_: Any) -> None:
        # the library looks for the client in every room; here it is in this one only
        self.basic_leave_room(sid, namespace, None)
        self.callbacks.pop(sid, None)
        for pending in (self.pending_connect, self.pending_disconnect):
            if sid in pending.get(namespace, ()):
                pending[namespace].remove(sid)
                if not pending[namespace]:
                    del pending[namespace]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a handler returns when something must follow its acknowledgement.

    Attributes:
        value: the acknowledgement.
        then: called right after the acknowledgement was queued, whether or not the
            client asked for one; gets True if it did.
    """

    value: Any
    then: Callable[[bool], None]


@dataclass(frozen=True, slots=True)
class Promise:
    """An acknowledgement that comes later, while further messages are read.

    Attributes:
        result: raises `RunroomError` to refuse.
        shape: makes the acknowledgement of the result.
    """

    result: asyncio.Future[Any]
    shape: Callable[[Any], Any]


Handler = Callable[..., Awaitable[Any]]
Promising = Callable[[str, Any], Promise]


class Namespace(socketio.AsyncNamespace):
    """One namespace: a connect handler, a disconnect handler and a table of events.

    A handler in `handlers` gets `(sid, argument)` and returns the acknowledgement or an
    `Answer`; one in `promises` takes no await to return a `Promise`. Both raise
    `RunroomError` to refuse.
    """

    handlers: Mapping[str, Handler]
    promises: Mapping[str, Promising] = MappingProxyType({})
    transports: ClassVar[frozenset[str]] = frozenset({"websocket", "polling"})

    async def arrive(self, sid: str, outlet: Outlet, auth: object, environ: dict[str, Any]) -> None:
        """A client wants to connect with `auth`.

        Raises:
            Unauthorized, Forbidden: the client is refused for good.
            Unavailable: its transport is closed, so that it tries again.
        """
        raise Forbidden("this namespace takes no connections")

    async def depart(self, sid: str) -> None:
        """The client is gone; called once for each `arrive` that returned."""

    def refused(self, sid: str, event: str, argument: object, error: RunroomError) -> None:
        """An event without an acknowledgement was refused; tell the client if it helps."""


class SocketServer(socketio.AsyncServer):
    """A Socket.IO server whose namespaces are `Namespace`s and whose queues are outlets."""

    def __init__(
        self,
        *,
        max_message_bytes: int,
        origins: Callable[[str, dict[str, Any]], bool],
        deflate: bool = False,
    ) -> None:
        """
        Args:
            max_message_bytes: the longest message of any connection; an outlet's
                `message_bytes` limits its own further.
            origins: whether a request with this Origin header is welcome.
            deflate: compress long WebSocket messages for clients that offer it.
        """
        super().__init__(
            client_manager=_Manager(),
            async_mode="aiohttp",
            async_handlers=False,  # else five quick events arrive in any order
            serializer=_Packet,
            cors_allowed_origins=origins,
            cors_credentials=False,
            max_http_buffer_size=max_message_bytes,
            logger=logging.getLogger("bff.socketio"),
            engineio_logger=logging.getLogger("bff.engineio"),
        )
        self._doors: Alarms[str] = Alarms(lambda: UNAUTHENTICATED_SECONDS, self._shut_door)
        self._in_flight: dict[str, set[asyncio.Future[Any]]] = {}
        self.eio.take = self._take
        self.eio.deflate = deflate
        self._tasks: set[asyncio.Task[None]] = set()
        self._stalled: dict[str, tuple[int, float]] = {}  # bytes taken, and since when

    def outlet(self, eio_sid: str) -> Outlet:
        """The way out of a connection that is open."""
        outlet: Outlet = self.eio.sockets[eio_sid].queue
        return outlet

    def transport_of(self, eio_sid: str) -> str:
        """`websocket` or `polling`."""
        return "websocket" if self.eio.sockets[eio_sid].upgraded else "polling"

    async def watch(self) -> None:
        """Cut connections that read nothing for `STALL_SECONDS` while data waits; runs
        until it is cancelled."""
        while True:
            await asyncio.sleep(STALL_SECONDS / 12)
            self._cut_stalled(asyncio.get_running_loop().time())

    def _cut_stalled(self, present: float) -> None:
        before, self._stalled = self._stalled, {}
        for eio_sid, socket in list(self.eio.sockets.items()):
            outlet: Outlet = socket.queue
            if outlet.backlog == 0 or outlet.gone:
                continue
            taken, since = before.get(eio_sid, (-1, present))
            if taken != outlet.taken:
                since = present
            elif present - since >= STALL_SECONDS:
                log.info("cut %s: it read nothing for %s s", eio_sid, STALL_SECONDS)
                self._spawn(outlet.abort())
                continue
            self._stalled[eio_sid] = (outlet.taken, since)

    def connections(self) -> int:
        """How many connections are open."""
        return len(self.eio.sockets)

    async def leave(self, *, grace: float) -> None:
        """Close every transport, so that stock clients come back by themselves.

        Args:
            grace: seconds to let backlogs be written before the rest is cut.
        """
        outlets = [socket.queue for socket in list(self.eio.sockets.values())]
        await asyncio.gather(*(outlet.close(GOING_AWAY, "restart") for outlet in outlets))
        deadline = asyncio.get_running_loop().time() + grace
        while self.eio.sockets and asyncio.get_running_loop().time() < deadline:
            self._forget_closed()
            await asyncio.sleep(0.02)
        await asyncio.gather(*(outlet.abort() for outlet in outlets))
        self._doors.close()

    def _forget_closed(self) -> None:
        for eio_sid, socket in list(self.eio.sockets.items()):
            if socket.closed:
                self.eio.sockets.pop(eio_sid, None)

    # what python-socketio calls

    def _engineio_server_class(self) -> type[Engine]:
        return Engine

    async def _handle_eio_connect(self, eio_sid: str, environ: dict[str, Any]) -> None:
        socket = self.eio.sockets[eio_sid]
        socket.queue.bind(socket)
        self._doors.set(eio_sid)
        kept = {name: environ[name] for name in KEPT_ENVIRON if name in environ}
        await super()._handle_eio_connect(eio_sid, kept)

    async def _handle_eio_disconnect(self, eio_sid: str, reason: str) -> None:
        self._doors.drop(eio_sid)
        self.eio.forget_ping(eio_sid)
        self._in_flight.pop(eio_sid, None)
        outlet = self.outlet(eio_sid)
        await super()._handle_eio_disconnect(eio_sid, reason)
        if reason == self.reason.PING_TIMEOUT:
            await outlet.abort()  # nobody is there to read a goodbye
        outlet.detach()
        # engine.io forgets a WebSocket only when its request ends, and a polling
        # connection only when it polls again
        asyncio.get_running_loop().call_soon(self._forget, eio_sid)

    def _forget(self, eio_sid: str) -> None:
        socket = self.eio.sockets.get(eio_sid)
        if socket is not None and socket.closed and not socket.upgraded:
            del self.eio.sockets[eio_sid]
            # else the poll of a client that has left would wait for the ping's timeout
            socket.queue.put_nowait(None)

    def _shut_door(self, eio_sid: str) -> None:
        socket = self.eio.sockets.get(eio_sid)
        if socket is not None:
            log.info("closed %s: no namespace within %s s", eio_sid, UNAUTHENTICATED_SECONDS)
            self._spawn(socket.queue.abort())

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _take(self, eio_sid: str, message: str) -> bool:
        """The short way in, for what is promised: no packet, no task, no await. False:
        nothing was done, and the message goes the long way, which this must not differ
        from."""
        head = _PROMPT.match(message)
        if head is None or eio_sid not in self.environ:
            return False
        namespace, id, event = head.groups()
        handler: Namespace | None = self.namespace_handlers.get(namespace)
        promise = None if handler is None else handler.promises.get(event)
        if promise is None or len(self._in_flight.get(eio_sid, ())) >= MAX_IN_FLIGHT:
            return False
        outlet = self.outlet(eio_sid)
        sid = self.manager.sid_from_eio_sid(eio_sid, namespace)
        if not self.manager.is_connected(sid, namespace) or outlet.backlog > outlet.message_bytes:
            return False
        try:
            _, argument, *_ = orjson.loads(message[head.end(2) :])
        except orjson.JSONDecodeError:
            return False
        try:
            self._promised(eio_sid, namespace, int(id), promise(sid, argument))
        except Exception as error:
            self._acknowledge(eio_sid, namespace, int(id), _refusal(error, namespace, event))
        return True

    async def _handle_eio_message(self, eio_sid: str, data: object) -> None:
        if not isinstance(data, str) or eio_sid not in self.environ:
            return  # binary is refused where it was announced; or the session has ended
        try:
            packet = _Packet(encoded_packet=data)
        except ValueError:
            await self.outlet(eio_sid).abort()
            return
        if isinstance(packet.data, Malformed) and packet.packet_type != socket_packet.EVENT:
            await self.outlet(eio_sid).abort()
        elif packet.packet_type in (socket_packet.BINARY_EVENT, socket_packet.BINARY_ACK):
            self._answer_binary(eio_sid, packet)
        elif packet.packet_type == socket_packet.CONNECT_ERROR:
            await self.outlet(eio_sid).abort()
        elif packet.packet_type == socket_packet.CONNECT:
            await self._handle_connect(eio_sid, packet.namespace, packet.data)
        elif packet.packet_type == socket_packet.DISCONNECT:
            await self._handle_disconnect(eio_sid, packet.namespace)
        elif packet.packet_type == socket_packet.EVENT:
            await self._handle_event(eio_sid, packet.namespace, packet.id, packet.data)

    def _answer_binary(self, eio_sid: str, packet: _Packet) -> None:
        if packet.packet_type == socket_packet.BINARY_EVENT and packet.id is not None:
            error = InvalidRequest("binary attachments are not accepted; send JSON")
            self._acknowledge(eio_sid, packet.namespace, packet.id, refusal(error))

    async def _handle_connect(self, eio_sid: str, namespace: str | None, data: object) -> None:
        if self.namespace_handlers.get(namespace or "/") is None:
            error = {"message": "not_found", "data": {"code": "not_found"}}
            await self._send_packet(
                eio_sid, _Packet(socket_packet.CONNECT_ERROR, data=error, namespace=namespace)
            )
            return
        await super()._handle_connect(eio_sid, namespace, data)
        if eio_sid not in self.environ:  # it went while it was being let in
            await self._handle_disconnect(eio_sid, namespace)
        elif self._connected(eio_sid):
            self._doors.drop(eio_sid)

    async def _handle_disconnect(
        self, eio_sid: str, namespace: str | None, reason: str | None = None
    ) -> None:
        if self.manager.sid_from_eio_sid(eio_sid, namespace or "/") is None:
            return
        await super()._handle_disconnect(eio_sid, namespace, reason)
        socket = self.eio.sockets.get(eio_sid)
        open_still = socket is not None and not socket.closing
        if open_still and not self._connected(eio_sid) and eio_sid not in self._doors:
            self._doors.set(eio_sid)

    def _connected(self, eio_sid: str) -> bool:
        sid_of = self.manager.sid_from_eio_sid
        return any(
            self.manager.is_connected(sid_of(eio_sid, namespace), namespace)
            for namespace in self.namespace_handlers
        )

    async def _handle_event(
        self, eio_sid: str, namespace: str | None, id: int | None, data: Any
    ) -> None:
        namespace = namespace or "/"
        sid = self.manager.sid_from_eio_sid(eio_sid, namespace)
        if not self.manager.is_connected(sid, namespace):
            return
        outlet = self.outlet(eio_sid)
        if outlet.backlog > outlet.message_bytes:
            try:
                await outlet.drained()  # a client that does not read is not read either
            except ConnectionResetError:
                return
        answer = await self._run(namespace, sid, id, data)
        if isinstance(answer, Promise):
            waiting = self._promised(eio_sid, namespace, id, answer)
            while len(waiting) >= MAX_IN_FLIGHT:
                await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            return
        then = None
        if isinstance(answer, Answer):
            answer, then = answer.value, answer.then
        if id is not None:
            self._acknowledge(eio_sid, namespace, id, answer)
        if then is not None:
            then(id is not None)

    async def _run(self, namespace: str, sid: str, id: int | None, data: Any) -> Any:
        handler: Namespace = self.namespace_handlers[namespace]
        event, argument = "", None
        try:
            event, argument = _call(data)
            if event in handler.promises:
                return handler.promises[event](sid, argument)
            call = handler.handlers.get(event)
            if call is None:
                accepted = ", ".join(sorted((*handler.handlers, *handler.promises)))
                raise InvalidRequest(f'unknown event "{event[:100]}"; accepted are {accepted}')
            return await call(sid, argument)
        except Exception as error:
            if id is None and isinstance(error, RunroomError):
                handler.refused(sid, event, argument, error)
            return _refusal(error, namespace, event)

    def _promised(
        self, eio_sid: str, namespace: str, id: int | None, promise: Promise
    ) -> set[asyncio.Future[Any]]:
        """Acknowledge when the promise is kept; returns all that the connection waits for."""
        waiting = self._in_flight.setdefault(eio_sid, set())
        waiting.add(promise.result)

        def done(result: asyncio.Future[Any]) -> None:
            waiting.discard(result)
            if result.cancelled():
                return
            error = result.exception()
            if id is not None and eio_sid in self.environ:
                kept = error is None
                answer = promise.shape(result.result()) if kept else _refusal(error, namespace)
                self._acknowledge(eio_sid, namespace, id, answer)

        promise.result.add_done_callback(done)
        return waiting

    def _acknowledge(self, eio_sid: str, namespace: str | None, id: int, value: Any) -> None:
        socket = self.eio.sockets.get(eio_sid)
        if socket is None:
            return
        place = b"" if namespace in (None, "/") else b"%s," % namespace.encode()
        packet = b"43%s%d[%s]" % (place, id, orjson.dumps(value))
        socket.queue.write(Frame((packet,)))

    async def _trigger_event(self, event: str, namespace: str, *arguments: Any) -> Any:
        """Only connect and disconnect come here, and only from the library itself."""
        handler: Namespace = self.namespace_handlers[namespace]
        sid = arguments[0]
        if event == "disconnect":
            try:
                await handler.depart(sid)
            except Exception:
                log.exception("disconnect failed: namespace=%s", namespace)
            return None
        eio_sid = self.manager.eio_sid_from_sid(sid, namespace)
        outlet = self.outlet(eio_sid)
        environ, auth = (*arguments[1:], None)[:2]
        try:
            if self.transport_of(eio_sid) not in handler.transports:
                raise Unauthorized("connect by WebSocket", ErrorCode.WEBSOCKET_REQUIRED)
            await handler.arrive(sid, outlet, auth, environ)
        except Exception as error:
            if isinstance(error, RunroomError) and not isinstance(error, Unavailable):
                who = isinstance(error, Unauthorized | Forbidden)
                message = ErrorCode.UNAUTHORIZED if who else error.code
                raise Refused(message.value, to_wire(error)) from None
            if not isinstance(error, Unavailable):
                log.exception("connect failed: namespace=%s", namespace)
            # a CONNECT_ERROR would keep a stock client away for good
            await outlet.abort()
            return False
        return True


def _call(data: Any) -> tuple[str, Any]:
    """The event's name and its argument."""
    if isinstance(data, Malformed):
        raise InvalidRequest(f"the arguments are not JSON: {data.reason}")
    if not isinstance(data, list) or not data or not isinstance(data[0], str):
        raise InvalidRequest("an event is a list: its name, then its argument")
    return data[0], data[1] if len(data) > 1 else None


def _refusal(error: BaseException | None, namespace: str, event: str = "") -> dict[str, Any]:
    """What the caller is told of a handler's failure."""
    if isinstance(error, RunroomError):
        return refusal(error)
    log.error("event failed: namespace=%s event=%s", namespace, event, exc_info=error)
    return refusal(Unavailable("the server failed to answer; try again"))


def event_packet(namespace: str, event: str, payload: bytes) -> bytes:
    """The engine.io text of one Socket.IO event whose argument is encoded already."""
    return b'42%s,["%s",%s]' % (namespace.encode(), event.encode(), payload)


def event_frame(namespace: str, event: str, value: Any) -> Frame:
    """A frame with one Socket.IO event."""
    return Frame((event_packet(namespace, event, orjson.dumps(value)),))
