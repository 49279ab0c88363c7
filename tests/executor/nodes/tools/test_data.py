"""`data.query`."""

from __future__ import annotations

import pytest

from contract.errors import Invalid
from executor.nodes.tools.data import query


def test_a_query_gives_what_jmespath_gives() -> None:
    data = {"files": [{"name": "a", "lines": 3}, {"name": "b", "lines": 9}]}
    assert query("max_by(files, &lines).name", data) == "b"
    assert query("missing", data) is None


def test_a_query_that_fails_names_its_expression() -> None:
    with pytest.raises(Invalid, match=r'the expression "sum\(@\)" cannot be evaluated'):
        query("sum(@)", ["a"])
