"""Which hosts and addresses `http.request` may reach: the allow-list and the resolver that pins.

A request reaches an address only if its host is on the allow-list and the address is public, or
is itself on the list. Names are resolved once, by `PinnedResolver`; the connection then goes to
exactly the addresses that were checked, so a name that changes its mind (DNS rebinding) does not
help. `localhost` on the list stands for the loopback addresses.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from aiohttp.abc import AbstractResolver, ResolveResult

from contract.errors import Invalid

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
MAX_PORT = 65_535

_NAME = re.compile(r"(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]{0,62})(\.[a-z0-9_][a-z0-9_-]{0,62})*")
_LAST_LABEL_IS_NUMBER = re.compile(r"(^|\.)(\d+|0x[0-9a-f]*)$")
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
# what some Python versions count as global: protocol assignments (metadata in some clouds), relays,
# documentation, segment routing, and the tunnels 6to4 and Teredo, which may end anywhere
_NOT_PUBLIC = tuple(
    ipaddress.ip_network(network)
    for network in (
        "192.0.0.0/24",
        "192.88.99.0/24",
        "2001::/23",
        "2002::/16",
        "3fff::/20",
        "5f00::/16",
        "64:ff9b:1::/48",
    )
)
# answers metadata and more inside Azure's machines, although it is a public address
_AZURE_WIRE_SERVER = ipaddress.IPv4Address("168.63.129.16")


@dataclass(frozen=True)
class Host:
    """A host in one spelling: a strict IP address or a lower-case name without trailing dot."""

    name: str
    address: IPAddress | None = None

    @classmethod
    def parse(cls, text: str) -> Host:
        """A host as it stands in a URL, without brackets.

        Raises:
            Invalid: neither a host name nor an IP address in its usual form; 2130706433, 127.1
                and 0x7f.1, which some resolvers take for 127.0.0.1, are not.
        """
        name = text.lower().removesuffix(".")
        try:
            address = unmapped(ipaddress.ip_address(name))
        except ValueError:
            if not _NAME.fullmatch(name) or _LAST_LABEL_IS_NUMBER.search(name):
                raise Invalid(
                    f'"{text[:200]}" is not a host: neither a name nor a plain IP address'
                ) from None
            return cls(name)
        if isinstance(address, ipaddress.IPv6Address) and address.scope_id is not None:
            raise Invalid(f'"{text[:200]}" is not a host: an address with a zone is not accepted')
        return cls(str(address), address)


@dataclass(frozen=True)
class _Rule:
    host: Host
    port: int | None
    below: bool

    def matches(self, host: Host, port: int) -> bool:
        if self.port is not None and self.port != port:
            return False
        if self.below:
            return host.address is None and host.name.endswith("." + self.host.name)
        return host.name == self.host.name


class AllowList:
    """The hosts that http tools may call: `host`, `host:port`, `*.example.com`; any port if none.

    Raises:
        Invalid: an entry that is none of these.
    """

    def __init__(self, entries: Iterable[str]) -> None:
        self._rules = tuple(_parse_rule(entry.strip()) for entry in entries if entry.strip())

    def check(self, host: Host, port: int) -> None:
        """Make sure that the host may be called, whatever it resolves to.

        Raises:
            Invalid: it may not.
        """
        if not self._names(host, port):
            raise Invalid(
                f"{_shown(host, port)} is not on the list of allowed hosts (EXECUTOR_HTTP_ALLOW)"
            )
        if host.address is not None:
            self.check_address(host, host.address, port)

    def check_address(self, host: Host, address: IPAddress, port: int) -> None:
        """Make sure that an address of an allowed host may be connected to.

        Raises:
            Invalid: it is not public and not on the list itself.
        """
        address = unmapped(address)
        if is_public(address) or self._names(Host(str(address), address), port):
            return
        if address.is_loopback and host.name == "localhost" and self._names(host, port):
            return
        raise Invalid(
            f"{_shown(host, port)} leads to {address}, which is not a public address; "
            "only addresses that EXECUTOR_HTTP_ALLOW itself names may be private"
        )

    def _names(self, host: Host, port: int) -> bool:
        return any(rule.matches(host, port) for rule in self._rules)


class PinnedResolver(AbstractResolver):
    """Resolves one allowed host for one request and hands on only checked addresses."""

    def __init__(self, allowed: AllowList, host: Host, resolver: AbstractResolver) -> None:
        self._allowed = allowed
        self._host = host
        self._resolver = resolver

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Raises Invalid if any address of the name may not be connected to."""
        found = await self._resolver.resolve(self._host.name, port, family)
        for result in found:
            address = ipaddress.ip_address(result["host"].partition("%")[0])
            self._allowed.check_address(self._host, address, port)
        return found

    async def close(self) -> None:
        await self._resolver.close()

    def open_socket(self, info: tuple[Any, ...]) -> socket.socket:
        """The last look before a connection, at the very address that it goes to."""
        family, kind, protocol, _, (address, port, *_rest) = info
        self._allowed.check_address(
            self._host, ipaddress.ip_address(address.partition("%")[0]), port
        )
        return socket.socket(family, kind, protocol)


def is_public(address: IPAddress) -> bool:
    """Whether an address is out in the Internet, not private, local, reserved or metadata."""
    address = unmapped(address)
    if isinstance(address, ipaddress.IPv6Address):
        if address in _NAT64:
            return is_public(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
        if address.is_site_local:
            return False
    special = address.is_multicast or address.is_reserved or address.is_unspecified
    if special or address == _AZURE_WIRE_SERVER or not address.is_global:
        return False
    return not any(address in network for network in _NOT_PUBLIC)


def unmapped(address: IPAddress) -> IPAddress:
    """127.0.0.1 for ::ffff:127.0.0.1, and any other address as it is."""
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def _parse_rule(entry: str) -> _Rule:
    host, port = entry, ""
    if entry.startswith("["):
        host, closed, rest = entry[1:].partition("]")
        port = rest.removeprefix(":")
        good = bool(closed) and rest in ("", f":{port}") and rest != ":"
    else:
        if entry.count(":") == 1:
            host, _, port = entry.partition(":")
        good = not entry.endswith(":") or ":" in host
    if port and not (port.isascii() and port.isdigit() and 0 < int(port) <= MAX_PORT):
        good = False
    if not good:
        raise Invalid(f'EXECUTOR_HTTP_ALLOW: "{entry}" is not host, host:port or *.host')
    below = host.startswith("*.")
    try:
        parsed = Host.parse(host.removeprefix("*.") if below else host)
    except Invalid as error:
        raise Invalid(f"EXECUTOR_HTTP_ALLOW: {error}") from None
    if below and parsed.address is not None:
        raise Invalid(f'EXECUTOR_HTTP_ALLOW: "{entry}": * stands before a name, not an address')
    return _Rule(parsed, int(port) if port else None, below)


def _shown(host: Host, port: int) -> str:
    name = f"[{host.name}]" if ":" in host.name else host.name
    return f'"{name}:{port}"'
