"""The measurements of `make bench`, in the order in which a run makes them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from scripts.bench import measures
from scripts.bench.measures import Figures
from scripts.bench.servers import (
    FLOOR_1,
    FLOOR_8,
    FLOOR_64K,
    NODE,
    RUNROOM,
    STOCK,
    STOCK_UVLOOP,
    Peer,
)

Try = Callable[[], Awaitable[Figures]]


@dataclass(frozen=True, slots=True)
class Measurement:
    """One table of the report.

    Attributes:
        name: a word for the command line.
        title: what is measured, for a reader.
        columns: the figures to show, in this order.
        tries: by row, what is run for it.
    """

    name: str
    title: str
    columns: tuple[str, ...]
    tries: dict[str, Try] = field(repr=False)


def _each(
    measure: Callable[..., Awaitable[Figures]], peers: Iterable[Peer], **how: Any
) -> dict[str, Try]:
    return {peer.name: partial(measure, peer, **how) for peer in peers}


_DELIVERED = ("cpu", "rate", "p50", "p95", "p99")
_full = partial(_each, measures.fan_out, viewers=200)
_ALL = (RUNROOM, NODE, STOCK, STOCK_UVLOOP)

PLAN = (
    Measurement(
        "full",
        "One execution, 200 viewers, 270-byte logs, as fast as the server takes them",
        _DELIVERED,
        {
            **_full((RUNROOM,), count=20_000),
            **_full((NODE,), count=3_000),
            **_full((STOCK, STOCK_UVLOOP), count=1_000),
            **_full((FLOOR_1,), count=3_000),
            **_full((FLOOR_8, FLOOR_64K), count=20_000),
        },
    ),
    Measurement(
        "paced",
        "The same at 1,000 events a second",
        _DELIVERED,
        _full((RUNROOM, NODE, FLOOR_1), count=3_000, rate=1_000),
    ),
    Measurement(
        "calm",
        "The same at 100 events a second",
        _DELIVERED,
        _full((*_ALL, FLOOR_1), count=400, rate=100),
    ),
    Measurement(
        "saturation",
        "The same at the rate at which Node is saturated",
        _DELIVERED,
        _each(measures.at_saturation, (RUNROOM, NODE)),
    ),
    Measurement(
        "rooms",
        "100 executions with 10 viewers each, 20 events a second in each",
        _DELIVERED,
        _each(
            measures.fan_out,
            (RUNROOM, NODE, STOCK_UVLOOP),
            viewers=1_000,
            rooms=100,
            count=8_000,
            rate=2_000,
        ),
    ),
    Measurement(
        "viewers",
        "One execution, more and more viewers, full load",
        _DELIVERED,
        {
            f"{viewers:,} viewers": partial(
                measures.fan_out, RUNROOM, viewers=viewers, count=4_000_000 // viewers
            )
            for viewers in (200, 1_000, 5_000)
        },
    ),
    Measurement(
        "idle",
        f"{measures.IDLE_VIEWERS:,} viewers that connect, subscribe and wait",
        ("connects", "cpu", "memory"),
        _each(measures.idle, _ALL),
    ),
    Measurement(
        "ingest",
        "Durable events through the bridge, no viewers (SQLite, synchronous=FULL)",
        ("cpu", "rate"),
        _each(measures.ingest, (RUNROOM,)),
    ),
    Measurement(
        "latency",
        "From the executor to a viewer's socket, durable, on an idle system",
        ("p50", "p95", "p99"),
        _each(measures.latency, (RUNROOM,)),
    ),
    Measurement(
        "engine",
        "No-op nodes, every event durable: the executor's CPU",
        ("cpu", "rate"),
        {
            f"{shape} of {nodes}": partial(measures.engine, shape, nodes)
            for shape, nodes in (("chain", 100), ("fan", 300))
        },
    ),
    Measurement(
        "catch-up",
        f"One viewer reads {measures.CATCH_UP:,} events while 50 watch another execution",
        ("rate", "cpu", "before", "p99"),
        _each(measures.catch_up, (RUNROOM,)),
    ),
    Measurement(
        "start",
        "From the start of the process until it listens",
        ("seconds", "memory"),
        _each(measures.start, (RUNROOM, NODE, STOCK)),
    ),
)
