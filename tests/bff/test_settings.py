"""Settings: defaults, what is refused and how, the secret of a development server."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from bff.settings import Settings, SettingsError, load

SECRET = "0123456789abcdef0123456789abcdef"
ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An empty folder, and none of this machine's settings."""
    monkeypatch.chdir(tmp_path)
    for name in os.environ:
        if name.startswith(("BFF_", "WS_", "UI_")):
            monkeypatch.delenv(name)


def load_with(monkeypatch: pytest.MonkeyPatch, **variables: str) -> Settings:
    for name, value in {"BFF_JWT_SECRET": SECRET, **variables}.items():
        monkeypatch.setenv(name, value)
    return load()


def refusal(monkeypatch: pytest.MonkeyPatch, **variables: str) -> str:
    with pytest.raises(SettingsError) as caught:
        load_with(monkeypatch, **variables)
    line = str(caught.value)
    assert "\n" not in line
    return line


def test_the_defaults_are_the_documented_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load_with(monkeypatch)
    assert (settings.host, settings.port) == ("127.0.0.1", 3001)
    assert settings.store_path == Path(".data/executions.db")
    assert settings.jwt_algorithms == ("HS256",)
    assert (settings.dev, settings.anonymous, settings.visibility) == (False, None, "tenant")
    assert (settings.lease_seconds, settings.max_attempts) == (15, 3)
    assert (settings.retention_days, settings.evict_seconds) == (30, 3600)
    assert (settings.ws_path, settings.ws_heartbeat_ms) == ("/ws/executions", 30_000)
    assert settings.coalesce_ms == 5
    assert settings.ui_refresh_interval_ms == 1000
    assert settings.ui_animation_enabled is True
    assert settings.ui_color_theme == "dynamic"


def test_what_the_environment_says_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load_with(
        monkeypatch,
        BFF_PORT="0",
        BFF_STORE="sqlite:////var/lib/runroom.db",
        BFF_CORS_ORIGINS="https://a.example, http://B.example:8080",
        BFF_LEASE_SECONDS="0.5",
        UI_ANIMATION_ENABLED="false",
        BFF_JWT_AUDIENCE="",
    )
    assert settings.port == 0
    assert settings.store_path == Path("/var/lib/runroom.db")
    assert settings.cors_origins == ("https://a.example", "http://b.example:8080")
    assert settings.lease_seconds == 0.5
    assert settings.ui_animation_enabled is False
    assert settings.jwt_audience is None


def test_a_file_named_env_is_read_and_the_environment_wins(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    lines = f"BFF_JWT_SECRET={SECRET}\nBFF_PORT=4000\nBFF_MAX_ATTEMPTS=7\nWORKER_CONCURRENCY=2\n"
    (tmp_path / ".env").write_text(lines)
    monkeypatch.setenv("BFF_PORT", "5000")
    settings = load()
    assert (settings.port, settings.max_attempts, settings.key) == (5000, 7, SECRET)


@pytest.mark.parametrize(
    ("variable", "value", "expected"),
    [
        ("BFF_PORT", "abc", 'BFF_PORT: got "abc"; takes a port, 1 to 65535, or 0 for any free'),
        ("BFF_PORT", "70000", 'BFF_PORT: got "70000"; takes a port'),
        ("BFF_DEV", "perhaps", 'BFF_DEV: got "perhaps"; takes 1 or 0'),
        ("BFF_ANONYMOUS", "admin", 'BFF_ANONYMOUS: got "admin"; takes viewer or'),
        ("BFF_ANONYMOUS", "operator", 'BFF_ANONYMOUS: got "operator"; without BFF_DEV=1'),
        ("BFF_VISIBILITY", "all", 'BFF_VISIBILITY: got "all"; takes tenant or owner'),
        ("BFF_COALESCE_MS", "-1", 'BFF_COALESCE_MS: got "-1"; takes a number of milliseconds'),
        ("BFF_LEASE_SECONDS", "nan", 'BFF_LEASE_SECONDS: got "nan"; takes a number of seconds'),
        ("BFF_MAX_ATTEMPTS", "0", 'BFF_MAX_ATTEMPTS: got "0"; takes a whole number, 1 to 1000'),
        ("BFF_STORE", "postgres://x", 'BFF_STORE: got "postgres://…" (not a store\'s URL); takes'),
        ("BFF_STORE", "sqlite:///", "BFF_STORE: got"),
        ("BFF_CORS_ORIGINS", "*", "(every origin (*) is never allowed)"),
        ("BFF_CORS_ORIGINS", "https://a/path", '("https://a/path" is not an origin)'),
        ("BFF_CORS_ORIGINS", "null", '("null" is not an origin)'),
        ("BFF_CORS_ORIGINS", "http://a:99999", "BFF_CORS_ORIGINS: got"),
        ("BFF_JWT_ALGORITHMS", "none", '("none" is not in this version); takes'),
        ("BFF_JWT_ALGORITHMS", "RS256", '("RS256" is not in this version); takes'),
        ("BFF_REDIS_URL", "redis://x", "(Redis is not in this version yet); takes no value"),
        ("BFF_JWT_JWKS_URL", "https://x", "(asymmetric keys are not in this version yet)"),
        ("WS_PATH", "ws", 'WS_PATH: got "ws"; takes a path'),
        ("UI_COLOR_THEME", "pink", 'UI_COLOR_THEME: got "pink"; takes dynamic or static'),
    ],
)
def test_a_wrong_value_becomes_one_line(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, expected: str
) -> None:
    line = refusal(monkeypatch, **{variable: value})
    assert line.startswith(f"{variable}: got ")
    assert expected in line


@pytest.mark.parametrize("variable", ["BFF_STORE", "BFF_REDIS_URL"])
def test_the_password_in_a_url_is_not_shown(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    line = refusal(monkeypatch, **{variable: "mongodb://user:hunter2@host/db"})
    assert "hunter2" not in line
    assert "not in this version yet" in line


def test_a_long_or_odd_value_stays_on_one_short_line(monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(refusal(monkeypatch, BFF_PORT="x" * 10_000)) < 300
    refusal(monkeypatch, BFF_PORT="1\n2\x1b[31m")
    refusal(monkeypatch, BFF_PORT=os.fsdecode(b"\xff")).encode()


def test_the_secret_must_be_long_enough_and_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    line = refusal(monkeypatch, BFF_JWT_SECRET="hunter2")
    assert line == "BFF_JWT_SECRET: got 7 bytes; takes a random secret of at least 32 bytes"


def test_a_longer_hash_needs_a_longer_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "at least 64 bytes" in refusal(monkeypatch, BFF_JWT_ALGORITHMS="HS256,HS512")
    assert load_with(monkeypatch, BFF_JWT_SECRET=SECRET * 2).jwt_algorithms == ("HS256", "HS512")


def test_a_public_key_is_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    pem = "-----BEGIN PUBLIC KEY-----\nAAAAAAAAAAAAAAAAAAAAAAAA\n-----END PUBLIC KEY-----"
    assert "got a public key" in refusal(monkeypatch, BFF_JWT_SECRET=pem)


def test_no_secret_says_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    line = refusal(monkeypatch, BFF_JWT_SECRET="")
    assert line.startswith("BFF_JWT_SECRET: is not set; takes")
    assert "BFF_DEV=1" in line


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.2", "example.org", "localhost.evil"])
def test_development_listens_on_loopback_only(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    line = refusal(monkeypatch, BFF_DEV="1", BFF_HOST=host)
    assert line.startswith(f'BFF_HOST: got "{host}"; with BFF_DEV=1 it takes a loopback address')


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "localhost"])
def test_development_may_let_anonymous_operators_in(
    monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    settings = load_with(monkeypatch, BFF_DEV="1", BFF_HOST=host, BFF_ANONYMOUS="operator")
    assert settings.anonymous == "operator"


def test_development_makes_a_secret_for_this_user_alone_and_keeps_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    first = load_with(monkeypatch, BFF_DEV="1", BFF_JWT_SECRET="")
    file = tmp_path / ".data" / "jwt.secret"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert list(file.parent.iterdir()) == [file]
    assert len(first.key) >= 64
    assert load().key == first.key == file.read_text()


def test_a_kept_secret_that_is_too_short_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".data").mkdir()
    (tmp_path / ".data" / "jwt.secret").write_text("short")
    line = refusal(monkeypatch, BFF_DEV="1", BFF_JWT_SECRET="")
    assert line.startswith(".data/jwt.secret: got 5 bytes; takes")
    assert "delete the file" in line


def test_a_secret_that_cannot_be_kept_is_one_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".data").write_text("in the way")
    assert "cannot be made or read" in refusal(monkeypatch, BFF_DEV="1", BFF_JWT_SECRET="")


def test_settings_are_frozen_and_do_not_print_the_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load_with(monkeypatch)
    assert SECRET not in repr(settings)
    with pytest.raises(ValidationError):
        setattr(settings, "port", 1)  # noqa: B010


def test_the_process_stops_with_the_line_and_code_2(tmp_path: Path) -> None:
    environment = {**os.environ, "BFF_PORT": "abc", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-m", "bff"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        'BFF_PORT: got "abc"; takes a port, 1 to 65535, or 0 for any free one'
    ]
