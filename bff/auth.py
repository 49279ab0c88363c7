"""Who calls and what they may do: tokens in, a `Principal` that is able to act out.

Nothing of the server can be reached without a principal, and only `Authenticator` makes
one from what a caller sent.
"""

from __future__ import annotations

import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import jwt
from pydantic import BaseModel, ConfigDict, Field, StrictStr, ValidationError

from bff.origins import loopback_request
from bff.settings import Settings
from bff.stores.base import Execution
from contract.errors import ErrorCode, Forbidden, Unauthorized
from contract.values import Id, explain

Role = Literal["viewer", "operator", "executor", "admin"]

LEEWAY_SECONDS = 30
"""How far the clocks of a token's maker and of this server may be apart."""
MAX_TOKEN_BYTES = 8 * 1024
MAX_REMEMBERED = 10_000
"""How many tokens are not verified anew when they come again."""
TOKEN_HOURS = 12
"""How long a token of a development server is good for."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Principal:
    """A caller who is known, and all that it may do.

    Attributes:
        sub: who it is.
        executions: the only executions that its token is good for; None: no such limit.
        expires_at: when its token ends, in seconds since 1970; None: never (anonymous).
        own_only: as a viewer it sees only executions that it owns.
    """

    sub: str
    name: str
    role: Role
    tenant: str
    executions: frozenset[str] | None = None
    expires_at: float | None = None
    own_only: bool = False

    @property
    def may_watch(self) -> bool:
        """It may use the namespace `/executions` and the HTTP interface."""
        return self.role != "executor"

    @property
    def may_run(self) -> bool:
        """It may use the namespace `/executor`."""
        return self.role in ("executor", "admin")

    @property
    def may_operate(self) -> bool:
        """It may create, execute, cancel and retry, where it may see."""
        return self.role in ("operator", "admin")

    @property
    def scope(self) -> str | None:
        """The tenant that its lists are of; None: of all."""
        return None if self.role == "admin" else self.tenant

    @property
    def owner(self) -> str | None:
        """The owner that its lists are of; None: of all."""
        return self.sub if self.own_only and self.role == "viewer" else None

    @property
    def sees_whole_tenant(self) -> bool:
        """No execution of its tenant is hidden from it."""
        return self.may_watch and self.executions is None and self.owner is None

    def may_reach(self, tenant: str) -> bool:
        """Whether what belongs to the tenant exists for it at all."""
        return self.role == "admin" or tenant == self.tenant

    def may_see(self, execution: Execution) -> bool:
        """Whether it may read and subscribe to the execution."""
        return (
            self.may_watch
            and self._covers(execution)
            and self.owner in (None, execution.record.owner)
        )

    def may_hold(self, execution: Execution) -> bool:
        """Whether it may claim the execution and write its events."""
        return self.may_run and self._covers(execution)

    def may_see_workflow(self, tenant: str) -> bool:
        """Whether it may read the tenant's workflows."""
        return self.may_watch and self.executions is None and self.may_reach(tenant)

    def require_watch(self) -> None:
        """
        Raises:
            Forbidden: its token is good for the namespace `/executor` only.
        """
        if not self.may_watch:
            raise Forbidden("a token with role executor is good for the namespace /executor only")

    def require_operate(self, what: str) -> None:
        """
        Raises:
            Forbidden: its role may not do `what` ("cancel an execution").
        """
        self.require_watch()
        if not self.may_operate:
            raise Forbidden(f"role {self.role} may not {what}; operator and admin may")

    def require_create(self, what: str) -> None:
        """
        Raises:
            Forbidden: its role, or its token's limit to certain executions, forbids it.
        """
        self.require_operate(what)
        if self.executions is not None:
            raise Forbidden(f"a token for certain executions may not {what}")

    def _covers(self, execution: Execution) -> bool:
        if self.executions is not None and execution.id not in self.executions:
            return False
        return self.may_reach(execution.tenant)


class _Claims(BaseModel):
    """What a token says, checked."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)

    sub: Annotated[StrictStr, Field(min_length=1, max_length=256)]
    exp: float
    name: Annotated[StrictStr, Field(max_length=256)] = ""
    role: Role = "viewer"
    tenant: Id = "default"
    executions: frozenset[Id] | None = None


class Authenticator:
    """Makes principals of tokens, and tokens for development.

    Args:
        settings: the key, the algorithms and the claims to require; whether callers
            without a token are let in; how far viewers see.
        clock: the time in seconds since 1970, for new tokens.
    """

    def __init__(self, settings: Settings, *, clock: Callable[[], float] = time.time) -> None:
        self._settings = settings
        self._key = settings.key
        self._own_only = settings.visibility == "owner"
        self._clock = clock
        self._verified: OrderedDict[bytes, Principal] = OrderedDict()

    def authenticate(self, token: object) -> Principal:
        """The principal that the token names.

        Args:
            token: whatever the caller sent in its place.

        Raises:
            Unauthorized: and nothing else; with code `token_missing`, `token_invalid`
                or `token_expired`.
        """
        if token is None or token == "":
            raise Unauthorized("a token is needed", ErrorCode.TOKEN_MISSING)
        if not isinstance(token, str) or not token.isascii() or len(token) > MAX_TOKEN_BYTES:
            raise Unauthorized(f"a token is a JWT of at most {MAX_TOKEN_BYTES:,} bytes")
        # a tab that comes back, or the next one of the same person, brings the same token
        digest = hashlib.sha256(token.encode()).digest()
        principal = self._verified.get(digest)
        if principal is None:
            principal = self._verified[digest] = self._verify(token)
            if len(self._verified) > MAX_REMEMBERED:
                self._verified.popitem(last=False)
        elif principal.expires_at is not None and _expired(principal.expires_at):
            raise Unauthorized("the token has expired", ErrorCode.TOKEN_EXPIRED)
        else:
            self._verified.move_to_end(digest)
        return principal

    def _verify(self, token: str) -> Principal:
        claims = self._claims(self._decode(token))
        return Principal(
            sub=claims.sub,
            name=claims.name or claims.sub,
            role=claims.role,
            tenant=claims.tenant,
            executions=claims.executions,
            expires_at=claims.exp,
            own_only=self._own_only,
        )

    def admit(self, token: object, *, host: str | None, origin: str | None) -> Principal:
        """As `authenticate`; a caller without any token is let in if the settings say so.

        Args:
            host, origin: the request's headers.
        """
        role = self._settings.anonymous
        if token not in (None, "") or role is None:
            return self.authenticate(token)
        if role == "operator" and not loopback_request(host, origin):
            raise Unauthorized(
                "without a token only requests to and from this machine are served",
                ErrorCode.TOKEN_MISSING,
            )
        return Principal(
            sub="anonymous",
            name="anonymous",
            role=role,
            tenant="default",
            own_only=self._own_only,
        )

    def mint(
        self,
        *,
        role: Role = "viewer",
        sub: str = "dev",
        name: str | None = None,
        tenant: str = "default",
        executions: list[str] | None = None,
        ttl: float = TOKEN_HOURS * 3600,
    ) -> str:
        """A new token that this authenticator accepts.

        Args:
            ttl: seconds until it ends; negative for one that has ended.
        """
        claims: dict[str, Any] = {
            "sub": sub,
            "name": name,
            "role": role,
            "tenant": tenant,
            "executions": executions,
            "exp": round(self._clock() + ttl, 3),
            "aud": self._settings.jwt_audience,
            "iss": self._settings.jwt_issuer,
        }
        present = {claim: value for claim, value in claims.items() if value is not None}
        return jwt.encode(present, self._key, algorithm=self._settings.jwt_algorithms[0])

    def _decode(self, token: str) -> dict[str, Any]:
        audience = self._settings.jwt_audience
        try:
            return jwt.decode(
                token,
                self._key,
                algorithms=list(self._settings.jwt_algorithms),
                audience=audience,
                issuer=self._settings.jwt_issuer,
                leeway=LEEWAY_SECONDS,
                options={"require": ["exp", "sub"], "verify_aud": audience is not None},
            )
        except jwt.ExpiredSignatureError:
            raise Unauthorized("the token has expired", ErrorCode.TOKEN_EXPIRED) from None
        except jwt.PyJWTError as error:
            raise Unauthorized(f"the token is not valid: {_reason(error)}") from None
        except Exception:
            # a forged header or claim can make the decoder itself stumble (exp: Infinity)
            raise Unauthorized("the token is not valid: not a JWT") from None

    @staticmethod
    def _claims(raw: dict[str, Any]) -> _Claims:
        present = {claim: value for claim, value in raw.items() if value is not None}
        try:
            return _Claims.model_validate(present)
        except ValidationError as error:
            path, message = explain(error)
            raise Unauthorized(f"the token is not valid: {path}: {message}") from None


def _expired(ended: float) -> bool:
    """As PyJWT decides it."""
    return int(ended) <= time.time() - LEEWAY_SECONDS


def _reason(error: jwt.PyJWTError) -> str:
    """What is wrong with a token, in words of ours: PyJWT's may repeat what it holds."""
    match error:
        case jwt.MissingRequiredClaimError():
            return f"it has no {error.claim}"
        case jwt.InvalidSignatureError():
            return "its signature is not this server's"
        case jwt.InvalidAudienceError():
            return "its aud is not this server's"
        case jwt.InvalidIssuerError():
            return "its iss is not this server's"
        case jwt.ImmatureSignatureError():
            return "it is not valid yet"
        case jwt.InvalidAlgorithmError():
            return "its algorithm is not accepted"
        case jwt.exceptions.InvalidSubjectError():
            return "its sub is not a string"
    return "not a JWT"
