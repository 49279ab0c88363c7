"""The small types everything else is made of: ids, times, JSON, previews, size limits."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar
from urllib.parse import quote

import orjson
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from contract.errors import Invalid

MAX_EVENT_BYTES = 1_000_000
"""One event's JSON, and one output, result or input, is at most this long."""
PREVIEW_ABOVE_BYTES = 64 * 1024
"""An output, result or input whose JSON is longer travels as a preview."""
PREVIEW_BYTES = 2 * 1024
MAX_DEPTH = 64
"""How many arrays and objects a JSON value may nest."""

ID_PATTERN = r"^[A-Za-z0-9_.:-]{1,128}$"


class Model(BaseModel):
    """A frozen value with snake_case names in Python and camelCase names on the wire."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        alias_generator=to_camel,
        populate_by_name=True,
        allow_inf_nan=False,
    )

    def to_wire(self) -> dict[str, Any]:
        """The value as JSON-ready dicts with the wire's names."""
        return self.model_dump(mode="json", by_alias=True)


def utc(moment: datetime) -> str:
    """A moment in the wire's form: ISO 8601, UTC, milliseconds, `Z`."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def now() -> str:
    """The present moment in the wire's form."""
    return utc(datetime.now(UTC))


def parse_time(text: str) -> datetime:
    """The moment that a wire timestamp names.

    Raises:
        ValueError: not ISO 8601, or without a zone.
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("a time needs its zone: ISO 8601 in UTC, like 2026-01-31T12:00:00.000Z")
    return moment


_WIRE_TIME_LENGTH = len("2026-01-31T12:00:00.000Z")


def _normal_time(text: str) -> str:
    moment = parse_time(text)
    if len(text) == _WIRE_TIME_LENGTH and text[-1] == "Z" and text[10] == "T" and text[19] == ".":
        return text
    return utc(moment)


Id = Annotated[str, Field(pattern=ID_PATTERN)]
Timestamp = Annotated[str, Field(max_length=40), AfterValidator(_normal_time)]
Json = Any
"""Any JSON value; that it is one is checked where bytes are decoded or encoded."""


def depth_of(value: Json, limit: int = MAX_DEPTH) -> int:
    """How deep arrays and objects nest in `value`, counted up to `limit + 1`."""
    depth = 0
    layer = [value]
    while depth <= limit:
        inner: list[Any] = []
        for item in layer:
            if isinstance(item, Mapping):
                inner.extend(item.values())
            elif isinstance(item, list | tuple):
                inner.extend(item)
            else:
                continue
        if not any(isinstance(item, Mapping | list | tuple) for item in layer):
            return depth
        depth += 1
        layer = inner
    return depth


def encode_json(value: Json, what: str = "value") -> bytes:
    """The canonical JSON of a value that stays inside the contract's limits.

    Args:
        value: dicts with string keys, lists, strings, numbers, booleans, None.
        what: how an error calls the value.

    Raises:
        Invalid: not JSON (a NaN, a set, a lone surrogate), nested deeper than
            `MAX_DEPTH`, or longer than `MAX_EVENT_BYTES`.
    """
    if depth_of(value) > MAX_DEPTH:
        raise Invalid(f"{what} nests deeper than {MAX_DEPTH} levels")
    _refuse_non_finite(value, what)
    try:
        data = orjson.dumps(value)
    except TypeError as error:
        raise Invalid(f"{what} is not JSON: {error}") from None
    if len(data) > MAX_EVENT_BYTES:
        raise Invalid(f"{what} is {len(data):,} bytes of JSON; at most {MAX_EVENT_BYTES:,} fit")
    return data


def _refuse_non_finite(value: Json, what: str) -> None:
    # orjson writes NaN and Infinity as null, which would lose them silently.
    stack = [value]
    while stack:
        item = stack.pop()
        if isinstance(item, float):
            if not math.isfinite(item):
                raise Invalid(f"{what} holds {item}, which JSON does not have")
        elif isinstance(item, dict):
            stack.extend(item.values())
        elif isinstance(item, list | tuple):
            stack.extend(item)


def preview(encoded: bytes, reference: str) -> dict[str, Any]:
    """What stands for a large value on its way to viewers.

    Args:
        encoded: the whole value's JSON.
        reference: the HTTP path at which the whole value is read.
    """
    text = encoded[:PREVIEW_BYTES].decode("utf-8", errors="ignore")
    return {"$preview": text, "$size": len(encoded), "$ref": reference}


def reference(execution_id: str, name: str) -> str:
    """The HTTP path of a large value: `name` is `input`, `result` or `nodes/{id}/output`."""
    return f"/api/executions/{quote(execution_id)}/{quote(name)}"


def explain(error: ValidationError) -> tuple[str, str]:
    """The first problem of a pydantic error as (path, sentence), without its input."""
    first = error.errors(include_url=False, include_input=False)[0]
    path = ""
    for part in first["loc"]:
        if isinstance(part, int):
            path += f"[{part}]"
        else:
            path += f".{part}" if path else str(part)
    message = first["msg"].removeprefix("Value error, ")
    if first["type"] == "extra_forbidden":
        message = "is not a known member"
    elif first["type"] == "missing":
        message = "is missing"
    else:
        message = message[:1].lower() + message[1:]
    return path, message


M = TypeVar("M", bound=BaseModel)


def parse(model: type[M], raw: object, error: type[Exception] = Invalid) -> M:
    """Validate `raw` once at the edge.

    Raises:
        error: the first problem, as "path: what was wrong".
    """
    try:
        return model.model_validate(raw)
    except ValidationError as problem:
        path, message = explain(problem)
        raise error(f"{path}: {message}" if path else message) from None
