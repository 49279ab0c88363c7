"""The contract suite's asserts explain themselves like any test's."""

from __future__ import annotations

import pytest

pytest.register_assert_rewrite("tests.bff.stores.contract")
