"""`python -m scripts.run`: a server and an executor on this machine, until Ctrl-C.

Everything is embedded (SQLite in `.data/`); the server is in development mode, so only
this machine can reach it.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from asyncio.subprocess import Process
from pathlib import Path

import aiohttp
from rich.console import Console

START_SECONDS = 20
STOP_SECONDS = 2.2
"""For the executor, then again for the server."""
EXAMPLE = "examples/docs-digest.json"


def _environment() -> dict[str, str]:
    defaults = {"BFF_DEV": "1", "BFF_ANONYMOUS": "operator"}
    return {**defaults, **os.environ}


async def _spawn(module: str, environment: dict[str, str]) -> Process:
    # a session of its own: Ctrl-C reaches this process alone, which stops them in order
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", module, env=environment, start_new_session=True
    )


async def _ready(url: str, server: Process) -> None:
    """Wait until the server answers.

    Raises:
        RuntimeError: it ended, or does not answer in time.
    """
    deadline = asyncio.get_running_loop().time() + START_SECONDS
    async with aiohttp.ClientSession() as session:
        while asyncio.get_running_loop().time() < deadline:
            if server.returncode is not None:
                raise RuntimeError("the server did not start; its last line above says why")
            try:
                async with session.get(f"{url}/readyz") as response:
                    if response.status == 200:
                        return
            except aiohttp.ClientError:
                pass
            await asyncio.sleep(0.05)
    raise RuntimeError(f"the server does not answer at {url}/readyz")


async def _token(url: str) -> str:
    async with (
        aiohttp.ClientSession(raise_for_status=True) as session,
        session.post(f"{url}/api/dev/token", json={"role": "operator"}) as response,
    ):
        token: str = (await response.json())["token"]
        return token


def _greet(console: Console, url: str, token: str) -> None:
    python = Path(sys.executable)
    if python.is_relative_to(Path.cwd()):
        python = python.relative_to(Path.cwd())
    console.print()
    console.print("[bold green]Runroom is running.[/]  Stop it with Ctrl-C.")
    console.print()
    console.print(f"  Address      {url}")
    console.print("  Run and follow the first example, in another terminal:\n")
    console.print(f"      [bold]{python} -m scripts.follow {EXAMPLE}[/]\n", highlight=False)
    console.print("  Token for your own clients (operator, good for 12 hours):\n")
    console.print(f"{token}\n", highlight=False, soft_wrap=True)


async def _stop(process: Process) -> None:
    if process.returncode is not None:
        return
    process.terminate()
    try:
        await asyncio.wait_for(process.wait(), STOP_SECONDS)
    except TimeoutError:
        process.kill()
        await process.wait()


async def run() -> int:
    """Start both, say how to use them, and stop both at a signal.

    Returns:
        0 after a signal, 1 if one of them ended by itself.
    """
    console = Console()
    environment = _environment()
    url = "http://{}:{}".format(
        environment.get("BFF_HOST", "127.0.0.1"), environment.get("BFF_PORT", "3001")
    )
    environment.setdefault("EXECUTOR_BFF_URL", url)
    signalled = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, signalled.set)
    processes = [await _spawn("bff", environment)]
    try:
        await _ready(url, processes[0])
        processes.append(await _spawn("executor", environment))
        _greet(console, url, await _token(url))
        waits = [asyncio.ensure_future(process.wait()) for process in processes]
        stop = asyncio.ensure_future(signalled.wait())
        await asyncio.wait([*waits, stop], return_when=asyncio.FIRST_COMPLETED)
        if signalled.is_set():
            console.print("\nStopping …")
            return 0
        name = "server" if waits[0].done() else "executor"
        console.print(f"[red]The {name} ended by itself; the lines above say why.[/]")
        return 1
    except RuntimeError as error:
        console.print(f"[red]{error}[/]")
        return 1
    finally:
        for process in reversed(processes):
            await _stop(process)


if __name__ == "__main__":
    sys.exit(asyncio.run(run()))
