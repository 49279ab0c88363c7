"""Namespace `/executor`: executors claim executions and push their events."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import orjson
from pydantic import Field, StrictInt

from bff.auth import Authenticator, Principal
from bff.claims import Claims
from bff.frames import Frame
from bff.ingest import Ingest, Writer
from bff.leases import Leases
from bff.namespaces.credentials import Expiries, expires_at, header_token
from bff.outlet import Outlet
from bff.sockets import Namespace, Promise, Promising, event_frame
from contract.errors import Forbidden, Invalid, InvalidRequest
from contract.events import EVENT_TYPES
from contract.messages import (
    EXECUTORS,
    MAX_EXECUTOR_MESSAGE_BYTES,
    Claim,
    Events,
    Heartbeat,
    Held,
    Output,
    Refresh,
    Register,
)
from contract.values import Id, Model, parse


class Credentials(Model):
    """What an executor connects with, besides its token."""

    token: Any = None
    executor_id: Id
    capacity: Annotated[StrictInt, Field(ge=0)] = 1
    offers: tuple[str, ...] = ()


@dataclass(slots=True)
class _Executor:
    principal: Principal
    outlet: Outlet
    id: str
    capacity: int
    offers: frozenset[str]
    writer: Writer


class Executors(Namespace):
    """What executors may send, and who they are."""

    transports: ClassVar[frozenset[str]] = frozenset({"websocket"})

    def __init__(
        self, authenticator: Authenticator, claims: Claims, leases: Leases, ingest: Ingest
    ) -> None:
        super().__init__(EXECUTORS)
        self._authenticator = authenticator
        self._claims = claims
        self._leases = leases
        self._ingest = ingest
        self._executors: dict[str, _Executor] = {}
        self._expiries = Expiries(EXECUTORS)
        self.handlers = {
            "claim": self._claim,
            "heartbeat": self._heartbeat,
            "output": self._output,
            "refresh": self._refresh,
            "release": self._release,
            "register": self._register,
        }
        self.promises = {
            "events": self._events,
            **{name: self._single(name) for name in EVENT_TYPES},
        }

    def describe(self) -> list[dict[str, Any]]:
        """The executors that are connected: id, capacity, what they offer."""
        return [
            {"executorId": one.id, "capacity": one.capacity, "offers": sorted(one.offers)}
            for one in self._executors.values()
        ]

    def offer_work(self) -> None:
        """Tell all executors that there is something to claim."""
        frame = event_frame(EXECUTORS, "work", {})
        for executor in self._executors.values():
            executor.outlet.write(frame)

    def cancel(self, executor_id: str, execution_id: str, attempt: int) -> None:
        """Tell this executor to cancel; a lost message comes again with its heartbeat."""
        frame: Frame | None = None
        for executor in self._executors.values():
            if executor.id == executor_id:
                payload = {"executionId": execution_id, "attempt": attempt}
                frame = frame or event_frame(EXECUTORS, "cancel", payload)
                executor.outlet.write(frame)

    async def arrive(self, sid: str, outlet: Outlet, auth: object, environ: dict[str, Any]) -> None:
        token = auth.get("token") if isinstance(auth, dict) else None
        principal = self._authenticator.authenticate(token or header_token(environ))
        if not principal.may_run:
            raise Forbidden(f"role {principal.role} may not run executions; executor may")
        credentials = parse(Credentials, auth, InvalidRequest)
        outlet.message_bytes = MAX_EXECUTOR_MESSAGE_BYTES
        self._executors[sid] = _Executor(
            principal=principal,
            outlet=outlet,
            id=credentials.executor_id,
            capacity=credentials.capacity,
            offers=frozenset(credentials.offers),
            writer=_writer(credentials.executor_id, principal),
        )
        self._expiries.renew(outlet, principal)

    async def depart(self, sid: str) -> None:
        self._expiries.forget(self._executors.pop(sid).outlet)

    async def _claim(self, sid: str, argument: object) -> dict[str, Any]:
        executor = self._executors[sid]
        request = parse(Claim, argument if argument is not None else {}, InvalidRequest)
        claimed = await self._claims.claim(executor.writer, request.max, executor.offers)
        executions = [orjson.Fragment(one) for one in claimed]
        return {"ok": True, "leaseMs": self._leases.lease_ms, "executions": executions}

    def _events(self, sid: str, argument: object) -> Promise:
        batch = parse(Events, argument, Invalid)
        head = self._ingest.submit(self._executors[sid].writer, batch)
        return Promise(head, _durable)

    def _single(self, name: str) -> Promising:
        def take(sid: str, argument: object) -> Promise:
            if not isinstance(argument, dict):
                raise Invalid(f"{name}: the argument is an object with executionId")
            writer = self._executors[sid].writer
            held = parse(_Target, {k: argument.get(k) for k in ("executionId", "attempt")}, Invalid)
            raw = {**argument, "type": name}
            if raw.get("seq") is None:
                raw.pop("seq", None)
                seq = self._ingest.submit_single(writer, held.execution_id, held.attempt, raw)
            else:
                attempt = held.attempt or self._attempt(writer, held.execution_id)
                batch = Events(execution_id=held.execution_id, attempt=attempt, events=[raw])
                seq = self._ingest.submit(writer, batch)
            return Promise(seq, lambda value: {"ok": True, "seq": raw.get("seq", value)})

        return take

    def _attempt(self, writer: Writer, execution_id: str) -> int:
        lease = self._leases.holding(execution_id, writer.holder)
        if lease is None:
            raise Invalid("attempt: is missing, and this executor holds no such execution")
        return lease.attempt

    async def _heartbeat(self, sid: str, argument: object) -> dict[str, Any]:
        request = parse(Heartbeat, argument if argument is not None else {}, InvalidRequest)
        lost, cancel = await self._leases.heartbeat(self._executors[sid].writer, request.executions)
        return {"ok": True, "lost": lost, "cancel": cancel}

    async def _output(self, sid: str, argument: object) -> dict[str, Any]:
        request = parse(Output, argument, InvalidRequest)
        output = await self._claims.output(self._executors[sid].writer, request)
        return {"ok": True, "output": output}

    async def _refresh(self, sid: str, argument: object) -> dict[str, Any]:
        executor = self._executors[sid]
        token = parse(Refresh, argument, InvalidRequest).token
        principal = self._authenticator.authenticate(token)
        if not principal.may_run or principal.tenant != executor.principal.tenant:
            raise Forbidden("the new token may not run this tenant's executions")
        executor.principal, executor.writer = principal, _writer(executor.id, principal)
        self._expiries.renew(executor.outlet, principal)
        return {"ok": True, "expiresAt": expires_at(principal)}

    async def _release(self, sid: str, argument: object) -> dict[str, Any]:
        executor = self._executors[sid]
        request = parse(Held, argument, InvalidRequest)
        await self._claims.release(executor.writer, request)
        return {"ok": True}

    async def _register(self, sid: str, argument: object) -> dict[str, Any]:
        executor = self._executors[sid]
        request = parse(Register, argument, InvalidRequest)
        execution = await self._claims.register(executor.principal, executor.writer, request)
        return {
            "ok": True,
            "executionId": execution.id,
            "attempt": execution.attempt,
            "head": execution.head,
            "leaseMs": self._leases.lease_ms,
            "logCount": execution.summary.log_count,
        }


class _Target(Model):
    execution_id: Id
    attempt: Annotated[StrictInt, Field(ge=1)] | None = None


def _writer(executor_id: str, principal: Principal) -> Writer:
    return Writer(executor_id, principal.scope, principal.executions)


def _durable(head: int) -> dict[str, Any]:
    return {"ok": True, "head": head}
