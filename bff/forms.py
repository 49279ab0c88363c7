"""The forms in which an execution's events leave: encoded once, whoever reads them.

A form is one way to write events as a frame: single Socket.IO events, batches, batches in
MessagePack. Rooms encode what is new once for each form that their members use.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import orjson
import ormsgpack

from bff.frames import Attachment, Frame
from bff.sockets import event_packet
from bff.stores.base import StoredEvent
from contract.messages import VIEWERS
from contract.values import Json


class Form(Protocol):
    """Compared by identity: members that share a form share its frames."""

    def encode(self, execution_id: str, events: Sequence[StoredEvent]) -> Frame:
        """The events, in order, as one frame."""

    def announce(self, name: str, payload: Json) -> Frame | None:
        """Something that is not logged, or None if this form does not have it."""


class _Single:
    """Each event as a Socket.IO event of its own, named by its type."""

    def encode(self, execution_id: str, events: Sequence[StoredEvent]) -> Frame:
        return Frame([event_packet(VIEWERS, event.type, event.payload) for event in events])

    def announce(self, name: str, payload: Json) -> Frame:
        return Frame((event_packet(VIEWERS, name, orjson.dumps(payload)),))


class _Batch(_Single):
    """All events of a frame in one `batch` event: `{executionId, events: [[type, payload]]}`."""

    def encode(self, execution_id: str, events: Sequence[StoredEvent]) -> Frame:
        pairs = b",".join(b'["%s",%s]' % (event.type.encode(), event.payload) for event in events)
        payload = b'{"executionId":"%s","events":[%s]}' % (execution_id.encode(), pairs)
        return Frame((event_packet(VIEWERS, "batch", payload),))


class _Binary(_Single):
    """The batch's value as one MessagePack attachment."""

    _announcing = b'451-%s,["batch",{"_placeholder":true,"num":0}]' % VIEWERS.encode()

    def encode(self, execution_id: str, events: Sequence[StoredEvent]) -> Frame:
        payloads = orjson.loads(b"[%s]" % b",".join([event.payload for event in events]))
        pairs = [[event.type, payload] for event, payload in zip(events, payloads, strict=True)]
        value = ormsgpack.packb({"executionId": execution_id, "events": pairs})
        return Frame((self._announcing, Attachment(value)))


SINGLE: Form = _Single()
BATCH: Form = _Batch()
BINARY: Form = _Binary()
