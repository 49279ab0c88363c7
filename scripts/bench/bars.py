"""The bars that the figures are held to: ratios within one run, or bounds of a product."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from scripts.bench.servers import FLOOR_8, FLOOR_64K, NODE, RUNROOM, STOCK_UVLOOP

Medians = dict[str, dict[str, dict[str, float]]]
"""By measurement, row and figure."""


@dataclass(frozen=True, slots=True)
class Bar:
    """One sentence that a run confirms or does not.

    Attributes:
        measurement: the one whose figures it looks at.
        value: from that measurement's medians by row; the bar holds while it is at most 1.
        shown: what to print: the measured ratio or value.
    """

    measurement: str
    text: str
    most: float
    value: Callable[[dict[str, dict[str, float]]], float]
    unit: str = "×"

    def holds(self, medians: Medians) -> tuple[bool, str]:
        """Whether it holds, and the value that was measured."""
        value = self.value(medians[self.measurement])
        return value <= self.most, f"{value:.3g} {self.unit}"


def _ratio(figure: str, mine: str, other: str) -> Callable[[dict[str, dict[str, float]]], float]:
    return lambda rows: rows[mine][figure] / rows[other][figure]


def _inverse(figure: str, mine: str, other: str) -> Callable[[dict[str, dict[str, float]]], float]:
    return lambda rows: rows[other][figure] / rows[mine][figure]


R, N = RUNROOM.name, NODE.name

BARS = (
    Bar("full", "CPU a delivery at most 1/5 of Node's", 1 / 5, _ratio("cpu", R, N)),
    Bar(
        "full",
        "CPU a delivery at most 1/15 of stock python-socketio's (with uvloop)",
        1 / 15,
        _ratio("cpu", R, STOCK_UVLOOP.name),
    ),
    Bar(
        "full",
        "CPU a delivery at most 1.5 of the floor at 8 frames a write",
        1.5,
        _ratio("cpu", R, FLOOR_8.name),
    ),
    Bar(
        "full",
        "CPU a delivery at most 1.5 of the floor at 64 KiB a write",
        1.5,
        _ratio("cpu", R, FLOOR_64K.name),
    ),
    Bar("paced", "CPU a delivery at most 1/2.5 of Node's", 1 / 2.5, _ratio("cpu", R, N)),
    Bar(
        "paced",
        "p99 at most Node's + 6 ms",
        6,
        lambda rows: rows[R]["p99"] - rows[N]["p99"],
        "ms more",
    ),
    Bar("saturation", "p99 below Node's", 1, _ratio("p99", R, N)),
    Bar("rooms", "CPU a delivery at most Node's", 1, _ratio("cpu", R, N)),
    Bar("ingest", "at least 40,000 events a second", 1, lambda rows: 40_000 / rows[R]["rate"]),
    Bar("ingest", "at most 12 µs of server CPU an event", 12, lambda rows: rows[R]["cpu"], "µs"),
    Bar(
        "viewers",
        "CPU a delivery at 5,000 viewers at most 1.25 of that at 200",
        1.25,
        _ratio("cpu", "5,000 viewers", "200 viewers"),
    ),
    Bar("idle", "memory a viewer at most Node's", 1, _ratio("memory", R, N)),
    Bar("idle", "connects a second at least Node's", 1, _inverse("connects", R, N)),
    Bar("latency", "p50 at most 5 ms", 5, lambda rows: rows[R]["p50"], "ms"),
    Bar("latency", "p99 at most 15 ms", 15, lambda rows: rows[R]["p99"], "ms"),
    Bar(
        "engine",
        "at most 500 µs of executor CPU a node",
        500,
        lambda rows: max(row["cpu"] for row in rows.values()),
        "µs",
    ),
    Bar(
        "catch-up",
        "at least 100,000 events a second",
        1,
        lambda rows: 100_000 / rows[R]["rate"],
    ),
    Bar(
        "catch-up",
        "the others' p99 at most 6 ms more than before",
        6,
        lambda rows: rows[R]["p99"] - rows[R]["before"],
        "ms more",
    ),
    Bar("start", "listens within 1 s", 1, lambda rows: rows[R]["seconds"], "s"),
)
