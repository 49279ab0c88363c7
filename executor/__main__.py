"""`python -m executor`: work for a server until SIGTERM or Ctrl-C."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress

from contract.errors import Invalid, RunroomError
from executor.bridge import Bridge
from executor.capture import Capture
from executor.engine import Engine
from executor.nodes.builtin import standard
from executor.nodes.registry import Context, Registry
from executor.pools.local import Local
from executor.redact import Redactor
from executor.retry import Limits
from executor.runner import Runner
from executor.settings import Settings, SettingsError, load
from executor.slots import Slots
from executor.work import Workshop

TOKEN_WAIT = 30.0
"""Seconds that a development server has to write its token file."""
LAST_MOMENT = 12.0
"""Seconds after which a stop ends the process whatever still hangs in it."""
CLOSE_SECONDS = 2.0

logger = logging.getLogger("runroom.executor")


async def work(settings: Settings, registry: Registry, redactor: Redactor) -> int:
    """Connect and run executions until a signal.

    Returns:
        The process's exit code.
    """
    stopping = asyncio.Event()
    _on_signals(stopping)
    token = await _token(settings, stopping)
    if stopping.is_set():
        return 0
    async with AsyncExitStack() as stack:
        capture = stack.enter_context(Capture().installed())
        pool = Local(capture)
        stack.push_async_callback(pool.close)
        workshop = Workshop(
            pool=pool,
            capture=capture,
            slots=Slots(settings.concurrency),
            limits=Limits(timeout=settings.timeout_ms / 1000, tries=settings.retry_attempts),
            context=Context(files_root=settings.files_root, http_allow=settings.http_allow),
        )
        bridge = Bridge(
            settings.bff_url,
            token,
            executor_id=settings.id,
            capacity=settings.concurrency,
            offers=settings.offers,
            close_timeout=CLOSE_SECONDS,
        )
        runner = Runner(bridge, Engine(registry, workshop, redactor), capacity=settings.concurrency)
        await stack.enter_async_context(bridge)
        greeting = asyncio.create_task(_greet(bridge, settings))
        running = asyncio.create_task(runner.run())
        stopped = asyncio.create_task(stopping.wait())
        try:
            await asyncio.wait({running, stopped}, return_when=asyncio.FIRST_COMPLETED)
            runner.stop()
            await running
        finally:
            for task in (greeting, stopped):
                task.cancel()
            await asyncio.wait({greeting, stopped})
    return 0


async def _greet(bridge: Bridge, settings: Settings) -> None:
    with suppress(RunroomError):  # the runner meets it too, and says so
        await bridge.connected()
        print(
            f"executor {settings.id} is connected to {settings.bff_url}"
            f" and runs up to {settings.concurrency} nodes at once",
            flush=True,
        )


async def _token(settings: Settings, stopping: asyncio.Event) -> str | Callable[[], str]:
    """Where the token comes from, once there is one: server and executor may start together.

    Raises:
        RunroomError: there was none in time.
    """
    source = settings.token_source()
    if isinstance(source, str):
        return source
    deadline = asyncio.get_running_loop().time() + TOKEN_WAIT
    while not stopping.is_set():
        try:
            source()
            break
        except RunroomError:
            if asyncio.get_running_loop().time() > deadline:
                raise
            with suppress(TimeoutError):
                async with asyncio.timeout(0.2):
                    await stopping.wait()
    return source


def _on_signals(stopping: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()

    def stop() -> None:
        if stopping.is_set():
            os._exit(1)
        stopping.set()
        logger.info("stopping; once more to end at once")
        # a thread that hangs in some tool must not keep the process
        last = threading.Timer(LAST_MOMENT, os._exit, (0,))
        last.daemon = True
        last.start()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)


def _event_loop() -> asyncio.AbstractEventLoop:
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()


def main() -> int:
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    try:
        settings = load()
        secrets, unset = settings.secrets(os.environ)
        registry = standard(settings.tools)
    except SettingsError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    except Invalid as error:
        print(f"EXECUTOR_TOOLS: {error}", file=sys.stderr)
        return SettingsError.exit_code
    for name in unset:
        logger.warning("EXECUTOR_REDACT: %s is not set, so there is nothing to redact", name)
    try:
        with asyncio.Runner(loop_factory=_event_loop) as loop:
            return loop.run(work(settings, registry, Redactor(secrets)))
    except RunroomError as error:
        print(error, file=sys.stderr)
        return SettingsError.exit_code if error.code.startswith("token") else 1


if __name__ == "__main__":
    sys.exit(main())
