"""Routes about the server itself: health, metrics, statistics, the page's settings, tokens."""

from __future__ import annotations

import asyncio

from aiohttp import hdrs, web
from prometheus_client import CONTENT_TYPE_LATEST
from pydantic import Field

from bff.auth import TOKEN_HOURS, Authenticator, Principal, Role
from bff.executions import Executions
from bff.http.access import Access
from bff.http.metrics import Metrics
from bff.http.requests import Query, body
from bff.http.responses import json_response
from bff.http.stats import Stats
from bff.origins import loopback_request
from bff.settings import Settings, is_loopback
from bff.stores.base import EventStore
from contract.errors import NotFound, Unavailable
from contract.values import Id, Model

READY_SECONDS = 5
"""How long the store may take to say that it is ready."""


class DevToken(Model):
    """`POST /api/dev/token`."""

    role: Role = "viewer"
    sub: str = Field(default="dev", min_length=1, max_length=256)
    name: str | None = Field(default=None, max_length=256)
    tenant: Id = "default"


class SystemRoutes:
    """What is not about a workflow or an execution."""

    def __init__(
        self,
        access: Access,
        *,
        settings: Settings,
        authenticator: Authenticator,
        executions: Executions,
        store: EventStore,
        stats: Stats,
        metrics: Metrics,
    ) -> None:
        self._access = access
        self._settings = settings
        self._authenticator = authenticator
        self._executions = executions
        self._store = store
        self._stats = stats
        self._metrics = metrics

    def routes(self) -> list[web.RouteDef]:
        routes = [
            web.get("/healthz", self.live),
            web.get("/readyz", self.ready),
            web.get("/metrics", self.metrics),
            web.get("/api/stats", self._access.reads(self.stats)),
            web.get("/api/ui-config", self.ui_config),
        ]
        if self._settings.dev:
            routes.append(web.post("/api/dev/token", self.dev_token))
        return routes

    async def live(self, request: web.Request) -> web.Response:
        return json_response({"status": "ok"})

    async def ready(self, request: web.Request) -> web.Response:
        try:
            async with asyncio.timeout(READY_SECONDS):
                await self._store.check()
        except TimeoutError:
            raise Unavailable(f"the store has not answered for {READY_SECONDS} s") from None
        return json_response({"status": "ready"})

    async def metrics(self, request: web.Request) -> web.Response:
        data = await self._metrics.render()
        return web.Response(body=data, headers={hdrs.CONTENT_TYPE: CONTENT_TYPE_LATEST})

    async def stats(self, request: web.Request, principal: Principal) -> web.Response:
        Query(request)
        live = self._stats()
        return json_response(
            {
                "connections": live["connections"],
                "subscriptions": live["subscriptions"],
                "executions": await self._executions.counts(principal),
                "eventsPerSecond": live["eventsPerSecond"],
                "executors": len(live["executors"]),
            }
        )

    async def ui_config(self, request: web.Request) -> web.Response:
        return json_response(
            {
                "refreshInterval": self._settings.ui_refresh_interval_ms,
                "animationEnabled": self._settings.ui_animation_enabled,
                "colorTheme": self._settings.ui_color_theme,
            }
        )

    async def dev_token(self, request: web.Request) -> web.Response:
        host, origin = request.headers.get(hdrs.HOST), request.headers.get(hdrs.ORIGIN)
        if not (is_loopback(request.remote) and loopback_request(host, origin)):
            raise NotFound("no such path")
        Query(request)
        asked = await body(request, DevToken, optional=True)
        token = self._authenticator.mint(
            role=asked.role, sub=asked.sub, name=asked.name, tenant=asked.tenant
        )
        return json_response({"token": token, "expiresIn": TOKEN_HOURS * 3600})
