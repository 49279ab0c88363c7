"""`python -m scripts.run`: a server and an executor on this machine, until Ctrl-C.

Everything is embedded (SQLite in `.data/`); the server is in development mode, so only
this machine can reach it. Settings of both come from the environment and `.env` as ever.
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

from bff.settings import Settings, SettingsError, load
from scripts.follow import URL as USUAL_URL

START_SECONDS = 20
STOP_SECONDS = 2.2
"""For the executor, then again for the server."""
EXAMPLE = "examples/docs-digest.json"
DEFAULTS = {"BFF_DEV": "1", "BFF_ANONYMOUS": "operator"}


def _url(settings: Settings) -> str:
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return f"http://{host}:{settings.port}"


async def _spawn(module: str, environment: dict[str, str]) -> Process:
    # a session of its own: Ctrl-C reaches this process alone, which stops them in order
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", module, env=environment, start_new_session=True
    )


async def _taken(settings: Settings) -> bool:
    """Whether somebody listens there already, who would answer in our server's place."""
    try:
        _, writer = await asyncio.open_connection(settings.host, settings.port)
    except OSError:
        return False
    writer.close()
    return True


async def _ready(url: str, server: Process, signalled: asyncio.Event) -> None:
    """Wait until the server answers, or until a signal.

    Raises:
        RuntimeError: it ended, or does not answer in time.
    """
    deadline = asyncio.get_running_loop().time() + START_SECONDS
    async with aiohttp.ClientSession() as session:
        while asyncio.get_running_loop().time() < deadline:
            if signalled.is_set():
                return
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
    console.print(f"  Open         [bold]{url}[/]")
    console.print("  Or run and follow an example in another terminal:\n")
    where = "" if url == USUAL_URL else f" --url {url}"
    command = f"{python} -m scripts.follow {EXAMPLE}{where}"
    console.print(f"      [bold]{command}[/]\n", highlight=False, soft_wrap=True)
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
        0 after a signal, 1 if one of them ended by itself, 2 for a setting that is wrong.
    """
    console = Console()
    for name, value in DEFAULTS.items():
        os.environ.setdefault(name, value)
    try:
        settings = load()
    except SettingsError as error:
        console.print(f"{error}", style="red", markup=False)
        return error.exit_code
    url = _url(settings)
    if await _taken(settings):
        console.print(f"[red]Something listens at {url} already; is it another Runroom?[/]")
        return 1
    environment = {"EXECUTOR_BFF_URL": url, **os.environ}
    signalled = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, signalled.set)
    processes = [await _spawn("bff", environment)]
    try:
        await _ready(url, processes[0], signalled)
        if not signalled.is_set():
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
