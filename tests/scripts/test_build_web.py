"""When the page is built anew, with which Node.js, and that packages carry it."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from scripts import build_web
from tests.support.processes import ROOT


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout with as little in it as there can be."""
    files = {
        "web/package.json": "{}",
        "web/package-lock.json": "{}",
        "web/tsconfig.base.json": "{}",
        "web/packages/core/package.json": "{}",
        "web/packages/core/src/index.ts": "export {};",
        "web/packages/core/test/index.test.ts": "",
        "web/apps/monitor/index.html": "<!doctype html>",
        "web/apps/monitor/ARCHITECTURE.md": "",
        "web/apps/monitor/src/main.ts": "",
        "web/apps/monitor/public/favicon.svg": "<svg/>",
        "examples/one.json": "{}",
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


@pytest.mark.parametrize(
    "name",
    [
        "web/package-lock.json",
        "web/packages/core/src/index.ts",
        "web/apps/monitor/index.html",
        "web/apps/monitor/public/favicon.svg",
        "web/apps/monitor/src/new.vue",
        "examples/one.json",
    ],
)
def test_what_the_page_is_made_of_changes_the_stamp(checkout: Path, name: str) -> None:
    before = build_web.stamp(checkout)
    assert build_web.stamp(checkout) == before
    (checkout / name).write_text("something else")
    assert build_web.stamp(checkout) != before


@pytest.mark.parametrize(
    "name",
    [
        "web/packages/core/test/index.test.ts",
        "web/apps/monitor/ARCHITECTURE.md",
        "web/node_modules/x.js",
    ],
)
def test_the_rest_does_not(checkout: Path, name: str) -> None:
    before = build_web.stamp(checkout)
    (checkout / name).parent.mkdir(exist_ok=True)
    (checkout / name).write_text("something else")
    assert build_web.stamp(checkout) == before


def test_a_file_that_is_renamed_changes_the_stamp(checkout: Path) -> None:
    before = build_web.stamp(checkout)
    main = checkout / "web/apps/monitor/src/main.ts"
    main.rename(main.with_name("other.ts"))
    assert build_web.stamp(checkout) != before


def test_a_page_is_current_only_with_its_stamp(checkout: Path) -> None:
    wanted = build_web.stamp(checkout)
    static = checkout / "bff/static"
    assert not build_web.is_current(checkout, wanted)
    static.mkdir(parents=True)
    (static / ".stamp").write_text(f"{wanted}\n")
    assert not build_web.is_current(checkout, wanted), "there is no page"
    (static / "index.html").write_text("")
    assert build_web.is_current(checkout, wanted)
    assert not build_web.is_current(checkout, "another")


@pytest.mark.parametrize(
    ("version", "good"),
    [
        ("v20.19.0", True),
        ("v20.18.3", False),
        ("v18.20.4", False),
        ("v24.1.0", True),
        ("oops", False),
    ],
)
def test_the_systems_node_counts_only_if_it_is_new_enough(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str, good: bool
) -> None:
    for name in ("node", "npm"):
        (tmp_path / name).write_text(f"#!/bin/sh\necho {version}\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    assert (build_web.system_node() is not None) is good


def test_without_node_there_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert build_web.system_node() is None


def test_what_goes_wrong_is_said(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build_web, "system_node", lambda: None)
    (checkout / "requirements").mkdir()
    (checkout / "requirements/node.txt").write_text("no-hash==1.0\n")
    with pytest.raises(build_web.BuildError, match="pip failed with exit code 1"):
        build_web.build(checkout)


@pytest.mark.parametrize("target", ["wheel", "sdist"])
def test_packages_carry_the_page_though_git_does_not(tmp_path: Path, target: str) -> None:
    copy = tmp_path / "checkout"
    copy.mkdir()
    needed = ("pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md", ".gitignore", "contract")
    for name in needed:
        subprocess.run(["cp", "-r", str(ROOT / name), str(copy)], check=True)
    for package in ("bff", "executor"):
        (copy / package).mkdir()
        (copy / package / "__init__.py").write_text("")
    static = copy / "bff/static/assets"
    static.mkdir(parents=True)
    (static.parent / "index.html").write_text("")
    (static / "index-abc.js.br").write_text("")
    command = [sys.executable, "-m", "hatchling", "build", "-t", target, "-d", str(tmp_path)]
    subprocess.run(command, cwd=copy, check=True, capture_output=True)
    (made,) = [*tmp_path.glob("*.whl"), *tmp_path.glob("*.tar.gz")]
    if target == "wheel":
        names = zipfile.ZipFile(made).namelist()
    else:
        listed = subprocess.run(["tar", "tf", made], capture_output=True, text=True, check=True)
        names = [name.partition("/")[2] for name in listed.stdout.splitlines()]
    assert {"bff/static/index.html", "bff/static/assets/index-abc.js.br"} <= set(names)
