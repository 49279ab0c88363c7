"""Where the bridge's token comes from, and when it ends."""

from __future__ import annotations

import inspect
import time
from collections.abc import Awaitable, Callable

import jwt

Source = str | Callable[[], str | Awaitable[str]]


class Tokens:
    """A fixed token, or a callable that makes a fresh one for each connection.

    Args:
        source: a callable that is not a coroutine function must not block.
    """

    def __init__(self, source: Source) -> None:
        self._source = source

    @property
    def fixed(self) -> bool:
        """There is only this one token: a refusal of it stands."""
        return isinstance(self._source, str)

    async def fetch(self) -> str:
        """The token to use now. Raises what the callable raises."""
        if isinstance(self._source, str):
            return self._source
        token = self._source()
        return await token if inspect.isawaitable(token) else token


def seconds_left(token: str) -> float | None:
    """How long the token is still good, by its own `exp`; None if it does not say."""
    try:
        # Only read, not trusted: the server verifies it.
        claims = jwt.decode(token, options={"verify_signature": False})
    except jwt.InvalidTokenError:
        return None
    expires = claims.get("exp")
    return expires - time.time() if isinstance(expires, int | float) else None
