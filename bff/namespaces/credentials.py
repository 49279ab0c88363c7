"""A connection's token: where it may stand, and the connection's end with it."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from typing import Any

from bff.auth import LEEWAY_SECONDS, Principal
from bff.outlet import Outlet
from bff.sockets import event_frame
from contract.values import utc

GOODBYE_SECONDS = 2
"""How long the last event may take to leave."""
POLICY_VIOLATION = 1008


def header_token(environ: dict[str, Any]) -> str | None:
    """The token of an `Authorization: Bearer` header, for clients that can set one."""
    scheme, _, token = str(environ.get("HTTP_AUTHORIZATION", "")).partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


def expires_at(principal: Principal) -> str | None:
    """When the principal's token ends, in the wire's form; None: never."""
    if principal.expires_at is None:
        return None
    return utc(datetime.fromtimestamp(principal.expires_at, UTC))


class Expiry:
    """Closes a connection at the end of its token, after an event `auth` that says so."""

    def __init__(self, namespace: str, outlet: Outlet, principal: Principal) -> None:
        self._namespace = namespace
        self._outlet = outlet
        self._timer: asyncio.TimerHandle | None = None
        self._closing: asyncio.Task[None] | None = None
        self.renew(principal)

    def renew(self, principal: Principal) -> None:
        """Live as long as this principal's token."""
        self.cancel()
        if principal.expires_at is None:
            return
        left = principal.expires_at - time.time()
        if left <= 0:  # let in by the clocks' leeway
            left += LEEWAY_SECONDS
        self._timer = asyncio.get_running_loop().call_later(left, self._expire)

    def cancel(self) -> None:
        """The connection has ended."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _expire(self) -> None:
        self._closing = asyncio.get_running_loop().create_task(self._goodbye())

    async def _goodbye(self) -> None:
        self._outlet.write(event_frame(self._namespace, "auth", {"code": "token_expired"}))
        try:
            await asyncio.wait_for(self._outlet.drained(), GOODBYE_SECONDS)
        except ConnectionResetError:
            return
        except TimeoutError:
            await self._outlet.abort()
        else:
            await self._outlet.close(POLICY_VIOLATION, "token_expired")
