"""Events: parsed once at the edge, encoded once to canonical bytes."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from contract.errors import Invalid
from contract.events import (
    EVENT_TYPES,
    AnyEvent,
    Event,
    NodeStatus,
    encode,
    parse_event,
    parse_events,
)
from contract.states import NodeStatus as Word
from contract.values import MAX_EVENT_BYTES, MAX_INT
from tests.contract.strategies import EXECUTION, TIME, History, histories


def raw(kind: str = "nodeStatus", **more: Any) -> dict[str, Any]:
    """A good event of that type, with `more` put over it."""
    members: dict[str, dict[str, Any]] = {
        "status": {"status": "running"},
        "nodeStatus": {"nodeId": "a", "status": "completed"},
        "log": {"log": {"level": "info", "message": "m"}},
        "progress": {"progress": 50},
        "result": {"result": {"x": 1}},
        "error": {"error": "boom"},
    }
    return {"type": kind, "seq": 1, "timestamp": TIME, **members.get(kind, {}), **more}


def parse_one(event: object) -> AnyEvent:
    return parse_events([event], EXECUTION, 1)[0]


def line(**more: Any) -> dict[str, Any]:
    return raw("log", log={"level": "info", "message": "m", **more})


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


@given(histories())
def test_encode_decode_encode_is_stable_and_canonical(history: History) -> None:
    for event in history.events:
        data = encode(event)
        payload = orjson.loads(data)
        decoded = parse_event({"type": event.type, **payload})
        assert decoded == event
        assert encode(decoded) == data
        assert orjson.dumps(payload) == data, "one spelling: no spaces, one form of numbers"
        assert "type" not in payload
        assert None not in [value for name, value in payload.items() if name != "result"]
        assert list(payload)[:4] == ["executionId", "seq", "attempt", "timestamp"]


@given(histories())
def test_equal_events_give_equal_bytes(history: History) -> None:
    for event in history.events:
        assert encode(deepcopy(event)) == encode(event)
        wire = event.to_wire() | {"type": event.type}
        shuffled = dict(reversed(list(wire.items())))
        assert encode(parse_event(shuffled)) == encode(event)


def test_how_an_event_was_written_does_not_show() -> None:
    expected = encode(parse_one(raw(output=None, message=None)))
    for same in (
        raw(),
        raw(executionId=EXECUTION, attempt=1),
        raw(executionId=None, attempt=None) | {"try": None},
        raw(timestamp="2026-01-31T13:00:00+01:00"),
    ):
        assert encode(parse_one(same)) == expected
    built = NodeStatus(
        execution_id=EXECUTION,
        seq=1,
        attempt=1,
        timestamp=TIME,
        node_id="a",
        status=Word.COMPLETED,
    )
    assert encode(built) == expected


def test_the_members_of_an_output_keep_their_order() -> None:
    assert b'"output":{"b":1,"a":2}' in encode(parse_one(raw(output={"b": 1, "a": 2})))


def test_a_null_result_is_sent_and_nulls_inside_values_too() -> None:
    assert encode(parse_one(raw("result", result=None))).endswith(b',"result":null}')
    assert encode(parse_one(raw(output={"a": None}))).endswith(b'"output":{"a":null}}')


def test_the_types_are_the_six() -> None:
    assert [parse_one(raw(kind)).type for kind in EVENT_TYPES] == list(EVENT_TYPES)
    schema = TypeAdapter(Event).json_schema()
    assert set(schema["discriminator"]["mapping"]) == set(EVENT_TYPES)


def test_events_are_frozen() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        parse_one(raw()).seq = 5  # type: ignore[misc]


def test_a_log_line_gets_a_stable_id_and_its_time() -> None:
    log = parse_one(raw("log", seq=7)).to_wire()["log"]
    assert (log["id"], log["createdAt"]) == (f"{EXECUTION}:7", TIME)
    given_log = parse_one(line(id="mine", createdAt="2026-01-01T00:00:00Z")).to_wire()["log"]
    assert (given_log["id"], given_log["createdAt"]) == ("mine", "2026-01-01T00:00:00.000Z")
    original = line()
    before = deepcopy(original)
    parse_one(original)
    assert original == before, "the caller's object is not touched"


@pytest.mark.parametrize(
    "value",
    [
        2**53 + 1,
        2**64 - 1,
        1e308,
        5e-324,
        "\u2028\u2029",
        "a\r\nb\x00",
        {"__proto__": {"polluted": True}, "constructor": 1, "": 2},
        "x" * 990_000,
        nested(64),
        {"$preview": "x", "$size": 1, "$ref": "/"},
    ],
)
def test_odd_values_pass_unchanged(value: Any) -> None:
    event = parse_one(raw(output=value))
    assert orjson.loads(encode(event))["output"] == value
    assert parse_event({"type": "nodeStatus", **orjson.loads(encode(event))}) == event


def test_odd_text_passes_unchanged() -> None:
    for text in ("a\r\nb", "\u2028", "\x00", "💥", "x" * 990_000, ""):
        assert orjson.loads(encode(parse_one(line(message=text))))["log"]["message"] == text


ODD_TYPES: list[object] = [None, [], {}, 1, "Status", "\ud800", nested(10_000)]
TYPE = "type: must be one of status, nodeStatus, log, progress, result, error"
BAD: list[tuple[object, str]] = [
    (5, ": an event is an object"),
    (None, ": an event is an object"),
    ([], ": an event is an object"),
    ({}, f".{TYPE}"),
    *[(raw(type=kind), f".{TYPE}") for kind in ODD_TYPES],
    (raw(executionId="other"), ".executionId: must be the batch's"),
    (raw(executionId=nested(10_000)), ".executionId: must be the batch's"),
    (raw(attempt=2), ".attempt: must be the batch's"),
    *[
        (raw(seq=seq), ".seq: ")
        for seq in (0, -1, 1.0, 1.5, "1", True, None, 2**53, 2**53 + 1, 10**5000, nested(10_000))
    ],
    (line() | {"seq": nested(10_000)}, ".seq: "),
    *[
        (raw(timestamp=time), ".timestamp: ")
        for time in ("", "tag", 5, None, "0001-01-01T00:00+14:00")
    ],
    (raw("status", status="skipped"), ".status: "),
    (raw("status", status=nested(10_000)), ".status: nests deeper than 64 levels"),
    (raw("status", logCount=True), ".logCount: "),
    (raw("status", logCount=-1), ".logCount: "),
    (raw("status", logCount=2**53 + 1), ".logCount: "),
    (raw(status="success"), ".status: "),
    (raw(nodeId=None), ".nodeId: "),
    *[(raw(nodeId=i), ".nodeId: ") for i in ("", "a b", "a\n", "ä", "x" * 129, "x" * 1_000_000, 5)],
    (raw(durationMs=-1), ".durationMs: is a number"),
    (raw(durationMs=True), ".durationMs: is a number"),
    (raw(durationMs="5"), ".durationMs: is a number"),
    (raw() | {"try": 0}, ".try: "),
    (raw() | {"try": True}, ".try: "),
    (raw() | {"try": 2**53}, ".try: "),
    (raw(reused=1), ".reused: "),
    (raw(message="\ud800"), ".message: "),
    (raw(message=b"bytes"), ".message: "),
    (raw(message="x" * (MAX_EVENT_BYTES + 1)), ".message: "),
    (raw(error=5), ".error: "),
    (raw(output=float("nan")), ".output: holds NaN"),
    (raw(output=[float("-inf")]), ".output: holds NaN"),
    (raw(output={"a": b"x"}), ".output: is not JSON"),
    (raw(output=2**64), ".output: is not JSON"),
    (raw(output="\ud800"), ".output: is not JSON"),
    (raw(output=nested(65)), ".output: nests deeper than 64 levels"),
    (raw(output=nested(10_000)), ".output: nests deeper than 64 levels"),
    (raw(unknown=1), ".unknown: is not a known member"),
    (raw() | {"__proto__": {}}, ".__proto__: is not a known member"),
    (raw() | {"k" * 1_000_000: 1}, ".kkk"),
    (raw() | {"\ud800": 1}, ": "),
    (raw("log", log=None), ".log: "),
    (raw("log", log=[]), ".log: "),
    (line(level="debug"), ".log.level: "),
    (line(message=None), ".log.message: "),
    (line(message="\udfff"), ".log.message: "),
    (line(id=""), ".log.id: "),
    (line(id="x" * 201), ".log.id: "),
    (line(id=5), ".log.id: "),
    (line(createdAt="later"), ".log.createdAt: "),
    (line(nodeId="a b"), ".log.nodeId: "),
    (line(metadata=nested(65)), ".log.metadata: nests deeper"),
    (line(more=1), ".log.more: is not a known member"),
    (raw("progress", progress=101), ".progress: "),
    (raw("progress", progress=50.0), ".progress: "),
    (raw("progress", progress=True), ".progress: "),
    (raw("progress", nodeProgress=100.1), ".nodeProgress: "),
    (raw("progress", nodeProgress=True), ".nodeProgress: "),
    (raw("progress", nodeProgress="5"), ".nodeProgress: "),
    (raw("progress", nodeProgress=float("nan")), ".nodeProgress: "),
    ({"type": "result", "seq": 1, "timestamp": TIME}, ".result: is missing"),
    (raw("result", result=float("inf")), ".result: holds NaN"),
    (raw("error", error=None), ".error: "),
]


@pytest.mark.parametrize(
    ("poison", "expected"), BAD, ids=[f"{n}{e[:24]}" for n, (_, e) in enumerate(BAD)]
)
def test_a_bad_event_is_refused_by_index_and_member(poison: object, expected: str) -> None:
    with pytest.raises(Invalid) as caught:
        parse_events([raw(), raw("log"), poison, raw(seq=0)], EXECUTION, 1)
    message = str(caught.value)
    assert message.startswith(f"events[2]{expected}")
    assert len(message) < 400
    message.encode()


def test_one_stored_event_is_refused_in_the_same_words() -> None:
    with pytest.raises(Invalid, match=r"^events\[0\].attempt: is missing"):
        parse_event({**raw(), "executionId": EXECUTION})
    with pytest.raises(Invalid, match=r"^events\[0\].type: must be one of"):
        parse_event({"type": []})
    with pytest.raises(Invalid, match=r"^events\[0\].status: nests deeper"):
        parse_event(raw(executionId=EXECUTION, attempt=1, status=nested(10_000)))


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text() | st.integers() | st.binary(),
        lambda x: (
            st.lists(x, max_size=3)
            | st.dictionaries(
                st.sampled_from(["type", "seq", "log", "nodeId", "status", "timestamp"])
                | st.text(),
                x,
            )
        ),
    )
)
def test_whatever_comes_is_an_event_or_an_invalid(junk: Any) -> None:
    for item in (junk, raw(output=junk), raw("log", log=junk), raw(seq=junk), raw(status=junk)):
        try:
            event = parse_one(item)
        except Invalid as error:
            assert str(error).startswith("events[0]")
        else:
            assert orjson.loads(encode(event))


def test_an_event_has_at_most_a_million_bytes() -> None:
    empty = len(encode(parse_one(raw(output=""))))
    whole = encode(parse_one(raw(output="x" * (MAX_EVENT_BYTES - empty))))
    assert len(whole) == MAX_EVENT_BYTES
    with pytest.raises(Invalid, match="seq 1 is 1,000,001 bytes; at most 1,000,000 fit"):
        encode(parse_one(raw(output="x" * (MAX_EVENT_BYTES - empty + 1))))
    with pytest.raises(Invalid, match="bytes; at most"):
        encode(parse_one(raw(output="é" * (MAX_EVENT_BYTES // 2))))


def test_numbers_up_to_javascripts_are_taken() -> None:
    event = parse_events([raw(seq=MAX_INT) | {"try": MAX_INT}], EXECUTION, MAX_INT)[0]
    assert (event.seq, event.attempt) == (MAX_INT, MAX_INT)
    assert parse_events([], EXECUTION, 1) == []
