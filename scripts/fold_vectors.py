"""Write `tests/contract/vectors/*.json`: what every implementation of the fold must agree on.

    python -m scripts.fold_vectors

A file holds a record, the state before the first event, and for each event what it
changed: `changes` (members of the state) and `nodes` (whole nodes). Merging these into the
state before gives the state after. `refused` lists events that must not fold after `seq`,
with the error's code. The events and `ends` are written by hand in `scripts.fold_cases`;
the rest is the Python fold's answer, and goes into the repository to be read in a diff.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson

from contract.events import parse_event
from contract.execution import Record, fold, initial
from contract.values import parse
from scripts.fold_cases import CASES, Case

FOLDER = Path(__file__).parent.parent / "tests" / "contract" / "vectors"


def document(case: Case) -> dict[str, Any]:
    """The vector of one case."""
    state = initial(parse(Record, case.record))
    start = before = state.to_wire()
    steps = []
    for event in case.events:
        state = fold(state, [parse_event(event)])
        after = state.to_wire()
        steps.append({"event": event, **difference(before, after)})
        before = after
    return {
        "name": case.name,
        "about": case.about,
        "record": case.record,
        "initial": start,
        "steps": steps,
        "ends": case.ends,
        "refused": case.refused,
    }


def difference(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    """What to merge into `before` to get `after`."""
    changes = {
        name: value for name, value in after.items() if name != "nodes" and value != before[name]
    }
    nodes = {
        node_id: node
        for node_id, node in after["nodes"].items()
        if node != before["nodes"].get(node_id)
    }
    return {"changes": changes, "nodes": nodes}


def documents() -> dict[str, bytes]:
    """All files by name."""
    return {
        f"{case.name}.json": orjson.dumps(
            document(case), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE
        )
        for case in CASES
    }


def main() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    files = documents()
    for old in FOLDER.glob("*.json"):
        if old.name not in files:
            old.unlink()
    for name, data in files.items():
        (FOLDER / name).write_bytes(data)
    print(f"{len(files)} vectors in {FOLDER}")


if __name__ == "__main__":
    main()
