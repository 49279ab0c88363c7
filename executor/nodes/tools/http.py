"""`http.request`: one HTTP exchange with a host that the executor's owner has allowed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Annotated, Literal

import aiohttp
import orjson
from aiohttp.abc import AbstractResolver
from pydantic import BeforeValidator
from yarl import URL

from contract.errors import Invalid, RunroomError
from contract.values import Json, encode_json
from executor.nodes.errors import ToolError
from executor.nodes.registry import Context, tool
from executor.nodes.tools.addresses import AllowList, Host, PinnedResolver

MAX_BODY_BYTES = 1_000_000
MAX_REDIRECTS = 5
TOTAL_SECONDS = 60.0
CONNECT_SECONDS = 10.0

_CHUNK = 64 * 1024
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_READ_NEXT = frozenset({303})
_MOVED = frozenset({301, 302})
_NOT_YOURS = frozenset(
    {
        "connection",
        "content-length",
        "expect",
        "host",
        "keep-alive",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
# what may go along when a redirect leaves the origin: anything else may be a credential
_HARMLESS = frozenset({"accept", "accept-language", "content-type", "user-agent"})

Method = Annotated[
    Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"],
    BeforeValidator(lambda value: value.upper() if isinstance(value, str) else value),
]


@tool("http.request")
async def request(
    method: Method,
    url: str,
    context: Context,
    headers: dict[str, str] | None = None,
    json: Json = None,
) -> dict[str, Json]:
    """Send a request, with `json` as its body if given, following at most 5 redirects.

    Any HTTP status is an answer, not an error; branch on `status`.

    Returns:
        `{status, headers, body, json?}`: header names in lower case; `json` is there if the
        answer says that it is JSON and is.

    Raises:
        Invalid: the URL, a header or the host (of a redirect, too) is not accepted.
        ToolError: no connection, no answer in time, or more than 1,000,000 bytes of it.
    """
    exchange = Exchange(AllowList(context.http_allow))
    return await exchange.run(method, url, headers or {}, json)


@dataclass(frozen=True)
class Exchange:
    """A request and its redirects, each checked alike, within one total time."""

    allowed: AllowList
    resolver: Callable[[], AbstractResolver] = field(default=aiohttp.ThreadedResolver)
    seconds: float = TOTAL_SECONDS

    async def run(
        self, method: str, url: str, headers: Mapping[str, str], json: Json
    ) -> dict[str, Json]:
        """As `request`."""
        _check_headers(headers)
        target, sent = _parse_url(url), dict(headers)
        body: bytes | None = None
        if json is not None:
            body = encode_json(json, "json")
            if "content-type" not in {name.lower() for name in sent}:
                sent["Content-Type"] = "application/json"
        try:
            async with asyncio.timeout(self.seconds):
                for _ in range(MAX_REDIRECTS + 1):
                    answer = await self._hop(method, target, sent, body)
                    if isinstance(answer, dict):
                        return answer
                    status, following = answer
                    if following.origin() != target.origin():
                        sent = {k: v for k, v in sent.items() if k.lower() in _HARMLESS}
                    if status in _READ_NEXT or (status in _MOVED and method == "POST"):
                        method, body = ("HEAD" if method == "HEAD" else "GET"), None
                    target = following
        except TimeoutError:
            raise ToolError(f"{_origin(target)} did not answer within {self.seconds:g} s") from None
        raise ToolError(f"more than {MAX_REDIRECTS} redirects, the last to {_origin(target)}")

    async def _hop(
        self, method: str, url: URL, headers: Mapping[str, str], body: bytes | None
    ) -> dict[str, Json] | tuple[int, URL]:
        """One request: the answer, or a redirect's status and target."""
        host, port = _endpoint(url)
        self.allowed.check(host, port)
        # one connection for one request: what was checked is what is connected to
        pinned = PinnedResolver(self.allowed, host, self.resolver())
        connector = aiohttp.TCPConnector(
            resolver=pinned,
            use_dns_cache=False,
            force_close=True,
            socket_factory=pinned.open_socket,
        )
        try:
            async with (
                aiohttp.ClientSession(
                    connector=connector,
                    cookie_jar=aiohttp.DummyCookieJar(),
                    timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS),
                ) as session,
                session.request(
                    method, url, headers=headers, data=body, allow_redirects=False
                ) as response,
            ):
                location = response.headers.get("Location")
                if response.status in _REDIRECTS and location is not None:
                    return response.status, _parse_url(_join(response.url, location))
                return await _answer(response)
        except RunroomError:
            raise
        except aiohttp.ServerTimeoutError:
            raise ToolError(f"{_origin(url)}: no connection within {CONNECT_SECONDS:g} s") from None
        except TimeoutError:
            raise  # the total time of `run`
        except (aiohttp.ClientError, OSError, ValueError) as error:
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise ToolError(f"{method} {_origin(url)}: {reason[:300]}") from None
        finally:
            await pinned.close()


async def _answer(response: aiohttp.ClientResponse) -> dict[str, Json]:
    body = bytearray()
    async for chunk in response.content.iter_chunked(_CHUNK):
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise ToolError(
                f"the answer of {_origin(response.url)} is longer than {MAX_BODY_BYTES:,} bytes"
            )
    headers: dict[str, str] = {}
    for name, value in response.headers.items():
        known = headers.get(name.lower())
        headers[name.lower()] = value if known is None else f"{known}, {value}"
    data = bytes(body)
    answer: dict[str, Json] = {
        "status": response.status,
        "headers": {_clean(name): _clean(value) for name, value in headers.items()},
        "body": _text(data, response.charset),
    }
    kind = response.content_type
    if kind == "application/json" or kind.endswith("+json"):
        with suppress(orjson.JSONDecodeError):  # it may only say so; the text is in body
            answer["json"] = orjson.loads(data)
    return answer


def _text(data: bytes, charset: str | None) -> str:
    try:
        return _clean(data.decode(charset or "utf-8", errors="replace"))
    except LookupError:
        return data.decode("utf-8", errors="replace")


def _clean(text: str) -> str:
    # some charsets decode to lone surrogates, which JSON cannot carry
    return text.encode("utf-8", errors="replace").decode("utf-8")


def _parse_url(text: str | URL) -> URL:
    try:
        url = URL(text)
        url.origin()
    except ValueError as error:
        raise Invalid(f'"{str(text)[:200]}" is not an http or https URL: {error}') from None
    if url.scheme not in ("http", "https"):
        raise Invalid(f"the scheme {url.scheme[:50]} is not accepted; http and https are")
    if url.raw_user is not None or url.raw_password is not None:
        raise Invalid("a URL with a user or password in it is not accepted; use headers")
    _endpoint(url)
    return url


def _endpoint(url: URL) -> tuple[Host, int]:
    host, port = Host.parse(url.raw_host or ""), url.port
    if not port:
        raise Invalid(f"{url.host}: port 0 cannot be called")
    return host, port


def _join(base: URL, location: str) -> URL:
    try:
        return base.join(URL(location))
    except ValueError as error:
        raise ToolError(f"{_origin(base)} redirects to what is not a URL: {error}") from None


def _origin(url: URL) -> str:
    """What an error may show of a URL: the rest can hold credentials."""
    return str(url.origin())


def _check_headers(headers: Mapping[str, str]) -> None:
    for name, value in headers.items():
        if any(mark in name + value for mark in "\r\n\0"):
            raise Invalid("a header with a line break or a NUL in it is not accepted")
        if name.lower() in _NOT_YOURS or name.lower().startswith("proxy-"):
            raise Invalid(f'the header "{name[:100]}" is set by the connection, not by a workflow')
