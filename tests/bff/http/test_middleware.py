"""What happens to every request: errors, bodies, origins, headers, compression."""

from __future__ import annotations

import gzip
import io
import json
import logging
import zlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from bff.http.responses import STATUSES
from contract.errors import ErrorCode, Unavailable
from tests.bff.house import RUNNING, WORKFLOW, House, log, open_house

JSON = {"Content-Type": "application/json"}
APP = "https://app.example"


async def post(house: House, data: Any, status: int, **headers: str) -> Any:
    """The refusal of a body at a route that takes one."""
    return await house.refusal(
        "POST", "/api/workflows", data=data, headers={**JSON, **headers}, status=status
    )


def test_every_code_has_a_status() -> None:
    assert set(STATUSES) == set(ErrorCode)


async def test_an_unknown_path_is_not_found(house: House) -> None:
    for method in ("GET", "POST", "DELETE"):
        error = await house.refusal(method, "/api/nothing", status=404)
        assert error == {"code": "not_found", "message": "no such path"}


async def test_a_wrong_method_says_which_are_right(house: House) -> None:
    response = await house.ask("DELETE", "/api/executions")
    assert (response.status, response.headers["Allow"]) == (405, "GET, HEAD")
    error = (await response.json())["error"]
    assert error == {"code": "invalid_request", "message": "this path takes GET, HEAD"}


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "a JSON body is needed"),
        (b"{", "not JSON"),
        (b'{"name": NaN}', "not JSON"),
        (b'{"name": "\\ud800"}', "not JSON"),
        (b'{"name": "\xff"}', "not JSON"),
        (b'{"name": 1e999}', "not JSON"),
        (b"[" * 65 + b"]" * 65, "nests deeper than 64 levels"),
        (b"[" * 100_000, "not JSON"),
        (b"[1]", "a workflow is an object"),
    ],
    ids=["empty", "cut", "nan", "surrogate", "utf8", "infinity", "deep", "deeper", "list"],
)
async def test_a_malformed_body_is_told(house: House, data: bytes, words: str) -> None:
    assert words in (await post(house, data, 400))["message"]


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", ""])
async def test_a_body_is_json(house: House, kind: str) -> None:
    data = json.dumps(WORKFLOW).encode()
    error = await post(house, data, 400, **{"Content-Type": kind})
    assert "Content-Type: application/json" in error["message"]


async def test_a_charset_does_no_harm(house: House) -> None:
    kind = {"Content-Type": "application/json; charset=utf-8"}
    data = json.dumps(WORKFLOW).encode()
    await house.json("POST", "/api/workflows", data=data, headers=kind, status=201)


async def test_an_oversized_body_is_too_large(house: House) -> None:
    error = await post(house, io.BytesIO(b" " * (2 * 1024 * 1024 + 1)), 413)
    assert error["code"] == "too_large"

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(40):
            yield b" " * 65_536

    assert (await post(house, chunks(), 413))["code"] == "too_large"
    bomb = gzip.compress(b" " * 10_000_000)
    assert len(bomb) < 20_000
    assert (await post(house, bomb, 413, **{"Content-Encoding": "gzip"}))["code"] == "too_large"


async def test_a_body_of_two_mebibytes_is_accepted(house: House) -> None:
    data = json.dumps(WORKFLOW).encode().ljust(2 * 1024 * 1024)
    await house.json("POST", "/api/workflows", data=io.BytesIO(data), headers=JSON, status=201)
    packed = {**JSON, "Content-Encoding": "gzip"}
    await house.json("POST", "/api/workflows", data=gzip.compress(data), headers=packed, status=201)


async def test_a_body_with_a_broken_coding_is_told(house: House) -> None:
    error = await post(house, b"not gzip at all", 400, **{"Content-Encoding": "gzip"})
    assert error["code"] == "invalid_request"


@pytest.mark.parametrize(
    "value", ["Basic YTpi", "Bearer", "Bearer ", "rubbish", "Bearer a b", "Bearer é", "bearer x"]
)
async def test_an_authorization_that_is_no_token_is_invalid(house: House, value: str) -> None:
    error = await house.refusal(
        "GET", "/api/executions", role=None, headers={"Authorization": value}, status=401
    )
    assert error["code"] == "token_invalid"


async def test_the_scheme_is_written_in_any_case(house: House) -> None:
    token = house.authenticator.mint()
    for scheme in ("bearer", "BEARER"):
        headers = {"Authorization": f"{scheme} {token}"}
        await house.get("/api/executions", role=None, headers=headers)


async def test_trouble_with_the_store_is_503(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: object, **__: object) -> None:
        raise Unavailable("the database is locked", retry_after_ms=100)

    monkeypatch.setattr(house.store, "executions", broken)
    response = await house.ask("GET", "/api/executions")
    assert (response.status, response.headers["Retry-After"]) == (503, "1")
    assert (await response.json())["error"]["code"] == "unavailable"


async def test_the_unexpected_is_logged_and_not_shown(
    house: House, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(*_: object, **__: object) -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr(house.store, "executions", broken)
    with caplog.at_level(logging.ERROR):
        error = await house.refusal("GET", "/api/executions?limit=7", status=500)
    assert error["code"] == "unavailable"
    assert "secret detail" not in str(error)
    (record,) = [one for one in caplog.records if one.name == "bff.http.middleware"]
    number = error["message"].split()[-1]
    assert number in record.getMessage()
    assert "limit=7" not in record.getMessage()


async def test_a_stream_that_breaks_is_not_taken_for_whole(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    id = await house.execution()
    for _ in range(3):
        await house.write(id, *(log("x" * 500) for _ in range(800)))
    read, pages = house.store.read, 0

    async def breaks(*arguments: Any, **named: Any) -> Any:
        nonlocal pages
        pages += 1
        if pages > 2:
            raise Unavailable("the disk is gone")
        return await read(*arguments, **named)

    monkeypatch.setattr(house.store, "read", breaks)
    ndjson = {"Accept": "application/x-ndjson", "Accept-Encoding": "identity"}
    with pytest.raises(aiohttp.ClientError):
        response = await house.ask("GET", f"/api/executions/{id}/events", headers=ndjson)
        await response.read()
    pages = 2  # trouble with the first page is an answer
    await house.refusal("GET", f"/api/executions/{id}/events", headers=ndjson, status=503)


async def test_every_answer_has_the_security_headers(house: House) -> None:
    for path, status in (("/healthz", 200), ("/api/nothing", 404), ("/api/executions", 401)):
        response = await house.ask("GET", path, role=None)
        assert response.status == status
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert response.headers["Referrer-Policy"] == "no-referrer"
        policy = response.headers["Content-Security-Policy"]
        assert "default-src 'self'" in policy
        assert "frame-ancestors 'none'" in policy
        assert response.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    ("accepted", "coding"),
    [
        ("gzip, deflate", "gzip"),
        ("deflate", "deflate"),
        ("deflate, gzip;q=0", "deflate"),
        ("*", "gzip"),
        ("gzip;q=0.0", None),
        ("br", None),
        ("identity", None),
    ],
)
async def test_a_long_answer_is_compressed_for_those_who_take_it(
    house: House, accepted: str, coding: str | None
) -> None:
    id = await house.execution()
    await house.write(id, RUNNING, *(log("a line " * 10) for _ in range(20)))
    token = house.headers("viewer")["Authorization"]
    headers = {"Authorization": token, "Accept-Encoding": accepted}
    async with aiohttp.ClientSession(auto_decompress=False) as session:
        url = house.client.make_url(f"/api/executions/{id}/events")
        async with session.get(url, headers=headers) as response:
            data = await response.read()
            assert response.headers.get("Content-Encoding") == coding
            assert "Accept-Encoding" in response.headers["Vary"]
        async with session.get(house.client.make_url("/healthz"), headers=headers) as response:
            assert "Content-Encoding" not in response.headers
    if coding:
        data = zlib.decompress(data, wbits=zlib.MAX_WBITS | 32)
    assert json.loads(data)["head"] == 21


@pytest.fixture
async def open_to_app(tmp_path: Path) -> AsyncIterator[House]:
    async with open_house(tmp_path, cors_origins=(APP,)) as opened:
        yield opened


async def test_an_origin_of_the_list_may_read(open_to_app: House) -> None:
    for path, status in (("/api/executions", 200), ("/api/nothing", 404)):
        response = await open_to_app.ask("GET", path, headers={"Origin": APP})
        assert response.status == status
        assert response.headers["Access-Control-Allow-Origin"] == APP
        assert "Access-Control-Allow-Credentials" not in response.headers
        assert "Origin" in response.headers["Vary"]
    id = await open_to_app.execution()
    headers = {"Origin": APP, "Accept": "application/x-ndjson"}
    response = await open_to_app.ask("GET", f"/api/executions/{id}/events", headers=headers)
    assert response.headers["Access-Control-Allow-Origin"] == APP


async def test_a_preflight_is_answered_without_a_token(open_to_app: House) -> None:
    headers = {
        "Origin": APP,
        "Access-Control-Request-Method": "PUT",
        "Access-Control-Request-Headers": "authorization, idempotency-key",
    }
    response = await open_to_app.ask("OPTIONS", "/api/workflows/x", role=None, headers=headers)
    assert response.status == 204
    assert response.headers["Access-Control-Allow-Origin"] == APP
    assert "PUT" in response.headers["Access-Control-Allow-Methods"]
    allowed = response.headers["Access-Control-Allow-Headers"].lower()
    assert {"authorization", "content-type", "idempotency-key"} <= set(allowed.split(", "))
    assert response.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://app.example", "*"])
async def test_another_origin_is_refused(open_to_app: House, origin: str) -> None:
    headers = {"Origin": origin, "Access-Control-Request-Method": "GET"}
    for method in ("GET", "OPTIONS"):
        response = await open_to_app.ask(method, "/api/executions", headers=headers)
        assert response.status == 403
        assert "Access-Control-Allow-Origin" not in response.headers
        assert (await response.json())["error"]["code"] == "forbidden"


async def test_by_default_the_servers_own_origin_may_read(house: House) -> None:
    own = str(house.client.make_url("/")).rstrip("/")
    response = await house.ask("GET", "/api/executions", headers={"Origin": own})
    assert response.status == 200
    response = await house.ask("GET", "/api/executions", headers={"Origin": APP})
    assert response.status == 403


async def test_socketio_keeps_its_own_answers(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        response = await house.ask("GET", "/socket.io/", headers={"Origin": APP})
        assert response.status == 404
        assert "X-Content-Type-Options" not in response.headers
