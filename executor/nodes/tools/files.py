"""`files.list`, `files.read`, `files.write`: text files under the executor's files root.

Paths are resolved first, symbolic links included, and then have to lie under the root. Names
that begin with a dot are out of reach: in a working folder they hold secrets, repositories and
environments, none of which a workflow has any business with.
"""

from __future__ import annotations

import fnmatch
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from contract.errors import Invalid
from contract.values import Json
from executor.nodes.errors import ToolError
from executor.nodes.registry import Context, tool

MAX_BYTES = 1_000_000
"""The longest file that is read or written."""
MAX_LISTED = 5_000
MAX_VISITED = 100_000
"""Entries that one `files.list` looks at before it gives up."""

# a FIFO must not hold the thread up, and a link that appears after the check is not followed
_SAFELY = os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC


@tool("files.list", idempotent=True)
def list_(context: Context, path: str = ".", glob: str = "*") -> list[dict[str, Json]]:
    """The files of a folder as `[{path, size}]`, sorted; paths are relative to the root.

    Args:
        glob: which ones: `*.md`, `**/*.py`; `**` stands for any folders, also none.

    Raises:
        Invalid: the path leaves the root, or more than 5,000 files fit the pattern.
        ToolError: it is not a folder that can be read.
    """
    root, folder = _root(context), _inside(context, path)
    if not folder.is_dir():
        raise ToolError(f'"{path}" is not a folder')
    parts = _parts(glob)
    depth = None if "**" in parts else len(parts) - 1
    found: list[dict[str, Json]] = []
    for entry in _walk(folder, depth, path):
        if not _fits(parts, entry.relative_to(folder).parts):
            continue
        with suppress(OSError, Invalid):  # gone meanwhile, a link that leaves the root
            inside = _inside(context, str(entry))
            status = inside.stat()
            if stat.S_ISREG(status.st_mode):
                found.append({"path": entry.relative_to(root).as_posix(), "size": status.st_size})
        if len(found) > MAX_LISTED:
            raise Invalid(f'"{glob}" fits more than {MAX_LISTED:,} files; use a narrower one')
    return sorted(found, key=lambda item: str(item["path"]))


@tool("files.read", idempotent=True)
def read(path: str, context: Context) -> dict[str, Json]:
    """The text of a file as `{path, text, size}`; UTF-8, at most 1,000,000 bytes.

    Raises:
        Invalid: the path leaves the root.
        ToolError: it is missing, not a regular file, too long or not UTF-8.
    """
    place = _inside(context, path)
    try:
        with os.fdopen(os.open(place, os.O_RDONLY | _SAFELY), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise ToolError(f'"{path}" is not a regular file')
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise ToolError(f'"{path}" cannot be read: {_reason(error)}') from None
    if len(data) > MAX_BYTES:
        raise ToolError(f'"{path}" is longer than {MAX_BYTES:,} bytes')
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ToolError(f'"{path}" is not UTF-8 text: byte {error.start}') from None
    return {"path": place.relative_to(_root(context)).as_posix(), "text": text, "size": len(data)}


@tool("files.write", idempotent=True)
def write(path: str, text: str, context: Context) -> dict[str, Json]:
    """Write a file whole or not at all, making its folders; gives `{path, size}`.

    A reader sees the old content or the new, never a part: the text goes to a temporary file
    in the same folder, which then takes the name.

    Raises:
        Invalid: the path leaves the root, or the text is too long or not Unicode.
        ToolError: there is something else than a regular file, or the system refuses.
    """
    root, place = _root(context), _inside(context, path)
    if place == root:
        raise Invalid(f'"{path}" is the root folder itself, not a file')
    try:
        data = text.encode()
    except UnicodeEncodeError:
        raise Invalid("the text holds a lone surrogate, which no file can") from None
    if len(data) > MAX_BYTES:
        raise Invalid(f"the text is {len(data):,} bytes; at most {MAX_BYTES:,} are written")
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        mode = _mode_of(place)
        if mode is not None and not stat.S_ISREG(mode):
            raise ToolError(f'"{path}" is not a regular file')
        _replace(place, data, mode)
    except OSError as error:
        raise ToolError(f'"{path}" cannot be written: {_reason(error)}') from None
    return {"path": place.relative_to(root).as_posix(), "size": len(data)}


def _replace(place: Path, data: bytes, mode: int | None) -> None:
    temporary = place.parent / f".runroom-{secrets.token_hex(8)}"
    new = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _SAFELY, 0o666)
    try:
        with os.fdopen(new, "wb") as file:
            if mode is not None:
                os.fchmod(file.fileno(), stat.S_IMODE(mode))
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, place)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _mode_of(place: Path) -> int | None:
    try:
        return place.lstat().st_mode
    except FileNotFoundError:
        return None


def _root(context: Context) -> Path:
    root = context.files_root.resolve()
    if not root.is_dir():
        raise ToolError("EXECUTOR_FILES_ROOT is not a folder")
    return root


def _inside(context: Context, path: str) -> Path:
    """The real place of a path, which lies under the root and behind no hidden name."""
    root = _root(context)
    try:
        os.fsencode(path)
        place = (root / path).resolve()
    except (OSError, RuntimeError, ValueError):  # too long, a loop of links, a NUL
        raise Invalid(f"{path[:200]!r} is not a path") from None
    if not place.is_relative_to(root):
        raise Invalid(f'"{path[:200]}" leads out of the files root')
    if any(part.startswith(".") for part in place.relative_to(root).parts):
        raise Invalid(f'"{path[:200]}" is out of reach: names that begin with a dot are')
    return place


def _walk(folder: Path, depth: int | None, shown: str) -> Iterator[Path]:
    """Every visible entry that is not a folder, at most `depth` folders down."""
    visited = 0
    for here, folders, names in os.walk(folder):
        level = len(Path(here).relative_to(folder).parts)
        visited += len(folders) + len(names)
        if visited > MAX_VISITED:
            raise Invalid(f'"{shown}" holds more than {MAX_VISITED:,} entries; list a part of it')
        if depth is not None and level >= depth:
            folders.clear()
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (Path(here, name) for name in names if not name.startswith("."))


def _parts(glob: str) -> tuple[str, ...]:
    parts = tuple(part for part in glob.split("/") if part not in ("", "."))
    if not parts or ".." in parts or glob.startswith("/"):
        raise Invalid(f'"{glob[:200]}" is not a glob like *.md or **/*.py')
    return parts


def _fits(glob: tuple[str, ...], names: tuple[str, ...]) -> bool:
    """Whether a path's names fit a glob's parts; `**` takes any number of names."""
    reached = _past_stars(glob, {0})
    for name in names:
        following = set()
        for index in reached - {len(glob)}:
            if glob[index] == "**":
                following.add(index)
            elif fnmatch.fnmatchcase(name, glob[index]):
                following.add(index + 1)
        reached = _past_stars(glob, following)
    return len(glob) in reached


def _past_stars(glob: tuple[str, ...], reached: set[int]) -> set[int]:
    for index, part in enumerate(glob):
        if part == "**" and index in reached:
            reached.add(index + 1)
    return reached


def _reason(error: OSError) -> str:
    return (error.strerror or type(error).__name__).lower()
