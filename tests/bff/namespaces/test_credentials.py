"""Connections end with their tokens; one timer looks after all of them."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from bff.auth import Principal
from bff.namespaces import credentials
from bff.namespaces.credentials import Expiries


class FakeOutlet:
    def __init__(self) -> None:
        self.frames: list[Any] = []
        self.closed: tuple[int, str] | None = None

    def write(self, frame: Any) -> None:
        self.frames.append(frame)

    async def drained(self) -> None:
        return

    async def close(self, code: int, reason: str = "") -> None:
        self.closed = code, reason


def principal(seconds: float | None) -> Principal:
    end = None if seconds is None else time.time() + seconds
    return Principal(sub="ada", name="Ada", role="viewer", tenant="default", expires_at=end)


async def _until(condition: Any) -> None:
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.01)


def _timers() -> int:
    scheduled = asyncio.get_running_loop()._scheduled  # type: ignore[attr-defined]
    return sum(not handle.cancelled() for handle in scheduled)


async def test_each_ends_with_its_own_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(credentials, "SWEEP_SECONDS", 0.01)
    expiries = Expiries("/executions")
    late, early, renewed, left, anonymous, other = (FakeOutlet() for _ in range(6))
    given = ((late, 0.3), (early, 0.1), (renewed, 0.1), (left, 0.1), (anonymous, None), (other, 60))
    for outlet, seconds in given:
        expiries.renew(outlet, principal(seconds))  # type: ignore[arg-type]
    expiries.renew(renewed, principal(60))  # type: ignore[arg-type]
    expiries.forget(left)  # type: ignore[arg-type]
    await _until(lambda: early.closed)
    assert early.closed == (credentials.POLICY_VIOLATION, "token_expired")
    assert b"token_expired" in early.frames[0].wire
    assert late.closed is None
    await _until(lambda: late.closed)
    assert [outlet.closed for outlet in (renewed, left, anonymous, other)] == [None] * 4
    assert len(expiries) == 2


async def test_all_tokens_share_one_timer() -> None:
    before = _timers()
    expiries = Expiries("/executions")
    outlets: list[Any] = [FakeOutlet() for _ in range(100)]
    for number, outlet in enumerate(outlets):
        expiries.renew(outlet, principal(60 + number))
    assert _timers() == before + 1
    for outlet in outlets:
        expiries.forget(outlet)
    assert _timers() == before and len(expiries) == 0


async def test_a_token_let_in_by_the_leeway_lives_until_the_leeways_end() -> None:
    expiries = Expiries("/executions")
    outlet: Any = FakeOutlet()
    expiries.renew(outlet, principal(-1))
    await asyncio.sleep(0.05)
    assert outlet.closed is None and len(expiries) == 1
    expiries.forget(outlet)
