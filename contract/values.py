"""The small types everything else is made of: ids, times, JSON, previews, size limits."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import lru_cache
from itertools import chain, islice
from typing import Annotated, Any, TypeVar
from urllib.parse import quote

import orjson
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictInt,
    ValidationError,
    model_validator,
)
from pydantic.alias_generators import to_camel

from contract.errors import Invalid

MAX_EVENT_BYTES = 1_000_000
"""One event's JSON, and one output, result or input, is at most this long."""
PREVIEW_ABOVE_BYTES = 64 * 1024
"""An output, result or input whose JSON is longer travels as a preview."""
PREVIEW_BYTES = 2 * 1024
MAX_DEPTH = 64
"""How many arrays and objects a JSON value may nest."""
MAX_INT = 2**53 - 1
"""The largest seq, attempt or count: JavaScript's numbers hold no larger integer exactly."""

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


class Lenient(Model):
    """What a caller writes: a member that is null counts as left out."""

    @model_validator(mode="before")
    @classmethod
    def _without_null(cls, raw: object) -> object:
        if not isinstance(raw, dict):
            return raw
        return {name: value for name, value in raw.items() if value is not None}


def utc(moment: datetime) -> str:
    """A moment in the wire's form: ISO 8601, UTC, milliseconds, `Z`."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def now() -> str:
    """The present moment in the wire's form."""
    return _at(time.time_ns() // 1_000_000)


@lru_cache(maxsize=64)  # many events are made in one millisecond
def _at(milliseconds: int) -> str:
    seconds, rest = divmod(milliseconds, 1_000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest:03d}Z"


def parse_time(text: str) -> datetime:
    """The moment that a wire timestamp names.

    Raises:
        ValueError: not ISO 8601, or without a zone.
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("a time needs its zone: ISO 8601 in UTC, like 2026-01-31T12:00:00.000Z")
    return moment


@lru_cache(maxsize=4_096)  # events of one moment carry the same one
def _normal_time(text: str) -> str:
    try:
        moment = parse_time(text)
        # in the wire's form already, and no week date (2026-W05-6) of the same length
        if len(text) == len("2026-01-31T12:00:00.000Z") and (
            text[7] == "-" and text[10] == "T" and text[19] == "." and text[23] == "Z"
        ):
            return text
        return utc(moment)
    except (ValueError, OverflowError):
        raise ValueError(
            "is not a time: ISO 8601 with its zone, like 2026-01-31T12:00:00.000Z"
        ) from None


def _duration(value: object) -> object:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if value is not None and not (number and 0 <= value <= MAX_INT):  # type: ignore[operator]
        raise ValueError("is a number of milliseconds, 0 or more")
    return value


def _json(value: object) -> object:
    dumps(value)
    return value


Id = Annotated[str, Field(pattern=ID_PATTERN)]
Text = Annotated[str, Field(strict=True, max_length=MAX_EVENT_BYTES)]
"""Free text; the bound also makes pydantic refuse lone surrogates, which UTF-8 lacks."""
Count = Annotated[StrictInt, Field(ge=0, le=MAX_INT)]
Ordinal = Annotated[StrictInt, Field(ge=1, le=MAX_INT)]
Duration = Annotated[float | int | None, BeforeValidator(_duration)]
"""Milliseconds; an integer stays one."""
Timestamp = Annotated[str, Field(max_length=40), AfterValidator(_normal_time)]
Json = Annotated[Any, AfterValidator(_json)]
"""Any JSON value inside the contract's limits, save its length."""


def dumps(value: object) -> bytes:
    """The canonical JSON of dicts with string keys, lists, strings, numbers, booleans, None.

    Raises:
        ValueError: what keeps it from being JSON that every reader takes: another type, a
            NaN, an integer beyond 64 bits, a lone surrogate, more than `MAX_DEPTH` levels.
    """
    try:
        data = orjson.dumps(value, option=_STRICT)
    except TypeError as error:
        if _too_deep(value):
            raise ValueError(f"nests deeper than {MAX_DEPTH} levels") from None
        raise ValueError(f"is not JSON: {error}") from None
    # walks in Python are spared where C can tell that there is nothing to find
    if data.count(b"[") + data.count(b"{") > MAX_DEPTH and _too_deep(value):
        raise ValueError(f"nests deeper than {MAX_DEPTH} levels")
    if b"null" in data and orjson.loads(data) != value and not _finite(value):
        raise ValueError("holds NaN or Infinity, which JSON does not have")
    return data


_STRICT = orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_DATACLASS


def _layers(value: object) -> Iterator[list[Any]]:
    """The arrays and objects of `value`, those of each level together."""
    layer = [value]
    while layer := [item for item in layer if isinstance(item, dict | list | tuple)]:
        yield layer
        layer = [
            inner for item in layer for inner in (item.values() if isinstance(item, dict) else item)
        ]


def _too_deep(value: object) -> bool:
    return next(islice(_layers(value), MAX_DEPTH, None), None) is not None


def _finite(value: object) -> bool:
    # orjson writes NaN and Infinity as null, which would lose them silently
    held = chain.from_iterable(_layers([value]))
    return all(
        math.isfinite(inner)
        for item in held
        for inner in (item.values() if isinstance(item, dict) else item)
        if isinstance(inner, float)
    )


def encode_json(value: Json, what: str = "value") -> bytes:
    """The canonical JSON of a value that stays inside the contract's limits.

    Args:
        what: how an error calls the value.

    Raises:
        Invalid: not JSON (see `dumps`), or longer than `MAX_EVENT_BYTES`.
    """
    try:
        data = dumps(value)
    except ValueError as error:
        raise Invalid(f"{what} {error}") from None
    if len(data) > MAX_EVENT_BYTES:
        raise Invalid(f"{what} is {len(data):,} bytes of JSON; at most {MAX_EVENT_BYTES:,} fit")
    return data


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


def shown(value: object, limit: int = 200) -> str:
    """A caller's word as it may stand in a message: short, and text that UTF-8 has."""
    if not isinstance(value, str):
        return f"a {type(value).__name__}"
    text = value if len(value) <= limit else value[:limit] + "…"
    return text.encode("utf-8", "replace").decode()


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
    elif first["type"] == "model_type":
        message = "must be an object"
    else:
        message = message[:1].lower() + message[1:]
    return shown(path), message


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
    except RecursionError:
        raise error(f"nests deeper than {MAX_DEPTH} levels") from None
