"""A viewer of the server: creates and executes by HTTP, follows by Socket.IO."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import aiohttp

from contract.errors import NotFound, RateLimited, RunroomError, Unauthorized, Unavailable
from contract.events import EVENT_TYPES, AnyEvent, Status, parse_event
from contract.execution import Record
from contract.messages import VIEWERS
from contract.states import EXECUTION_TERMINAL
from contract.values import Json, parse
from executor.answers import error_of
from executor.connection import Connection, Dropped, Refused
from scripts.rendering import payload_error

LONGEST_WAIT = 15.0


class Trouble(Exception):
    """What went wrong, for people, and what to do next."""

    def __init__(self, what: str, advice: str = "") -> None:
        super().__init__(what)
        self.advice = advice


class Ahead(Exception):
    """The server has less than was seen: forget it and begin anew."""


class Viewer:
    """One person's view of a server. Use it with `async with`.

    Args:
        token: None asks a development server for one.
        notice: told in a few words when the connection is lost, and when it is back.
    """

    def __init__(self, url: str, token: str | None, notice: Callable[[str], None]) -> None:
        self._url = url.rstrip("/")
        self._given = token
        self._token = token
        self._on_notice = notice
        self._lost = False

    async def __aenter__(self) -> Self:
        self._http = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30))
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._http.close()

    async def record(self, execution_id: str) -> Record | None:
        """What was fixed when the execution was made; None if there is no such one."""
        status, body = await self._ask(
            "GET", f"/api/executions/{quote(execution_id, safe='')}/events?limit=1"
        )
        return parse(Record, body["execution"]) if status == 200 else None

    async def create(self, workflow: Json) -> str:
        """Keep a workflow; its id."""
        _, body = await self._ask("POST", "/api/workflows", workflow)
        return str(body["id"])

    async def execute(self, workflow_id: str, given: Json) -> str | None:
        """Execute a kept workflow; the execution's id, or None if there is no such workflow."""
        path = f"/api/workflows/{quote(workflow_id, safe='')}/execute"
        status, body = await self._ask("POST", path, {"input": given})
        return str(body["executionId"]) if status == 202 else None

    async def events(self, execution_id: str) -> AsyncIterator[AnyEvent]:
        """Every event from the first to the terminal status, in order, whatever happens to
        the connection.

        Raises:
            Ahead: what was given so far is no longer the server's.
            Trouble: the server does not let this viewer see it, or it was deleted.
        """
        seq, losses = 0, 0
        early: dict[int, AnyEvent] = {}
        while True:
            inbox: asyncio.Queue[tuple[str, Any]] = asyncio.Queue()
            connection = await self._subscribe(execution_id, seq, inbox)
            if connection is not None:
                losses = 0
                self._notice(lost=False)
                try:
                    while (received := await inbox.get())[0] != _ENDED:
                        event = _event(*received)
                        if event is None or event.seq <= seq:
                            continue
                        # the library handles each message in a task of its own
                        early[event.seq] = event
                        while (event := early.pop(seq + 1, None)) is not None:
                            seq += 1
                            yield event
                            if isinstance(event, Status) and event.status in EXECUTION_TERMINAL:
                                return
                finally:
                    await connection.close()
            self._notice(lost=True)
            bound = min(LONGEST_WAIT, 0.5 * 2**losses)
            losses = min(losses + 1, 10)
            await asyncio.sleep(random.uniform(0, bound))

    def _notice(self, *, lost: bool) -> None:
        if lost is not self._lost:
            self._lost = lost
            self._on_notice("connection lost, trying again" if lost else "connected again")

    async def _subscribe(
        self, execution_id: str, after: int, inbox: asyncio.Queue[tuple[str, Any]]
    ) -> Connection | None:
        """A connection that has subscribed; None if the server cannot be reached now."""
        try:
            connection = await Connection.open(
                self._url,
                VIEWERS,
                {"token": await self._current_token()},
                events=(*EVENT_TYPES, "reset"),
                on_event=lambda name, argument: inbox.put_nowait((name, argument)),
                on_end=lambda: inbox.put_nowait((_ENDED, None)),
            )
        except OSError:
            return None
        except Refused as refused:
            if isinstance(refused.error, Unauthorized) and self._given is None:
                # the development token has ended: the next try asks for another
                self._token = None
                return None
            if isinstance(refused.error, Unavailable | RateLimited):
                return None
            raise self._refused(refused.error) from None
        try:
            answer = await connection.call(
                "subscribe", {"executionId": execution_id, "after": after}
            )
        except Dropped:
            await connection.close()
            return None
        except BaseException:
            await connection.close()
            raise
        if answer.get("ok") is True:
            return connection
        await connection.close()
        error = error_of(answer.get("error"))
        if isinstance(error, Unavailable | RateLimited):
            return None
        if isinstance(error, NotFound):
            raise Trouble(f"there is no execution {execution_id}, or it is not yours to see")
        raise self._refused(error)

    async def _ask(self, method: str, path: str, body: Json = None) -> tuple[int, Any]:
        """(status, body) of 2xx and 404."""
        headers = {"Authorization": f"Bearer {await self._current_token()}"}
        status, answer = await self._request(method, path, body, headers)
        if status == 401:
            raise self._refused(Unauthorized(payload_error(answer)))
        if status == 403:
            raise Trouble(
                f"the token does not allow this: {payload_error(answer)}",
                "a token of role operator may create and execute, one of role viewer may watch",
            )
        if status >= 500 or status == 429:
            raise Trouble(f"the server cannot do it now: {payload_error(answer)}", "try again soon")
        if status >= 400 and status != 404:
            raise Trouble(payload_error(answer))
        return status, answer

    async def _request(
        self, method: str, path: str, body: Json, headers: dict[str, str]
    ) -> tuple[int, Any]:
        try:
            async with self._http.request(
                method,
                f"{self._url}{path}",
                json=body if method == "POST" else None,
                headers=headers,
            ) as answer:
                return answer.status, await answer.json(content_type=None)
        except (aiohttp.ClientConnectionError, TimeoutError):
            raise Trouble(
                f"no server answers at {self._url}",
                "start it with: make run (or name another with --url)",
            ) from None
        except (aiohttp.ClientError, ValueError):
            raise Trouble(f"what answers at {self._url} is not a Runroom server") from None

    async def _current_token(self) -> str:
        if self._token is None:
            status, body = await self._request(
                "POST", "/api/dev/token", {"role": "operator"}, headers={}
            )
            if status != 200:
                raise Trouble("the server wants a token", self._advice)
            self._token = str(body["token"])
        return self._token

    def _refused(self, error: RunroomError) -> Trouble:
        return Trouble(f"the server refused the token ({error.code}: {error})", self._advice)

    @property
    def _advice(self) -> str:
        return (
            "pass one with --token or RUNROOM_TOKEN; a development server (make run) is asked "
            f"for one if there is neither, and gives one at {self._url}/api/dev/token"
        )


_ENDED = "connection ended"


def _event(name: str, argument: Any) -> AnyEvent | None:
    if not isinstance(argument, dict):
        return None
    if name == "reset":
        if argument.get("reason") == "ahead":
            raise Ahead
        raise Trouble("the execution was deleted")
    # an `error` without seq is the refusal of a request, not an event of the execution
    return parse_event({**argument, "type": name}) if "seq" in argument else None
