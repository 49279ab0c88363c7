"""The one thread that writes: everything waiting goes into one commit."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from bff.stores.base import Commit, Moved
from bff.stores.sqlite.errors import CannotOpen, closed, is_trouble, unavailable
from bff.stores.sqlite.schema import migrate, open_writer
from bff.stores.sqlite.transaction import Transaction
from contract.errors import RunroomError

logger = logging.getLogger(__name__)
T = TypeVar("T")

GROUP_WRITES = 512
GROUP_BYTES = 4 * 1024 * 1024
GATHER_SECONDS = 0.005
"""How long after a commit began the next one does, while several writers are at work: what
arrives meanwhile shares it. A writer that waits for each commit never waits for this."""
REFUSALS = (RunroomError, Moved)


@dataclass(eq=False, slots=True)
class _Write:
    """A change that was accepted, and what became of it."""

    change: Callable[[Transaction], Any]
    size: int
    refuses_first: bool
    done: asyncio.Future[Any]
    result: Any = None
    error: Exception | None = None


class Writer:
    """Owns the write connection, in a thread of its own.

    A group of writes shares one transaction, and a refusal in it undoes only what the
    refused write did. Trouble with the storage undoes the group and answers all of it with
    `Unavailable`; the next group opens the connection anew. Any other failure also undoes
    the group, and then each of its writes is tried alone.

    Args:
        path: the database.
        publish: called in the loop's thread with each durable `Commit`, in commit order.
        max_waiting, max_waiting_bytes: at this bound `write` waits until a commit makes
            room; one write of any size is always let in.
    """

    def __init__(
        self,
        path: Path,
        publish: Callable[[Commit], None],
        *,
        max_waiting: int = 8_192,
        max_waiting_bytes: int = 32 * 1024 * 1024,
    ) -> None:
        self._path = path
        self._publish = publish
        self._max_waiting = max_waiting
        self._max_bytes = max_waiting_bytes
        self._queue: SimpleQueue[_Write | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._closing = False
        self._waiting = 0
        self._waiting_bytes = 0
        self._turns: deque[_Write] = deque()
        # only the thread touches these
        self._transaction: Transaction | None = None
        self._in_trouble = False
        self._gathering = False
        self._begun = 0.0

    async def start(self) -> None:
        """Open and migrate the database.

        Raises:
            CannotOpen: it cannot be used, and why.
        """
        self._loop = asyncio.get_running_loop()
        opened: asyncio.Future[None] = self._loop.create_future()
        # A daemon, so that a store that nobody closed does not keep the process alive.
        self._thread = threading.Thread(
            target=self._run, args=(opened,), name="sqlite-writer", daemon=True
        )
        self._thread.start()
        try:
            await opened
        except asyncio.CancelledError:
            self.close()
            raise

    def write(
        self,
        change: Callable[[Transaction], T],
        *,
        size: int = 0,
        refuses_first: bool = False,
    ) -> asyncio.Future[T]:
        """Have `change` run in the thread; the future has its result once it is durable (a
        `Commit` is published instead).

        Cancelling the future of a write that was accepted does not undo it.

        Args:
            change: raises a `RunroomError` or `Moved` to refuse, which undoes it.
            size: about how many bytes it holds in memory.
            refuses_first: it never refuses after its first change, and so can do without
                a savepoint.

        Raises:
            Unavailable: nothing is durable, or the store is closed.
        """
        done: asyncio.Future[T] = self._loop.create_future()
        write = _Write(change, size, refuses_first, done)
        if self._closing:
            done.set_exception(closed())
        elif not self._turns and self._fits(size):
            self._accept(write)
        else:
            self._turns.append(write)
            done.add_done_callback(self._let_in)  # if it is cancelled, others may fit
        return done

    def close(self) -> None:
        """Refuse what comes now, commit what was accepted and end the thread; blocks."""
        self.refuse()
        self._queue.put(None)
        if self._thread is not None:
            self._thread.join()

    def refuse(self) -> None:
        """Accept no more writes; call it in the loop's thread."""
        self._closing = True
        while self._turns:
            write = self._turns.popleft()
            if not write.done.done():
                write.done.set_exception(closed())

    # the bound, in the loop's thread

    def _fits(self, size: int) -> bool:
        return self._waiting == 0 or (
            self._waiting < self._max_waiting and self._waiting_bytes + size <= self._max_bytes
        )

    def _accept(self, write: _Write) -> None:
        self._waiting += 1
        self._waiting_bytes += write.size
        self._queue.put(write)

    def _let_in(self, _: object = None) -> None:
        while self._turns:
            write = self._turns[0]
            if write.done.done():
                self._turns.popleft()
            elif self._fits(write.size):
                self._accept(self._turns.popleft())
            else:
                return

    def _deliver(self, group: Sequence[_Write]) -> None:
        for write in group:
            if isinstance(write.result, Commit):
                self._publish(write.result)
        for write in group:
            self._waiting -= 1
            self._waiting_bytes -= write.size
            if write.done.done():
                continue
            if write.error is None:
                published = isinstance(write.result, Commit)
                write.done.set_result(None if published else write.result)
            else:
                write.done.set_exception(write.error)
        self._let_in()

    # the thread

    def _run(self, opened: asyncio.Future[None]) -> None:
        try:
            self._transaction = self._open(create=True)
        except Exception as problem:
            error = problem
            if not isinstance(problem, CannotOpen) and is_trouble(problem):
                reason = unavailable(problem).message.removeprefix("event store: ")
                error = CannotOpen(f"cannot open the database {self._path}: {reason}")
            self._call(_answer, opened, error)
            return
        self._call(_answer, opened, None)
        while (group := self._next_group()) is not None:
            self._commit(group)
            # who waits for an answer does not write meanwhile: these are others
            self._gathering = len(group) > 1 or not self._queue.empty()
        if self._transaction is not None:
            try:
                self._transaction.finish()
            except Exception as problem:
                # nothing is lost: the next start reads the log where this one left it
                logger.warning("sqlite: the log stays beside the database: %s", problem)

    def _open(self, *, create: bool) -> Transaction:
        connection = open_writer(self._path, create=create)
        try:
            migrate(connection, self._path)
        except BaseException:
            connection.close()
            raise
        return Transaction(connection)

    def _next_group(self) -> list[_Write] | None:
        if self._gathering:
            time.sleep(max(0.0, self._begun + GATHER_SECONDS - time.monotonic()))
        first = self._queue.get()
        if first is None:
            return None
        self._begun = time.monotonic()
        group, size = [first], first.size
        while len(group) < GROUP_WRITES and size < GROUP_BYTES:
            try:
                write = self._queue.get_nowait()
            except Empty:
                break
            if write is None:
                self._queue.put(None)  # the end, again for the next call
                break
            group.append(write)
            size += write.size
        return group

    def _commit(self, group: Sequence[_Write]) -> None:
        try:
            if self._transaction is None:
                self._transaction = self._open(create=False)
            self._apply(self._transaction, group)
        except Exception as problem:
            trouble = is_trouble(problem)
            for write in group:
                write.result = None
                write.error = unavailable(problem) if trouble else problem
            self._undo(problem if trouble else None)
            if not trouble and len(group) > 1:
                for write in group:
                    write.error = None
                    self._commit([write])
                return
        else:
            if self._in_trouble:
                self._in_trouble = False
                logger.warning("sqlite: writing works again")
        self._call(self._deliver, group)

    @staticmethod
    def _apply(transaction: Transaction, group: Sequence[_Write]) -> None:
        transaction.begin()
        for write in group:
            try:
                if write.refuses_first:
                    write.result = write.change(transaction)
                else:
                    write.result = _in_savepoint(transaction, write.change)
            except REFUSALS as refusal:
                write.error = refusal
        transaction.commit()

    def _undo(self, trouble: Exception | None) -> None:
        transaction = self._transaction
        if transaction is None:
            return
        try:
            transaction.roll_back()
        except Exception as problem:
            trouble = trouble or problem
        if trouble is None:
            return
        if not self._in_trouble:
            self._in_trouble = True
            logger.error("sqlite: writing fails: %s", trouble)
        # A connection that has met trouble is not trusted again.
        self._transaction = None
        try:
            transaction.close()
        except Exception as problem:
            logger.error("sqlite: closing the connection fails: %s", problem)

    def _call(self, function: Callable[..., None], *args: Any) -> None:
        try:
            self._loop.call_soon_threadsafe(function, *args)
        except RuntimeError:
            # The loop is gone, and with it everybody who waits; the commit stands.
            logger.warning("sqlite: the event loop was closed before the store")


def _in_savepoint(transaction: Transaction, change: Callable[[Transaction], Any]) -> Any:
    transaction.flush()
    transaction.run("SAVEPOINT one")
    try:
        result = change(transaction)
    except REFUSALS:
        transaction.run("ROLLBACK TO one")
        transaction.run("RELEASE one")
        raise
    transaction.run("RELEASE one")
    return result


def _answer(future: asyncio.Future[None], error: Exception | None) -> None:
    if future.done():
        return
    if error is None:
        future.set_result(None)
    else:
        future.set_exception(error)
