"""Tokens and principals: what is let in, and what each may do."""

from __future__ import annotations

import base64
import json
import time
from dataclasses import FrozenInstanceError
from typing import Any

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bff import auth
from bff.auth import LEEWAY_SECONDS, Authenticator, Principal
from bff.stores.base import Execution
from contract.errors import ErrorCode, Forbidden, Unauthorized
from contract.execution import Graph, Record
from tests.bff.house import SECRET, settings

LATER = time.time() + 3600


def token(secret: str = SECRET, algorithm: str = "HS256", **claims: Any) -> str:
    return jwt.encode({"sub": "ada", "exp": LATER, **claims}, secret, algorithm=algorithm)


def refused(given_token: object, **changes: Any) -> Unauthorized:
    with pytest.raises(Unauthorized) as caught:
        Authenticator(settings(**changes)).authenticate(given_token)
    return caught.value


def execution(tenant: str = "default", owner: str = "ada", id: str = "ex_1") -> Execution:
    record = Record(
        execution_id=id,
        workflow_id="wf_1",
        workflow_name="One",
        graph=Graph(),
        owner=owner,
        created_at="2026-01-31T12:00:00.000Z",
    )
    return Execution(record=record, tenant=tenant)


def test_a_token_becomes_a_principal() -> None:
    exp = int(LATER)
    principal = Authenticator(settings()).authenticate(
        token(name="Ada L.", role="operator", tenant="lab", executions=["ex_1"], exp=exp)
    )
    assert principal == Principal(
        sub="ada",
        name="Ada L.",
        role="operator",
        tenant="lab",
        executions=frozenset({"ex_1"}),
        expires_at=exp,
    )
    with pytest.raises(FrozenInstanceError):
        principal.role = "admin"  # type: ignore[misc]


def test_what_a_token_leaves_out_has_defaults() -> None:
    principal = Authenticator(settings()).authenticate(token(role=None, tenant=None, name=None))
    assert (principal.name, principal.role, principal.tenant) == ("ada", "viewer", "default")
    assert principal.executions is None


@pytest.mark.parametrize("nothing", [None, ""])
def test_no_token_is_missing(nothing: object) -> None:
    assert refused(nothing).code is ErrorCode.TOKEN_MISSING


@pytest.mark.parametrize(
    "odd",
    ["\ud800", "é.é.é", [], {}, b"x", 7, 1.5, True, object(), "a.b.c", "..", "x" * 9000, "\0"],
    ids=repr,
)
def test_what_is_not_a_token_is_invalid(odd: object) -> None:
    assert refused(odd).code is ErrorCode.TOKEN_INVALID


@given(st.one_of(st.text(), st.binary(), st.recursive(st.none() | st.floats(), st.lists)))
def test_nothing_raises_anything_but_unauthorized(odd: object) -> None:
    with pytest.raises(Unauthorized):
        Authenticator(settings()).authenticate(odd)


@given(
    header=st.dictionaries(st.sampled_from(["alg", "typ", "kid", "crit", "b64"]), st.integers()),
    tail=st.binary(max_size=40),
)
def test_a_forged_header_raises_nothing_else_either(header: dict[str, int], tail: bytes) -> None:
    parts = [json.dumps(header).encode(), b'{"sub":"x"}', tail]
    forged = ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts)
    with pytest.raises(Unauthorized):
        Authenticator(settings()).authenticate(forged)


@pytest.mark.parametrize(
    "claims",
    [
        {"exp": None},
        {"sub": None},
        {"sub": 7},
        {"sub": ""},
        {"sub": "\ud800"},
        {"sub": "x" * 300},
        {"exp": "soon"},
        {"exp": float("inf")},
        {"exp": 10**400},
        {"nbf": LATER},
        {"iat": LATER},
        {"role": "root"},
        {"role": ["admin"]},
        {"tenant": "a b"},
        {"tenant": 1},
        {"executions": "ex_1"},
        {"executions": ["a b"]},
        {"executions": [1]},
        {"name": {}},
    ],
    ids=repr,
)
def test_claims_that_are_not_as_documented_are_invalid(claims: dict[str, Any]) -> None:
    everything = {"sub": "ada", "exp": LATER, **claims}
    present = {name: value for name, value in everything.items() if value is not None}
    forged = jwt.api_jws.encode(json.dumps(present).encode(), SECRET, algorithm="HS256")
    error = refused(forged)
    assert error.code is ErrorCode.TOKEN_INVALID
    str(error).encode()


def test_the_algorithm_is_pinned() -> None:
    unsigned = jwt.encode({"sub": "a", "exp": LATER}, "", algorithm="none")
    assert refused(unsigned).code is ErrorCode.TOKEN_INVALID
    long_secret = SECRET * 2
    hs512 = token(long_secret, "HS512")
    assert refused(hs512, jwt_secret=long_secret).code is ErrorCode.TOKEN_INVALID
    both = settings(jwt_secret=long_secret, jwt_algorithms=("HS256", "HS512"))
    assert Authenticator(both).authenticate(hs512).sub == "ada"


def test_another_secret_is_refused() -> None:
    assert "signature" in str(refused(token("another secret of thirty-two bytes!!")))


def test_the_end_of_a_token_has_a_leeway() -> None:
    now = time.time()
    assert refused(token(exp=now - LEEWAY_SECONDS - 5)).code is ErrorCode.TOKEN_EXPIRED
    barely = Authenticator(settings()).authenticate(token(exp=now - LEEWAY_SECONDS + 10))
    assert barely.expires_at is not None
    assert barely.expires_at < now


def test_a_token_that_was_verified_before_still_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    authenticator = Authenticator(settings())
    again = token()
    principal = authenticator.authenticate(again)
    assert authenticator.authenticate(again) is principal
    for late, good in ((LEEWAY_SECONDS - 1, True), (LEEWAY_SECONDS, False)):
        present = int(LATER) + late
        monkeypatch.setattr(time, "time", lambda present=present: present)
        if good:
            assert authenticator.authenticate(again) is principal
        else:
            with pytest.raises(Unauthorized) as caught:
                authenticator.authenticate(again)
            assert caught.value.code == ErrorCode.TOKEN_EXPIRED


def test_verified_tokens_are_remembered_up_to_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auth, "MAX_REMEMBERED", 3)
    authenticator = Authenticator(settings())
    tokens = [token(sub=f"viewer-{number}") for number in range(4)]
    first = authenticator.authenticate(tokens[0])
    for one in tokens[1:3]:
        authenticator.authenticate(one)
    assert authenticator.authenticate(tokens[0]) is first, "the bound is not reached"
    authenticator.authenticate(tokens[3])
    assert len(authenticator._verified) == 3
    assert authenticator.authenticate(tokens[0]) is first, "it was used last but one"


def test_a_forged_copy_of_a_verified_token_is_refused() -> None:
    authenticator = Authenticator(settings())
    good = token()
    authenticator.authenticate(good)
    head, claims, signature = good.split(".")
    admin = token("another secret that is long enough", role="admin").split(".")[1]
    for forged in (f"{head}.{admin}.{signature}", good[:-2], f"{head}.{claims}."):
        with pytest.raises(Unauthorized):
            authenticator.authenticate(forged)


def test_audience_and_issuer_are_required_when_set() -> None:
    chosen = {"jwt_audience": "runroom", "jwt_issuer": "https://id.example"}
    assert refused(token(), **chosen).code is ErrorCode.TOKEN_INVALID
    assert "aud" in str(refused(token(aud="other", iss="https://id.example"), **chosen))
    assert "iss" in str(refused(token(aud="runroom", iss="https://evil.example"), **chosen))
    authenticator = Authenticator(settings(**chosen))
    theirs = token(aud="runroom", iss="https://id.example")
    assert authenticator.authenticate(theirs).sub == "ada"
    assert authenticator.authenticate(authenticator.mint()).sub == "dev"
    assert Authenticator(settings()).authenticate(token(aud="anything")).sub == "ada"


def test_a_minted_token_says_what_was_asked_for() -> None:
    authenticator = Authenticator(settings())
    principal = authenticator.authenticate(
        authenticator.mint(
            role="executor", sub="x", name="X", tenant="t", executions=["ex_1"], ttl=100
        )
    )
    assert (principal.role, principal.sub, principal.name) == ("executor", "x", "X")
    assert (principal.tenant, principal.executions) == ("t", frozenset({"ex_1"}))
    assert principal.expires_at == pytest.approx(time.time() + 100, abs=5)
    assert refused(authenticator.mint(ttl=-60)).code is ErrorCode.TOKEN_EXPIRED


def admit(token_given: object = None, host: str = "localhost:3001", **changes: Any) -> Principal:
    origin = changes.pop("origin", None)
    return Authenticator(settings(**changes)).admit(token_given, host=host, origin=origin)


def test_without_the_setting_nobody_is_anonymous() -> None:
    with pytest.raises(Unauthorized):
        admit()


def test_an_anonymous_viewer_may_only_watch_the_default_tenant() -> None:
    anyone = admit(anonymous="viewer", host="runroom.example")
    assert (anyone.sub, anyone.role, anyone.tenant) == ("anonymous", "viewer", "default")
    assert anyone.expires_at is None
    assert not anyone.may_operate
    assert admit("", anonymous="viewer") == anyone


def test_a_bad_token_is_not_anonymous() -> None:
    with pytest.raises(Unauthorized):
        admit("rubbish", anonymous="viewer")


def test_an_anonymous_operator_comes_from_this_machine() -> None:
    dev: dict[str, Any] = {"anonymous": "operator", "dev": True}
    assert admit(**dev).may_operate
    assert admit(**dev, host="[::1]:3001", origin="http://127.0.0.1:8080").may_operate
    foreigners: tuple[dict[str, Any], ...] = (
        {"host": "rebound.example"},
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "http://localhost.evil.example"},
        {"host": "127.0.0.1.evil.example"},
        {"host": ""},
    )
    for foreign in foreigners:
        with pytest.raises(Unauthorized) as caught:
            admit(**dev, **foreign)
        assert caught.value.code is ErrorCode.TOKEN_MISSING


def principal(role: str, **changes: Any) -> Principal:
    facts = {"sub": "ada", "name": "Ada", "tenant": "default", **changes}
    return Principal(role=role, **facts)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("role", "sees", "sees_elsewhere", "operates", "holds"),
    [
        ("viewer", True, False, False, False),
        ("operator", True, False, True, False),
        ("executor", False, False, False, True),
        ("admin", True, True, True, True),
    ],
)
def test_what_each_role_may(
    role: str, sees: bool, sees_elsewhere: bool, operates: bool, holds: bool
) -> None:
    someone = principal(role)
    assert someone.may_see(execution(owner="bob")) is sees
    assert someone.may_see(execution(tenant="other")) is sees_elsewhere
    assert someone.may_operate is operates
    assert someone.may_hold(execution()) is holds
    assert someone.may_hold(execution(tenant="other")) is (role == "admin")


def test_visibility_owner_narrows_viewers_alone() -> None:
    for role, sees in (("viewer", False), ("operator", True), ("admin", True)):
        someone = principal(role, own_only=True)
        assert someone.may_see(execution(owner="bob")) is sees
        assert someone.may_see(execution(owner="ada"))
    authenticator = Authenticator(settings(visibility="owner"))
    assert authenticator.authenticate(authenticator.mint()).owner == "dev"


@pytest.mark.parametrize("role", ["viewer", "operator", "admin"])
def test_a_token_for_certain_executions_is_good_for_those_alone(role: str) -> None:
    someone = principal(role, executions=frozenset({"ex_1"}))
    assert someone.may_see(execution())
    assert not someone.may_see(execution(id="ex_2"))
    assert not someone.may_see_workflow("default")
    assert not someone.sees_whole_tenant
    with pytest.raises(Forbidden):
        someone.require_create("execute a workflow")
    executor = principal("executor", executions=frozenset({"ex_1"}))
    assert executor.may_hold(execution())
    assert not executor.may_hold(execution(id="ex_2"))
