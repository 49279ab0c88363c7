"""Namespace `/executions`: viewers and operators follow executions live."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import orjson

from bff.auth import Authenticator, Principal
from bff.executions import Executions
from bff.forms import BATCH, BINARY, SINGLE
from bff.namespaces.credentials import Expiries, expires_at, header_token
from bff.outlet import Outlet
from bff.presence import Watchers
from bff.rooms import Member, Rooms
from bff.sockets import Answer, Namespace, event_frame
from bff.stores.base import Execution
from contract.errors import Forbidden, InvalidRequest, RunroomError, TooManySubscriptions
from contract.messages import (
    MAX_STATE_BYTES,
    MAX_SUBSCRIPTIONS,
    VIEWERS,
    Refresh,
    Reset,
    Subscribe,
    Unsubscribe,
)
from contract.values import now, parse


@dataclass(frozen=True, slots=True)
class _Subscription:
    execution: Execution
    member: Member


@dataclass(slots=True)
class _Viewer:
    principal: Principal
    outlet: Outlet
    subscriptions: dict[str, _Subscription] = field(default_factory=dict)


class Viewers(Namespace):
    """What viewers may send, and who they are."""

    def __init__(
        self,
        authenticator: Authenticator,
        executions: Executions,
        rooms: Rooms,
        watchers: Watchers,
    ) -> None:
        super().__init__(VIEWERS)
        self._authenticator = authenticator
        self._executions = executions
        self._rooms = rooms
        self._watchers = watchers
        self._viewers: dict[str, _Viewer] = {}
        self._expiries = Expiries(VIEWERS)
        self.handlers = {
            "subscribe": self._subscribe,
            "unsubscribe": self._unsubscribe,
            "ping": self._ping,
            "refresh": self._refresh,
        }

    def __len__(self) -> int:
        return len(self._viewers)

    async def arrive(self, sid: str, outlet: Outlet, auth: object, environ: dict[str, Any]) -> None:
        token = auth.get("token") if isinstance(auth, dict) else None
        principal = self._authenticator.admit(
            token or header_token(environ),
            host=environ.get("HTTP_HOST"),
            origin=environ.get("HTTP_ORIGIN"),
        )
        principal.require_watch()
        self._viewers[sid] = _Viewer(principal, outlet)
        self._expiries.renew(outlet, principal)

    async def depart(self, sid: str) -> None:
        viewer = self._viewers.pop(sid)
        self._expiries.forget(viewer.outlet)
        for execution_id in list(viewer.subscriptions):
            self._drop(viewer, execution_id)

    def refused(self, sid: str, event: str, argument: object, error: RunroomError) -> None:
        viewer = self._viewers.get(sid)
        if viewer is not None and event == "subscribe":
            execution_id = argument.get("executionId") if isinstance(argument, dict) else argument
            payload = {"executionId": execution_id, "error": str(error), "code": error.code}
            viewer.outlet.write(event_frame(VIEWERS, "error", payload))

    async def _subscribe(self, sid: str, argument: object) -> Answer:
        viewer = self._viewers[sid]
        request = _request(Subscribe, argument)
        execution_id = request.execution_id
        known = execution_id in viewer.subscriptions
        if not known and len(viewer.subscriptions) >= MAX_SUBSCRIPTIONS:
            raise TooManySubscriptions(f"a connection takes {MAX_SUBSCRIPTIONS} subscriptions")
        execution = await self._executions.see(viewer.principal, execution_id)
        head, state = await self._executions.encoded(execution)
        answer = {
            "ok": True,
            "executionId": execution_id,
            "head": head,
            "state": orjson.Fragment(state) if len(state) <= MAX_STATE_BYTES else None,
        }
        # from here to the acknowledgement: no await, so that nothing slips before it
        self._leave(viewer, execution_id)

        def then(_: bool) -> None:
            if self._viewers.get(sid) is not viewer:
                return
            after = request.after
            if after > head:
                reset = Reset(execution_id=execution_id, reason="ahead", head=head)
                viewer.outlet.write(event_frame(VIEWERS, "reset", reset.to_wire()))
                after = 0
            form = BINARY if request.binary else BATCH if request.batch else SINGLE
            member = self._rooms.join(
                execution_id, viewer.outlet, form, after, lambda: self._drop(viewer, execution_id)
            )
            if execution_id not in viewer.subscriptions:
                self._watchers.enter(execution_id, viewer.principal)
            viewer.subscriptions[execution_id] = _Subscription(execution, member)

        return Answer(answer, then)

    async def _unsubscribe(self, sid: str, argument: object) -> dict[str, Any]:
        execution_id = _request(Unsubscribe, argument).execution_id
        self._drop(self._viewers[sid], execution_id)
        return {"ok": True, "executionId": execution_id}

    async def _ping(self, sid: str, argument: object) -> dict[str, Any]:
        return {"ok": True, "echo": argument, "serverTime": now()}

    async def _refresh(self, sid: str, argument: object) -> dict[str, Any]:
        viewer = self._viewers[sid]
        token = parse(Refresh, argument, InvalidRequest).token
        principal = self._authenticator.authenticate(token)
        principal.require_watch()
        if (principal.sub, principal.tenant) != (viewer.principal.sub, viewer.principal.tenant):
            raise Forbidden("the new token is of another caller; connect anew with it")
        viewer.principal = principal
        self._expiries.renew(viewer.outlet, principal)
        for execution_id, subscription in list(viewer.subscriptions.items()):
            if not principal.may_see(subscription.execution):
                self._drop(viewer, execution_id)
        return {"ok": True, "expiresAt": expires_at(principal)}

    def _leave(self, viewer: _Viewer, execution_id: str) -> None:
        subscription = viewer.subscriptions.get(execution_id)
        if subscription is not None:
            self._rooms.leave(execution_id, subscription.member)

    def _drop(self, viewer: _Viewer, execution_id: str) -> None:
        self._leave(viewer, execution_id)
        if viewer.subscriptions.pop(execution_id, None) is not None:
            self._watchers.leave(execution_id, viewer.principal)


def _request(model: Any, argument: object) -> Any:
    """The seed's bare id, or the object form."""
    raw = {"executionId": argument} if isinstance(argument, str) else argument
    return parse(model, raw, InvalidRequest)
