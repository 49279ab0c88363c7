"""How much of everything: the short form for `make test`, the long one for `make chaos`."""

from __future__ import annotations

import os
import secrets
from typing import TypeVar

T = TypeVar("T")

LONG = os.environ.get("CHAOS") == "long"


def form(short: T, long: T) -> T:
    """The value for the form that this process runs."""
    return long if LONG else short


def seed() -> str:
    """The seed of this process: `CHAOS_SEED`, or a new one."""
    return os.environ.get("CHAOS_SEED") or str(secrets.randbelow(1_000_000))


def replay(seed: str, test: str) -> str:
    """The one command that runs a test with the same luck again."""
    word = "chaos" if LONG else "test"
    return f"CHAOS_SEED={seed} make {word} ARGS='{test}'"
