"""The traps of python-socketio, each closed: real sockets, raw clients."""

from __future__ import annotations

import asyncio
import logging
import socket as plain_socket
from collections.abc import AsyncIterator

import aiohttp
import pytest

from bff import sockets
from bff.__main__ import QUIET, _is_fault
from bff.forms import SINGLE
from bff.outlet import Outlet
from bff.stores.base import StoredEvent
from contract.errors import NotFound
from tests.support.engine import Client, Polling, WebSocket, upgrade, websocket
from tests.support.recorder import NAME, Setup, recording, until


@pytest.fixture
async def setup() -> AsyncIterator[Setup]:
    async with recording() as made:
        yield made


def logs(count: int, size: int = 10) -> list[StoredEvent]:
    return [
        StoredEvent(n, "log", b'{"seq":%d,"x":"%s"}' % (n, b"x" * size))
        for n in range(1, count + 1)
    ]


async def test_handler_order_is_the_order_of_arrival(setup: Setup) -> None:
    client = await setup.websocket()
    for number in range(6):
        await client.emit("slow", number)
    assert await client.call("echo", "last") == {"ok": True, "echo": "last"}
    assert setup.namespace.calls == [0, 1, 2, 3, 4, 5, "last"]


async def test_late_answers_do_not_hold_up_the_next_message(setup: Setup) -> None:
    client = await setup.websocket()
    await client.send(f'42{NAME},900["later"]')
    assert await client.call("echo", 1) == {"ok": True, "echo": 1}
    setup.namespace.later[0].set_exception(NotFound("gone"))
    answer = await client.acknowledged(900)
    assert answer == {"ok": False, "error": {"code": "not_found", "message": "gone"}}


async def test_late_answers_are_bounded(setup: Setup, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sockets, "MAX_IN_FLIGHT", 3)
    client = await setup.websocket()
    for _ in range(3):
        await client.emit("later")
    await client.emit("echo", "waits")
    await until(lambda: len(setup.namespace.later) == 3)
    await asyncio.sleep(0.05)
    assert setup.namespace.calls == []
    setup.namespace.later[0].set_result(None)
    await until(lambda: setup.namespace.calls == ["waits"])


@pytest.mark.parametrize("event", ["connect", "disconnect", "connect_error", "nothing", ""])
async def test_reserved_event_names_run_no_handler(setup: Setup, event: str) -> None:
    client = await setup.websocket()
    answer = await client.call(event, {"token": "bug"})
    assert answer["error"]["code"] == "invalid_request"
    assert len(setup.namespace.arrived) == 1
    assert setup.namespace.departed == []
    assert (await client.call("echo", 1))["ok"]


@pytest.mark.parametrize("data", ["[]", "{}", '"echo"', "[1]", "[null]", "5x"])
async def test_events_that_are_no_lists_are_answered(setup: Setup, data: str) -> None:
    client = await setup.websocket()
    if data[0] != "5":
        answer = await client.call_raw(data)
        assert answer["error"]["code"] == "invalid_request"
    assert (await client.call("echo", 1))["ok"]


@pytest.mark.parametrize(
    "poison", ["NaN", "Infinity", "[", '"\\ud800"', "1e999", "[" * 2000, "\x00", "{'a':1}"]
)
async def test_nan_and_other_non_json_is_answered_with_its_id(setup: Setup, poison: str) -> None:
    client = await setup.websocket()
    answer = await client.call_raw(f'["echo",{poison}]')
    assert (answer["ok"], answer["error"]["code"]) == (False, "invalid_request")
    assert setup.namespace.calls == []
    assert (await client.call("echo", 1))["ok"]


async def test_connect_refused_answers_and_leaves_nothing(setup: Setup) -> None:
    client = Client(await websocket(setup.session, setup.url), NAME)
    kind, value = await client.connect({"token": "wrong"})
    assert kind == "4"
    assert (value["message"], value["data"]["code"]) == ("unauthorized", "token_invalid")
    assert setup.server.manager.rooms == {}


@pytest.mark.parametrize("token", ["bug", "later"])
async def test_connect_limbo_trouble_closes_the_transport(
    setup: Setup, token: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL)
    wire = await websocket(setup.session, setup.url)
    await Client(wire, NAME).send(f'40{NAME},{{"token":"{token}"}}')
    await wire.closed()
    await until(lambda: not setup.server.eio.sockets and not setup.server.environ)
    assert setup.server.manager.rooms == {}
    assert setup.server.manager.pending_connect == {}


@pytest.mark.parametrize("auth", ["[]", '""', "0", '"\\ud800"', "[1,2]", '{"token":{}}', ""])
async def test_connect_limbo_odd_auth_is_answered_or_closed(setup: Setup, auth: str) -> None:
    wire = await websocket(setup.session, setup.url)
    await wire.send(f"40{NAME},{auth}")
    try:
        assert (await wire.receive())[:2] in ("40", "44")
    except ConnectionError:
        await until(lambda: not setup.server.environ)
    else:
        await wire.socket.close()
        await until(lambda: not setup.server.environ)
    assert setup.server.manager.rooms == {}


async def test_unknown_namespace_is_refused(setup: Setup) -> None:
    kind, value = await Client(await websocket(setup.session, setup.url), "/nope").connect()
    assert (kind, value["message"]) == ("4", "not_found")


async def test_a_bug_in_a_handler_is_answered(
    setup: Setup, caplog: pytest.LogCaptureFixture
) -> None:
    client = await setup.websocket()
    answer = await client.call("fail")
    assert answer["error"]["code"] == "unavailable"
    assert "event failed" in caplog.text


async def test_a_refusal_without_a_callback_reaches_the_namespace(setup: Setup) -> None:
    client = await setup.websocket()
    await client.emit("refuse")
    assert (await client.call("echo", 1))["ok"]
    assert [event for event, _ in setup.namespace.refusals] == ["refuse"]


async def test_what_follows_an_acknowledgement_comes_after_it(setup: Setup) -> None:
    for client in (await setup.websocket(), await setup.polling()):
        assert await client.call("then") == "answer"
        assert client.events == []
        assert await client.next_event() == ("after", {})


async def test_binary_is_refused_and_held_nowhere(setup: Setup) -> None:
    client = await setup.websocket()
    await client.send(f'451-{NAME},7["echo",{{"_placeholder":true,"num":0}}]')
    answer = await client.acknowledged(7)
    assert answer["error"]["code"] == "invalid_request"
    assert isinstance(client.wire, WebSocket)
    for _ in range(20):
        await client.wire.send(b"x" * 10_000)
    await client.send(f'45999999999-{NAME},["echo"]')
    assert (await client.call("echo", 1))["ok"]
    assert setup.server._binary_packet == {}
    polling = await setup.polling()
    assert isinstance(polling.wire, Polling)
    assert await polling.wire.post("b" + "QUJD" * 1000) == 200
    assert (await polling.call("echo", 1))["ok"]


@pytest.mark.parametrize(
    "frame",
    [
        "",
        "x",
        "0",
        "7",
        "4",
        "4x",
        "49",
        "4/",
        "42/executions,1" + "2" * 120 + "[]",
        "44",
        "2" + "[" * 9_000,
    ],
)
async def test_malformed_frames_end_the_session_at_once(setup: Setup, frame: str) -> None:
    client = await setup.websocket()
    assert isinstance(client.wire, WebSocket)
    await client.send(frame)
    await client.wire.closed()
    await until(lambda: not setup.server.eio.sockets)
    assert len(setup.namespace.departed) == 1
    assert setup.server.manager.rooms == {}


async def test_a_message_over_the_limit_closes_with_1009(setup: Setup) -> None:
    client = await setup.websocket()
    assert isinstance(client.wire, WebSocket)
    assert (await client.call("echo", "x" * 60_000))["ok"]
    await client.emit("echo", "x" * 70_000)
    assert await client.wire.closed() == 1009
    await until(lambda: len(setup.namespace.departed) == 1)


async def test_polling_body_in_two_segments_arrives_whole(setup: Setup) -> None:
    client = await setup.polling()
    assert isinstance(client.wire, Polling)
    body = f'42{NAME},5["echo","{"y" * 3000}"]'.encode()
    port = int(setup.url.rsplit(":", 1)[1])
    with plain_socket.create_connection(("127.0.0.1", port)) as raw:
        raw.setsockopt(plain_socket.IPPROTO_TCP, plain_socket.TCP_NODELAY, 1)
        path = client.wire.url.removeprefix(setup.url)
        head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
        for part in (head.encode() + body[:1000], body[1000:2000], body[2000:]):
            await asyncio.get_running_loop().sock_sendall(_unblocked(raw), part)
            await asyncio.sleep(0.05)
        assert (await client.acknowledged(5))["echo"] == "y" * 3000


def _unblocked(raw: plain_socket.socket) -> plain_socket.socket:
    raw.setblocking(False)
    return raw


async def test_polling_payload_of_many_packets_is_handled_whole(setup: Setup) -> None:
    client = await setup.polling()
    assert isinstance(client.wire, Polling)
    packets = [f'42{NAME},["echo",{number}]' for number in range(200)]
    assert await client.wire.post(*packets) == 200
    assert setup.namespace.calls == list(range(200))


@pytest.mark.parametrize("body", ["x", "4\x1e", "40/executions\x1e7", "d=40", "\x1e\x1e"])
async def test_malformed_polling_body_ends_the_session(setup: Setup, body: str) -> None:
    client = await setup.polling()
    assert isinstance(client.wire, Polling)
    assert await client.wire.post(body) == 400
    await until(lambda: len(setup.namespace.departed) == 1)
    await until(lambda: not setup.server.eio.sockets)


async def test_a_poll_that_waits_ends_when_its_client_leaves(setup: Setup) -> None:
    client = await setup.polling()
    assert isinstance(client.wire, Polling)
    waiting = asyncio.create_task(client.wire.poll())
    await asyncio.sleep(0.05)
    assert await client.wire.post("1") == 200  # a stock client does not cut its poll itself
    async with asyncio.timeout(5):
        assert await waiting == []
    assert not setup.server.eio.sockets


async def test_idle_unauthenticated_sockets_are_closed(
    setup: Setup, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sockets, "UNAUTHENTICATED_SECONDS", 0.1)
    idle = await websocket(setup.session, setup.url)
    polling = await Polling(setup.session, setup.url).open()
    await idle.closed()
    with pytest.raises(ConnectionError):
        while True:
            await polling.poll()
    await until(lambda: not setup.server.eio.sockets)


async def test_connected_sockets_stay_and_are_closed_after_they_leave_their_namespace(
    setup: Setup, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sockets, "UNAUTHENTICATED_SECONDS", 0.1)
    client = await setup.websocket()
    await asyncio.sleep(0.2)
    assert (await client.call("echo", 1))["ok"]
    await client.send(f"41{NAME},")
    assert isinstance(client.wire, WebSocket)
    await client.wire.closed()
    assert len(setup.namespace.departed) == 1


@pytest.mark.parametrize("transport", ["polling", "websocket"])
async def test_origins_are_checked_for_each_transport(setup: Setup, transport: str) -> None:
    url = f"{setup.url}/socket.io/?EIO=4&transport={transport}"
    for origin, allowed in (("http://good", True), ("http://evil", False), ("null", False)):
        headers = {"Origin": origin}
        if transport == "polling":
            async with setup.session.http.get(url, headers=headers) as response:
                assert (response.status == 200) is allowed
        elif allowed:
            await (await setup.session.ws_connect(url, headers=headers)).close()
        else:
            with pytest.raises(aiohttp.WSServerHandshakeError):
                await setup.session.ws_connect(url, headers=headers)


async def test_websocket_frames_are_not_compressed_for_each_viewer(setup: Setup) -> None:
    client = await setup.websocket(compress=15)
    assert isinstance(client.wire, WebSocket)
    assert client.wire.socket.compress == 0


async def test_a_token_among_the_subprotocols_is_not_logged(
    setup: Setup, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    for name in QUIET:
        logging.getLogger(name).addFilter(_is_fault)
    for offered in (["bearer", "secret-token"], ["secret-token"]):
        await setup.websocket(protocols=offered)
    for name in QUIET:
        logging.getLogger(name).removeFilter(_is_fault)
    assert "secret-token" not in caplog.text


async def test_frames_acknowledgements_and_pings_leave_in_one_order(setup: Setup) -> None:
    client = await setup.websocket()
    outlet = setup.outlet()
    events = logs(2_000)

    async def write() -> None:
        for start in range(0, 2_000, 4):
            outlet.write(SINGLE.encode("ex", events[start : start + 4]))
            if start % 100 == 0:
                await asyncio.sleep(0)

    writing = asyncio.create_task(write())
    for number in range(100):
        assert (await client.call("echo", number))["echo"] == number
    await writing
    while len(client.events) < 2_000:
        client.events.append(await client._next())
    assert [payload["seq"] for _, payload in client.events] == list(range(1, 2_001))


async def _trickle(outlet: Outlet, events: list[StoredEvent], pause: int) -> None:
    for event in events:
        outlet.write(SINGLE.encode("ex", (event,)))
        if event.seq % 10 == pause:
            await asyncio.sleep(0.0005)


async def test_a_client_that_upgrades_from_polling_while_in_a_room_misses_nothing(
    setup: Setup,
) -> None:
    for attempt in range(8):
        polling = await setup.polling()
        assert isinstance(polling.wire, Polling)
        outlet = list(setup.namespace.arrived.values())[-1]
        events = logs(3_000)
        writing = asyncio.create_task(_trickle(outlet, events, attempt))
        seen: list[int] = []

        def take(packets: list[str], seen: list[int] = seen) -> bool:
            """Whether a noop was among them."""
            prefix = f'42{NAME},["log",{{"seq":'
            seen += [int(p[len(prefix) :].split(",")[0]) for p in packets if p.startswith(prefix)]
            return "6" in packets

        take(await polling.wire.poll())
        probe = await upgrade(setup.session, polling.wire)
        while not take(await polling.wire.poll()):
            pass
        await probe.send("5")
        upgraded = Client(probe, NAME)
        while len(seen) < 3_000:
            packet = await probe.receive()
            take([packet])
        assert seen == list(range(1, 3_001))
        assert outlet.transport is not None and outlet.empty()
        assert (await upgraded.call("echo", 1))["ok"]
        await writing
        await probe.socket.close()


async def test_a_probe_that_never_upgrades_leaves_polling_alive(
    setup: Setup, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bff.websocket.PROBE_SECONDS", 0.2)
    polling = await setup.polling()
    assert isinstance(polling.wire, Polling)
    probe = await upgrade(setup.session, polling.wire)
    await polling.wire.poll()
    await probe.closed()
    assert (await polling.call("echo", 1))["ok"]


async def test_stop_closes_transports_without_a_disconnect_packet(setup: Setup) -> None:
    client = await setup.websocket()
    polling = await setup.polling()
    assert isinstance(polling.wire, Polling) and isinstance(client.wire, WebSocket)
    waiting = asyncio.create_task(polling.wire.poll())
    await asyncio.sleep(0.05)
    await setup.server.leave(grace=1)
    message = await client.wire.socket.receive()
    assert message.type is aiohttp.WSMsgType.CLOSE and message.data == sockets.GOING_AWAY
    with pytest.raises((ConnectionError, AssertionError)):
        packets = await waiting
        assert packets and not any(packet.startswith("41") for packet in packets)
        raise ConnectionError
    await until(lambda: len(setup.namespace.departed) == 2)


async def test_a_client_that_stops_reading_is_not_read_either(setup: Setup) -> None:
    client = await setup.websocket()
    outlet, calls = setup.outlet(), setup.namespace.calls
    total = 1_500

    async def send() -> None:
        for number in range(total):
            await client.send(f'42{NAME},{number}["echo","{"z" * 20_000}"]')

    sending = asyncio.create_task(send())
    await until(lambda: outlet.backlog > outlet.message_bytes)
    stood = -1
    while stood != len(calls):
        stood = len(calls)
        await asyncio.sleep(0.2)
    assert stood < total
    assert outlet.backlog < 2 * outlet.message_bytes + 64 * 1024
    for number in range(total):
        await client.acknowledged(number)
    await sending
    assert len(calls) == total


async def test_a_client_that_reads_nothing_for_a_minute_is_cut_and_a_slow_one_is_not(
    setup: Setup, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sockets, "STALL_SECONDS", 1)
    stalled, slow = await setup.websocket(), await setup.websocket()
    big = SINGLE.encode("ex", logs(20, size=100_000))
    for outlet in setup.namespace.arrived.values():
        for _ in range(20):
            outlet.write(big)
    watching = asyncio.create_task(setup.server.watch())
    assert isinstance(stalled.wire, WebSocket)
    started = asyncio.get_running_loop().time()
    while asyncio.get_running_loop().time() < started + 2.5:
        await slow.next_event()
        await asyncio.sleep(0.01)
    assert len(setup.namespace.departed) == 1
    assert len(setup.server.eio.sockets) == 1
    await until(lambda: not _tasks_of("OutletWebSocket"))
    watching.cancel()
    assert (await slow.call("echo", 1))["ok"]


async def _stuffed(setup: Setup) -> tuple[Client, Outlet]:
    """A client that does not read, and more waiting for it than anyone buffers."""
    client = await setup.websocket()
    outlet = list(setup.namespace.arrived.values())[-1]
    big = SINGLE.encode("ex", logs(20, size=100_000))
    for _ in range(15):
        outlet.write(big)
    return client, outlet


async def test_a_connection_that_ends_while_data_waits_holds_up_nobody(setup: Setup) -> None:
    client, outlet = await _stuffed(setup)
    waiting = asyncio.create_task(outlet.drained())
    await asyncio.sleep(0.05)
    await client.send(f"44{NAME},")
    with pytest.raises(ConnectionResetError):
        await asyncio.wait_for(waiting, 5)
    with pytest.raises(ConnectionResetError):
        await outlet.drained()
    await until(lambda: not setup.server.eio.sockets)


async def test_who_stops_waiting_for_a_slow_client_stops_nobody_else(setup: Setup) -> None:
    client, outlet = await _stuffed(setup)
    first, second = (asyncio.create_task(outlet.drained()) for _ in range(2))
    await asyncio.sleep(0.05)
    first.cancel()
    for _ in range(15 * 20):
        await client.next_event()
    await asyncio.wait_for(second, 5)
    assert (await client.call("echo", 1))["ok"]


async def test_a_client_that_answers_no_ping_leaves_no_transport_behind(setup: Setup) -> None:
    setup.server.eio.ping_interval = setup.server.eio.ping_timeout = 0.3
    _, outlet = await _stuffed(setup)
    await until(lambda: setup.namespace.departed)
    assert outlet._transport is not None and outlet._transport.is_closing()
    assert outlet._transport.get_write_buffer_size() == 0
    await until(lambda: not setup.server.eio.sockets and not setup.server.environ)
    assert setup.server.manager.rooms == {}


def _tasks_of(*owners: str) -> list[str]:
    names = [repr(task.get_coro()) for task in asyncio.all_tasks()]
    return [name for name in names if any(owner in name for owner in owners)]


async def test_connections_come_and_go_without_a_trace(setup: Setup) -> None:
    for _ in range(5):
        clients = [await setup.websocket() for _ in range(10)]
        clients += [await setup.polling() for _ in range(10)]
        for client in clients:
            if isinstance(client.wire, WebSocket):
                await client.wire.socket.close()
            else:
                await client.wire.post("1")
    await until(lambda: len(setup.namespace.departed) == 100)
    await until(lambda: not setup.server.eio.sockets and not setup.server.environ)
    assert setup.server.manager.rooms == {}
    assert setup.server.manager.pending_connect == {}
    assert len(setup.server._doors) == 0 and setup.server._in_flight == {}
    await until(lambda: not _tasks_of("AsyncSocket", "SocketServer", "OutletWebSocket"))
