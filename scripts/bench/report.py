"""How the figures are told: a table on the terminal, and `docs/benchmarks.md`."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

from scripts.bench import machine
from scripts.bench.bars import BARS, Medians
from scripts.bench.plan import PLAN, Measurement

PAGE = Path(__file__).parents[2] / "docs" / "benchmarks.md"

_COLUMNS = {
    "cpu": ("CPU µs", "{:,.2f}"),
    "rate": ("each second", "{:,.0f}"),
    "p50": ("p50 ms", "{:,.1f}"),
    "p95": ("p95 ms", "{:,.1f}"),
    "p99": ("p99 ms", "{:,.1f}"),
    "before": ("p99 ms before", "{:,.1f}"),
    "memory": ("memory", "{:,.1f}"),
    "connects": ("connects a second", "{:,.0f}"),
    "seconds": ("seconds", "{:,.2f}"),
}
_MEMORY = {"idle": "KiB each", "start": "MiB"}


def _titles(measurement: Measurement) -> list[str]:
    return [_MEMORY.get(measurement.name, "") if column == "memory" else _COLUMNS[column][0]
            for column in measurement.columns]  # fmt: skip


def _rows(measurement: Measurement, medians: Medians) -> Iterator[list[str]]:
    for name in measurement.tries:
        figures = medians[measurement.name][name]
        yield [
            name,
            *(_COLUMNS[column][1].format(figures[column]) for column in measurement.columns),
        ]


def _tables(medians: Medians) -> Iterator[tuple[str, list[str], list[list[str]]]]:
    """Title, head and rows of each."""
    if all(name in medians for name, _, _ in _OVERVIEW):
        yield "Side by side", ["", *(title for _, _, title in _OVERVIEW)], list(_overview(medians))
    for measurement in PLAN:
        if measurement.name in medians:
            head = ["", *_titles(measurement)]
            yield measurement.title, head, list(_rows(measurement, medians))
    yield "What is asked", ["measured", "asked", "value"], [list(one) for one in _judged(medians)]


_OVERVIEW = (
    ("full", "cpu", "CPU µs a delivery"),
    ("full", "rate", "deliveries a second"),
    ("calm", "p50", "p50 ms"),
    ("calm", "p95", "p95 ms"),
    ("calm", "p99", "p99 ms"),
    ("idle", "memory", "KiB a connection"),
    ("idle", "connects", "connects a second"),
)
"""Full load for cost and throughput, 100 events a second for latency, 200 viewers each."""


def _overview(medians: Medians) -> Iterator[list[str]]:
    for row in medians["full"]:
        cells = [row]
        for name, column, _ in _OVERVIEW:
            figures = medians[name].get(row)
            cells.append(_COLUMNS[column][1].format(figures[column]) if figures else "–")
        yield cells


def _judged(medians: Medians) -> Iterator[tuple[str, str, str]]:
    titles = {measurement.name: measurement.title for measurement in PLAN}
    for bar in BARS:
        if bar.measurement in medians:
            holds, value = bar.holds(medians)
            yield titles[bar.measurement], bar.text, f"{value} {'✓' if holds else '✗'}"


def show(console: Console, medians: Medians) -> None:
    """Print everything that was measured."""
    for title, head, rows in _tables(medians):
        table = Table(*head[:1], title=title, title_justify="left")
        for name in head[1:]:
            table.add_column(name, justify="right")
        for row in rows:
            table.add_row(*row)
        console.print(table)


def write(medians: Medians, runs: int) -> None:
    """Write the page."""
    present = datetime.now(UTC)
    lines = [
        "# Benchmarks",
        "",
        _INTRODUCTION,
        "",
        f"Measured on {present:%Y-%m-%d}: medians of {runs} runs on {machine.describe()}.",
        "The machine is shared, so compare within a table, not across machines or days.",
    ]
    for title, head, rows in _tables(medians):
        lines += ["", f"## {title}", "", f"| {' | '.join(head)} |", f"|{' --- |' * len(head)}"]
        lines += [f"| {' | '.join(row)} |" for row in rows]
    PAGE.write_text("\n".join(lines) + "\n")


_INTRODUCTION = """\
`make bench` prints these tables and writes this page. Each server runs alone in a process of its
own, pinned to one core; the load, the same for all, to another: raw sockets in one epoll loop
(`scripts/bench/load.py`) that count every event of every viewer, and for one viewer check the order
of all of them. A run in which a server loses, repeats or reorders an event fails.

- **Runroom** runs with everything on: tokens, sequence numbers, a durable commit (SQLite,
  `synchronous=FULL`) before anything is shown, catch-up, limits for slow viewers.
- **Node Socket.IO** is 4.8.4 with its default settings, what a NestJS gateway runs on;
  **python-socketio** is the stock library on aiohttp. Both emit again, to a room, what they are
  told: no store, no tokens.
- **The floor** is bare uvloop transports that are handed prepared frames: what the system calls
  cost.

CPU is the server process's own, over all its threads, a delivery (or an event, a node, a connection
where the title says so). Latencies count from the moment at which an event was due, so a server
that falls behind shows it.

Where Node is cheaper (many executions with few viewers each, an event at a time): both pay about
the same for the writes. The rest is what an event costs that comes in a message of its own: it is
read, validated, folded, committed with `fsync` and acknowledged, where Node passes it on. At more
events a message or more viewers an execution this no longer shows."""
