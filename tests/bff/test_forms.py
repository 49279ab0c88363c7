"""The forms: the same events, whatever they are written in."""

from __future__ import annotations

from typing import Any

import orjson
import ormsgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bff.forms import BATCH, BINARY, SINGLE, Form
from bff.frames import Attachment, websocket_frame
from bff.stores.base import StoredEvent
from contract.events import EVENT_TYPES
from contract.values import MAX_DEPTH, dumps
from tests.contract.strategies import json_values

ID = "ex_1"


def decoded(form: Form, events: list[StoredEvent]) -> list[list[Any]]:
    """The pairs of type and payload that a client reads."""
    packets = form.encode(ID, events).packets
    if form is SINGLE:
        return [orjson.loads(packet.removeprefix(b"42/executions,")) for packet in packets]
    if form is BATCH:
        (packet,) = packets
        name, batch = orjson.loads(packet.removeprefix(b"42/executions,"))
    else:
        packet, attachment = packets
        assert isinstance(attachment, Attachment)
        kind, _, rest = packet.partition(b"/executions,")
        name, placeholder = orjson.loads(rest)
        assert (kind, placeholder) == (b"451-", {"_placeholder": True, "num": 0})
        batch = ormsgpack.unpackb(bytes(attachment))
    assert name == "batch" and batch["executionId"] == ID
    pairs: list[list[Any]] = batch["events"]
    return pairs


def exact(value: object) -> str:
    """Tells 1 from 1.0 and from True."""
    return repr(value)


@given(
    bodies=st.lists(st.tuples(st.sampled_from(list(EVENT_TYPES)), json_values), min_size=1),
)
@pytest.mark.parametrize("form", [SINGLE, BATCH, BINARY], ids=["single", "batch", "binary"])
def test_every_value_of_the_contract_comes_as_it_was_stored(
    form: Form, bodies: list[tuple[str, Any]]
) -> None:
    events = [
        StoredEvent(seq, kind, dumps({"seq": seq, "result": value}))
        for seq, (kind, value) in enumerate(bodies, 1)
    ]
    stored = [[event.type, orjson.loads(event.payload)] for event in events]
    assert exact(decoded(form, events)) == exact(stored)


@pytest.mark.parametrize("form", [SINGLE, BATCH, BINARY], ids=["single", "batch", "binary"])
def test_the_deepest_value_and_the_largest_numbers_fit(form: Form) -> None:
    deep: Any = [2**64 - 1, -(2**63), 1e308, 5e-324]
    for _ in range(MAX_DEPTH - 2):
        deep = [deep]
    event = StoredEvent(1, "result", dumps({"result": deep}))
    assert exact(decoded(form, [event])) == exact([["result", {"result": deep}]])


def test_an_attachment_is_a_binary_message_and_base64_in_a_poll() -> None:
    frame = BINARY.encode(ID, [StoredEvent(1, "log", b'{"seq":1}')])
    text, attachment = frame.packets
    assert frame.wire == websocket_frame(text) + websocket_frame(attachment, 0x2)
    polled = frame.encode(b64=True)
    assert isinstance(polled, str)
    first, second = polled.split("\x1e")
    assert first.encode() == text and second[0] == "b"
