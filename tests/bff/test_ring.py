"""The ring: what a reader finds continues its cursor, and all of it is bounded."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bff.forms import BATCH, SINGLE
from bff.ring import Chunk, Ring, Rings
from tests.bff.memory import ID, event, seqs


def ring_with(*spans: tuple[int, int]) -> Ring:
    ring = Ring(ID, Rings())
    for first, last in spans:
        ring.add([event(seq) for seq in range(first, last + 1)])
    return ring


@given(
    spans=st.lists(st.tuples(st.integers(1, 40), st.integers(0, 9)), max_size=12),
    cursor=st.integers(0, 50),
)
def test_what_is_found_has_the_next_event(spans: list[tuple[int, int]], cursor: int) -> None:
    ring = ring_with(*((first, first + more) for first, more in spans))
    starts = {first - 1: first + more for first, more in spans}  # the last one added counts
    chunk = ring.find(cursor)
    if chunk is not None:
        assert chunk.after <= cursor < chunk.last
        found = seqs([ring.frame(chunk, SINGLE, cursor)])
        assert found == list(range(cursor + 1, chunk.last + 1))
    if cursor in starts:
        assert chunk is not None and chunk.last == starts[cursor]
    assert ring.beyond(cursor) == min((start for start in starts if start > cursor), default=None)


def test_a_whole_chunk_is_encoded_once_a_form() -> None:
    ring = ring_with((1, 5))
    chunk = ring.find(0)
    assert chunk is not None
    frames = [ring.frame(chunk, form, 0) for form in (SINGLE, BATCH, SINGLE, BATCH)]
    assert frames[0] is frames[2] and frames[1] is frames[3] and frames[0] is not frames[1]


def test_least_recently_used_goes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bff.ring.ROOM_BYTES", 3 * Chunk([event(1)]).size)
    ring = ring_with((1, 1), (2, 2), (3, 3))
    assert ring.find(0) is not None
    ring.add([event(4)])
    assert [ring.find(cursor) is not None for cursor in range(4)] == [True, False, True, True]


def test_all_rings_together_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    size = Chunk([event(1)]).size
    monkeypatch.setattr("bff.ring.SERVER_BYTES", 4 * size)
    rings = Rings()
    old, new = Ring("old", rings), Ring("new", rings)
    for seq in (1, 2, 3):
        old.add([event(seq)])
    for seq in (1, 2, 3):
        new.add([event(seq)])
    assert (old.size, new.size, rings.size) == (size, 3 * size, 4 * size)
    assert old.find(2) is not None, "its newest is what is left"
    new.clear()
    assert rings.size == old.size == size


def test_a_frame_counts_for_what_it_takes() -> None:
    ring = ring_with((1, 5))
    before = ring.size
    chunk = ring.find(0)
    assert chunk is not None
    frame = ring.frame(chunk, SINGLE, 0)
    assert ring.size == before + 2 * frame.size
