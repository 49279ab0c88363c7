"""A few threads that read, each with a read-only connection of its own."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

from bff.stores.sqlite.errors import closed, is_trouble, unavailable
from bff.stores.sqlite.schema import open_reader

STEPS_BETWEEN_LOOKS = 50_000
P = ParamSpec("P")
T = TypeVar("T")


class Readers:
    """Runs reads beside the writer: each sees what was committed when it began.

    Args:
        path: the database.
        threads: how many reads may run at the same time; further ones wait.
        name: what the threads are called.
    """

    def __init__(self, path: Path, threads: int, name: str) -> None:
        self._path = path
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._idle: list[sqlite3.Connection] = []
        self._closed = False

    async def read(
        self,
        query: Callable[Concatenate[sqlite3.Connection, P], T],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """The query's answer.

        Raises:
            Unavailable: the database cannot be read, or the store is closed.
        """
        if self._closed:
            raise closed()

        def run() -> T:
            return self._run(lambda connection: query(connection, *args, **kwargs))

        return await asyncio.get_running_loop().run_in_executor(self._pool, run)

    def refuse(self) -> None:
        """Accept no more reads; call it in the loop's thread."""
        self._closed = True

    def close(self) -> None:
        """Stop the reads under way, which then raise `Unavailable`; blocks until they have."""
        self._closed = True
        self._pool.shutdown()
        while self._idle:
            self._idle.pop().close()

    def _run(self, query: Callable[[sqlite3.Connection], T]) -> T:
        connection = self._connection()
        try:
            if self._closed:
                raise closed()
            answer = query(connection)
        except sqlite3.Error as problem:
            # after trouble the next read opens the file anew
            connection.close()
            if is_trouble(problem):
                raise unavailable(problem) from problem
            raise
        except BaseException:
            self._idle.append(connection)
            raise
        self._idle.append(connection)
        return answer

    def _connection(self) -> sqlite3.Connection:
        try:
            return self._idle.pop()
        except IndexError:
            # no more than one a thread: who has one gives it back before its next read
            pass
        try:
            connection = open_reader(self._path)
        except Exception as problem:
            raise unavailable(problem) from problem
        # Asked every few milliseconds of a long query; True stops it.
        connection.set_progress_handler(lambda: self._closed, STEPS_BETWEEN_LOOKS)
        return connection
