"""An engine with local pools and the tests' tools."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from executor.capture import Capture, Stream
from executor.engine import Engine
from executor.nodes.registry import Context, Registry
from executor.pools.local import Local
from executor.redact import Redactor
from executor.retry import Limits
from executor.slots import Slots
from executor.work import Workshop

MakeEngine = Callable[..., Engine]


@pytest.fixture
def capture() -> Capture:
    """Not installed: pytest puts its own streams in place between set-up and test."""
    return Capture()


@pytest.fixture
def install(capture: Capture) -> Iterator[Callable[[], Capture]]:
    with ExitStack() as stack:
        yield lambda: stack.enter_context(capture.installed())


@pytest.fixture
async def pool(capture: Capture) -> AsyncIterator[Local]:
    local = Local(capture, grace=0.05)
    yield local
    await local.close()


@pytest.fixture
def registry() -> Registry:
    registry = Registry()
    registry.load(["tests.executor.tools"])
    return registry


@pytest.fixture
def make_engine(
    capture: Capture,
    install: Callable[[], Capture],
    pool: Local,
    registry: Registry,
    tmp_path: Path,
) -> MakeEngine:
    def make(
        *, slots: int = 8, redactor: Redactor | None = None, timeout: float = 20, tries: int = 3
    ) -> Engine:
        if not isinstance(sys.stdout, Stream):
            install()
        shop = Workshop(
            pool=pool,
            capture=capture,
            slots=Slots(slots),
            limits=Limits(timeout=timeout, tries=tries),
            context=Context(files_root=tmp_path),
        )
        return Engine(registry, shop, redactor)

    return make
