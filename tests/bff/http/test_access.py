"""Guarded handlers: who gets in, and what happens when the caller goes away."""

from __future__ import annotations

import asyncio
import logging

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from bff.auth import Authenticator, Principal
from bff.http.access import Access
from contract.errors import Forbidden, RunroomError, Unauthorized
from tests.bff.house import settings


def request(role: str | None = "operator") -> web.Request:
    headers = {}
    if role is not None:
        token = Authenticator(settings()).mint(role=role)  # type: ignore[arg-type]
        headers["Authorization"] = f"Bearer {token}"
    return make_mocked_request("POST", "/", headers=headers)


async def never(_: web.Request, __: Principal) -> web.StreamResponse:
    raise AssertionError("called without a principal")


async def test_a_handler_is_not_called_without_a_principal() -> None:
    access = Access(Authenticator(settings()))
    for guard in (access.reads, access.changes):
        with pytest.raises(Unauthorized):
            await guard(never)(request(None))
        with pytest.raises(Forbidden):
            await guard(never)(request("executor"))


@pytest.mark.parametrize("trouble", [None, RunroomError("too late")])
async def test_a_change_goes_on_without_its_caller(
    trouble: RunroomError | None, caplog: pytest.LogCaptureFixture
) -> None:
    access = Access(Authenticator(settings()))
    entered, go_on, done = asyncio.Event(), asyncio.Event(), []

    async def change(_: web.Request, principal: Principal) -> web.StreamResponse:
        entered.set()
        await go_on.wait()
        done.append(principal.role)
        if trouble:
            raise trouble
        return web.Response()

    caller = asyncio.ensure_future(access.changes(change)(request()))
    await entered.wait()
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    stopping = asyncio.create_task(access.finish(web.Application()))
    go_on.set()
    with caplog.at_level(logging.WARNING):
        await stopping
        await asyncio.sleep(0)
    assert done == ["operator"]
    assert ("change failed" in caplog.text) is (trouble is not None)


async def test_a_read_ends_with_its_caller() -> None:
    access = Access(Authenticator(settings()))
    entered, cancelled = asyncio.Event(), asyncio.Event()

    async def read(_: web.Request, __: Principal) -> web.StreamResponse:
        entered.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()
        raise AssertionError

    caller = asyncio.ensure_future(access.reads(read)(request()))
    await entered.wait()
    caller.cancel()
    await cancelled.wait()
    with pytest.raises(asyncio.CancelledError):
        await caller
