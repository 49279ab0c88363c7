"""The page is built before a browser asks for it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.support.processes import ROOT


@pytest.fixture(scope="session", autouse=True)
def built_page() -> None:
    subprocess.run([sys.executable, "-m", "scripts.build_web"], cwd=ROOT, check=True)
