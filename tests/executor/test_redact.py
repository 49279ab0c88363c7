"""Secrets are replaced wherever they stand, whole and longest first."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.errors import Invalid
from executor.redact import REDACTED, Redactor, secrets_of


def test_wherever_it_stands() -> None:
    redactor = Redactor(["s3cret", "s3cret-long"])
    assert redactor.text("a s3cret.") == "a [redacted]."
    assert redactor.text("s3cret-long s3cret") == "[redacted] [redacted]"
    value = {"s3cret": ["xs3cretx", {"deep": "s3cret"}], "n": 1, "t": (None, True)}
    assert redactor.value(value) == {
        "[redacted]": ["x[redacted]x", {"deep": "[redacted]"}],
        "n": 1,
        "t": [None, True],
    }


def test_no_value_gets_lost_with_its_key() -> None:
    redactor = Redactor(["aaaa", "bbbb"])
    assert redactor.value({"aaaa": 1, "bbbb": 2}) == {"[redacted]": 1, "[redacted] 2": 2}


def test_without_secrets_nothing_is_copied() -> None:
    value = {"a": ["b"]}
    assert Redactor().value(value) is value
    assert not Redactor().active


def test_the_lines_of_a_key_file() -> None:
    redactor = Redactor(["-----BEGIN KEY-----\nMIIEvgIBADAN\nab\n-----END KEY-----\n"])
    assert redactor.text("> MIIEvgIBADAN") == f"> {REDACTED}"
    assert redactor.text("ab") == "ab"


def test_patterns_are_taken_literally() -> None:
    assert Redactor([".*+?"]).text("abcd .*+?") == "abcd [redacted]"


def test_short_values_are_refused() -> None:
    with pytest.raises(Invalid, match="fewer than 4"):
        Redactor(["abc"])
    with pytest.raises(Invalid, match="EXECUTOR_REDACT: the value of PIN has 3 characters"):
        secrets_of(["PIN"], {"PIN": "123"})


def test_unset_variables_are_named() -> None:
    found = secrets_of(["KEY", "GONE", "EMPTY"], {"KEY": "value", "EMPTY": "", "OTHER": "x"})
    assert found == ({"KEY": "value"}, ["GONE", "EMPTY"])


SECRETS = ["token-1", "token-12", "pass"]
JSON = st.recursive(
    st.none()
    | st.integers()
    | st.lists(st.sampled_from([*SECRETS, "tok", "en-1", " ", "x"])).map("".join),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from([*SECRETS, "key"]), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(JSON)
def test_nothing_is_left(value: object) -> None:
    left = str(Redactor(SECRETS).value(value))
    assert not any(secret in left for secret in SECRETS)
