"""Secrets that the user named never leave the executor: every string is searched for them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from contract.errors import Invalid
from contract.values import Json

REDACTED = "[redacted]"
MIN_LENGTH = 4
"""A shorter value would stand in half of all words."""
_MIN_LINE = 8


class Redactor:
    """Replaces secrets, wherever in a text they stand, by `[redacted]`; the longest first.

    Args:
        secrets: the values. Of one with several lines (a key file) each longer line counts
            by itself too, because logs are cut into lines.

    Raises:
        Invalid: a value has fewer than `MIN_LENGTH` characters.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        values: set[str] = set()
        for secret in secrets:
            if len(secret) < MIN_LENGTH:
                raise Invalid(f"a secret of fewer than {MIN_LENGTH} characters cannot be redacted")
            values.add(secret)
            lines = secret.splitlines()
            if len(lines) > 1:
                values.update(line.strip() for line in lines if len(line.strip()) >= _MIN_LINE)
        ordered = sorted(values, key=len, reverse=True)
        self.longest = len(ordered[0]) if ordered else 0
        """Characters of the longest secret; whoever cuts a text must keep this much together."""
        self._pattern = re.compile("|".join(map(re.escape, ordered))) if ordered else None

    @property
    def active(self) -> bool:
        """There is something to redact."""
        return self._pattern is not None

    def text(self, text: str) -> str:
        return text if self._pattern is None else self._pattern.sub(REDACTED, text)

    def value(self, value: Json) -> Json:
        """The JSON value with every string in it redacted, the keys of objects too."""
        return value if self._pattern is None else self._walk(value)

    def _walk(self, value: Json) -> Json:
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            walked: dict[str, Json] = {}
            for key, inner in value.items():
                # a key that is no string is not JSON, which others will say
                name = self._free_key(self.text(key), walked) if isinstance(key, str) else key
                walked[name] = self._walk(inner)
            return walked
        if isinstance(value, list | tuple):
            return [self._walk(inner) for inner in value]
        return value

    @staticmethod
    def _free_key(key: str, taken: Mapping[str, Json]) -> str:
        """Two keys may become the same; neither's value gets lost."""
        number, name = 1, key
        while name in taken:
            number += 1
            name = f"{key} {number}"
        return name


def secrets_of(
    names: Iterable[str], environment: Mapping[str, str]
) -> tuple[dict[str, str], list[str]]:
    """The values of the variables to redact, and the names that have none.

    Raises:
        Invalid: a variable is set, but too short to be told from ordinary words.
    """
    secrets: dict[str, str] = {}
    unset: list[str] = []
    for name in names:
        value = environment.get(name, "")
        if not value:
            unset.append(name)
        elif len(value) < MIN_LENGTH:
            raise Invalid(
                f"EXECUTOR_REDACT: the value of {name} has {len(value)} characters; "
                f"only values of at least {MIN_LENGTH} can be redacted"
            )
        else:
            secrets[name] = value
    return secrets, unset
