"""Which web pages may use this server, told by a request's Host and Origin."""

from __future__ import annotations

from urllib.parse import urlsplit

from bff.settings import Settings, is_loopback

_DEFAULT_PORTS = {"http": 80, "https": 443}


def loopback_request(host: str | None, origin: str | None) -> bool:
    """Whether a request names this machine alone, so that no page of another site made it.

    Args:
        host: the header; after DNS rebinding it holds the other site's name.
        origin: the header, or None where no browser's page is involved.
    """
    if host is None or not is_loopback(_hostname(f"//{host}")):
        return False
    return origin is None or is_loopback(_hostname(origin))


def origin_allowed(origin: str | None, host: str | None, scheme: str, settings: Settings) -> bool:
    """Whether a request's Origin may use this server.

    A client without one is not a browser's page. By default the origin must be the
    server's own; TLS that ends at a proxy before it may make http of an https origin.

    Args:
        scheme: the one under which this process got the request.
    """
    if origin is None:
        return True
    if origin.lower() in settings.cors_origins:
        return True
    if host is None or settings.cors_origins:
        return False
    theirs, ours = _address(origin), _address(f"{origin.partition(':')[0]}://{host}")
    if theirs is None or theirs != ours:
        return False
    return theirs[0] == scheme or (theirs[0], scheme) == ("https", "http")


def _hostname(url: str) -> str | None:
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None


def _address(url: str) -> tuple[str, str, int] | None:
    """Scheme, host and port of an origin; None if it is not one."""
    try:
        parts = urlsplit(url)
        port = parts.port or _DEFAULT_PORTS[parts.scheme]
    except (ValueError, KeyError):
        return None
    if not parts.hostname or parts.path or parts.query or parts.fragment or parts.username:
        return None
    return parts.scheme, parts.hostname, port
