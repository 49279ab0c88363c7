"""The executor's settings: defaults, the environment, `.env`, one clear line for a mistake."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from contract.errors import Unauthorized
from executor.settings import Settings, SettingsError, load


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    # a copy that load() may add to
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("EXECUTOR_", "WORKER_"))
    }
    monkeypatch.setattr(os, "environ", kept)
    monkeypatch.chdir(tmp_path)


def test_defaults(tmp_path: Path) -> None:
    settings = load()
    assert settings.bff_url == "http://127.0.0.1:3001"
    assert (settings.concurrency, settings.timeout_ms, settings.retry_attempts) == (5, 30_000, 3)
    assert settings.id.endswith(f"-{os.getpid()}")
    assert settings.files_root == tmp_path
    assert (settings.offers, settings.http_allow, settings.redact, settings.tools) == ((),) * 4


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    text = "WORKER_CONCURRENCY=7\nWORKER_TIMEOUT=100\nOPENAI_API_KEY=from-file\n"
    (tmp_path / ".env").write_text(text)
    os.environ.update(WORKER_TIMEOUT="200", EXECUTOR_OFFERS="gpu, big ,", EXECUTOR_TOKEN="")
    settings = load()
    assert (settings.concurrency, settings.timeout_ms) == (7, 200)
    assert settings.offers == ("gpu", "big")
    assert settings.token is None
    # for the tools, which look there
    assert os.environ["OPENAI_API_KEY"] == "from-file"


@pytest.mark.parametrize(
    ("variable", "value", "line"),
    [
        ("WORKER_CONCURRENCY", "many", 'got "many"; takes a whole number of nodes, 1 to 1000'),
        ("WORKER_CONCURRENCY", "0", 'got "0"; takes a whole number of nodes, 1 to 1000'),
        ("WORKER_TIMEOUT", "-1", 'got "-1"; takes a whole number of milliseconds, 1 to 604800000'),
        ("WORKER_RETRY_ATTEMPTS", "101", 'got "101"; takes a whole number of tries'),
        ("EXECUTOR_BFF_URL", "localhost", 'got "localhost" (not the address of a server); takes'),
        ("EXECUTOR_BFF_URL", "ftp://u:secret@h", 'got "ftp://…" (not the address of a server)'),
        ("EXECUTOR_BFF_URL", "http://h:99999", 'got "http://h:99999" (Port out of range'),
        ("EXECUTOR_ID", "a b", 'got "a b"; takes 1 to 128 of A-Z a-z 0-9 _ . : -'),
        ("EXECUTOR_FILES_ROOT", "/nowhere", 'got "/nowhere" (not a folder); takes an existing'),
        ("EXECUTOR_TOOLS", "a-b", 'got "a-b" ("a-b" is none); takes a comma-separated list'),
        ("EXECUTOR_REDACT", "A,1B", 'got "A,1B" ("1B" is none); takes a comma-separated list'),
        ("EXECUTOR_DASK_SCHEDULER", "tcp://x", 'got "tcp://x" (Dask is not in this version yet)'),
    ],
)
def test_a_mistake_is_one_line(variable: str, value: str, line: str) -> None:
    os.environ[variable] = value
    with pytest.raises(SettingsError) as caught:
        load()
    assert str(caught.value).startswith(f"{variable}: {line}")
    assert "\n" not in str(caught.value) and "secret" not in str(caught.value)
    assert caught.value.exit_code == 2


def test_a_file_that_is_no_text(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"A=\xff")
    with pytest.raises(SettingsError, match=r"\.env: is not UTF-8 text"):
        load()


def test_a_fixed_token() -> None:
    os.environ["EXECUTOR_TOKEN"] = "a-token"
    assert load().token_source() == "a-token"
    assert "a-token" not in repr(load())


def test_the_development_token_is_read_anew(tmp_path: Path) -> None:
    file = tmp_path / "token"
    source = Settings().token_source(file)
    assert callable(source)
    with pytest.raises(Unauthorized, match="EXECUTOR_TOKEN: is not set, and there is no"):
        source()
    for token in ("one", "two"):
        file.write_text(f"{token}\n")
        assert source() == token


def test_secrets() -> None:
    os.environ.update(EXECUTOR_REDACT="KEY,GONE", EXECUTOR_TOKEN="own-token", KEY="value")
    assert load().secrets(os.environ) == (["value", "own-token"], ["GONE"])
    os.environ["KEY"] = "abc"
    with pytest.raises(SettingsError, match="EXECUTOR_REDACT: the value of KEY has 3 characters"):
        load().secrets(os.environ)
