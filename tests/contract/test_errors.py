"""The exception family and its wire form."""

from __future__ import annotations

import orjson
import pytest

from contract import errors
from contract.errors import ErrorCode, Gap, RunroomError, Unauthorized, Unavailable

FAMILY = [
    thing
    for thing in vars(errors).values()
    if isinstance(thing, type) and issubclass(thing, RunroomError)
]


@pytest.mark.parametrize("kind", FAMILY)
def test_every_error_has_a_code_and_one_wire_form(kind: type[RunroomError]) -> None:
    error = kind("no", head=3) if kind is Gap else kind("no")
    wire = errors.to_wire(error)
    assert wire["code"] == error.code.value
    assert type(wire["code"]) is str
    assert wire["message"] == str(error) == "no"
    assert errors.refusal(error) == {"ok": False, "error": wire}
    assert orjson.loads(orjson.dumps(wire)) == wire


def test_fields_stand_beside_code_and_message() -> None:
    assert errors.to_wire(Gap("g", head=7)) == {"code": "gap", "message": "g", "head": 7}
    assert errors.to_wire(Unavailable("u", retry_after_ms=250)) == {
        "code": "unavailable",
        "message": "u",
        "retryAfterMs": 250,
    }
    assert errors.to_wire(errors.Invalid("i", details=["i", "j"]))["details"] == ["i", "j"]


@pytest.mark.parametrize(
    "code", [ErrorCode.TOKEN_MISSING, ErrorCode.TOKEN_INVALID, ErrorCode.TOKEN_EXPIRED]
)
def test_unauthorized_tells_how(code: ErrorCode) -> None:
    assert errors.to_wire(Unauthorized("t", code))["code"] == code.value


def test_an_illegal_move_is_an_invalid_event() -> None:
    assert issubclass(errors.IllegalMove, errors.Invalid)
    assert errors.IllegalMove("m").code is ErrorCode.INVALID
