"""The shared vectors of the fold: current, and held by this fold."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import orjson
import pytest

from contract.errors import RunroomError, to_wire
from contract.events import parse_event
from contract.execution import ExecutionState, Record, fold, initial
from contract.values import parse
from scripts.fold_vectors import FOLDER, documents

VECTORS = {path.stem: orjson.loads(path.read_bytes()) for path in sorted(FOLDER.glob("*.json"))}


def test_the_files_are_what_the_script_writes() -> None:
    assert {path.name: path.read_bytes() for path in FOLDER.iterdir()} == documents(), (
        "run python -m scripts.fold_vectors and look at the difference"
    )
    assert len(VECTORS) >= 12


def states(vector: dict[str, Any]) -> list[dict[str, Any]]:
    """The expected state after each prefix, the empty one first."""
    found = [vector["initial"]]
    for step in vector["steps"]:
        state = {**found[-1], **step["changes"]}
        found.append({**state, "nodes": {**state["nodes"], **step["nodes"]}})
    return found


def at(value: Any, path: str) -> Any:
    for part in path.split("."):
        value = None if value is None else value.get(part)
    return value


@pytest.mark.parametrize("vector", VECTORS.values(), ids=list(VECTORS))
def test_every_prefix_folds_to_its_state(vector: dict[str, Any]) -> None:
    start = initial(parse(Record, vector["record"]))
    events = [parse_event(step["event"]) for step in vector["steps"]]
    for length, expected in enumerate(states(vector)):
        state = fold(start, events[:length])
        assert state.to_wire() == expected
        assert ExecutionState.model_validate(expected) == state


@pytest.mark.parametrize("vector", VECTORS.values(), ids=list(VECTORS))
def test_every_vector_ends_as_written_by_hand(vector: dict[str, Any]) -> None:
    last = states(vector)[-1]
    assert vector["ends"]
    assert {path: at(last, path) for path in vector["ends"]} == vector["ends"]


@pytest.mark.parametrize("vector", VECTORS.values(), ids=list(VECTORS))
def test_refused_events_do_not_fold(vector: dict[str, Any]) -> None:
    start = initial(parse(Record, vector["record"]))
    events = [parse_event(step["event"]) for step in vector["steps"]]
    for refused in vector["refused"]:
        state = fold(start, events[: refused["seq"]])
        before = deepcopy(state)
        with pytest.raises(RunroomError) as caught:
            fold(state, [parse_event(refused["event"])])
        assert to_wire(caught.value)["code"] == refused["code"], refused
        assert state == before
