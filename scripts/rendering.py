"""What `follow` shows of an execution: pure, from state and events to text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from typing import Any

import orjson
from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from contract.events import AnyEvent, Error, Log, NodeStatus, Progress, Result, Status
from contract.execution import ExecutionState, NodeState
from contract.states import LOOKS
from contract.states import NodeStatus as Word
from contract.values import Json, parse_time

ICONS = {
    Word.PENDING: "○",
    Word.RUNNING: "●",
    Word.COMPLETED: "✔",
    Word.FAILED: "✖",
    Word.CANCELLED: "⊘",
    Word.SKIPPED: "»",
}
FIRST_SHOWN = (Word.FAILED, Word.RUNNING, Word.CANCELLED, Word.PENDING, Word.COMPLETED)
"""Which nodes are shown where not all of them fit."""
LEVELS = {"info": "", "warning": "yellow", "error": "red"}
MAX_LINE = 500
MAX_RESULT = 4_000


def clean(text: str, limit: int = MAX_LINE) -> str:
    """One line that cannot steer the terminal it is printed to."""
    text = " ⏎ ".join(text[: limit + 1].splitlines())
    text = "".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in text)
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def shorten(value: Json, limit: int = MAX_LINE) -> str:
    """A JSON value on one line."""
    return clean(orjson.dumps(value).decode(), limit)


def milliseconds(duration: float) -> str:
    """A duration for people: `12 ms`, `3.4 s`, `2 min 5 s`."""
    if duration < 1_000:
        return f"{duration:.0f} ms"
    if duration < 60_000:
        return f"{duration / 1000:.1f} s"
    return f"{duration // 60_000:.0f} min {duration % 60_000 / 1000:.0f} s"


def line(event: AnyEvent) -> str:
    """An event on one plain line: time, seq, type, the rest."""
    words = [event.timestamp[11:23], f"{event.seq:>6}", f"{event.type:<10}", *_words(event)]
    return " ".join(word for word in words if word).rstrip()


def _words(event: AnyEvent) -> Iterable[str]:
    if isinstance(event, Status):
        yield event.status
        if event.log_count is not None:
            yield f"({_counted(event.log_count, 'log line')})"
    elif isinstance(event, NodeStatus):
        yield event.node_id
        yield event.status
        if event.try_ is not None and event.try_ > 1:
            yield f"(try {event.try_})"
        if event.reused:
            yield "(reused)"
        if event.duration_ms is not None:
            yield f"in {milliseconds(event.duration_ms)}"
        yield clean(event.error or event.message or "")
    elif isinstance(event, Log):
        yield f"{event.log.level:<7}"
        yield f"[{event.log.node_id}]" if event.log.node_id else ""
        yield clean(event.log.message)
    elif isinstance(event, Progress):
        yield f"{event.progress}%"
        if event.node_id is not None:
            yield f"[{event.node_id}]"
        if event.node_progress is not None:
            yield f"{event.node_progress:g}%"
        yield clean(event.message or "")
    elif isinstance(event, Result):
        yield shorten(event.result)
    elif isinstance(event, Error):
        yield f"[{event.node_id}]" if event.node_id else ""
        yield clean(event.error)


def log_line(event: AnyEvent) -> Text | None:
    """A log event as it streams above the table; None for the other events."""
    if not isinstance(event, Log):
        return None
    log = event.log
    text = Text(f"{log.created_at[11:19]} ", style="dim")
    if log.node_id is not None:
        text.append(f"{log.node_id} ", style="cyan not dim")
    text.append(clean(log.message), style=f"{LEVELS[log.level]} not dim".strip())
    return text


def screen(state: ExecutionState, now: datetime, *, rows: int, notice: str = "") -> RenderableType:
    """The live part: name and status, progress bar, the nodes.

    Args:
        now: for the time that running nodes have taken.
        rows: how many nodes fit.
        notice: what the viewer should know about the connection.
    """
    head = Table.grid(padding=(0, 2))
    status = Text(state.status, style=_color(state.status))
    head.add_row(
        Text(clean(state.workflow_name), style="bold"),
        status,
        ProgressBar(total=100, completed=state.progress, width=30),
        f"{state.progress:>3}%",
        Text(notice, style="yellow"),
    )
    nodes = Table.grid(padding=(0, 2))
    shown, rest = _chosen(list(state.nodes.values()), rows)
    for node in shown:
        nodes.add_row(*_row(node, now))
    parts: list[RenderableType] = [head, nodes]
    if rest:
        counts = Counter(node.status.value for node in rest)
        words = ", ".join(f"{count} {status}" for status, count in counts.items())
        parts.append(Text(f"… and {len(rest)} more nodes: {words}", style="dim"))
    return Group(*parts)


def _chosen(nodes: list[NodeState], rows: int) -> tuple[list[NodeState], list[NodeState]]:
    """The nodes to show, in their own order, and those that do not fit."""
    if len(nodes) <= rows:
        return nodes, []
    order = {status: place for place, status in enumerate(FIRST_SHOWN)}
    ranked = sorted(nodes, key=lambda node: order.get(node.status, len(order)))
    chosen = {node.node_id for node in ranked[: max(1, rows)]}
    return (
        [node for node in nodes if node.node_id in chosen],
        [node for node in nodes if node.node_id not in chosen],
    )


def _row(node: NodeState, now: datetime) -> tuple[RenderableType, ...]:
    took = node.duration_ms
    if node.status is Word.RUNNING and node.started_at is not None:
        took = max(0.0, (now - parse_time(node.started_at)).total_seconds() * 1000)
    notes = [f"try {node.tries}"] if node.tries > 1 else []
    if node.status is Word.RUNNING and node.progress:
        notes.append(f"{node.progress:g}%")
    notes.append(clean(node.error or node.message or "", 80))
    color = _color(node.status)
    return (
        Text(ICONS[node.status], style=color),
        clean(node.name, 40),
        Text(node.status, style=color),
        Text("" if took is None else milliseconds(took), style="dim", justify="right"),
        Text(" · ".join(note for note in notes if note), style="dim"),
    )


def _color(status: str) -> str:
    return LOOKS[Word(status)].color


def ending(state: ExecutionState) -> list[str]:
    """The last lines: the result or the error, and how it ended."""
    lines = []
    if state.result is not None:
        lines.append(_result(state.result))
    if state.error is not None:
        lines.append(f"error: {clean(state.error, MAX_RESULT)}")
    took = ""
    if state.started_at is not None and state.ended_at is not None:
        passed = parse_time(state.ended_at) - parse_time(state.started_at)
        took = f" in {milliseconds(passed.total_seconds() * 1000)}"
    lines.append(
        f"{state.execution_id}: {state.status}{took}, "
        f"{_counted(state.seq, 'event')}, {_counted(state.log_count, 'log line')}"
    )
    return lines


def _result(result: Json) -> str:
    if isinstance(result, dict) and "$preview" in result:
        return f"result: {result.get('$size', 0):,} bytes, see {result.get('$ref')}"
    if isinstance(result, str):
        text = result
    else:
        text = orjson.dumps(result, option=orjson.OPT_INDENT_2).decode()
    lines = [clean(each) for each in text[:MAX_RESULT].splitlines()]
    if len(text) > MAX_RESULT:
        lines.append("…")
    return "\n".join(lines)


def exit_code(state: ExecutionState) -> int:
    """0 if it completed, 1 if it failed or was cancelled."""
    return 0 if state.status == "completed" else 1


def payload_error(body: Any) -> str:
    """The sentences of an HTTP error's body."""
    error = body.get("error") if isinstance(body, dict) else None
    if not isinstance(error, dict):
        return "the answer is not of the documented form"
    details = error.get("details")
    more = details[1:] if isinstance(details, list) else []
    return "\n  ".join(clean(str(each)) for each in (error.get("message"), *more))


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}" + ("" if count == 1 else "s")
