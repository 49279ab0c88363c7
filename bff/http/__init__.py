"""The HTTP interface: `setup` adds its routes and middlewares to an application."""

from __future__ import annotations

from aiohttp import web

from bff.auth import Authenticator
from bff.executions import Executions, Leases
from bff.http import middleware
from bff.http.access import Access
from bff.http.executions import ExecutionRoutes
from bff.http.logs import LogRoutes
from bff.http.metrics import Metrics
from bff.http.page import Page
from bff.http.stats import Stats
from bff.http.system import SystemRoutes
from bff.http.workflows import WorkflowRoutes
from bff.settings import Settings
from bff.stores.base import EventStore

__all__ = ["Stats", "setup"]


def setup(
    app: web.Application,
    *,
    settings: Settings,
    authenticator: Authenticator,
    executions: Executions,
    store: EventStore,
    leases: Leases,
    stats: Stats,
) -> None:
    """Serve HTTP from `app`, which may have routes of others too.

    Args:
        store: read for event pages and logs, after `executions` has let the caller see.
        leases: who holds the executions in a list.
        stats: what happens on the sockets.
    """
    access = Access(authenticator)
    app.on_cleanup.append(access.finish)
    metrics = Metrics(store, stats)
    middleware.install(app, settings, metrics)
    app.add_routes(WorkflowRoutes(access, executions).routes())
    app.add_routes(ExecutionRoutes(access, executions, store, leases).routes())
    app.add_routes(LogRoutes(access, executions, store).routes())
    system = SystemRoutes(
        access,
        settings=settings,
        authenticator=authenticator,
        executions=executions,
        store=store,
        stats=stats,
        metrics=metrics,
    )
    app.add_routes(system.routes())
    app.add_routes(Page().routes())
