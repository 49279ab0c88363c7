"""Always a connection: reconnects for ever, and asks until there is an answer."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from typing import Any

from contract.errors import (
    Forbidden,
    RateLimited,
    RunroomError,
    Unauthorized,
    Unavailable,
)
from contract.messages import EXECUTORS
from executor.answers import error_of
from executor.connection import Answer, Connection, Dropped, Refused
from executor.tokens import Tokens, seconds_left

log = logging.getLogger(__name__)

EVENTS = ("work", "cancel", "auth")
MAX_IN_FLIGHT = 8
"""Messages with events, over all runs, that wait for their answers at the same time."""
STEADY_SECONDS = 10.0
"""A connection that stood so long was a good one: the next wait is the first again."""


class Link:
    """Keeps one connection to the server's `/executor` namespace while `keep` runs.

    Args:
        tokens: asked anew for each connection.
        introduction: the other members of the connection's `auth`.
        on_event: gets the server's events.
        on_up: called after each connect.
        backoff: the first and the longest wait between connections, in seconds; each
            wait is random between 0 and a bound that doubles (full jitter).
    """

    def __init__(
        self,
        url: str,
        tokens: Tokens,
        introduction: Mapping[str, Any],
        *,
        on_event: Callable[[str, Any], None],
        on_up: Callable[[], None],
        answer_timeout: float,
        backoff: tuple[float, float],
    ) -> None:
        self._url = url
        self._tokens = tokens
        self._introduction = introduction
        self._on_event = on_event
        self._on_up = on_up
        self._answer_timeout = answer_timeout
        self._first_wait, self._longest_wait = backoff
        self._patience = self._longest_wait
        self._connection: Connection | None = None
        self._refusal: RunroomError | None = None
        self._ever_up = False
        self._changed = asyncio.Event()
        self._slots = asyncio.Semaphore(MAX_IN_FLIGHT)

    @property
    def up(self) -> bool:
        return self._connection is not None

    def hurry(self, seconds: float) -> None:
        """Wait no longer than this between connections from now on: a server that comes
        back grants each claim one lease, in which its holder must have come back too."""
        self._patience = min(self._longest_wait, seconds)

    async def connection(self) -> Connection:
        """The connection, once there is one.

        Raises:
            Unauthorized, Forbidden, InvalidRequest: there never was one, and the server
                refused what cannot change: a fixed token, or a request that is wrong.
        """
        while self._connection is None:
            if self._refusal is not None:
                raise self._refusal.with_traceback(None)
            await self._changed.wait()
        return self._connection

    async def request(
        self,
        event: str,
        argument: object,
        *,
        bounded: bool = False,
        abandoned: Callable[[Answer], None] | None = None,
    ) -> Answer:
        """The server's positive answer, however long that takes and however often it is
        asked again: after a lost connection, and when the server cannot answer now.

        Args:
            bounded: wait for one of the `MAX_IN_FLIGHT` slots.
            abandoned: gets the answer if the caller is cancelled before it comes.

        Raises:
            RunroomError: the server refused.
        """
        while True:
            connection = await self.connection()
            try:
                async with AsyncExitStack() as stack:
                    if bounded:
                        await stack.enter_async_context(self._slots)
                    answer = await connection.call(event, argument, abandoned=abandoned)
            except Dropped:
                continue
            if answer.get("ok") is True:
                return answer
            error = error_of(answer.get("error"))
            if isinstance(error, Unauthorized):
                log.warning("%s refused (%s): reconnecting with a fresh token", event, error.code)
                connection.drop()
            elif isinstance(error, Unavailable | RateLimited):
                log.debug("%s has to wait: %s", event, error)
                after = error.fields.get("retryAfterMs")
                await asyncio.sleep(_jittered(after if isinstance(after, int) else 1_000))
            else:
                raise error

    async def keep(self) -> None:
        """Connect, and again whenever the connection is lost, until cancelled."""
        loop = asyncio.get_running_loop()
        losses = refusals = 0
        while True:
            began = loop.time()
            proven = False
            try:
                proven = await self._once()
                refusals = 0
                log.warning("connection to %s lost", self._url)
            except Refused as refused:
                refusals += 1
                self._note(refused.error, refusals)
            except Exception as error:
                level = logging.DEBUG if losses else logging.WARNING
                reason = str(error) or type(error).__name__
                log.log(level, "cannot connect to %s: %s; trying on", self._url, reason)
            if proven or loop.time() - began > STEADY_SECONDS:
                losses = 0
            bound = min(self._patience, self._first_wait * 2 ** min(losses, 30))
            losses += 1
            least = self._longest_wait / 2 if refusals > 1 else 0.0
            await asyncio.sleep(random.uniform(least, max(least, bound)))

    async def _once(self) -> bool:
        """One connection from its begin to its end; whether it was of any use."""
        async with asyncio.timeout(self._answer_timeout):
            token = await self._tokens.fetch()
        connection = await Connection.open(
            self._url,
            EXECUTORS,
            {**self._introduction, "token": token},
            events=EVENTS,
            on_event=self._on_event,
            on_end=self._down,
            answer_timeout=self._answer_timeout,
        )
        refreshing = None
        try:
            if connection.ended.is_set():
                return False
            self._connection, self._refusal, self._ever_up = connection, None, True
            self._changed.set()
            log.info("connected to %s", self._url)
            self._on_up()
            if not self._tokens.fixed:
                refreshing = asyncio.create_task(self._refresh(connection, token))
            await connection.ended.wait()
            return connection.proven
        finally:
            if refreshing is not None:
                refreshing.cancel()
                await asyncio.gather(refreshing, return_exceptions=True)
            await connection.close()

    def _down(self) -> None:
        # Called in the moment of the end, so that nobody takes a dead connection.
        self._connection = None
        if self._refusal is None:
            self._changed.clear()

    def _note(self, error: RunroomError, refusals: int) -> None:
        """Log a refusal, and raise it in those who wait if no try can change it."""
        if isinstance(error, Unavailable | RateLimited):
            log.warning("%s does not take the executor now: %s", self._url, error)
            return
        advice = "trying on with the same token" if self._tokens.fixed else "trying a fresh token"
        log.log(
            logging.ERROR if refusals > 1 or self._tokens.fixed else logging.WARNING,
            "%s refused the executor (%s: %s); %s",
            self._url,
            error.code,
            error,
            advice,
        )
        by_token = isinstance(error, Unauthorized | Forbidden)
        if not self._ever_up and (self._tokens.fixed or not by_token):
            self._refusal = error
            self._changed.set()

    async def _refresh(self, connection: Connection, token: str) -> None:
        """Hand the server a new token shortly before the connection's ends."""
        while (left := seconds_left(token)) is not None:
            await asyncio.sleep(max(1.0, left - min(60.0, left / 5)))
            try:
                token = await self._tokens.fetch()
                answer = await connection.call("refresh", {"token": token})
            except Dropped:
                return
            except Exception as error:
                log.warning("no fresh token: %s", str(error) or type(error).__name__)
                continue
            if answer.get("ok") is not True:
                # The server ends the connection at the old token's end; then a fresh
                # one is tried.
                log.warning("refresh refused: %s", error_of(answer.get("error")).code)
                return


def _jittered(milliseconds: int) -> float:
    return milliseconds / 1000 * random.uniform(1.0, 1.5)
