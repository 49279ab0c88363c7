"""Times, JSON inside the contract's limits, previews, and errors that can be shown."""

from __future__ import annotations

import re
import uuid
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from contract.errors import Invalid
from contract.values import (
    MAX_DEPTH,
    MAX_EVENT_BYTES,
    PREVIEW_BYTES,
    Duration,
    Lenient,
    Timestamp,
    encode_json,
    now,
    parse,
    parse_time,
    preview,
    reference,
    shown,
    utc,
)
from tests.contract.strategies import json_values

timestamps: TypeAdapter[str] = TypeAdapter(Timestamp)
durations: TypeAdapter[float | int | None] = TypeAdapter(Duration)


def nested(depth: int, *, as_dict: bool = False) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = {"x": value} if as_dict else [value]
    return value


zones = st.timedeltas(timedelta(hours=-23), timedelta(hours=23)).map(
    lambda offset: timezone(timedelta(minutes=offset // timedelta(minutes=1)))
)


@given(st.datetimes(timezones=zones).filter(lambda moment: 1 < moment.year < 9999))
def test_any_time_becomes_the_wires_form(moment: datetime) -> None:
    normal = timestamps.validate_python(moment.isoformat())
    assert normal == utc(moment)
    assert timestamps.validate_python(normal) == normal
    assert timedelta(0) <= moment - parse_time(normal) < timedelta(milliseconds=1)
    assert len(normal) == 24


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-01-31T12:00:00.123Z", "2026-01-31T12:00:00.123Z"),
        ("2026-01-31T12:00:00Z", "2026-01-31T12:00:00.000Z"),
        ("2026-01-31T12:00:00.123999+02:00", "2026-01-31T10:00:00.123Z"),
        ("2026-01-31 12:00:00.000Z", "2026-01-31T12:00:00.000Z"),
        ("2026-01-31T12:00:00,000Z", "2026-01-31T12:00:00.000Z"),
        ("20260131T120000Z", "2026-01-31T12:00:00.000Z"),
        # as long as the wire's form, and not in it
        ("2026-W05-6T12:00:00.000Z", "2026-01-31T12:00:00.000Z"),
        ("0001-01-01T00:00:00.000Z", "0001-01-01T00:00:00.000Z"),
    ],
)
def test_times_are_normalised(text: str, expected: str) -> None:
    assert timestamps.validate_python(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yesterday",
        "2026-01-31T12:00:00.000",
        "2026-02-30T12:00:00.000Z",
        "2026-01-31T25:00:00.000Z",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00",
        "١٢٣٤-01-31T12:00:00.000Z",
    ],
)
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValidationError, match="is not a time: ISO 8601 with its zone"):
        timestamps.validate_python(text)


@pytest.mark.parametrize("raw", [5, 1e9, True, "9" * 41, "\ud800", datetime.now(UTC)])
def test_other_things_are_no_time_either(raw: object) -> None:
    with pytest.raises(ValidationError):
        timestamps.validate_python(raw)


def test_now_has_the_wires_form() -> None:
    text = now()
    assert timestamps.validate_python(text) == text
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", text)
    assert abs(datetime.now(UTC) - parse_time(text)) < timedelta(seconds=5)


@pytest.mark.parametrize("value", [0, 5, 5.5, None, 2**53 - 1])
def test_durations_keep_their_kind(value: float | None) -> None:
    kept = durations.validate_python(value)
    assert kept == value
    assert type(kept) is type(value)


@pytest.mark.parametrize(
    "value", [-1, -0.5, True, "5", float("nan"), float("inf"), 2**53, 10**400, [], {}]
)
def test_other_things_are_no_duration(value: object) -> None:
    with pytest.raises(ValidationError, match="is a number of milliseconds, 0 or more"):
        durations.validate_python(value)


@given(json_values)
def test_json_is_canonical_and_survives(value: Any) -> None:
    data = encode_json(value)
    assert orjson.loads(data) == value
    assert encode_json(orjson.loads(data)) == data


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (float("nan"), "holds NaN"),
        ([1, {"a": float("inf")}, None], "holds NaN"),
        ({1: 2}, "is not JSON: .*key"),
        ({1, 2}, "is not JSON: .*set"),
        (b"x", "is not JSON: .*bytes"),
        (date(2026, 1, 31), "is not JSON: .*date"),
        (datetime(2026, 1, 31, tzinfo=UTC), "is not JSON: .*datetime"),
        ({"a": object()}, "is not JSON: .*object"),
        (2**64, "is not JSON: .*64-bit"),
        (-(2**63) - 1, "is not JSON: .*64-bit"),
        ("\ud800", "is not JSON: .*surrogate"),
        ({"\udfff": 1}, "is not JSON: .*surrogate"),
        (nested(MAX_DEPTH + 1), "nests deeper than 64 levels"),
        (nested(MAX_DEPTH + 1, as_dict=True), "nests deeper than 64 levels"),
        (nested(10_000), "nests deeper than 64 levels"),
        ("é" * (MAX_EVENT_BYTES // 2), "is 1,000,002 bytes of JSON"),
    ],
)
def test_what_is_not_json_is_refused_with_its_name(value: Any, problem: str) -> None:
    with pytest.raises(Invalid, match=f"^the output {problem}"):
        encode_json(value, "the output")


def test_json_at_its_limits_is_taken() -> None:
    for value in (nested(MAX_DEPTH), nested(MAX_DEPTH, as_dict=True), "x" * 999_998, 2**64 - 1):
        assert orjson.loads(encode_json(value)) == value
    wide: Any = [[[]] * 200] * 200
    assert orjson.loads(encode_json(wide)) == wide
    assert encode_json(2**53 + 1) == b"9007199254740993"
    assert encode_json({"b": 1, "a": [None, (1, 2)]}) == b'{"b":1,"a":[null,[1,2]]}'


def test_a_uuid_is_what_orjson_makes_of_it() -> None:
    # the one type beyond JSON's that is let through: it can only become its text
    assert encode_json(uuid.UUID(int=1)) == b'"00000000-0000-0000-0000-000000000001"'


@given(st.text(alphabet="aé€💥\u2028\n", min_size=1).map(lambda text: text * 300))
def test_a_preview_is_the_beginning_with_no_character_cut(text: str) -> None:
    encoded = encode_json({"text": text})
    short = preview(encoded, "/ref")
    size = len(short["$preview"].encode())
    assert encoded.decode().startswith(short["$preview"])
    assert min(len(encoded), PREVIEW_BYTES) - 3 <= size <= PREVIEW_BYTES
    assert (short["$size"], short["$ref"]) == (len(encoded), "/ref")
    assert orjson.loads(orjson.dumps(short)) == short


@pytest.mark.parametrize("offset", range(4))
def test_a_preview_cuts_before_a_character_that_does_not_fit(offset: int) -> None:
    encoded = encode_json("x" * offset + "💥" * 1000)
    short = preview(encoded, "/ref")["$preview"]
    assert short == '"' + "x" * offset + "💥" * ((PREVIEW_BYTES - 1 - offset) // 4)


def test_references_are_paths_of_the_http_interface() -> None:
    assert reference("e-1", "nodes/n.1/output") == "/api/executions/e-1/nodes/n.1/output"
    assert reference("a:b", "input") == "/api/executions/a%3Ab/input"


class Inner(Lenient):
    count: int


class Outer(Lenient):
    items: tuple[Inner, ...] = ()
    by_name: dict[str, Inner] | None = None


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ({"items": [{"count": 1}, {}]}, "items[1].count: is missing"),
        ({"items": [{"count": 1, "x": 2}]}, "items[0].x: is not a known member"),
        ({"items": 5}, "items: input should be a valid tuple"),
        ({"byName": {"k": {"count": "x"}}}, "byName.k.count: input should be a valid integer"),
        (5, "must be an object"),
    ],
)
def test_parse_says_where_and_what(raw: object, expected: str) -> None:
    with pytest.raises(Invalid) as caught:
        parse(Outer, raw)
    assert str(caught.value).startswith(expected)


def test_errors_never_repeat_a_long_or_broken_word() -> None:
    with pytest.raises(Invalid) as caught:
        parse(Outer, {"byName": {"k" * 1_000_000: {"count": "x" * 1_000_000}}})
    assert len(str(caught.value)) < 400
    assert shown("\ud800a") == "?a"
    assert shown("x" * 300) == "x" * 200 + "…"
    assert shown(nested(10_000)) == "a list"


def test_a_null_member_counts_as_left_out() -> None:
    assert parse(Outer, {"items": None}) == Outer()
    with pytest.raises(Invalid, match=r"items\[0\].count: is missing"):
        parse(Outer, {"items": [{"count": None}]})
