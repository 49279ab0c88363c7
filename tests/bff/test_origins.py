"""Which pages may use the server."""

from __future__ import annotations

import pytest

from bff.origins import origin_allowed
from tests.bff.house import settings


@pytest.mark.parametrize(
    ("origin", "host", "scheme", "allowed"),
    [
        (None, "runroom.example", "http", True),
        (None, None, "http", True),
        ("http://runroom.example", "runroom.example", "http", True),
        ("http://RUNROOM.example", "runroom.EXAMPLE", "http", True),
        ("http://runroom.example:80", "runroom.example", "http", True),
        ("http://127.0.0.1:3001", "127.0.0.1:3001", "http", True),
        ("http://[::1]:3001", "[::1]:3001", "http", True),
        # TLS that ends at a proxy
        ("https://runroom.example", "runroom.example", "http", True),
        ("https://runroom.example", "runroom.example", "https", True),
        ("http://runroom.example", "runroom.example", "https", False),
        ("http://evil.example", "runroom.example", "http", False),
        ("http://127.0.0.1:3002", "127.0.0.1:3001", "http", False),
        ("http://runroom.example.evil.example", "runroom.example", "http", False),
        ("http://runroom.example@evil.example", "runroom.example", "http", False),
        ("http://runroom.example/", "runroom.example", "http", False),
        ("null", "runroom.example", "http", False),
        ("", "runroom.example", "http", False),
        ("http://", "runroom.example", "http", False),
        ("http://[", "runroom.example", "http", False),
        ("http://a:99999", "a:99999", "http", False),
        ("*", "runroom.example", "http", False),
        ("file://runroom.example", "runroom.example", "http", False),
        ("http://runroom.example", None, "http", False),
    ],
)
def test_by_default_only_the_servers_own_origin(
    origin: str | None, host: str | None, scheme: str, allowed: bool
) -> None:
    assert origin_allowed(origin, host, scheme, settings()) is allowed


def test_a_list_is_exact() -> None:
    chosen = settings(cors_origins=("https://app.example",))
    assert origin_allowed("https://app.example", "runroom.example", "https", chosen)
    assert origin_allowed("https://APP.example", "runroom.example", "https", chosen)
    assert not origin_allowed("http://app.example", "runroom.example", "https", chosen)
    assert not origin_allowed("https://app.example:8443", "runroom.example", "https", chosen)
    assert not origin_allowed("https://runroom.example", "runroom.example", "https", chosen)
