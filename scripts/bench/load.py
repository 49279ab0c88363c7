"""`python -m scripts.bench.load`: viewers and a publisher as raw sockets in one epoll loop.

A worker (`scripts.bench.worker`) that costs less than any server it measures.
"""

from __future__ import annotations

import json
import select
import statistics
import sys
import time
from typing import Any

from scripts.bench.machine import allow_many_files
from scripts.bench.publishers import BATCH, Batches, Emits, Prepared, Publisher
from scripts.bench.tally import Tally
from scripts.bench.viewer import Stage, Viewer

AT_ONCE = 50
"""Viewers that connect at the same time."""
MEASURED = 10
"""Viewers whose latencies are noted, of all."""
PATIENCE = 60.0
"""Seconds without any progress after which the load gives up."""

KINDS: dict[str, type[Batches] | type[Emits]] = {"batches": Batches, "emits": Emits}


class Load:
    """All viewers and the publisher of one server."""

    def __init__(
        self,
        address: list[Any],
        kind: str,
        tokens: dict[str, str],
        rooms: list[str],
    ) -> None:
        host, port = address
        self._address = (host, port)
        self._rooms = rooms
        self._kind = kind
        self._tokens = tokens
        self._viewers: dict[int, Viewer] = {}
        self._epoll = select.epoll()
        self._publisher: Publisher | None = None
        if kind in KINDS:
            self._publisher = KINDS[kind](self._address, tokens["executor"], rooms)

    def connect(self, count: int) -> dict[str, Any]:
        """Open viewers, `AT_ONCE` at a time, and wait until each is subscribed."""
        started = time.perf_counter()
        begun = live = 0
        while live < count:
            while begun < count and begun - live < AT_ONCE:
                self._open(begun, measured=begun % max(1, count // MEASURED) == 0)
                begun += 1
            for fd, _ in self._poll(PATIENCE):
                viewer = self._viewers[fd]
                before = viewer.stage
                viewer.read()
                live += before is not Stage.LIVE and viewer.stage is Stage.LIVE
        return {"seconds": time.perf_counter() - started}

    def publish(self, count: int, rate: float) -> dict[str, Any]:
        """Make `count` events, spread over the rooms in turn, and wait until every viewer
        has seen each one of its room.

        Args:
            rate: events a second over all rooms; 0 for as many as are acknowledged.
        """
        each = count // len(self._rooms)
        for viewer in self._viewers.values():
            viewer.tally.begin()
        started = time.monotonic_ns()
        if self._kind == "prepared":
            self._publisher = Prepared(self._address, count, rate)
        assert self._publisher is not None
        own = self._publisher.socket.fileno()
        self._epoll.register(own, select.EPOLLIN)
        sent, pending = 0, set(self._viewers)
        total = count if self._kind != "prepared" else 0
        try:
            while pending or sent < total or not self._publisher.idle:
                wait = PATIENCE
                if sent < total:
                    sent, wait = self._send(sent, total, rate, started)
                for fd, _ in self._poll(wait):
                    if fd == own:
                        self._publisher.read()
                        continue
                    viewer = self._viewers[fd]
                    viewer.read()
                    if viewer.tally.seen >= each:
                        pending.discard(fd)
        finally:
            self._epoll.unregister(own)
        return self._told((time.monotonic_ns() - started) / 1e9, each)

    def catch_up(self, count: int) -> dict[str, Any]:
        """Have one viewer more read the first room from its beginning."""
        started = time.monotonic_ns()
        viewer = Viewer(self._address, self._tokens["viewer"], self._rooms[0], Tally(kept=True))
        with select.epoll() as epoll:
            epoll.register(viewer.fd, select.EPOLLIN)
            while viewer.tally.seen < count:
                if not epoll.poll(PATIENCE):
                    raise TimeoutError(f"catching up stopped at {viewer.tally.seen} events")
                viewer.read()
        seconds = (time.monotonic_ns() - started) / 1e9
        viewer.socket.close()
        return {"seconds": seconds, "inOrder": viewer.tally.in_order(count)}

    def _send(self, sent: int, total: int, rate: float, started: int) -> tuple[int, float]:
        """Send what is due; how much is sent now, and how long to wait for the next."""
        assert self._publisher is not None
        if not rate:
            room = self._rooms[sent // BATCH % len(self._rooms)]
            if self._publisher.ready:
                some = min(BATCH, total - sent)
                self._publisher.publish(room, [time.monotonic_ns()] * some)
                sent += some
            return sent, 0.0 if self._publisher.ready and sent < total else PATIENCE
        step = 1e9 / rate
        # the time at which an event was due, not the one at which it went: a load that
        # is held up must not hide the latency of it
        while sent < total and (due := started + int(sent * step)) <= time.monotonic_ns():
            self._publisher.publish(self._rooms[sent % len(self._rooms)], [due])
            sent += 1
        return sent, max(0.0, (started + sent * step - time.monotonic_ns()) / 1e9)

    def _poll(self, wait: float) -> list[tuple[int, int]]:
        ready = self._epoll.poll(wait)
        if not ready and wait >= PATIENCE:
            lacking = [viewer.tally.seen for viewer in self._viewers.values()][:10]
            raise TimeoutError(f"nothing came for {PATIENCE:.0f} s; seen so far {lacking}")
        return ready

    def _open(self, number: int, *, measured: bool) -> None:
        room = None if self._kind == "prepared" else self._rooms[number % len(self._rooms)]
        viewer = Viewer(
            self._address,
            self._tokens.get("viewer", ""),
            room,
            Tally(measured=measured, kept=number == 0),
        )
        self._viewers[viewer.fd] = viewer
        self._epoll.register(viewer.fd, select.EPOLLIN)

    def _told(self, seconds: float, each: int) -> dict[str, Any]:
        viewers = list(self._viewers.values())
        if not viewers:
            return {"seconds": seconds}
        wrong = [viewer.tally.seen for viewer in viewers if viewer.tally.seen != each]
        if wrong:
            raise RuntimeError(f"{len(wrong)} viewers got {wrong[:5]} … events instead of {each}")
        latencies = [value / 1e6 for viewer in viewers for value in viewer.tally.latencies]
        cuts = statistics.quantiles(latencies, n=100)
        return {
            "seconds": seconds,
            "deliveries": each * len(viewers),
            "p50": cuts[49],
            "p95": cuts[94],
            "p99": cuts[98],
            "inOrder": viewers[0].tally.in_order(each),
        }


def main() -> None:
    """Make one load and do what it is told, until standard input ends."""
    allow_many_files()
    load: Load | None = None
    for line in sys.stdin:
        verb, arguments = json.loads(line)
        if load is None:
            load = Load(**arguments)
            told: dict[str, Any] = {}
        else:
            told = getattr(load, verb)(**arguments)
        print(json.dumps(told), flush=True)


if __name__ == "__main__":
    main()
