"""The way from a request to a principal: a guarded handler is not called without one."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from aiohttp import hdrs, web

from bff.auth import Authenticator, Principal
from bff.http.requests import bearer

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Guarded = Callable[[web.Request, Principal], Coroutine[Any, Any, web.StreamResponse]]

log = logging.getLogger(__name__)


class Access:
    """Guards handlers with an authenticator."""

    def __init__(self, authenticator: Authenticator) -> None:
        self._authenticator = authenticator
        self._changes: set[asyncio.Task[web.StreamResponse]] = set()

    def reads(self, handler: Guarded) -> Handler:
        """The handler for callers who are known and may use the HTTP interface.

        Raises (when called):
            Unauthorized, Forbidden.
        """

        async def guarded(request: web.Request) -> web.StreamResponse:
            return await handler(request, self._principal(request))

        return guarded

    def changes(self, handler: Guarded) -> Handler:
        """As `reads`; the handler runs to its end even if the caller goes away meanwhile,
        so that no change is left half done."""

        async def guarded(request: web.Request) -> web.StreamResponse:
            task = asyncio.create_task(handler(request, self._principal(request)))
            self._changes.add(task)
            task.add_done_callback(self._changes.discard)
            try:
                return await asyncio.shield(task)
            except asyncio.CancelledError:
                task.add_done_callback(_note)
                raise

        return guarded

    async def finish(self, _: web.Application) -> None:
        """Wait for the changes that are under way."""
        if self._changes:
            await asyncio.wait(self._changes)

    def _principal(self, request: web.Request) -> Principal:
        principal = self._authenticator.admit(
            bearer(request),
            host=request.headers.get(hdrs.HOST),
            origin=request.headers.get(hdrs.ORIGIN),
        )
        principal.require_watch()
        return principal


def _note(task: asyncio.Task[web.StreamResponse]) -> None:
    """Say what became of a change whose caller has gone."""
    error = None if task.cancelled() else task.exception()
    if error is not None:
        log.warning("change failed after its caller had gone: error=%s", type(error).__name__)
