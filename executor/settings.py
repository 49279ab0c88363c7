"""Every setting of the executor, from the environment and `.env`.

`load()` is what the process calls at start. A setting that does not parse becomes one line:
the variable, what it got (never a secret's value) and what it takes.
"""

from __future__ import annotations

import json
import os
import re
import socket
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from dotenv import dotenv_values
from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from contract.errors import Invalid, Unauthorized
from contract.values import ID_PATTERN
from executor.nodes.tools.addresses import AllowList
from executor.redact import secrets_of

DEV_TOKEN_FILE = Path(".data/executor.token")
"""Where a development server keeps a token for executors on the same machine."""
NO_TOKEN = (
    "EXECUTOR_TOKEN: is not set, and there is no {file}; takes a token of role executor"
    " (a server that runs with BFF_DEV=1 in this folder writes the file)"
)
_SHOWN = 100


class SettingsError(Exception):
    """The process cannot start with these settings; `str()` is the line to print."""

    exit_code = 2


def _hosts(entries: tuple[str, ...]) -> tuple[str, ...]:
    try:
        AllowList(entries)
    except Invalid as error:
        raise ValueError(str(error)) from None
    return entries


def _split(value: object) -> object:
    if not isinstance(value, str):
        return value
    return tuple(part for part in (part.strip() for part in value.split(",")) if part)


def _each(pattern: str) -> AfterValidator:
    def check(words: tuple[str, ...]) -> tuple[str, ...]:
        for word in words:
            if not re.fullmatch(pattern, word):
                raise ValueError(f"{json.dumps(word)} is none")
        return words

    return AfterValidator(check)


def _url(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or (parts.port or 1) < 1:
        raise ValueError("not the address of a server")
    return url.rstrip("/")


def _folder(path: Path) -> Path:
    if not path.is_dir():
        raise ValueError("not a folder")
    return path.resolve()


def _later(value: object) -> object:
    if value is not None:
        raise ValueError("Dask is not in this version yet")
    return value


Words = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]


def own_name() -> str:
    """Host and process, in the form of an id."""
    host = re.sub(r"[^A-Za-z0-9_.:-]", "-", socket.gethostname())[:100]
    return f"{host}-{os.getpid()}"


class Settings(BaseSettings):
    """The executor's settings. A field's description says what its variable takes."""

    model_config = SettingsConfigDict(
        frozen=True,
        env_file=".env",
        env_ignore_empty=True,
        extra="ignore",
        populate_by_name=True,
        str_strip_whitespace=True,
    )

    bff_url: Annotated[str, AfterValidator(_url)] = Field(
        "http://127.0.0.1:3001",
        validation_alias="EXECUTOR_BFF_URL",
        description="the server's address, like https://runroom.example.org",
    )
    token: SecretStr | None = Field(
        None, validation_alias="EXECUTOR_TOKEN", description="a token of role executor"
    )
    id: str = Field(
        default_factory=own_name,
        validation_alias="EXECUTOR_ID",
        pattern=ID_PATTERN,
        description="1 to 128 of A-Z a-z 0-9 _ . : -",
    )
    offers: Annotated[Words, _each(r"\S{1,128}")] = Field(
        (),
        validation_alias="EXECUTOR_OFFERS",
        description="a comma-separated list of words that nodes may require, like gpu",
    )
    data: Path = Field(
        Path(".data/executor"), validation_alias="EXECUTOR_DATA", description="a folder"
    )
    files_root: Annotated[Path, AfterValidator(_folder)] = Field(
        Path(),
        validation_alias="EXECUTOR_FILES_ROOT",
        validate_default=True,
        description="an existing folder",
    )
    http_allow: Annotated[Words, AfterValidator(_hosts)] = Field(
        (),
        validation_alias="EXECUTOR_HTTP_ALLOW",
        description="a comma-separated list of hosts, like api.example.org or localhost:8080",
    )
    redact: Annotated[Words, _each(r"[A-Za-z_][A-Za-z0-9_]*")] = Field(
        (),
        validation_alias="EXECUTOR_REDACT",
        description="a comma-separated list of names of environment variables",
    )
    tools: Annotated[Words, _each(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")] = Field(
        (),
        validation_alias="EXECUTOR_TOOLS",
        description="a comma-separated list of Python modules, like mypackage.tools",
    )
    dask_scheduler: Annotated[None, BeforeValidator(_later)] = Field(
        None,
        validation_alias="EXECUTOR_DASK_SCHEDULER",
        description="no value: leave it unset",
    )
    concurrency: int = Field(
        5,
        validation_alias="WORKER_CONCURRENCY",
        ge=1,
        le=1_000,
        description="a whole number of nodes, 1 to 1000",
    )
    timeout_ms: int = Field(
        30_000,
        validation_alias="WORKER_TIMEOUT",
        ge=1,
        le=7 * 24 * 3_600_000,
        description="a whole number of milliseconds, 1 to 604800000",
    )
    retry_attempts: int = Field(
        3,
        validation_alias="WORKER_RETRY_ATTEMPTS",
        ge=1,
        le=100,
        description="a whole number of tries in all, 1 to 100",
    )

    def token_source(self, file: Path = DEV_TOKEN_FILE) -> str | Callable[[], str]:
        """The token, or where a development server keeps one: read anew for each connection.

        The callable raises Unauthorized, with a sentence, while there is none.
        """
        if self.token is not None:
            return self.token.get_secret_value()

        def read() -> str:
            try:
                token = file.read_text(encoding="utf-8").strip()
            except (OSError, UnicodeDecodeError):
                token = ""
            if not token:
                raise Unauthorized(NO_TOKEN.format(file=file))
            return token

        return read

    def secrets(self, environment: Mapping[str, str]) -> tuple[list[str], list[str]]:
        """The values to redact (the own token is one), and the variables that have none.

        Raises:
            SettingsError: a value is too short to be redacted.
        """
        try:
            secrets, unset = secrets_of(self.redact, environment)
        except Invalid as problem:
            raise SettingsError(str(problem)) from None
        own = [] if self.token is None else [self.token.get_secret_value()]
        return [*secrets.values(), *own], unset


def load() -> Settings:
    """The settings of this process. What `.env` has beside them becomes part of the
    environment, where tools look for their own (`OPENAI_API_KEY`).

    Raises:
        SettingsError: the first thing that is wrong, as one line.
    """
    try:
        for name, value in dotenv_values(".env").items():
            if value and not os.environ.get(name):
                os.environ[name] = value
        return Settings()
    except ValidationError as error:
        raise SettingsError(_line(error)) from None
    except UnicodeDecodeError:
        raise SettingsError(".env: is not UTF-8 text") from None


def _line(error: ValidationError) -> str:
    first: Any = error.errors(include_url=False)[0]
    variable, takes = str(first["loc"][0]), "another value"
    for name, field in Settings.model_fields.items():
        if variable in (name, field.validation_alias):
            variable, takes = str(field.validation_alias), str(field.description)
            break
    message = first["msg"].removeprefix("Value error, ")
    why = f" ({message})" if first["type"] == "value_error" else ""
    return f"{variable}: got {_shown(variable, first['input'])}{why}; takes {takes}"


def _shown(variable: str, value: object) -> str:
    if variable == "EXECUTOR_TOKEN":
        return "a secret"
    if isinstance(value, tuple):
        value = ",".join(map(str, value))
    text = str(value).encode("utf-8", "backslashreplace").decode()
    if "@" in text and "://" in text:  # an address may hold a password
        return json.dumps(text.partition("://")[0] + "://…", ensure_ascii=False)
    return json.dumps(text if len(text) <= _SHOWN else text[:_SHOWN] + "…", ensure_ascii=False)
