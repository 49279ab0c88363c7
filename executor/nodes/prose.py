"""Words, sentences and the prose inside Markdown; pure, and linear in the text's length."""

from __future__ import annotations

import re

_WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")
_FENCE = re.compile(r"\s{0,3}(`{3,}|~{3,})")
_TABLE_ROW = re.compile(r"\s*\|.*\|\s*$")
_HEADING = re.compile(r"\s{0,3}#{1,6}(\s|$)")
_UNDERLINE = re.compile(r"\s{0,3}(=+|-+|\*+|_+|(?:[-*_]\s?){3,})\s*$")
_ITEM = re.compile(r"\s*(?:[-*+]|\d{1,9}[.)])\s+(?:\[[ xX]\]\s+)?")
_QUOTE = re.compile(r"\s{0,3}>\s?")
_IMAGE = re.compile(r"!\[[^\[\]\n]{0,500}\]\([^()\n]{0,2000}\)")
_LINK = re.compile(r"\[([^\[\]\n]{0,500})\]\([^()\n]{0,2000}\)")
_EMPHASIS = re.compile(r"(\*\*|__|~~|(?<![\w*])\*(?=\S)|(?<=\S)\*(?![\w*])|`)")
# a Western sentence ends before white space and a word, an East Asian one anywhere
_END = re.compile(r"[.!?…][\"'”’)\]]*\s+(?=[\"'“\u2018(\[]?[^\W_])|[\u3002\uff01\uff1f]+")

_NO_END = "al approx ca cf dr e.g eg etc fig i.e ie jr mr mrs ms no nr pp prof sr st vgl vol vs z.b"
_ABBREVIATIONS = frozenset(_NO_END.split())
"""After these a dot ends no sentence."""

_FUNCTION_WORDS = """
a about above after again all also am an and any are as at be because been before being below
between both but by can cannot could did do does doing down during each either every few for
from further had has have having he her here hers him his how i if in into is it its itself
just let may me might more most must my no nor not now of off on once only one or other our out
over own same shall she should so some such than that the their them then there these they this
those through to too under until up upon us very was we were what when where which while who
whom whose why will with within without would yet you your yours
"""
STOP_WORDS = frozenset(_FUNCTION_WORDS.split())
"""English words that say nothing about a text's subject."""


def words(text: str) -> list[str]:
    """The words as they stand: letters and digits, joined by apostrophes or hyphens."""
    return _WORD.findall(text)


def sentences(text: str) -> list[str]:
    """The sentences of running text in order, white space made single."""
    found, start = [], 0
    for end in _END.finditer(text):
        before = text[max(start, end.start() - 20) : end.start()]
        last = before.split()[-1].lower().lstrip("(\"'") if before.split() else ""
        if text[end.start()] == "." and (last in _ABBREVIATIONS or len(last) == 1):
            continue
        found.append(text[start : end.end()])
        start = end.end()
    found.append(text[start:])
    cleaned = (" ".join(sentence.split()) for sentence in found)
    return [sentence for sentence in cleaned if _WORD.search(sentence)]


def paragraphs(markdown: str) -> list[str]:
    """The running text of Markdown, a list item or block of lines each.

    Without code blocks, tables, headings, rules, comments, link targets and emphasis marks.
    Plain text comes out as its paragraphs.
    """
    found: list[str] = []
    block: list[str] = []
    fence: str | None = None
    front_matter = False

    def close() -> None:
        if block:
            found.append(" ".join(block))
            block.clear()

    for number, line in enumerate(_without_comments(markdown).splitlines()):
        if number == 0 and line.strip() == "---":
            front_matter = True
        elif front_matter:
            front_matter = line.strip() not in ("---", "...")
        elif fence is not None:
            mark = _FENCE.match(line)
            if mark and mark[1].startswith(fence) and not line.strip().strip(fence[0]):
                fence = None
        elif mark := _FENCE.match(line):
            close()
            fence = mark[1]
        elif _UNDERLINE.match(line) and not _ITEM.match(line):
            if len(block) == 1:
                block.clear()  # the line above is a heading
            close()
        elif not line.strip() or _TABLE_ROW.match(line) or _HEADING.match(line):
            close()
        elif not block and line.startswith(("    ", "\t")) and not _ITEM.match(line):
            continue  # an indented code block
        else:
            text = _QUOTE.sub("", line)
            if item := _ITEM.match(text):
                close()
                text = text[item.end() :]
            if plain := _plain(text).strip():
                block.append(plain)
    close()
    return found


def _plain(line: str) -> str:
    return _EMPHASIS.sub("", _LINK.sub(r"\1", _IMAGE.sub("", line)))


def _without_comments(markdown: str) -> str:
    kept, start = [], 0
    while (opening := markdown.find("<!--", start)) >= 0:
        closing = markdown.find("-->", opening)
        if closing < 0:
            break
        kept.append(markdown[start:opening])
        start = closing + len("-->")
    return "".join([*kept, markdown[start:]])
