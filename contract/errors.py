"""Error codes of the wire and the one exception family that carries them."""

from __future__ import annotations

from enum import StrEnum
from typing import Any


class ErrorCode(StrEnum):
    """Every `code` that an answer, a refusal or an HTTP error may hold."""

    INVALID_REQUEST = "invalid_request"
    INVALID = "invalid"
    NOT_FOUND = "not_found"
    TOO_MANY_SUBSCRIPTIONS = "too_many_subscriptions"
    RATE_LIMITED = "rate_limited"
    UNAUTHORIZED = "unauthorized"
    TOKEN_MISSING = "token_missing"
    TOKEN_INVALID = "token_invalid"
    TOKEN_EXPIRED = "token_expired"
    FORBIDDEN = "forbidden"
    WEBSOCKET_REQUIRED = "websocket_required"
    UNAVAILABLE = "unavailable"
    FENCED = "fenced"
    CONFLICT = "conflict"
    SEALED = "sealed"
    GAP = "gap"
    TOO_LARGE = "too_large"


class RunroomError(Exception):
    """Base of all errors that reach a caller: a code, a sentence and fields.

    Attributes:
        code: what kind of refusal this is.
        message: one sentence that says what was wrong and what is accepted.
        fields: further wire members (`head`, `retryAfterMs`, `details`).
    """

    code = ErrorCode.INVALID_REQUEST

    def __init__(self, message: str, **fields: Any) -> None:
        super().__init__(message)
        self.message = message
        self.fields = fields

    def __str__(self) -> str:
        return self.message


class InvalidRequest(RunroomError):
    """A request that is not of the documented form."""


class Invalid(RunroomError):
    """An event, a workflow or a value that breaks the contract."""

    code = ErrorCode.INVALID


class IllegalMove(Invalid):
    """A status change that the tables in `contract.states` do not have."""


class NotFound(RunroomError):
    """No such thing, or not the caller's to see: the two are not told apart."""

    code = ErrorCode.NOT_FOUND


class TooManySubscriptions(RunroomError):
    code = ErrorCode.TOO_MANY_SUBSCRIPTIONS


class RateLimited(RunroomError):
    code = ErrorCode.RATE_LIMITED


class Unauthorized(RunroomError):
    """No valid token; `code` tells whether it was missing, invalid or expired."""

    code = ErrorCode.TOKEN_INVALID

    def __init__(self, message: str, code: ErrorCode = ErrorCode.TOKEN_INVALID) -> None:
        super().__init__(message)
        self.code = code


class Forbidden(RunroomError):
    """The token's role does not allow the call."""

    code = ErrorCode.FORBIDDEN


class Unavailable(RunroomError):
    """The server cannot answer now; the same call may succeed later."""

    code = ErrorCode.UNAVAILABLE

    def __init__(self, message: str, retry_after_ms: int = 1000) -> None:
        super().__init__(message, retryAfterMs=retry_after_ms)


class Fenced(RunroomError):
    """A write by an attempt that is no longer the execution's newest; never retry it."""

    code = ErrorCode.FENCED


class Conflict(RunroomError):
    """The same key again with other content."""

    code = ErrorCode.CONFLICT


class Sealed(RunroomError):
    """An event after the execution's terminal status."""

    code = ErrorCode.SEALED


class Gap(RunroomError):
    """An event that does not continue the head; `head` says where to go on."""

    code = ErrorCode.GAP

    def __init__(self, message: str, head: int) -> None:
        super().__init__(message, head=head)


class TooLarge(RunroomError):
    code = ErrorCode.TOO_LARGE


def to_wire(error: RunroomError) -> dict[str, Any]:
    """The `error` member of an answer: `{code, message, …fields}`."""
    return {"code": error.code.value, "message": error.message, **error.fields}


def refusal(error: RunroomError) -> dict[str, Any]:
    """A whole negative acknowledgement: `{ok: false, error: {…}}`."""
    return {"ok": False, "error": to_wire(error)}
