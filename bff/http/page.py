"""The page: one HTML file for all its addresses, and the files that it was built with.

They are read once, at the start, and served from memory by their exact names, so a path leads
nowhere else. `scripts/build_web.py` builds them into `bff/static`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from aiohttp import hdrs, web

from bff.http.requests import accepts_coding
from contract.errors import NotFound

STATIC = Path(__file__).parent.parent / "static"
ADDRESSES = ("/", "/executions", "/executions/{id}", "/monitoring", "/stats")
INDEX = "index.html"
ICON = "favicon.svg"
ASSETS = "assets"
"""The folder of files whose names hold a hash of what is in them."""
CODINGS = {".br": "br", ".gz": "gzip"}
"""Endings of the compressed copies that the build leaves beside a file, the best first."""
TYPES = {
    ".css": "text/css",
    ".html": "text/html",
    ".js": "text/javascript",
    ".json": "application/json",
    ".svg": "image/svg+xml",
}
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        # the icon in the tab is drawn anew when the status changes
        "img-src 'self' data:",
        "font-src 'self'",
        "connect-src 'self'",
        "worker-src 'self'",
        "form-action 'none'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
YEAR = "public, max-age=31536000, immutable"
NOT_BUILT = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Runroom</title>
<h1>Runroom runs; its page is not built</h1>
<p>Build it in a checkout with <code>python -m scripts.build_web</code> (<code>make run</code>
does), then start the server again.</p>
<p>Everything else works without it: the API under <code>/api</code>, and
<code>python -m scripts.follow</code> follows an execution in a terminal.</p>
"""


@dataclass(frozen=True, slots=True)
class File:
    """A file as it is served.

    Attributes:
        copies: the body compressed, by content coding, the best first.
    """

    body: bytes
    content_type: str
    etag: str
    copies: Mapping[str, bytes]


class Page:
    """The page's routes.

    Args:
        folder: what the build made; one without an index.html is not built.
    """

    def __init__(self, folder: Path = STATIC) -> None:
        self._files = _read(folder)

    def routes(self) -> list[web.RouteDef]:
        return [
            *(web.get(address, self.page) for address in ADDRESSES),
            web.get(f"/{ASSETS}/{{name}}", self.asset),
            web.get(f"/{ICON}", self.icon),
        ]

    async def page(self, request: web.Request) -> web.Response:
        index = self._files.get(INDEX)
        if index is None:
            return web.Response(text=NOT_BUILT, content_type="text/html")
        response = _answer(request, index, "no-cache")
        response.headers["Content-Security-Policy"] = POLICY
        return response

    async def asset(self, request: web.Request) -> web.Response:
        return self._file(request, f"{ASSETS}/{request.match_info['name']}", YEAR)

    async def icon(self, request: web.Request) -> web.Response:
        return self._file(request, ICON, "no-cache")

    def _file(self, request: web.Request, name: str, caching: str) -> web.Response:
        found = self._files.get(name)
        if found is None:
            raise NotFound("no such path")
        return _answer(request, found, caching)


def _answer(request: web.Request, file: File, caching: str) -> web.Response:
    headers = {hdrs.CACHE_CONTROL: caching, hdrs.ETAG: file.etag}
    if file.etag in request.headers.get(hdrs.IF_NONE_MATCH, ""):
        return web.Response(status=304, headers=headers)
    headers[hdrs.CONTENT_TYPE] = file.content_type
    for coding, body in file.copies.items():
        if accepts_coding(request, coding):
            headers[hdrs.CONTENT_ENCODING] = coding
            return web.Response(body=body, headers=headers)
    return web.Response(body=file.body, headers=headers)


def _read(folder: Path) -> dict[str, File]:
    """The files of a build by their path in it."""
    if not (folder / INDEX).is_file():
        return {}
    files = {}
    for path in (folder / INDEX, folder / ICON, *(folder / ASSETS).glob("*")):
        if path.suffix in CODINGS or not path.is_file():
            continue
        body = path.read_bytes()
        copies = {
            coding: path.with_name(path.name + ending).read_bytes()
            for ending, coding in CODINGS.items()
            if path.with_name(path.name + ending).is_file()
        }
        content_type = TYPES.get(path.suffix, "application/octet-stream")
        if content_type.startswith("text/"):
            content_type += "; charset=utf-8"
        files[path.relative_to(folder).as_posix()] = File(
            body=body,
            content_type=content_type,
            # weak: the same for all copies
            etag=f'W/"{hashlib.sha256(body).hexdigest()[:32]}"',
            copies=copies,
        )
    return files
