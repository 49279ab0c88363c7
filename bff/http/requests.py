"""What a request asks for: its body, query, headers and path, checked once at the edge."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import TypeVar

import orjson
from aiohttp import ClientPayloadError, hdrs, web
from aiohttp.http import HttpProcessingError
from pydantic import BaseModel

from contract.errors import InvalidRequest, NotFound, TooLarge, Unauthorized
from contract.values import ID_PATTERN, Json, dumps, parse, shown

MAX_BODY_BYTES = 2 * 1024 * 1024
MAX_KEY_LENGTH = 255
_ID = re.compile(ID_PATTERN)
_KEY = re.compile(rf"[\x21-\x7e]{{1,{MAX_KEY_LENGTH}}}")
_NUMBER = re.compile(r"[0-9]{1,15}")
_WEIGHT = re.compile(r"q=([01](?:\.[0-9]{0,3})?)")

M = TypeVar("M", bound=BaseModel)


def path_id(request: web.Request, name: str = "id") -> str:
    """An id from the path.

    Raises:
        NotFound: it cannot be anything's id.
    """
    value = request.match_info[name]
    if not _ID.fullmatch(value):
        raise NotFound(f'"{shown(value)}" is not an id')
    return value


def bearer(request: web.Request) -> str | None:
    """The token that came with the request, None if there was none.

    Raises:
        Unauthorized: there is an Authorization that is not a single Bearer token.
    """
    given = request.headers.getall(hdrs.AUTHORIZATION, [])
    if not given:
        return None
    scheme, _, token = given[0].partition(" ")
    if len(given) > 1 or scheme.lower() != "bearer" or not token.strip():
        raise Unauthorized("the Authorization header takes one token: Bearer <token>")
    return token.strip()


def idempotency_key(request: web.Request) -> str | None:
    """
    Raises:
        InvalidRequest: the header is not a key.
    """
    key = request.headers.get("Idempotency-Key")
    if key is not None and not _KEY.fullmatch(key):
        raise InvalidRequest(f"Idempotency-Key: takes 1 to {MAX_KEY_LENGTH} visible characters")
    return key


def prefers(request: web.Request, media_type: str, default: str) -> bool:
    """Whether the client names this media type, and not `default` before it or rather."""
    wishes = {
        named: (weight, -position)
        for position, (named, weight) in enumerate(_weighted(request.headers, hdrs.ACCEPT))
        if named in (media_type, default)
    }
    wish = wishes.get(media_type)
    return wish is not None and wish[0] > 0 and wish >= wishes.get(default, (0.0, 0))


def accepts_coding(request: web.Request, coding: str) -> bool:
    """Whether the client takes a body in this content coding."""
    for named, weight in _weighted(request.headers, hdrs.ACCEPT_ENCODING):
        if named in (coding, "*"):
            return weight > 0
    return False


def _weighted(headers: Mapping[str, str], name: str) -> Iterator[tuple[str, float]]:
    """What an Accept header names, in its order, with the weights."""
    for part in headers.get(name, "").split(","):
        named, *parameters = (piece.strip().lower() for piece in part.split(";"))
        weights = [_WEIGHT.fullmatch(parameter) for parameter in parameters]
        yield named, next((float(weight[1]) for weight in weights if weight), 1.0)


async def body(request: web.Request, model: type[M], *, optional: bool = False) -> M:
    """The request's JSON object as `model`; with `optional`, no body is an empty one.

    Raises:
        TooLarge: it is longer than `MAX_BODY_BYTES`.
        InvalidRequest: it is not what the model says.
    """
    raw = await json_body(request, optional=optional)
    if not isinstance(raw, dict):
        raise InvalidRequest("the body is a JSON object")
    return parse(model, raw, InvalidRequest)


async def json_body(request: web.Request, *, optional: bool = False) -> Json:
    """The request's JSON; with `optional`, no body is an empty object.

    Raises:
        As `body`.
    """
    data = await _bytes(request)
    if not data:
        if optional:
            return {}
        raise InvalidRequest("a JSON body is needed")
    if request.content_type != "application/json":
        raise InvalidRequest("the body is JSON: send it with Content-Type: application/json")
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise InvalidRequest(f"the body is not JSON: {error}") from None
    try:
        dumps(value)
    except ValueError as error:
        raise InvalidRequest(f"the body {error}") from None
    return value


async def _bytes(request: web.Request) -> bytes:
    too_large = TooLarge(f"the body is longer than {MAX_BODY_BYTES:,} bytes")
    if (request.content_length or 0) > MAX_BODY_BYTES:
        raise too_large
    data = bytearray()
    try:
        # of a compressed body these are the unpacked bytes
        async for chunk in request.content.iter_any():
            data += chunk
            if len(data) > MAX_BODY_BYTES:
                raise too_large
    except (ClientPayloadError, web.RequestPayloadError, HttpProcessingError):
        raise InvalidRequest("the body cannot be read: its coding is broken") from None
    return bytes(data)


class Query:
    """The query of a request, of which only the named parameters are accepted.

    Raises:
        InvalidRequest: names the parameter that is unknown, repeated or wrong.
    """

    def __init__(self, request: web.Request, *names: str, lists: Collection[str] = ()) -> None:
        self._query = request.query
        for name in self._query:
            if name not in names and name not in lists:
                accepted = ", ".join(sorted([*names, *lists])) or "none"
                raise InvalidRequest(
                    f"{shown(name, 64)}: unknown parameter; accepted are {accepted}"
                )
            if name in names and len(self._query.getall(name)) > 1:
                raise InvalidRequest(f"{name}: is given twice")

    def __contains__(self, name: str) -> bool:
        return name in self._query

    def text(self, name: str, *, longest: int = 256) -> str | None:
        value = self._query.get(name)
        if value is not None and len(value) > longest:
            raise InvalidRequest(f"{name}: takes at most {longest} characters")
        return value or None

    def id(self, name: str) -> str | None:
        value = self._query.get(name)
        if value is not None and not _ID.fullmatch(value):
            raise InvalidRequest(f"{name}: takes an id")
        return value

    def number(self, name: str, default: int, *, least: int = 0, most: int = 2**53) -> int:
        value = self._query.get(name)
        if value is None:
            return default
        if not _NUMBER.fullmatch(value) or not least <= int(value) <= most:
            raise InvalidRequest(f"{name}: takes a whole number from {least} to {most}")
        return int(value)

    def word(self, name: str, accepted: Collection[str]) -> str | None:
        value = self._query.get(name)
        if value is not None and value not in accepted:
            raise InvalidRequest(f"{name}: takes one of {', '.join(accepted)}")
        return value

    def words(self, name: str, accepted: Collection[str]) -> frozenset[str] | None:
        """Some of the accepted words, separated by commas or in several parameters."""
        given = [word for value in self._query.getall(name, []) for word in value.split(",")]
        if any(word not in accepted for word in given):
            raise InvalidRequest(f"{name}: takes any of {', '.join(accepted)}")
        return frozenset(given) or None
