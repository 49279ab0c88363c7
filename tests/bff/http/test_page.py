"""The page: its addresses, how its files are kept and compressed, and nothing beside them."""

from __future__ import annotations

import gzip
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import ClientResponse, web
from aiohttp.test_utils import TestClient, TestServer
from yarl import URL

from bff.http import middleware
from bff.http.metrics import Metrics
from bff.http.page import ADDRESSES, Page
from bff.stores.sqlite import SqliteStore
from tests.bff.house import House, settings

HTML = b"<!doctype html><script type=module src=/assets/index-abc123.js></script>"
SCRIPT = b"console.log('runroom');" * 200
SMALL = {"br": b"the brotli copy", "gzip": gzip.compress(SCRIPT)}
STATS = {"connections": 0, "subscriptions": 0, "eventsPerSecond": 0, "eventsTotal": 0}


@pytest.fixture
def built(tmp_path: Path) -> Path:
    """What a build leaves."""
    folder = tmp_path / "static"
    (folder / "assets").mkdir(parents=True)
    (folder / "index.html").write_bytes(HTML)
    (folder / "favicon.svg").write_bytes(b"<svg xmlns='http://www.w3.org/2000/svg'/>")
    (folder / "assets" / "index-abc123.js").write_bytes(SCRIPT)
    (folder / "assets" / "index-abc123.js.br").write_bytes(SMALL["br"])
    (folder / "assets" / "index-abc123.js.gz").write_bytes(SMALL["gzip"])
    (folder / ".stamp").write_text("a hash")
    (tmp_path / "secret.txt").write_text("not for everyone")
    return folder


@pytest.fixture
async def client(built: Path, tmp_path: Path) -> AsyncIterator[TestClient]:
    async with serve(built, tmp_path) as client:
        yield client


def serve(folder: Path, tmp_path: Path) -> TestClient:
    """The page's routes with all that surrounds them on the server."""
    app = web.Application()
    metrics = Metrics(SqliteStore(tmp_path / "executions.db"), lambda: STATS)
    middleware.install(app, settings(), metrics)
    app.add_routes(Page(folder).routes())
    return TestClient(TestServer(app), auto_decompress=False)


async def get(client: TestClient, path: str, **headers: str) -> tuple[ClientResponse, bytes]:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    response = await client.get(path, headers={"Accept-Encoding": "identity", **sent})
    return response, await response.read()


@pytest.mark.parametrize("address", [each.replace("{id}", "ex_1") for each in ADDRESSES])
async def test_every_address_of_the_page_is_the_same_file(client: TestClient, address: str) -> None:
    response, body = await get(client, address)
    assert (response.status, body) == (200, HTML)
    assert response.headers["Content-Type"] == "text/html; charset=utf-8"
    assert response.headers["Cache-Control"] == "no-cache"


async def test_the_page_runs_its_own_code_only(client: TestClient) -> None:
    response, _ = await get(client, "/executions/ex_1")
    policy = dict(
        part.split(" ", 1) for part in response.headers["Content-Security-Policy"].split("; ")
    )
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert "unsafe" not in str(policy)
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Referrer-Policy"] == "no-referrer"


async def test_files_with_a_hash_in_their_names_are_kept_for_ever(client: TestClient) -> None:
    response, body = await get(client, "/assets/index-abc123.js")
    assert (response.status, body) == (200, SCRIPT)
    assert response.headers["Content-Type"] == "text/javascript; charset=utf-8"
    assert response.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert "Content-Encoding" not in response.headers


@pytest.mark.parametrize(
    ("accepted", "coding"),
    [("gzip, deflate, br", "br"), ("gzip", "gzip"), ("br;q=0, gzip", "gzip"), ("*", "br")],
)
async def test_the_best_copy_that_is_accepted_is_sent(
    client: TestClient, accepted: str, coding: str
) -> None:
    response, body = await get(client, "/assets/index-abc123.js", Accept_Encoding=accepted)
    assert response.headers["Content-Encoding"] == coding
    assert body == SMALL[coding]
    assert "Accept-Encoding" in response.headers["Vary"]


async def test_what_the_browser_has_is_not_sent_again(client: TestClient) -> None:
    first, _ = await get(client, "/")
    again, body = await get(client, "/executions", If_None_Match=first.headers["ETag"])
    assert (again.status, body) == (304, b"")
    other, body = await get(client, "/", If_None_Match='W/"of another build"')
    assert (other.status, body) == (200, HTML)


async def test_a_head_request_has_no_body(client: TestClient) -> None:
    response = await client.head("/executions")
    assert (response.status, await response.read()) == (200, b"")


@pytest.mark.parametrize(
    "path",
    [
        "/assets/nothing.js",
        "/assets/index-abc123.js.br",
        "/assets/../secret.txt",
        "/assets/..%2f..%2fsecret.txt",
        "/assets/%2e%2e/%2e%2e/secret.txt",
        "/assets/..%5csecret.txt",
        "/assets/%2fetc%2fpasswd",
        "/assets/",
        "/assets",
        "/.stamp",
        "/index.html",
        "/static/index.html",
    ],
)
async def test_no_path_leads_to_another_file(client: TestClient, path: str) -> None:
    url = URL(str(client.make_url("/")).rstrip("/") + path, encoded=True)
    async with client.session.get(url) as response:
        assert response.status == 404
        assert (await response.json(content_type=None))["error"]["code"] == "not_found"


async def test_without_a_build_it_says_which_command_makes_one(tmp_path: Path) -> None:
    async with serve(tmp_path / "nothing", tmp_path) as client:
        response, body = await get(client, "/")
        assert response.status == 200
        assert b"python -m scripts.build_web" in body
        missing, _ = await get(client, "/assets/index-abc123.js")
        assert missing.status == 404


async def test_the_page_needs_no_token_and_leaves_the_api_alone(house: House) -> None:
    page = await house.ask("GET", "/", role=None)
    assert page.status == 200
    assert page.content_type == "text/html"
    refused = await house.ask("GET", "/api/executions", role=None)
    assert (refused.status, refused.content_type) == (401, "application/json")
