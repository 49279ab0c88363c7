"""File tools: what they do under the root, and everything by which one might leave it."""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path
from typing import Any

import pytest

from contract.errors import Invalid
from executor.nodes.context import Context
from executor.nodes.errors import ToolError
from executor.nodes.tools import files
from executor.nodes.tools.files import list_, read, write


@pytest.fixture
def root(tmp_path: Path) -> Path:
    made = tmp_path / "root"
    (made / "docs" / "deep").mkdir(parents=True)
    (made / "docs" / "b.md").write_text("bb")
    (made / "docs" / "a.md").write_text("a")
    (made / "docs" / "deep" / "c.md").write_text("ccc")
    (made / "docs" / "note.txt").write_text("")
    (made / ".hidden").mkdir()
    (made / ".hidden" / "secret.md").write_text("s")
    (made / ".env").write_text("KEY=1")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret.md").write_text("outside")
    return made


@pytest.fixture
def context(root: Path) -> Context:
    return Context(files_root=root)


def paths(found: list[dict[str, Any]]) -> list[str]:
    return [item["path"] for item in found]


def test_a_list_is_sorted_relative_and_has_sizes(context: Context) -> None:
    assert list_(context, "docs", "*.md") == [
        {"path": "docs/a.md", "size": 1},
        {"path": "docs/b.md", "size": 2},
    ]


@pytest.mark.parametrize(
    ("path", "glob", "found"),
    [
        ("docs", "**/*.md", ["docs/a.md", "docs/b.md", "docs/deep/c.md"]),
        (".", "**/c.*", ["docs/deep/c.md"]),
        (".", "docs/*/c.md", ["docs/deep/c.md"]),
        (".", "docs/**", ["docs/a.md", "docs/b.md", "docs/deep/c.md", "docs/note.txt"]),
        (".", "*", []),
        (".", "**/**/[ab].md", ["docs/a.md", "docs/b.md"]),
        ("docs/../docs", "?.md", ["docs/a.md", "docs/b.md"]),
        (".", ".env", []),
        (".", "**/secret.md", []),
    ],
)
def test_globs(context: Context, path: str, glob: str, found: list[str]) -> None:
    assert paths(list_(context, path, glob)) == found


@pytest.mark.parametrize("glob", ["", "../*", "/etc/*", "docs/../../*"])
def test_a_glob_stays_below_its_folder(context: Context, glob: str) -> None:
    with pytest.raises(Invalid, match="is not a glob"):
        list_(context, ".", glob)


def test_a_list_does_not_follow_links_out_or_round(root: Path, context: Context) -> None:
    (root / "docs" / "out").symlink_to(root.parent / "outside")
    (root / "docs" / "x.md").symlink_to(root.parent / "outside" / "secret.md")
    (root / "docs" / "loop").symlink_to(root / "docs")
    (root / "docs" / "broken.md").symlink_to(root / "nothing")
    (root / "docs" / "linked.md").symlink_to(root / "docs" / "a.md")
    os.mkfifo(root / "docs" / "pipe.md")
    assert paths(list_(context, "docs", "**/*.md")) == [
        "docs/a.md",
        "docs/b.md",
        "docs/deep/c.md",
        "docs/linked.md",
    ]


def test_a_list_is_bounded(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "MAX_LISTED", 2)
    with pytest.raises(Invalid, match="more than 2 files"):
        list_(context, "docs", "**/*.md")
    monkeypatch.setattr(files, "MAX_VISITED", 3)
    with pytest.raises(Invalid, match="more than 3 entries"):
        list_(context, "docs", "**/*.md")


def test_reading_gives_text_and_size(root: Path, context: Context) -> None:
    (root / "x.md").write_bytes("\ufeffgrüß\r\n".encode())
    assert read("docs/../x.md", context) == {"path": "x.md", "text": "grüß\r\n", "size": 11}
    assert read(str(root / "x.md"), context)["path"] == "x.md"


def test_writing_is_read_back_and_makes_folders(root: Path, context: Context) -> None:
    assert write("new/deep/ü.md", "text\n", context) == {"path": "new/deep/ü.md", "size": 5}
    assert read("new/deep/ü.md", context)["text"] == "text\n"
    assert [p.name for p in (root / "new" / "deep").iterdir()] == ["ü.md"]


def test_writing_keeps_the_mode_of_what_it_replaces(root: Path, context: Context) -> None:
    (root / "run.sh").write_text("old")
    (root / "run.sh").chmod(0o750)
    write("run.sh", "new", context)
    assert stat.S_IMODE((root / "run.sh").stat().st_mode) == 0o750
    assert (root / "run.sh").read_text() == "new"


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(
    root: Path, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_space(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", no_space)
    with pytest.raises(ToolError, match=r'"docs/a\.md" cannot be written: no space left on device'):
        write("docs/a.md", "new", context)
    assert (root / "docs" / "a.md").read_text() == "a"
    assert not [p for p in (root / "docs").iterdir() if p.name.startswith(".")]


ESCAPES = [
    "../outside/secret.md",
    "docs/../../outside/secret.md",
    "/etc/hostname",
    "//etc/hostname",
    "link/secret.md",
    "file-link.md",
    "chain/secret.md",
    "docs/deep/../../../outside/secret.md",
]


@pytest.mark.parametrize("path", ESCAPES)
def test_no_path_leaves_the_root(root: Path, context: Context, path: str) -> None:
    outside = root.parent / "outside"
    (root / "link").symlink_to(outside)
    (root / "file-link.md").symlink_to("../outside/secret.md")
    (root / "chain").symlink_to("link")
    for act in (lambda: read(path, context), lambda: write(path, "hacked", context)):
        with pytest.raises(Invalid, match="leads out of the files root"):
            act()
    assert (outside / "secret.md").read_text() == "outside"
    assert [p.name for p in outside.iterdir()] == ["secret.md"]


def test_a_root_of_a_similar_name_is_another_root(root: Path, context: Context) -> None:
    sibling = root.parent / "root-2"
    sibling.mkdir()
    (sibling / "f").write_text("f")
    with pytest.raises(Invalid, match="leads out of the files root"):
        read("../root-2/f", context)


@pytest.mark.parametrize("path", [".env", ".hidden/secret.md", "docs/../.env", "visible"])
def test_hidden_names_are_out_of_reach(root: Path, context: Context, path: str) -> None:
    (root / "visible").symlink_to(root / ".env")
    with pytest.raises(Invalid, match="names that begin with a dot"):
        read(path, context)
    with pytest.raises(Invalid, match="names that begin with a dot"):
        write(path, "x", context)
    assert (root / ".env").read_text() == "KEY=1"


def test_a_hidden_folder_may_be_the_root_itself(root: Path) -> None:
    assert read("secret.md", Context(files_root=root / ".hidden"))["text"] == "s"


@pytest.mark.parametrize("path", ["nul\0byte", "\ud800", "x" * 5000, "loop"])
def test_what_is_no_path_is_refused(root: Path, context: Context, path: str) -> None:
    (root / "loop").symlink_to("loop")
    with pytest.raises((Invalid, ToolError)):
        read(path, context)


def test_only_regular_files_are_read_or_replaced(root: Path, context: Context) -> None:
    os.mkfifo(root / "pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(root / "sock"))
        for path in ("pipe", "sock", "docs"):
            with pytest.raises(ToolError, match=path):
                read(path, context)
            with pytest.raises(ToolError, match=f'"{path}" is not a regular file'):
                write(path, "x", context)
    assert stat.S_ISFIFO((root / "pipe").lstat().st_mode)
    with pytest.raises(Invalid, match="the root folder itself"):
        write(".", "x", context)


def test_sizes_and_encodings_are_bounded(root: Path, context: Context) -> None:
    (root / "long").write_bytes(b"x" * 1_000_001)
    (root / "latin").write_bytes(b"gr\xfc\xdf")
    with pytest.raises(ToolError, match="longer than 1,000,000 bytes"):
        read("long", context)
    with pytest.raises(ToolError, match="is not UTF-8 text: byte 2"):
        read("latin", context)
    with pytest.raises(ToolError, match='"none" cannot be read: no such file'):
        read("none", context)
    with pytest.raises(Invalid, match="at most 1,000,000"):
        write("new", "x" * 1_000_001, context)
    with pytest.raises(Invalid, match="lone surrogate"):
        write("new", "\ud800", context)
    with pytest.raises(ToolError, match="is not a folder"):
        list_(context, "long")
    assert not (root / "new").exists()
