"""What all chaos tests share: luck that can be had again."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Iterator

import pytest

from tests.chaos.form import replay, seed


@pytest.fixture
def luck(request: pytest.FixtureRequest) -> Iterator[random.Random]:
    """What a test draws its schedule from; says how to draw the same again."""
    drawn = seed()
    test = f"{request.node.path.relative_to(request.config.rootpath)} -k {request.node.name}"
    print(f"\nagain with the same luck: {replay(drawn, test)}", flush=True)
    yield random.Random(f"{drawn} {request.node.name}")


@pytest.fixture
async def swift() -> AsyncIterator[None]:
    """The event loop as it is outside of tests, for those that measure it."""
    loop = asyncio.get_running_loop()
    loop.set_debug(False)
    yield
