"""The invariants that must hold whatever was done to whom.

- every acknowledged event is in the store once, with the words that were sent;
- a log is seq 1 … n without gaps, legal when folded, and folds to the snapshot;
- every viewer saw just that, each event once and in order;
- every execution has ended;
- no process printed an error that was not to be expected.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path
from typing import Any

from contract.events import parse_events
from contract.execution import Record, fold, initial
from contract.states import EXECUTION_TERMINAL
from tests.chaos.writer import content
from tests.support.processes import Program, Stack

Log = list[dict[str, Any]]
FENCED = r"executor\.run: execution .* \(fenced\)"
"""What an executor says whose lease ran out, which is no harm where leases are made short."""


def line(kind: str, event: dict[str, Any]) -> str:
    """What a digest takes of an event: enough to tell any two apart, the same in any language."""
    log = event.get("log") or {}
    words = [event["seq"], event["attempt"], kind, event["timestamp"]]
    words += [event.get("nodeId", ""), event.get("status", "")]
    return " ".join(map(str, [*words, log.get("id", ""), log.get("message", "")]))


def digest(events: Log) -> str:
    """What a viewer that saw these events and no others has."""
    whole = sha256()
    for event in events:
        whole.update(f"{line(event['type'], event)}\n".encode())
    return whole.hexdigest()


async def sound(runroom: Stack, execution_id: str, ending: str = "completed") -> Log:
    """The events of an execution that has ended well, after looking at all of them.

    Raises:
        AssertionError: its log is not as it has to be.
    """
    record, events = await runroom.history(execution_id)
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1)), execution_id
    state = initial(Record.model_validate(record))
    for event in events:
        raw = {name: value for name, value in event.items() if name != "attempt"}
        (parsed,) = parse_events([raw], execution_id, event["attempt"])
        state = fold(state, (parsed,))
    assert state.status in EXECUTION_TERMINAL, f"{execution_id} is {state.status}"
    assert state.status == ending, f"{execution_id} is {state.status}: {state.error}"
    assert state.log_count == sum(event["type"] == "log" for event in events)
    shown = await runroom.snapshot(execution_id)
    folded = json.loads(state.model_dump_json(by_alias=True))
    # large values travel as previews, and the lease is not in the log
    for name in ("status", "attempt", "seq", "progress", "logCount", "error", "endedAt"):
        assert shown[name] == folded[name], (execution_id, name)
    for node_id, node in folded["nodes"].items():
        assert shown["nodes"][node_id] == node, (execution_id, node_id)
    return events


def as_written(events: Log, total: int, size: int = 0) -> None:
    """What `writer.py` wrote, each event once.

    Raises:
        AssertionError: it is not.
    """
    assert len(events) == total
    for seq, event in enumerate(events, 1):
        kind, payload = content(seq, total, size)
        assert event["type"] == kind, seq
        for name, value in payload.items():
            if name == "log":
                assert event["log"]["message"] == value["message"], seq
            else:
                assert event[name] == value, (seq, name)


def acknowledged(notes: Path) -> dict[str, int]:
    """The highest head of each execution that a writer was told; they never go back."""
    heads: dict[str, int] = {}
    for noted in notes.read_text().splitlines():
        execution_id, head = noted.split()
        assert int(head) >= heads.get(execution_id, 0), noted
        heads[execution_id] = int(head)
    return heads


def unharmed(database: Path) -> None:
    """The file that the server left, which nobody has open now, is whole.

    Raises:
        AssertionError: it is not.
    """
    with sqlite3.connect(database) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        wrong = connection.execute(
            "SELECT id, head, (SELECT count(*) FROM events"
            " WHERE position >> 32 = key) AS stored FROM executions WHERE head != stored"
        ).fetchall()
        assert wrong == []
    connection.close()


def lost_leases(database: Path) -> int:
    """How many leases have run out, over all executions."""
    connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
    try:
        (lost,) = connection.execute("SELECT total(lost) FROM executions").fetchone()
    finally:
        connection.close()
    return int(lost)


def quiet(programs: Iterable[Program], expected: str = r"(?!)") -> None:
    """No process printed an error, but for what `expected` matches.

    Raises:
        AssertionError: one did.
    """
    for program in programs:
        for printed in program.err.split("\n"):
            bad = " ERROR " in printed or "CRITICAL" in printed or "Traceback" in printed
            assert not bad or re.search(expected, printed), f"{program.name}: {printed}"
