"""The key that signs tokens: what makes a good one, and the one a development server keeps."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import jwt

KEY_BYTES = {"HS256": 32, "HS384": 48, "HS512": 64}
"""The algorithms of this version and the shortest key that each may have (RFC 7518, 3.2)."""


def check(secret: str, algorithms: Iterable[str]) -> None:
    """Make sure that the secret may sign with all of the algorithms.

    Raises:
        ValueError: "got …; takes …".
    """
    length, needed = len(secret.encode()), max(KEY_BYTES[name] for name in algorithms)
    takes = f"takes a random secret of at least {needed} bytes"
    if length < needed:
        raise ValueError(f"got {length} bytes; {takes}")
    try:
        jwt.encode({}, secret, algorithm="HS256")
    except jwt.InvalidKeyError:
        raise ValueError(f"got a public key, a certificate or a JWK; {takes}") from None


def keep(path: Path) -> str:
    """The secret in the file, which is made first, for this user alone, if it is not there.

    Raises:
        OSError: the file cannot be made or read.
        ValueError: it is not text.
    """
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f"{path.name}.{os.getpid()}")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(max(KEY_BYTES.values())))
        # linked when it is whole; of two servers that start at once, one wins
        with suppress(FileExistsError):
            path.hardlink_to(draft)
        draft.unlink()
    return path.read_text().strip()
