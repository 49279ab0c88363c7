"""The local pools: what runs where, and that what is to be stopped stops."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from contract.values import Json
from executor.capture import Capture, Level
from executor.nodes.registry import Context, Registry, Tool
from executor.pools.base import Work, WorkFailed, one_line
from executor.pools.local import Local
from executor.pools.threads import MAX_LEFT_BEHIND, Threads

POOLS = ("async", "thread", "process")


@dataclass
class Heard:
    """A sink that remembers, in order."""

    said: list[Any] = field(default_factory=list)
    rooms: int = 0

    def write(self, level: Level, text: str) -> None:
        self.said.append((level, text))

    def record(self, level: Level, message: str, metadata: Json) -> None:
        self.said.append((level, message))

    def progress(self, percent: float, message: str | None = None) -> None:
        self.said.append((percent, message))

    async def room(self) -> None:
        self.rooms += 1

    @property
    def text(self) -> str:
        return "".join(text for level, text in self.said if isinstance(text, str))


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
def run(
    registry: Registry, pool: Local, install: Callable[[], Capture], heard: Heard
) -> Callable[..., Any]:
    async def run(tool: str, where: str, *, timeout: float = 20, **arguments: Json) -> Json:
        context = Context(progress=heard.progress)
        work = Work(registry.get(tool), arguments, context, where)
        return await pool.run(work, heard, timeout)

    return run


@pytest.fixture
async def alive_within(tmp_path: Path) -> AsyncIterator[Callable[..., Any]]:
    async def wait_for(file: Path) -> int:
        """The pid that a tool writes into the file when it runs."""
        async with asyncio.timeout(15):
            while not file.exists() or not file.read_text():
                await asyncio.sleep(0.01)
        return int(file.read_text())

    yield wait_for


def gone(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return True
    return stat.rpartition(")")[2].split()[0] == "Z"


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not holds():
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("where", POOLS)
@pytest.mark.parametrize("tool", ["echo", "echo_sync"])
async def test_every_tool_runs_in_every_pool(run: Any, where: str, tool: str) -> None:
    assert await run(tool, where, value={"a": [1, None, "ü"]}) == {"a": [1, None, "ü"]}


async def test_where_work_runs(run: Any) -> None:
    here = {"pid": os.getpid(), "thread": threading.get_ident()}
    for where in ("async", "thread"):  # a plain function never runs on the loop
        found = await run("whereabouts", where)
        assert found["pid"] == here["pid"] and found["thread"] != here["thread"]
    found = await run("whereabouts", "process")
    assert found["pid"] != here["pid"]
    assert (await run("whereabouts", "process"))["pid"] == found["pid"]


async def test_processes_run_side_by_side(run: Any, pool: Local) -> None:
    found = await asyncio.gather(*(run("whereabouts", "process") for _ in range(2)))
    assert len({f["pid"] for f in found}) == 2
    pids = pool._processes.pids
    await pool.close()
    assert all(map(gone, pids))


@pytest.mark.parametrize("where", POOLS)
async def test_what_work_raises(run: Any, where: str) -> None:
    with pytest.raises(WorkFailed) as caught:
        await run("boom", where, message="one\ntwo")
    assert caught.value.error == "ValueError: one"
    assert "in boom" in str(caught.value.trace)
    assert "/pools/" not in str(caught.value.trace)
    assert not caught.value.permanent
    with pytest.raises(WorkFailed, match="this can never work") as caught:
        await run("refuse", where)
    assert caught.value.permanent
    with pytest.raises(WorkFailed, match="SystemExit: that is it"):
        await run("leave", where)


@pytest.mark.parametrize("where", POOLS)
async def test_arguments_that_do_not_fit(run: Any, where: str) -> None:
    with pytest.raises(WorkFailed, match='tool "boom": argument "message"') as caught:
        await run("boom", where, message=[])
    assert caught.value.permanent


@pytest.mark.parametrize("where", ["thread", "process"])
@pytest.mark.parametrize("tool", ["chatter", "chatter_async"])
async def test_what_work_says_comes_in_order(
    run: Any, install: Any, heard: Heard, where: str, tool: str
) -> None:
    install()
    assert await run(tool, where, text="x") == "x"
    levels = [e for e in heard.said if e[0] in ("info", "warning", "error")]
    text = [(a, b.strip()) for a, b in levels if b.strip()]
    joined: list[Any] = []
    for level, word in text:  # print writes its line end by itself
        if joined and joined[-1] == ("info", "first") and level == "info":
            joined[-1] = ("info", f"first {word}")
        else:
            joined.append((level, word))
    assert joined == [
        ("info", "first x"),
        ("warning", "to stderr"),
        ("info", "logged x"),
        ("error", "bad x"),
        ("info", "no newline"),
    ]
    assert (50, "halfway") in heard.said


@pytest.mark.parametrize("how", ["cancel", "timeout"])
async def test_a_running_process_is_killed(
    run: Any, pool: Local, alive_within: Any, tmp_path: Path, how: str
) -> None:
    await run("whereabouts", "process")  # so that the worker has started
    file = tmp_path / "pid"
    timeout = 0.5 if how == "timeout" else 20
    task = asyncio.create_task(run("hang", "process", file=str(file), timeout=timeout))
    pid = await alive_within(file)
    begun = time.monotonic()
    if how == "cancel":
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    else:
        with pytest.raises(TimeoutError):
            await task
    assert time.monotonic() - begun < 1
    assert gone(pid)
    # and replaced
    assert (await run("whereabouts", "process"))["pid"] != pid


async def test_what_a_process_has_started_is_killed_too(
    run: Any, alive_within: Any, tmp_path: Path
) -> None:
    file = tmp_path / "pid"
    task = asyncio.create_task(run("hang_with_child", "process", file=str(file)))
    child = await alive_within(file)
    assert not gone(child)
    task.cancel()
    await asyncio.wait({task})
    await until(lambda: gone(child))


@pytest.mark.parametrize(
    ("how", "error"),
    [
        ("exit", "the worker process ended by itself, with exit code 3"),
        ("kill", "the worker process was killed by SIGKILL"),
    ],
)
async def test_a_process_that_dies(run: Any, heard: Heard, how: str, error: str) -> None:
    with pytest.raises(WorkFailed, match=error) as caught:
        await run("die", "process", how=how)
    assert not caught.value.permanent
    assert "last words" in heard.text
    assert await run("echo_sync", "process", value=1) == 1


async def test_workers_end_with_their_parent(run: Any, pool: Local) -> None:
    pid = (await run("whereabouts", "process"))["pid"]
    (worker,) = pool._processes._idle
    worker._writer.close()  # what the system does when the parent is killed
    await until(lambda: gone(pid))


async def test_a_process_gets_no_token(
    run: Any, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EXECUTOR_TOKEN", "secret")
    monkeypatch.setenv("OTHER", "value")
    registry.add(Tool.of(os.getenv, "getenv"))
    assert await run("getenv", "process", key="EXECUTOR_TOKEN") is None
    assert await run("getenv", "process", key="OTHER") == "value"


async def test_a_function_that_no_process_can_import(run: Any, registry: Registry) -> None:
    registry.add(Tool.of(lambda: 1, "inner"))
    with pytest.raises(WorkFailed, match="must stand at the top level of a module") as caught:
        await run("inner", "process")
    assert caught.value.permanent


async def test_a_slow_reader_holds_a_process_up(
    run: Any, heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = asyncio.Event()

    async def room() -> None:
        heard.rooms += 1
        await gate.wait()

    monkeypatch.setattr(heard, "room", room)
    task = asyncio.create_task(run("flood", "process", lines=20_000))
    await until(lambda: heard.rooms == 1)
    assert len(heard.said) == 1 and not task.done()
    gate.set()
    assert await task == 20_000
    assert heard.text == "".join(f"{n}\n" for n in range(20_000))


@pytest.mark.parametrize("how", ["cancel", "timeout"])
async def test_a_thread_is_left_behind(
    run: Any, pool: Local, alive_within: Any, tmp_path: Path, how: str
) -> None:
    file = tmp_path / "pid"
    timeout = 0.1 if how == "timeout" else 20
    task = asyncio.create_task(run("hang", "thread", file=str(file), seconds=0.5, timeout=timeout))
    await alive_within(file)
    if how == "cancel":
        task.cancel()
    with pytest.raises((asyncio.CancelledError, TimeoutError)):
        await task
    assert pool._threads.left_behind == 1
    # it holds nobody up
    assert await run("echo_sync", "thread", value=1) == 1
    await until(lambda: pool._threads.left_behind == 0)


async def test_threads_are_used_again() -> None:
    threads = Threads()
    first = await threads.run(threading.get_ident)
    assert await threads.run(threading.get_ident) == first
    assert len(set(await asyncio.gather(*(threads.run(blocked) for _ in range(3))))) == 3
    threads.close()


def blocked() -> int:
    time.sleep(0.05)
    return threading.get_ident()


async def test_too_many_hanging_threads_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    threads, end = Threads(), threading.Event()
    for _ in range(MAX_LEFT_BEHIND):
        task = asyncio.create_task(threads.run(end.wait))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait({task})
    with pytest.raises(WorkFailed, match="64 threads still run calls"):
        await threads.run(threading.get_ident)
    end.set()
    await until(lambda: threads.left_behind == 0)
    assert await threads.run(threading.get_ident)
    threads.close()


async def test_a_coroutine_that_swallows_its_cancellation(run: Any, pool: Local) -> None:
    task = asyncio.create_task(run("stubborn", "async", seconds=0.4))
    await asyncio.sleep(0.01)
    task.cancel()
    begun = time.monotonic()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert time.monotonic() - begun < 0.3
    assert len(pool._left_behind) == 1
    await until(lambda: not pool._left_behind)


async def test_an_unknown_pool(run: Any) -> None:
    with pytest.raises(WorkFailed, match='no pool "dask"; it has async, thread, process'):
        await run("echo", "dask")


def test_one_line() -> None:
    assert one_line(KeyError("x")) == "KeyError: 'x'"
    assert one_line(ValueError()) == "ValueError"
    assert one_line(ValueError("\n\n  late\nmore")) == "ValueError: late"
    assert len(one_line(ValueError("x" * 10_000))) == 2_000


def test_work_is_a_value(registry: Registry) -> None:
    work = Work(registry.get("echo"), {}, Context(), "async")
    assert replace(work, pool="thread").pool == "thread"
