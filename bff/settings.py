"""Every setting of the server, from the environment and `.env`.

`load()` is what a process calls at start. A setting that does not parse, or that asks for
what this version does not have, becomes one line: the variable, what it got (never a
secret's value) and what it takes.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError
from pydantic import model_validator as check
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from bff import secret

DEV_SECRET_FILE = Path(".data/jwt.secret")
"""Where a development server makes and keeps its secret."""
SHOWN = 100
"""How many characters of a wrong value an error repeats."""


class SettingsError(Exception):
    """The process cannot start with these settings; `str()` is the line to print."""

    exit_code = 2


def is_loopback(host: str | None) -> bool:
    """Whether a host name or address (without port) means this machine alone."""
    if host is None:
        return False
    if host.lower().rstrip(".") == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _split(value: object) -> object:
    if not isinstance(value, str):
        return value
    return tuple(part for part in (part.strip() for part in value.split(",")) if part)


def _later(reason: str) -> BeforeValidator:
    """Refuses any value of a setting that only a later version has."""

    def refuse(value: object) -> None:
        if value is not None:
            raise ValueError(reason)

    return BeforeValidator(refuse)


def _store(url: str) -> str:
    scheme, _, rest = url.partition("://")
    if scheme.startswith("mongodb"):
        raise ValueError("MongoDB is not in this version yet")
    if scheme != "sqlite" or not rest.startswith("/") or not rest.strip("/"):
        raise ValueError("not a store's URL")
    return url


def _origins(origins: tuple[str, ...]) -> tuple[str, ...]:
    for origin in origins:
        if origin == "*":
            raise ValueError("every origin (*) is never allowed")
        parts = urlsplit(origin)
        bare = f"{parts.scheme}://{parts.netloc}"
        if parts.scheme not in ("http", "https") or not parts.hostname or bare != origin:
            raise ValueError(f"{json.dumps(origin)} is not an origin")
        if "@" in parts.netloc or (parts.port or 1) < 1:
            raise ValueError(f"{json.dumps(origin)} is not an origin")
    return tuple(origin.lower() for origin in origins)


def _algorithms(names: tuple[str, ...]) -> tuple[str, ...]:
    for name in names:
        if name not in secret.KEY_BYTES:
            raise ValueError(f"{json.dumps(name)} is not in this version")
    return names or ("HS256",)


Words = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]
Flag = Annotated[bool, Field(strict=False)]


class Settings(BaseSettings):
    """The server's settings. A field's description says what its variable takes."""

    model_config = SettingsConfigDict(
        frozen=True,
        env_file=".env",
        env_ignore_empty=True,
        extra="ignore",
        populate_by_name=True,
        str_strip_whitespace=True,
        allow_inf_nan=False,
    )

    host: str = Field(
        "127.0.0.1",
        validation_alias="BFF_HOST",
        min_length=1,
        description="a host name or an address to listen on",
    )
    port: int = Field(
        3001,
        validation_alias="BFF_PORT",
        ge=0,
        le=65_535,
        description="a port, 1 to 65535, or 0 for any free one",
    )
    store: Annotated[str, AfterValidator(_store)] = Field(
        "sqlite:///.data/executions.db",
        validation_alias="BFF_STORE",
        description="sqlite:///relative/path or sqlite:////absolute/path",
    )
    redis_url: Annotated[None, _later("Redis is not in this version yet")] = Field(
        None,
        validation_alias="BFF_REDIS_URL",
        description="no value: leave it unset, and run one server process",
    )
    jwt_secret: SecretStr | None = Field(
        None,
        validation_alias="BFF_JWT_SECRET",
        description="a random secret of at least 32 bytes",
    )
    jwt_jwks_url: Annotated[None, _later("asymmetric keys are not in this version yet")] = Field(
        None,
        validation_alias="BFF_JWT_JWKS_URL",
        description="no value: leave it unset, and set BFF_JWT_SECRET",
    )
    jwt_algorithms: Annotated[Words, AfterValidator(_algorithms)] = Field(
        ("HS256",),
        validation_alias="BFF_JWT_ALGORITHMS",
        description="a comma-separated list of HS256, HS384 and HS512",
    )
    jwt_audience: str | None = Field(
        None,
        validation_alias="BFF_JWT_AUDIENCE",
        description="the aud that every token must have",
    )
    jwt_issuer: str | None = Field(
        None,
        validation_alias="BFF_JWT_ISSUER",
        description="the iss that every token must have",
    )
    dev: Flag = Field(False, validation_alias="BFF_DEV", description="1 or 0")
    anonymous: Literal["viewer", "operator"] | None = Field(
        None,
        validation_alias="BFF_ANONYMOUS",
        description="viewer or, with BFF_DEV=1 only, operator; unset: nobody without a token",
    )
    visibility: Literal["tenant", "owner"] = Field(
        "tenant", validation_alias="BFF_VISIBILITY", description="tenant or owner"
    )
    cors_origins: Annotated[Words, AfterValidator(_origins)] = Field(
        (),
        validation_alias="BFF_CORS_ORIGINS",
        description="a comma-separated list of origins, like https://app.example.org",
    )
    lease_seconds: float = Field(
        15,
        validation_alias="BFF_LEASE_SECONDS",
        ge=0.1,
        le=86_400,
        description="a number of seconds, 0.1 to 86400",
    )
    max_attempts: int = Field(
        3,
        validation_alias="BFF_MAX_ATTEMPTS",
        ge=1,
        le=1_000,
        description="a whole number, 1 to 1000",
    )
    retention_days: float = Field(
        30,
        validation_alias="BFF_RETENTION_DAYS",
        ge=0,
        le=36_500,
        description="a number of days, 0 to 36500; 0 keeps everything",
    )
    evict_seconds: float = Field(
        3_600,
        validation_alias="BFF_EVICT_SECONDS",
        ge=0,
        le=31_536_000,
        description="a number of seconds, 0 to 31536000",
    )
    coalesce_ms: float = Field(
        5,
        validation_alias="BFF_COALESCE_MS",
        ge=0,
        le=1_000,
        description="a number of milliseconds, 0 to 1000; 0 sends every commit at once",
    )
    compression: Flag = Field(
        False,
        validation_alias="BFF_COMPRESSION",
        description="1 or 0",
    )
    ws_path: str = Field(
        "/ws/executions",
        validation_alias="WS_PATH",
        pattern=r"^(/[A-Za-z0-9_.~-]+)+$",
        description="a path, like /ws/executions",
    )
    ws_heartbeat_ms: int = Field(
        30_000,
        validation_alias="WS_HEARTBEAT_INTERVAL",
        ge=100,
        le=3_600_000,
        description="milliseconds, 100 to 3600000",
    )
    ui_refresh_interval_ms: int = Field(
        1_000,
        validation_alias="UI_REFRESH_INTERVAL",
        ge=100,
        le=3_600_000,
        description="milliseconds, 100 to 3600000",
    )
    ui_animation_enabled: Flag = Field(
        True, validation_alias="UI_ANIMATION_ENABLED", description="true or false"
    )
    ui_color_theme: Literal["dynamic", "static"] = Field(
        "dynamic", validation_alias="UI_COLOR_THEME", description="dynamic or static"
    )

    @property
    def store_path(self) -> Path:
        """The SQLite file that `store` names."""
        return Path(self.store.removeprefix("sqlite:///"))

    @property
    def key(self) -> str:
        """The key that signs tokens.

        Raises:
            SettingsError: there is none.
        """
        if self.jwt_secret is None:
            raise SettingsError(
                "BFF_JWT_SECRET: is not set; takes a random secret of at least 32 bytes"
                " (or set BFF_DEV=1 on a development machine, and one is made)"
            )
        return self.jwt_secret.get_secret_value()

    @check(mode="after")
    def _together(self) -> Self:
        if self.jwt_secret is not None:
            try:
                secret.check(self.jwt_secret.get_secret_value(), self.jwt_algorithms)
            except ValueError as error:
                raise ValueError(f"BFF_JWT_SECRET: {error}") from None
        if self.dev and not is_loopback(self.host):
            raise ValueError(
                f"BFF_HOST: got {json.dumps(self.host)}; with BFF_DEV=1 it takes a loopback"
                " address: 127.0.0.1, ::1 or localhost"
            )
        if self.anonymous == "operator" and not self.dev:
            raise ValueError(
                'BFF_ANONYMOUS: got "operator"; without BFF_DEV=1 it takes viewer or no value'
            )
        return self


def load() -> Settings:
    """The settings of this process; in development without a secret, one is made and kept.

    Raises:
        SettingsError: the first thing that is wrong, as one line.
    """
    try:
        settings = Settings()
    except ValidationError as error:
        raise SettingsError(_line(error)) from None
    except UnicodeDecodeError:
        raise SettingsError(".env: is not UTF-8 text") from None
    if settings.jwt_secret is None and settings.dev:
        kept = _kept_secret(settings.jwt_algorithms)
        return settings.model_copy(update={"jwt_secret": kept})
    _ = settings.key
    return settings


def _kept_secret(algorithms: Iterable[str]) -> SecretStr:
    try:
        kept = secret.keep(DEV_SECRET_FILE)
        secret.check(kept, algorithms)
    except OSError as error:
        raise SettingsError(
            f"BFF_JWT_SECRET: is not set, and {DEV_SECRET_FILE} cannot be made or read:"
            f" {error.strerror}"
        ) from None
    except ValueError as error:
        problem = "is not text" if isinstance(error, UnicodeDecodeError) else str(error)
        raise SettingsError(
            f"{DEV_SECRET_FILE}: {problem}; delete the file to have one made"
        ) from None
    return SecretStr(kept)


def _line(error: ValidationError) -> str:
    first: Any = error.errors(include_url=False)[0]
    message = first["msg"].removeprefix("Value error, ")
    if not first["loc"]:
        return str(message)
    variable = str(first["loc"][0])
    for name, field in Settings.model_fields.items():
        if variable in (name, field.validation_alias):
            variable = str(field.validation_alias)
            takes = field.description
            break
    else:
        takes = "another value"
    why = f" ({message})" if first["type"] == "value_error" else ""
    return f"{variable}: got {_shown(variable, first['input'])}{why}; takes {takes}"


def _shown(variable: str, value: object) -> str:
    """What a setting got, short and on one line; of URLs, which may hold a password,
    only the scheme."""
    if variable == "BFF_JWT_SECRET":
        return "a secret"
    if isinstance(value, tuple):
        value = ",".join(map(str, value))
    text = str(value).encode("utf-8", "backslashreplace").decode()
    if "://" in text and variable in ("BFF_STORE", "BFF_REDIS_URL", "BFF_JWT_JWKS_URL"):
        return json.dumps(text.partition("://")[0] + "://…", ensure_ascii=False)
    cut = "…" if len(text) > SHOWN else ""
    return json.dumps(text[:SHOWN] + cut, ensure_ascii=False)
