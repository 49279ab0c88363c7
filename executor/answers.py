"""What a refusal in an answer or at connecting stands for: the exception family again."""

from __future__ import annotations

from contract import errors
from contract.errors import ErrorCode, RunroomError

_KINDS: dict[str, type[RunroomError]] = {
    kind.code: kind
    for kind in (
        errors.InvalidRequest,
        errors.Invalid,
        errors.NotFound,
        errors.RateLimited,
        errors.Forbidden,
        errors.Fenced,
        errors.Conflict,
        errors.Sealed,
        errors.TooLarge,
    )
}
_TOKEN_CODES = frozenset({"unauthorized", "token_missing", "token_invalid", "token_expired"})


def error_of(wire: object) -> RunroomError:
    """The exception that an answer's `error` member stands for."""
    if not isinstance(wire, dict) or not isinstance(wire.get("code", ""), str):
        return errors.Unavailable("the answer is not of the documented form")
    fields = {name: value for name, value in wire.items() if name not in ("code", "message")}
    code, message = wire.get("code", "unauthorized"), str(wire.get("message", "refused"))
    if code == ErrorCode.GAP and isinstance(fields.get("head"), int):
        return errors.Gap(message, fields["head"])
    if code == ErrorCode.UNAVAILABLE:
        return errors.Unavailable(message, _milliseconds(fields.get("retryAfterMs")))
    if code in _TOKEN_CODES:
        return errors.Unauthorized(message, ErrorCode(code))
    if code in _KINDS:
        return _KINDS[code](message, **fields)
    return RunroomError(f"{message} ({code})", **fields)


def _milliseconds(value: object) -> int:
    return value if isinstance(value, int) and value >= 0 else 1_000
