"""What an attempt writes into its journal: redacted, log lines numbered and counted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from contract.errors import Fenced, Invalid, RunroomError
from contract.values import Json, now
from executor.capture import Level
from executor.journal import Journal
from executor.redact import Redactor

_FREE_TEXT = ("output", "error", "message", "result")


class Writer:
    """The one way out of an attempt: whatever leaves the executor passes `put`.

    Args:
        log_count: log lines that earlier attempts have written.
        on_fenced: called once when the journal says that the claim is lost.
    """

    def __init__(
        self,
        journal: Journal,
        redactor: Redactor,
        *,
        log_count: int,
        on_fenced: Callable[[], None],
    ) -> None:
        self.redactor = redactor
        self.log_count = log_count
        self.fenced = False
        self._journal = journal
        self._on_fenced = on_fenced
        self._lines = 0

    def put(self, type: str, **payload: Any) -> None:
        """Queue one event.

        Raises:
            Invalid: it is too large or not JSON; nothing is queued.
            Fenced: the claim is lost, or the journal has ended for another reason.
        """
        for member in _FREE_TEXT:
            value = payload.get(member)
            if value is not None:
                payload[member] = self.redactor.value(value)
        try:
            self._journal.put(type, **payload)
        except Invalid:
            raise
        except RunroomError as error:
            raise self._lost(error) from error

    def log(
        self,
        level: Level,
        message: str,
        *,
        node_id: str | None = None,
        metadata: Json = None,
    ) -> None:
        """Queue one log line.

        Raises:
            As `put`.
        """
        self._lines += 1
        line: dict[str, Json] = {
            "id": f"{self._journal.attempt}-{self._lines}",
            "level": level,
            "message": self.redactor.text(clean(message)),
            "createdAt": now(),
        }
        if node_id is not None:
            line["nodeId"] = node_id
        if metadata is not None:
            line["metadata"] = self.redactor.value(metadata)
        self.put("log", log=line)
        self.log_count += 1

    async def room(self) -> None:
        """Wait until the journal takes more.

        Raises:
            Fenced: the claim is lost.
        """
        try:
            await self._journal.room()
        except RunroomError as error:
            raise self._lost(error) from error

    async def drained(self) -> None:
        """Wait until everything is durable.

        Raises:
            Fenced: the claim is lost.
        """
        try:
            await self._journal.drained()
        except RunroomError as error:
            raise self._lost(error) from error

    def _lost(self, error: RunroomError) -> Fenced:
        """Whatever ended the journal, nothing more can be written by this attempt."""
        if not self.fenced:
            self.fenced = True
            self._on_fenced()
        return error if isinstance(error, Fenced) else Fenced(str(error))


def clean(text: str) -> str:
    """The text with what UTF-8 cannot hold (lone surrogates) escaped."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode(errors="backslashreplace").decode()
    return text
