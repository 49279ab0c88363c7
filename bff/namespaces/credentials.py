"""A connection's token: where it may stand, and the connection's end with it."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from math import inf
from typing import Any

from bff.auth import LEEWAY_SECONDS, Principal
from bff.outlet import Outlet
from bff.sockets import event_frame
from contract.values import utc

GOODBYE_SECONDS = 2
"""How long the last event may take to leave."""
POLICY_VIOLATION = 1008
SWEEP_SECONDS = 0.25
"""How long one look at all connections is enough: a token may outlive its end by this."""


def header_token(environ: dict[str, Any]) -> str | None:
    """The token of an `Authorization: Bearer` header, for clients that can set one."""
    scheme, _, token = str(environ.get("HTTP_AUTHORIZATION", "")).partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


def expires_at(principal: Principal) -> str | None:
    """When the principal's token ends, in the wire's form; None: never."""
    if principal.expires_at is None:
        return None
    return utc(datetime.fromtimestamp(principal.expires_at, UTC))


class Expiries:
    """Closes connections at the end of their tokens, after an event `auth` that says so.

    One timer, at the first end, serves all connections of a namespace.
    """

    def __init__(self, namespace: str) -> None:
        self._namespace = namespace
        self._ends: dict[Outlet, float] = {}  # in the loop's time
        self._first = inf  # no end is before this
        self._timer: asyncio.TimerHandle | None = None
        self._closing: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        return len(self._ends)

    def renew(self, outlet: Outlet, principal: Principal) -> None:
        """Let the connection live as long as this principal's token."""
        if principal.expires_at is None:
            self.forget(outlet)
            return
        left = principal.expires_at - time.time()
        if left <= 0:  # let in by the clocks' leeway
            left += LEEWAY_SECONDS
        end = self._ends[outlet] = asyncio.get_running_loop().time() + left
        if end < self._first:
            self._arm(end)

    def forget(self, outlet: Outlet) -> None:
        """The connection has ended."""
        self._ends.pop(outlet, None)
        if not self._ends:
            self._arm(inf)

    def _arm(self, first: float) -> None:
        self._first = first
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if first < inf:
            self._timer = asyncio.get_running_loop().call_at(first, self._sweep)

    def _sweep(self) -> None:
        loop = asyncio.get_running_loop()
        present = loop.time()
        for outlet in [outlet for outlet, end in self._ends.items() if end <= present]:
            del self._ends[outlet]
            closing = loop.create_task(self._goodbye(outlet))
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)
        self._arm(max(min(self._ends.values(), default=inf), present + SWEEP_SECONDS))

    async def _goodbye(self, outlet: Outlet) -> None:
        outlet.write(event_frame(self._namespace, "auth", {"code": "token_expired"}))
        try:
            await asyncio.wait_for(outlet.drained(), GOODBYE_SECONDS)
        except ConnectionResetError:
            return
        except TimeoutError:
            await outlet.abort()
        else:
            await outlet.close(POLICY_VIOLATION, "token_expired")
