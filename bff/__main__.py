"""`python -m bff`: one server process, configured by the environment."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import sys
from pathlib import Path

import uvloop

from bff.app import serve
from bff.auth import Authenticator
from bff.settings import Settings, SettingsError, load
from contract.errors import RunroomError

QUIET = ("aiohttp.websocket", "aiohttp.server", "bff.socketio", "bff.engineio")
"""Loggers that repeat what a client sent, a bearer token among its subprotocols included."""
TOKEN_FILE = Path(".data/executor.token")
"""Where a development server leaves a token for executors on the same machine."""
TOKEN_SECONDS = 30 * 24 * 3600
GC_THRESHOLDS = (50_000, 20, 50)
"""Events are made and dropped by the thousand, and hold no cycles."""


def main() -> int:
    """Run until SIGTERM or SIGINT; a second signal ends at once.

    Returns:
        The process's exit code: 0 after a clean stop, 2 for a setting that is wrong, 1
        for an address or a store that cannot be used.
    """
    logging.basicConfig(
        level=logging.INFO,
        format="%(asctime)s %(levelname)s %(name)s %(message)s",
        stream=sys.stderr,
    )
    for name in QUIET:
        logger = logging.getLogger(name)
        logger.addFilter(_is_fault)
        logger.setLevel(logging.ERROR)  # a line that is not kept is not made either
    try:
        settings = load()
    except SettingsError as error:
        print(error, file=sys.stderr)
        return SettingsError.exit_code
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_run(settings))
    except RunroomError as error:
        print(error, file=sys.stderr)
        return 1
    except OSError as error:
        where = f"{settings.host}:{settings.port}"
        print(f"cannot listen on {where}: {error.strerror or error}", file=sys.stderr)
        return 1
    return 0


def _is_fault(record: logging.LogRecord) -> bool:
    """Whether a line tells of an exception in the server, not of what a client did."""
    # aiohttp's own may quote a malformed request; what handlers raise is logged by ours
    ours = record.name != "aiohttp.server"
    return ours and record.levelno >= logging.ERROR and bool(record.exc_info)


def _keep_executor_token(settings: Settings) -> None:
    """Leave a token where an executor on this machine looks for one."""
    token = Authenticator(settings).mint(role="executor", sub="executor", ttl=TOKEN_SECONDS)
    TOKEN_FILE.parent.mkdir(parents=True, exist_ok=True)
    TOKEN_FILE.touch(mode=0o600)
    TOKEN_FILE.write_text(token)


async def _run(settings: Settings) -> None:
    if settings.dev:
        _keep_executor_token(settings)
    stop = asyncio.Event()

    def signalled() -> None:
        if stop.is_set():
            os._exit(1)
        stop.set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, signalled)
    # Hundreds of thousands of objects that stay, which each full collection would visit.
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)
    await serve(settings, stop)


if __name__ == "__main__":
    sys.exit(main())
