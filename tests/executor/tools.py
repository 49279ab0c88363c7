"""Tools for tests; a process pool's worker imports this module."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from contract.errors import Invalid
from contract.values import Json
from executor.nodes.registry import Context, tool

log = logging.getLogger("tools.of.tests")


@tool()
async def echo(value: Json = None) -> Json:
    return value


@tool()
def echo_sync(value: Json = None) -> Json:
    return value


@tool()
def whereabouts() -> dict[str, Json]:
    """Which process and thread this runs in."""
    return {"pid": os.getpid(), "thread": threading.get_ident()}


@tool()
async def forever() -> None:
    await asyncio.Event().wait()


@tool()
def chatter(text: str, context: Context) -> str:
    """Everything that a tool may say, in a known order."""
    print("first", text)
    print("to stderr", file=sys.stderr)
    log.info("logged %s", text)
    log.error("bad %s", text)
    context.progress(50, "halfway")
    print("no newline", end="")
    return text


@tool()
async def chatter_async(text: str, context: Context) -> str:
    return chatter(text, context)


@tool()
async def boom(message: str = "it broke") -> None:
    raise ValueError(message)


@tool()
def boom_sync(message: str = "it broke") -> None:
    raise ValueError(message)


@tool(idempotent=True)
async def boom_idempotent() -> None:
    raise ValueError("again")


@tool(idempotent=True)
async def refuse() -> None:
    raise Invalid("this can never work")


@tool()
async def third_time(context: Context) -> int:
    if context.try_ < 3:
        raise RuntimeError(f"not at try {context.try_}")
    return context.try_


@tool()
async def stubborn(seconds: float) -> None:
    """Swallows its cancellation."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            await asyncio.sleep(end - time.monotonic())
        except asyncio.CancelledError:
            print("not me")


@tool()
def hang(file: str, seconds: float = 30) -> str:
    """Says that it runs by making a file, and sleeps where only a kill ends it."""
    Path(file).write_text(str(os.getpid()))
    time.sleep(seconds)
    print("too late")
    return "done"


@tool()
def hang_with_child(file: str) -> None:
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    Path(file).write_text(str(child.pid))
    child.wait()


@tool()
def die(how: str) -> None:
    print("last words")
    sys.stdout.flush()
    if how == "exit":
        os._exit(3)
    os.kill(os.getpid(), signal.SIGKILL)


@tool()
def leave() -> None:
    sys.exit("that is it")


@tool()
async def leave_async() -> None:
    sys.exit("that is it")


@tool()
def flood(lines: int) -> int:
    for number in range(lines):
        print(number)
    return lines


@tool()
def a_set() -> object:
    return {1, 2}


@tool()
def not_a_number() -> float:
    return float("nan")


@tool()
def big(size: int) -> str:
    return "x" * size


@tool()
async def double(value: int, context: Context) -> int:
    context.progress(50)
    return value * 2


@tool()
async def odd_fails(value: int) -> int:
    if value % 2:
        raise ValueError(f"{value} is odd")
    return value


@tool()
def secretive(secret: str) -> dict[str, str]:
    print(f"the secret is {secret}!")
    log.warning("again %s", secret)
    return {secret: f"<{secret}>"}


@tool()
def fails_with(secret: str) -> None:
    raise ValueError(f"cannot log in with {secret}")
