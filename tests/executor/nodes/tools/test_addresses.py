"""The allow-list and what counts as a public address."""

from __future__ import annotations

import ipaddress
import socket

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from contract.errors import Invalid
from executor.nodes.tools.addresses import AllowList, Host, PinnedResolver, is_public


@pytest.mark.parametrize(
    "text",
    [
        "127.0.0.1",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "100.100.100.200",
        "168.63.129.16",
        "192.0.0.192",
        "192.88.99.1",
        "198.18.0.1",
        "0.0.0.0",
        "0.1.2.3",
        "224.0.0.1",
        "255.255.255.255",
        "240.0.0.1",
        "::",
        "::1",
        "fe80::1",
        "fc00::1",
        "fd00:ec2::254",
        "fec0::1",
        "ff02::1",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "::127.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::1",
        "2002:7f00:1::",
        "2001:0:53aa:64c:0:fffe:80ff:fffe",
        "2001:db8::1",
    ],
)
def test_these_are_not_public(text: str) -> None:
    assert not is_public(ipaddress.ip_address(text))


@pytest.mark.parametrize(
    "text", ["93.184.216.34", "8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"]
)
def test_these_are_public(text: str) -> None:
    assert is_public(ipaddress.ip_address(text))


@pytest.mark.parametrize(
    ("entries", "host", "port", "named"),
    [
        ("api.example.com", "API.Example.com.", 443, True),
        ("api.example.com", "api.example.com", 8443, True),
        ("api.example.com", "xapi.example.com", 443, False),
        ("api.example.com", "api.example.com.evil.org", 443, False),
        ("api.example.com:8443", "api.example.com", 8443, True),
        ("api.example.com:8443", "api.example.com", 443, False),
        ("*.example.com", "a.example.com", 443, True),
        ("*.example.com", "a.b.example.com", 443, True),
        ("*.example.com", "example.com", 443, False),
        ("*.example.com", "evilexample.com", 443, False),
        ("*.example.com:80", "a.example.com", 443, False),
        ("127.0.0.1:8080", "127.0.0.1", 8080, True),
        ("127.0.0.1:8080", "::ffff:127.0.0.1", 8080, True),
        ("127.0.0.1:8080", "127.0.0.1", 8081, False),
        ("127.0.0.1:8080", "127.0.0.2", 8080, False),
        ("[::1]:8080", "0:0:0:0:0:0:0:1", 8080, True),
        ("::1", "::1", 80, True),
        ("", "example.com", 80, False),
        (" a.org , b.org ", "b.org", 80, True),
    ],
)
def test_the_list_decides(entries: str, host: str, port: int, named: bool) -> None:
    allowed = AllowList(entries.split(","))
    if named:
        allowed.check(Host.parse(host), port)
    else:
        with pytest.raises(Invalid, match="is not on the list of allowed hosts"):
            allowed.check(Host.parse(host), port)


@pytest.mark.parametrize(
    "entry",
    [
        "http://a.org",
        "a.org:0",
        "a.org:x",
        "a.org:",
        "a b",
        "*.1.2.3.4",
        "*",
        "[::1",
        "[::1]:",
        "a/",
    ],
)
def test_an_entry_that_means_nothing_is_told(entry: str) -> None:
    with pytest.raises(Invalid, match="EXECUTOR_HTTP_ALLOW"):
        AllowList([entry])


@pytest.mark.parametrize(
    "text",
    ["2130706433", "127.1", "0x7f.1", "0x7f000001", "0177.0.0.1", "127.0.0.1.", "1.2.3", "a..b",
     "-a.org", "a b", "", "fe80::1%eth0", "fe80::1%25eth0", "ex\u0430mple.org", "a.org:80", "a/b"],
)  # fmt: skip
def test_hosts_that_resolvers_read_in_their_own_way_are_none(text: str) -> None:
    if text == "127.0.0.1.":
        assert Host.parse(text).address == ipaddress.ip_address("127.0.0.1")
        return
    with pytest.raises(Invalid, match="is not a host"):
        Host.parse(text)


def test_a_private_address_needs_to_be_named_itself() -> None:
    loopback, private = ipaddress.ip_address("127.0.0.1"), ipaddress.ip_address("10.0.0.5")
    for entries, name, address, fine in [
        (["wiki.corp"], "wiki.corp", private, False),
        (["wiki.corp", "10.0.0.5"], "wiki.corp", private, True),
        (["wiki.corp", "10.0.0.5:81"], "wiki.corp", private, False),
        (["*.corp"], "wiki.corp", loopback, False),
        (["localhost"], "localhost", loopback, True),
        (["localhost:81"], "localhost", loopback, False),
        (["localhost"], "localhost", private, False),
        (["localhost", "api.org"], "api.org", loopback, False),
    ]:
        allowed = AllowList(entries)
        if fine:
            allowed.check_address(Host.parse(name), address, 80)
        else:
            with pytest.raises(Invalid, match="which is not a public address"):
                allowed.check_address(Host.parse(name), address, 80)


class Answer(AbstractResolver):
    """Gives one address for every name."""

    def __init__(self, address: str) -> None:
        self.address = address

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        return [
            ResolveResult(
                hostname=host, host=self.address, port=port, family=family, proto=0, flags=0
            )
        ]

    async def close(self) -> None: ...


async def test_the_resolver_hands_on_only_what_was_checked() -> None:
    allowed, host = AllowList(["a.org"]), Host.parse("a.org")
    found = await PinnedResolver(allowed, host, Answer("93.184.216.34")).resolve("a.org", 80)
    assert [each["host"] for each in found] == ["93.184.216.34"]
    for address in ("10.0.0.1", "fe80::1%eth0"):
        with pytest.raises(Invalid, match="which is not a public address"):
            await PinnedResolver(allowed, host, Answer(address)).resolve("a.org", 80)


def test_a_socket_is_opened_only_for_an_address_that_may_be_reached() -> None:
    pinned = PinnedResolver(AllowList(["a.org"]), Host.parse("a.org"), Answer("10.0.0.1"))
    stream = (socket.AF_INET, socket.SOCK_STREAM, 6, "")
    with pinned.open_socket((*stream, ("93.184.216.34", 80))) as opened:
        assert opened.type == socket.SOCK_STREAM
    with pytest.raises(Invalid, match=r"leads to 10\.0\.0\.1"):
        pinned.open_socket((*stream, ("10.0.0.1", 80)))
    v6 = (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("::1", 80, 0, 0))
    with pytest.raises(Invalid, match="leads to ::1"):
        pinned.open_socket(v6)
