"""What nodes print and log becomes log events; what others do stays where it was."""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest

from executor.capture import Capture
from executor.redact import Redactor
from executor.sink import CUT, MAX_LINE, MAX_WAITING, JournalSink, pieces
from executor.writer import Writer
from tests.executor.fakes import FakeJournal, claim_of

log = logging.getLogger("a.library")


class Node:
    """One node's sink and the journal behind it."""

    def __init__(self, capture: Capture, secrets: list[str], item: int | None = None) -> None:
        self.journal = FakeJournal(claim_of([{"id": "n", "kind": "trigger"}]))
        self.progress: list[tuple[float, str | None]] = []
        self.writer = Writer(self.journal, Redactor(secrets), log_count=0, on_fenced=lambda: None)
        self.sink = JournalSink(
            self.writer,
            capture,
            node_id="n",
            item=item,
            on_progress=lambda percent, message: self.progress.append((percent, message)),
        )

    @property
    def lines(self) -> list[tuple[str, str]]:
        return self.journal.logs("n")

    @property
    def metadata(self) -> list[Any]:
        return [e.log.metadata for e in self.journal.events if e.type == "log"]


@pytest.fixture
async def node(capture: Capture, install: Callable[[], Capture]) -> Node:
    return Node(capture, ["hunter22", "p" * 50])


async def test_print_and_logging(node: Node, capture: Capture, install: Any) -> None:
    install()
    with capture.into(node.sink):
        print("to", "stdout")
        print("to stderr", file=sys.stderr)
        log.debug("not asked for")
        log.info("info %d", 1)
        log.warning("warning")
        log.error("error")
        log.critical("critical", extra={"metadata": {"more": 2}})
        print("a\nb\n\nc", end="")
        sys.stdout.writelines(["d", "e\n"])
        print("unfinished", end="")
    await node.sink.end()
    assert node.lines == [
        ("info", "to stdout"),
        ("warning", "to stderr"),
        ("info", "info 1"),
        ("warning", "warning"),
        ("error", "error"),
        ("error", "critical"),
        ("info", "a"),
        ("info", "b"),
        ("info", ""),
        ("info", "cde"),
        ("info", "unfinished"),
    ]
    assert node.metadata[2] == {"logger": "a.library"}
    assert node.metadata[5] == {"logger": "a.library", "more": 2}
    assert node.metadata[0] is None


async def test_exceptions_and_bad_arguments(node: Node, capture: Capture, install: Any) -> None:
    install()
    with capture.into(node.sink):
        try:
            raise KeyError("x")
        except KeyError:
            log.exception("it went wrong")
        log.info("%d", "no number")
    assert node.lines[0] == ("error", "it went wrong")
    assert "KeyError: 'x'" in node.metadata[0]["traceback"]
    assert node.lines[1][1].startswith("%d (its arguments do not fit")


async def test_outside_of_nodes_nothing_changes(
    node: Node, capture: Capture, install: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    seen: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: seen.append(record.getMessage())  # type: ignore[method-assign]
    root = logging.getLogger()
    root.addHandler(handler)
    try:
        install()
        print("outside")
        log.info("below the root's level")
        log.warning("outside warning")
        with capture.into(node.sink):
            print("inside")
            log.warning("inside warning")
            with capture.into(None):
                print("outside again")
        assert sys.stdout.encoding
        assert capsys.readouterr().out == "outside\noutside again\n"
        assert seen == ["outside warning"]
        assert node.lines == [("info", "inside"), ("warning", "inside warning")]
    finally:
        root.removeHandler(handler)


def test_everything_is_put_back(capture: Capture) -> None:
    root = logging.getLogger()
    before = (sys.stdout, sys.stderr, root.level, list(root.handlers))
    with capture.installed():
        assert sys.stdout is not before[0]
        assert root.level == logging.INFO
    assert (sys.stdout, sys.stderr, root.level, list(root.handlers)) == before
    assert all(not h.filters for h in root.handlers)


async def test_tasks_and_threads_of_a_node(node: Node, capture: Capture, install: Any) -> None:
    install()

    async def child() -> None:
        print("task")

    with capture.into(node.sink):
        task = asyncio.create_task(child())
        await asyncio.to_thread(print, "thread")
        await task
    print("somebody else")
    await node.sink.end()
    assert sorted(node.lines) == [("info", "task"), ("info", "thread")]


async def test_order_between_a_thread_and_the_loop(
    node: Node, capture: Capture, install: Any
) -> None:
    install()
    with capture.into(node.sink):
        await asyncio.to_thread(lambda: [print(n) for n in range(100)])
        print("then")
    await node.sink.end()
    assert [m for _, m in node.lines] == [*(str(n) for n in range(100)), "then"]


async def test_a_thread_waits_while_the_journal_is_full(node: Node) -> None:
    node.journal.open.clear()
    said = 0

    def talk() -> None:
        nonlocal said
        for _ in range(50):
            node.sink.write("info", "x" * 10_000 + "\n")
            said += 1

    talking = asyncio.create_task(asyncio.to_thread(talk))
    async with asyncio.timeout(5):
        while node.sink._size <= MAX_WAITING:
            await asyncio.sleep(0.005)
    assert said < 30 and node.lines == []
    node.journal.open.set()
    await talking
    await node.sink.end()
    assert len(node.lines) == 50


async def test_closing_frees_a_waiting_thread(node: Node) -> None:
    node.journal.open.clear()
    ended = threading.Event()

    def talk() -> None:
        for _ in range(100):
            node.sink.write("info", "x" * 10_000 + "\n")
        ended.set()

    talking = asyncio.create_task(asyncio.to_thread(talk))
    async with asyncio.timeout(5):
        while node.sink._size <= MAX_WAITING:
            await asyncio.sleep(0.005)
    node.sink.close()
    await talking
    assert ended.is_set()
    count = len(node.lines)
    assert 20 < count < 40  # what was said before is kept, what came later is not
    node.sink.write("info", "late\n")
    node.sink.record("info", "late", None)
    node.sink.progress(1)
    node.journal.open.set()
    await asyncio.sleep(0)
    assert len(node.lines) == count and node.progress == []


async def test_a_lost_claim_does_not_reach_the_tool(
    node: Node, capture: Capture, install: Any
) -> None:
    install()
    node.journal.lost = True
    with capture.into(node.sink):
        print("nobody hears")
    await asyncio.to_thread(node.sink.write, "info", "nobody\n")
    await node.sink.end()
    assert node.lines == [] and node.writer.fenced


async def test_the_journal_may_log_itself(node: Node, capture: Capture, install: Any) -> None:
    install()
    node.journal.on_put = lambda event: print("the journal says something")
    with capture.into(node.sink):
        print("once")
    assert node.lines == [("info", "once")]


async def test_long_lines_are_cut(node: Node) -> None:
    text = "ä" * 50_000 + "end"
    node.sink.write("info", text + "\nshort\n")
    messages = [m for _, m in node.lines]
    assert len(messages) == 3
    assert messages[0].endswith(CUT) and messages[2] == "short"
    assert messages[0].removesuffix(CUT) + messages[1] == text
    assert node.metadata == [{"part": 1}, {"part": 2}, None]
    assert all(len(m.removesuffix(CUT).encode()) <= MAX_LINE for m in messages)


async def test_a_line_without_an_end_is_cut_on_the_way(node: Node) -> None:
    for _ in range(30):
        node.sink.write("info", "x" * 10_000)
    assert len(node.lines) == 4
    node.sink.write("info", "\n")
    messages = [m for _, m in node.lines]
    assert "".join(m.removesuffix(CUT) for m in messages) == "x" * 300_000
    assert [m["part"] for m in node.metadata] == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("offset", range(-60, 20, 3))
async def test_no_secret_survives_a_cut(node: Node, offset: int) -> None:
    text = "x" * (MAX_LINE + offset) + "p" * 50 + "y" * 200 + "hunter22"
    for start in range(0, len(text), 9_000):
        node.sink.write("info", text[start : start + 9_000])
    await node.sink.end()
    whole = "".join(m.removesuffix(CUT) for _, m in node.lines)
    assert "p" not in whole.replace("[redacted]", "")
    assert whole == text.replace("p" * 50, "[redacted]").replace("hunter22", "[redacted]")


@pytest.mark.parametrize("offset", range(-50, 1, 10))
async def test_no_secret_survives_the_cut_of_a_whole_line(node: Node, offset: int) -> None:
    text = "x" * (MAX_LINE + offset) + "p" * 50 + "y" * 200
    node.sink.record("info", text, None)
    node.sink.write("info", text + "\n")
    whole = "".join(m.removesuffix(CUT) for _, m in node.lines)
    assert whole == text.replace("p" * 50, "[redacted]") * 2


async def test_carriage_returns_leave_the_last_state(node: Node) -> None:
    node.sink.write("warning", "\r 10%")
    node.sink.write("warning", "\r100%\n")
    node.sink.write("info", "dos\r\n")
    assert node.lines == [("warning", "100%"), ("info", "dos")]


async def test_text_that_utf8_cannot_hold(node: Node) -> None:
    node.sink.write("info", "lone \ud800\n")
    node.sink.record("info", "x", {"bad": float("nan")})
    assert node.lines[0] == ("info", r"lone \ud800")
    assert node.lines[1][1].startswith("a log line was left out: ")


async def test_items_are_named(capture: Capture) -> None:
    node = Node(capture, [], item=3)
    node.sink.write("info", "hello\n")
    assert node.metadata == [{"item": 3}]


async def test_progress_from_a_thread(node: Node) -> None:
    def report() -> None:
        for n in range(100):
            node.sink.progress(n, str(n))

    await asyncio.to_thread(report)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert node.progress[-1] == (99, "99")


@pytest.mark.parametrize("text", ["", "a", "a" * MAX_LINE, "€" * MAX_LINE, "😀" * 70_000])
def test_pieces(text: str) -> None:
    cut = pieces(text)
    assert "".join(cut) == text
    assert all(len(piece.encode()) <= MAX_LINE for piece in cut)
