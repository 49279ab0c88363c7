"""What happens to every request: origins, errors, compression, headers, counting."""

from __future__ import annotations

import logging
import secrets

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler, Middleware

from bff.http.metrics import Metrics
from bff.http.responses import COMPRESS_ABOVE_BYTES, coding_for, error_response
from bff.origins import origin_allowed
from bff.settings import Settings
from contract.errors import (
    Forbidden,
    InvalidRequest,
    NotFound,
    RunroomError,
    TooLarge,
    Unavailable,
)

log = logging.getLogger(__name__)

SOCKET_PATH = "/socket.io/"
"""Engine.IO answers here with errors, origins and headers of its own."""

METHODS = "GET, HEAD, POST, PUT, DELETE, OPTIONS"
REQUEST_HEADERS = "Authorization, Content-Type, Idempotency-Key, Last-Event-ID"
RESPONSE_HEADERS = "Allow, Content-Disposition, Location, Retry-After, WWW-Authenticate"
PREFLIGHT_SECONDS = "600"
SECURITY_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; frame-ancestors 'none'; base-uri 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}

_ALLOWED: web.RequestKey[bool] = web.RequestKey("allowed", bool)
"""The request's Origin may read the answer."""
_BEGUN: web.RequestKey[bool] = web.RequestKey("begun", bool)
"""The answer is on its way: nothing else can be answered any more."""


def install(app: web.Application, settings: Settings, metrics: Metrics) -> None:
    """Put the middlewares around all routes of the application but Socket.IO's."""
    app.on_response_prepare.append(_add_headers)
    app.middlewares.extend([_counting(metrics), _cors(settings), _errors])


async def _add_headers(request: web.Request, response: web.StreamResponse) -> None:
    request[_BEGUN] = True
    if request.path.startswith(SOCKET_PATH):
        return
    headers = response.headers
    for name, value in SECURITY_HEADERS.items():
        headers.setdefault(name, value)
    headers.setdefault(hdrs.CACHE_CONTROL, "no-store")
    headers.setdefault(hdrs.VARY, "Origin, Accept-Encoding")
    if request.get(_ALLOWED):
        headers[hdrs.ACCESS_CONTROL_ALLOW_ORIGIN] = request.headers[hdrs.ORIGIN]
        headers[hdrs.ACCESS_CONTROL_EXPOSE_HEADERS] = RESPONSE_HEADERS


def _counting(metrics: Metrics) -> Middleware:
    @web.middleware
    async def count(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path.startswith(SOCKET_PATH):
            return await handler(request)
        response = await handler(request)
        resource = request.match_info.route.resource
        metrics.count(request.method, resource.canonical if resource else None, response.status)
        return response

    return count


def _cors(settings: Settings) -> Middleware:
    @web.middleware
    async def cors(request: web.Request, handler: Handler) -> web.StreamResponse:
        origin = request.headers.get(hdrs.ORIGIN)
        if origin is None or request.path.startswith(SOCKET_PATH):
            return await handler(request)
        host = request.headers.get(hdrs.HOST)
        if not origin_allowed(origin, host, request.scheme, settings):
            return error_response(Forbidden("this server does not serve pages of that origin"))
        request[_ALLOWED] = True
        if (
            request.method != hdrs.METH_OPTIONS
            or hdrs.ACCESS_CONTROL_REQUEST_METHOD not in request.headers
        ):
            return await handler(request)
        return web.Response(
            status=204,
            headers={
                hdrs.ACCESS_CONTROL_ALLOW_METHODS: METHODS,
                hdrs.ACCESS_CONTROL_ALLOW_HEADERS: REQUEST_HEADERS,
                hdrs.ACCESS_CONTROL_MAX_AGE: PREFLIGHT_SECONDS,
            },
        )

    return cors


@web.middleware
async def _errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    if request.path.startswith(SOCKET_PATH):
        return await handler(request)
    try:
        response = await handler(request)
    except ConnectionError:
        # the client has gone: aiohttp ends the connection quietly
        raise
    except web.HTTPException as error:
        if not isinstance(error, web.HTTPError):
            raise
        response = _answer_of(error)
    except RunroomError as error:
        if request.get(_BEGUN):
            raise _broken(request, error) from None
        response = error_response(error)
    except Exception as error:
        if request.get(_BEGUN):
            raise _broken(request, error) from None
        number = secrets.token_hex(4)
        log.exception(
            "request failed: id=%s method=%s path=%s", number, request.method, request.path
        )
        response = error_response(
            Unavailable(f"something unexpected went wrong; the server's log has it as {number}"),
            status=500,
        )
    if isinstance(response, web.Response) and not response.prepared:
        _compress(request, response)
    return response


def _broken(request: web.Request, error: Exception) -> ConnectionError:
    """Ends the connection in the middle of an answer, so that the client notices."""
    log.error(
        "answer broken off: method=%s path=%s",
        request.method,
        request.path,
        exc_info=None if isinstance(error, RunroomError) else error,
    )
    if request.transport is not None:
        request.transport.abort()
    return ConnectionResetError("the answer was broken off")


def _answer_of(error: web.HTTPException) -> web.Response:
    """aiohttp's own refusals in our form."""
    refusal: RunroomError
    match error.status:
        case 404:
            refusal = NotFound("no such path")
        case 405:
            assert isinstance(error, web.HTTPMethodNotAllowed)
            allowed = ", ".join(sorted(error.allowed_methods))
            refusal = InvalidRequest(f"this path takes {allowed}")
            return error_response(refusal, status=405, headers={hdrs.ALLOW: allowed})
        case 413:
            refusal = TooLarge("the request is too large")
        case _ if isinstance(error, web.HTTPServerError):
            refusal = Unavailable(error.reason)
        case _:
            refusal = InvalidRequest(error.reason)
    return error_response(refusal, status=error.status)


def _compress(request: web.Request, response: web.Response) -> None:
    if not isinstance(response.body, bytes) or len(response.body) <= COMPRESS_ABOVE_BYTES:
        return
    if hdrs.CONTENT_ENCODING in response.headers:
        return
    coding = coding_for(request)
    if coding is not None:
        response.enable_compression(coding)
