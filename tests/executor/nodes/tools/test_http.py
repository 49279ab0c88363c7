"""`http.request` against real servers on loopback, and the ways past its checks."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult

from contract.errors import Invalid
from executor.nodes.context import Context
from executor.nodes.errors import ToolError
from executor.nodes.registry import Tool
from executor.nodes.tools.addresses import AllowList
from executor.nodes.tools.http import Exchange, request


class Names(AbstractResolver):
    """A name server of one's own: each look-up of a name gives the next of its answers."""

    def __init__(self, **answers: list[list[str]]) -> None:
        self.answers = {name.replace("_", "."): list(each) for name, each in answers.items()}
        self.asked: list[str] = []

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        self.asked.append(host)
        answers = self.answers.get(host)
        if answers is None:
            raise OSError(f"no such host {host}")
        addresses = answers.pop(0) if len(answers) > 1 else answers[0]
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=0,
                flags=0,
            )
            for address in addresses
        ]

    async def close(self) -> None: ...


class Site:
    """A server whose handlers a test fills in; remembers the requests it got."""

    def __init__(self) -> None:
        self.requests: list[web.Request] = []
        self.bodies: list[bytes] = []
        self.routes: dict[str, Callable[[web.Request], Any]] = {}
        self.port = 0

    async def handle(self, got: web.Request) -> web.StreamResponse:
        self.requests.append(got)
        self.bodies.append(await got.read())
        answer = self.routes[got.path](got)
        if asyncio.iscoroutine(answer):
            answer = await answer
        assert isinstance(answer, web.StreamResponse)
        return answer


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    made = Site()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", made.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        made.port = runner.addresses[0][1]
        yield made
    finally:
        await runner.cleanup()


def redirect(location: str, status: int = 302) -> Callable[[web.Request], web.Response]:
    return lambda _: web.Response(status=status, headers={"Location": location})


async def get(url: str, allow: list[str], names: Names | None = None, **more: Any) -> Any:
    resolver = names or Names()
    exchange = Exchange(AllowList(allow), lambda: resolver, seconds=more.pop("seconds", 5.0))
    arguments = {"method": "GET", "headers": {}, "json": None, **more}
    return await exchange.run(url=url, **arguments)


async def test_a_request_and_its_answer(site: Site) -> None:
    site.routes["/x"] = lambda _: web.json_response({"a": [1]}, status=201, headers={"X-One": "1"})
    context = Context(http_allow=(f"127.0.0.1:{site.port}",))
    arguments = {
        "method": "post",
        "url": f"http://127.0.0.1:{site.port}/x?q=1",
        "headers": {"Accept": "application/json"},
        "json": {"b": "ü"},
    }
    answer = await request(**Tool.of(request).bind(arguments, context))
    assert answer["status"] == 201
    assert answer["json"] == {"a": [1]}
    assert answer["body"] == '{"a": [1]}'
    headers = answer["headers"]
    assert isinstance(headers, dict)
    assert headers["x-one"] == "1"
    got = site.requests[0]
    assert (got.method, got.path_qs, got.headers["Accept"]) == (
        "POST",
        "/x?q=1",
        "application/json",
    )
    assert got.content_type == "application/json"
    assert site.bodies[0].decode() == '{"b":"ü"}'


async def test_an_error_status_is_an_answer_and_bad_json_is_text(site: Site) -> None:
    site.routes["/x"] = lambda _: web.Response(
        status=503, text='{"a": NaN}', content_type="application/json"
    )
    answer = await get(f"http://127.0.0.1:{site.port}/x", ["127.0.0.1"])
    assert (answer["status"], answer["body"]) == (503, '{"a": NaN}')
    assert "json" not in answer


@pytest.mark.parametrize("charset", ["hex", "nonsense", "utf-7", "utf-8"])
async def test_any_charset_becomes_text_that_json_can_carry(site: Site, charset: str) -> None:
    site.routes["/x"] = lambda _: web.Response(
        body=b"+2AA- \xff", headers={"Content-Type": f"text/plain; charset={charset}"}
    )
    answer = await get(f"http://127.0.0.1:{site.port}/x", ["127.0.0.1"])
    answer["body"].encode("utf-8")


async def test_without_a_list_nothing_may_be_called(site: Site) -> None:
    with pytest.raises(Invalid, match="is not on the list of allowed hosts"):
        await request("GET", f"http://127.0.0.1:{site.port}/", Context())
    assert not site.requests


@pytest.mark.parametrize(
    "url",
    [
        "http://{address}/",
        "http://[::ffff:127.0.0.1]:{port}/",
        "http://[::1]:{port}/",
        "http://localhost:{port}/",
        "http://2130706433:{port}/",
        "http://127.1:{port}/",
        "http://0x7f.0.0.1:{port}/",
        "http://0177.0.0.1:{port}/",
        "http://0:{port}/",
        "http://api.example.com@127.0.0.1:{port}/",
        "http://api.example.com:80@127.0.0.1:{port}/",
        "http://127.0.0.1:{port}#@api.example.com/",
        "http://127.0.0.1:{port}\\@api.example.com/",
        "http:\\\\127.0.0.1:{port}/",
        "http://\u2460\u2461\u2466.0.0.1:{port}/",
        "http://127。0。0。1:{port}/",
        "file:///etc/passwd",
        "ftp://api.example.com/",
        "gopher://127.0.0.1:{port}/",
        "//127.0.0.1:{port}/",
        "/relative",
        "",
        "http://",
        "http://api.example.com:0/",
        "http://api.example.com:99999/",
        "http://user:secret@api.example.com/",
    ],
)
async def test_tricks_with_urls_lead_nowhere(site: Site, url: str) -> None:
    given = url.format(port=site.port, address=f"127.0.0.1:{site.port}")
    site.routes["/"] = lambda _: web.Response(text="secret")
    names = Names(api_example_com=[["93.184.216.34"]], localhost=[["127.0.0.1"]])
    with pytest.raises(Invalid) as refused:
        await get(given, ["api.example.com", "*.example.com"], names)
    assert "secret" not in str(refused.value)
    assert not site.requests


@pytest.mark.parametrize(
    "addresses",
    [
        ["127.0.0.1"],
        ["::1"],
        ["::ffff:127.0.0.1"],
        ["10.0.0.1"],
        ["169.254.169.254"],
        ["93.184.216.34", "127.0.0.1"],
        ["64:ff9b::7f00:1"],
    ],
)
@pytest.mark.parametrize("allow", ["*.example.com", "evil.example.com"])
async def test_an_allowed_name_that_leads_inside_is_refused(
    site: Site, addresses: list[str], allow: str
) -> None:
    site.routes["/"] = lambda _: web.Response(text="secret")
    names = Names(evil_example_com=[addresses])
    with pytest.raises(Invalid, match="which is not a public address"):
        await get(f"http://evil.example.com:{site.port}/", [allow], names)
    assert names.asked == ["evil.example.com"]
    assert not site.requests


async def test_a_name_is_asked_once_so_rebinding_does_not_help(site: Site) -> None:
    # the first answer passes the check; were the name asked again, it would lead elsewhere
    site.routes["/"] = lambda _: web.Response(text="here")
    names = Names(a_example_com=[["127.0.0.1"], ["10.0.0.1"]])
    allow = ["a.example.com", f"127.0.0.1:{site.port}"]
    answer = await get(f"http://a.example.com:{site.port}/", allow, names)
    assert answer["body"] == "here"
    assert names.asked == ["a.example.com"]
    assert site.requests[0].host == f"a.example.com:{site.port}"
    with pytest.raises(Invalid, match=r"leads to 10\.0\.0\.1"):
        await get(f"http://a.example.com:{site.port}/", allow, names)


async def test_localhost_may_be_named(site: Site) -> None:
    site.routes["/"] = lambda _: web.Response(text="here")
    names = Names(localhost=[["127.0.0.1"]])
    url = f"http://localhost:{site.port}/"
    assert (await get(url, [f"localhost:{site.port}"], names))["body"] == "here"
    with pytest.raises(Invalid, match="not on the list"):
        await get(url, ["localhost:1"], names)


@pytest.mark.parametrize(
    "location",
    [
        "http://169.254.169.254/latest/meta-data/",
        "http://[::ffff:169.254.169.254]/",
        "http://localhost/",
        "http://inside.example.com/",
        "//10.0.0.1/",
        "file:///etc/passwd",
        "http://2852039166/",
        "http://b.org:secret@127.0.0.1/",
    ],
)
async def test_a_redirect_is_checked_like_the_first_request(site: Site, location: str) -> None:
    site.routes["/"] = redirect(location)
    names = Names(inside_example_com=[["10.0.0.1"]], localhost=[["127.0.0.1"]])
    with pytest.raises(Invalid):
        await get(
            f"http://127.0.0.1:{site.port}/", [f"127.0.0.1:{site.port}", "*.example.com"], names
        )
    assert len(site.requests) == 1


async def test_redirects_are_followed_five_times(site: Site) -> None:
    for step in range(6):
        site.routes[f"/{step}"] = redirect(f"{step + 1}?deep=1")
    site.routes["/6"] = lambda _: web.Response(text="end")
    base = f"http://127.0.0.1:{site.port}"
    assert (await get(f"{base}/1", ["127.0.0.1"]))["body"] == "end"
    with pytest.raises(ToolError, match="more than 5 redirects"):
        await get(f"{base}/0", ["127.0.0.1"])


@pytest.mark.parametrize(
    ("status", "method", "then", "body"),
    [
        (301, "POST", "GET", b""),
        (302, "POST", "GET", b""),
        (303, "PUT", "GET", b""),
        (303, "HEAD", "HEAD", b""),
        (307, "POST", "POST", b"[1]"),
        (308, "PUT", "PUT", b"[1]"),
        (301, "PUT", "PUT", b"[1]"),
    ],
)
async def test_a_redirect_keeps_or_drops_the_body(
    site: Site, status: int, method: str, then: str, body: bytes
) -> None:
    site.routes["/"] = redirect("/next", status)
    site.routes["/next"] = lambda _: web.Response()
    url = f"http://127.0.0.1:{site.port}/"
    await get(url, ["127.0.0.1"], method=method, json=None if method == "HEAD" else [1])
    assert site.requests[1].method == then
    assert site.bodies[1] == body


async def test_credentials_do_not_follow_a_redirect_to_another_origin(site: Site) -> None:
    site.routes["/"] = redirect(f"http://b.org:{site.port}/same")
    site.routes["/same"] = redirect("/last")
    site.routes["/last"] = lambda _: web.Response()
    names = Names(a_org=[["127.0.0.1"]], b_org=[["127.0.0.1"]])
    secret = {"Authorization": "Bearer t", "X-Api-Key": "k", "Cookie": "c=1", "Accept": "text/x"}
    allow = ["a.org", "b.org", "127.0.0.1"]
    await get(f"http://a.org:{site.port}/", allow, names, headers=secret)
    assert site.requests[0].headers["X-Api-Key"] == "k"
    for got in site.requests[1:]:
        assert got.headers["Accept"] == "text/x"
        assert not {"Authorization", "X-Api-Key", "Cookie"} & set(got.headers)


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "inside"},
        {"content-length": "3"},
        {"Transfer-Encoding": "chunked"},
        {"A": "b\r\nC: d"},
        {"A\n": "b"},
        {"Proxy-Authorization": "x"},
    ],
)
async def test_headers_of_the_connection_are_not_a_workflows(
    site: Site, headers: dict[str, str]
) -> None:
    with pytest.raises(Invalid, match="header"):
        await get(f"http://127.0.0.1:{site.port}/", ["127.0.0.1"], headers=headers)
    assert not site.requests


@pytest.mark.parametrize("method", ["TRACE", "CONNECT", "GET / HTTP/1.1\r\nX: y", ""])
def test_odd_methods_are_refused(method: str) -> None:
    with pytest.raises(Invalid, match='argument "method"'):
        Tool.of(request).bind({"method": method, "url": "http://a.org"}, Context())


async def test_a_body_with_nan_is_refused(site: Site) -> None:
    with pytest.raises(Invalid, match="json holds NaN"):
        await get(f"http://127.0.0.1:{site.port}/", ["127.0.0.1"], method="POST", json=float("nan"))
    assert not site.requests


async def test_a_long_answer_is_cut_off_even_when_it_never_ends(site: Site) -> None:
    async def endless(got: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        response.enable_compression(web.ContentCoding.gzip)  # zeros by the megabyte
        await response.prepare(got)
        while True:
            await response.write(b"\0" * 65536)

    site.routes["/"] = endless
    with pytest.raises(ToolError, match="longer than 1,000,000 bytes"):
        await get(f"http://127.0.0.1:{site.port}/", ["127.0.0.1"])


async def test_the_whole_exchange_has_one_time_limit(site: Site) -> None:
    async def dribble(got: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(got)
        while True:
            await response.write(b".")
            await asyncio.sleep(0.02)

    site.routes["/"] = dribble
    with pytest.raises(ToolError, match=r"did not answer within 0\.2 s"):
        await get(f"http://127.0.0.1:{site.port}/", ["127.0.0.1"], seconds=0.2)


async def test_no_connection_is_told_without_the_query() -> None:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        port = reserved.getsockname()[1]
        with pytest.raises(ToolError) as failed:
            await get(f"http://127.0.0.1:{port}/?token=secret", ["127.0.0.1"])
    assert f"GET http://127.0.0.1:{port}: " in str(failed.value)
    assert "secret" not in str(failed.value)
    with pytest.raises(ToolError, match=r"GET http://nowhere\.org: "):
        await get("http://nowhere.org/", ["nowhere.org"])


async def test_a_request_that_is_cancelled_stops(site: Site) -> None:
    arrived, gone = asyncio.Event(), asyncio.Event()

    async def hang(got: web.Request) -> web.StreamResponse:
        arrived.set()
        try:
            await asyncio.Event().wait()
        finally:
            gone.set()
        raise AssertionError

    site.routes["/"] = hang
    task = asyncio.create_task(get(f"http://127.0.0.1:{site.port}/", ["127.0.0.1"]))
    await arrived.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not [t for t in asyncio.all_tasks() if "Exchange" in repr(t)]


async def test_the_real_resolver_is_used_by_the_tool(site: Site) -> None:
    site.routes["/"] = lambda _: web.Response(text="here")
    context = Context(http_allow=(f"localhost:{site.port}",))
    try:
        answer = await request("GET", f"http://localhost:{site.port}/", context)
    except aiohttp.ClientError as error:
        raise AssertionError("an aiohttp error came through") from error
    assert answer["body"] == "here"
