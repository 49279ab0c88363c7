"""Answers: JSON, errors, event pages spliced from stored bytes, and streams of lines."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from contextlib import aclosing

import orjson
from aiohttp import hdrs, web

from bff.http.requests import accepts_coding
from bff.stores.base import StoredEvent
from contract.errors import ErrorCode, RunroomError, to_wire
from contract.values import Json

JSON = "application/json"
NDJSON = "application/x-ndjson"
COMPRESS_ABOVE_BYTES = 1024
WRITE_BYTES = 64 * 1024

STATUSES: Mapping[ErrorCode, int] = {
    ErrorCode.INVALID_REQUEST: 400,
    ErrorCode.INVALID: 400,
    ErrorCode.WEBSOCKET_REQUIRED: 400,
    ErrorCode.UNAUTHORIZED: 401,
    ErrorCode.TOKEN_MISSING: 401,
    ErrorCode.TOKEN_INVALID: 401,
    ErrorCode.TOKEN_EXPIRED: 401,
    ErrorCode.FORBIDDEN: 403,
    ErrorCode.NOT_FOUND: 404,
    ErrorCode.CONFLICT: 409,
    ErrorCode.SEALED: 409,
    ErrorCode.FENCED: 409,
    ErrorCode.GAP: 409,
    ErrorCode.TOO_LARGE: 413,
    ErrorCode.TOO_MANY_SUBSCRIPTIONS: 429,
    ErrorCode.RATE_LIMITED: 429,
    ErrorCode.UNAVAILABLE: 503,
}


def json_response(
    value: Json, *, status: int = 200, headers: Mapping[str, str] | None = None
) -> web.Response:
    """`value` as JSON."""
    return raw_response(orjson.dumps(value), status=status, headers=headers)


def raw_response(
    data: bytes, *, status: int = 200, headers: Mapping[str, str] | None = None
) -> web.Response:
    """JSON that is encoded already."""
    return web.Response(body=data, status=status, headers=headers, content_type=JSON)


def error_response(
    error: RunroomError, *, status: int | None = None, headers: Mapping[str, str] | None = None
) -> web.Response:
    """`{error: {code, message, …}}` with the status that fits the code."""
    status = status or STATUSES[error.code]
    extra = dict(headers or {})
    if status == STATUSES[ErrorCode.UNAUTHORIZED]:
        extra[hdrs.WWW_AUTHENTICATE] = "Bearer"
    wait = error.fields.get("retryAfterMs")
    if wait is not None:
        extra[hdrs.RETRY_AFTER] = str(max(1, -(-wait // 1000)))
    return json_response({"error": to_wire(error)}, status=status, headers=extra)


def splice(event: StoredEvent) -> bytes:
    """`{type, …payload}` of a stored event, without decoding its payload."""
    return b'{"type":"%s",%s' % (event.type.encode(), event.payload[1:])


def page(events: Sequence[StoredEvent], **members: bytes) -> web.Response:
    """An object with `events` and other members, which are encoded already."""
    parts = [b'"%s":%s' % (name.encode(), data) for name, data in members.items()]
    parts.append(b'"events":[%s]' % b",".join(map(splice, events)))
    return raw_response(b"{%s}" % b",".join(parts))


def coding_for(request: web.Request) -> web.ContentCoding | None:
    """How to compress an answer to this request, if at all."""
    for coding in (web.ContentCoding.gzip, web.ContentCoding.deflate):
        if accepts_coding(request, coding.value):
            return coding
    return None


async def stream(
    request: web.Request,
    content_type: str,
    pages: AsyncGenerator[Iterable[bytes]],
    *,
    headers: Mapping[str, str] | None = None,
) -> web.StreamResponse:
    """Send lines as they are read, at the client's pace.

    The first page is read before the answer begins, so that its errors are answers too;
    trouble after that breaks the connection, and the client sees an incomplete body.
    """
    async with aclosing(pages):
        # not (): CPython makes StopIteration's arguments of a tuple
        first = await anext(pages, None) or ()
        response = web.StreamResponse(headers=headers)
        response.content_type = content_type
        response.charset = "utf-8"
        coding = coding_for(request)
        if coding is not None:
            response.enable_compression(coding)
        await response.prepare(request)
        if request.method == hdrs.METH_HEAD:
            return response
        await _write(response, first)
        async for lines in pages:
            await _write(response, lines)
        await response.write_eof()
        return response


async def _write(response: web.StreamResponse, lines: Iterable[bytes]) -> None:
    chunk = bytearray()
    for line in lines:
        chunk += line
        chunk += b"\n"
        if len(chunk) >= WRITE_BYTES:
            await response.write(bytes(chunk))
            chunk.clear()
    if chunk:
        await response.write(bytes(chunk))
