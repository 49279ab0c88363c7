"""Route: the log lines of an execution, filtered, as JSON or as a text file."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Iterable

import orjson
from aiohttp import web

from bff.auth import Principal
from bff.executions import Executions
from bff.http.access import Access
from bff.http.requests import Query, path_id, prefers
from bff.http.responses import JSON, page, stream
from bff.stores.base import EventStore, Execution, LogFilter, StoredEvent
from contract.messages import MAX_PAGE

TEXT = "text/plain"
LEVELS = ("info", "warning", "error")
MAX_SEARCH = 1_000
_UNSAFE = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ufeff]")
"""What could end a line, move a terminal's cursor or turn the direction of text; not tab."""


class LogRoutes:
    """`/api/executions/{id}/logs`"""

    def __init__(self, access: Access, executions: Executions, store: EventStore) -> None:
        self._access = access
        self._executions = executions
        self._store = store

    def routes(self) -> list[web.RouteDef]:
        return [web.get("/api/executions/{id}/logs", self._access.reads(self.logs))]

    async def logs(self, request: web.Request, principal: Principal) -> web.StreamResponse:
        query = Query(request, "nodeId", "q", "after", "limit", lists=["level"])
        chosen = LogFilter(
            levels=query.words("level", LEVELS),
            node_id=query.id("nodeId"),
            text=query.text("q", longest=MAX_SEARCH),
        )
        after = query.number("after", 0)
        limit = query.number("limit", MAX_PAGE, least=1, most=MAX_PAGE)
        execution = await self._executions.see(principal, path_id(request))
        if prefers(request, TEXT, JSON):
            name = {"Content-Disposition": f'attachment; filename="{execution.id}.log"'}
            return await stream(request, TEXT, self._lines(execution, chosen, after), headers=name)
        events = await self._store.read_logs(execution.id, chosen, after=after, limit=limit)
        more = events and await self._store.read_logs(
            execution.id, chosen, after=events[-1].seq, limit=1
        )
        head = max(execution.head, events[-1].seq if events else 0)
        following = b"%d" % events[-1].seq if more else b"null"
        return page(events, head=b"%d" % head, nextAfter=following)

    async def _lines(
        self, execution: Execution, chosen: LogFilter, after: int
    ) -> AsyncGenerator[Iterable[bytes]]:
        while after < execution.head:
            events = await self._store.read_logs(execution.id, chosen, after=after, limit=MAX_PAGE)
            events = [event for event in events if event.seq <= execution.head]
            if not events:
                return
            after = events[-1].seq
            yield map(line, events)


def line(event: StoredEvent) -> bytes:
    """`timestamp LEVEL [node] message`, on one line whatever the message holds."""
    log = orjson.loads(event.payload)["log"]
    node = f"[{log['nodeId']}] " if log.get("nodeId") else ""
    message = _UNSAFE.sub(_escape, log["message"])
    return f"{log['createdAt']} {log['level'].upper()} {node}{message}".encode()


def _escape(found: re.Match[str]) -> str:
    return found.group().encode("unicode_escape").decode()
