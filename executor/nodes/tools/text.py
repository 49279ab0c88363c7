"""`text.stats` and `text.summarize`: what can be said about a text without a model, offline."""

from __future__ import annotations

import math
from collections import Counter
from typing import Annotated

from pydantic import Field

from contract.values import Json
from executor.nodes import prose
from executor.nodes.registry import Context, tool

MAX_SENTENCES = 100
WORDS_A_MINUTE = 230
"""How fast an adult reads silently (Brysbaert 2019: 238 for non-fiction)."""

ALREADY_SAID = 0.4
"""What a word that a chosen sentence has still counts in the next."""

_TOP_WORDS = 10
_SHORT, _LONG = 5, 60
_PROGRESS_STEP = 25


@tool("text.stats", idempotent=True)
def stats(text: str, name: str | None = None) -> dict[str, Json]:
    """Counts and averages of a text, Markdown or plain.

    Args:
        name: handed through, to tell the results of a `forEach` apart.

    Returns:
        `{name?, characters, words, lines, sentences, uniqueWords, topWords: [{word, count}],
        readingMinutes, averageWordLength, averageSentenceLength}`; characters, words and lines
        count everything, sentences only running text.
    """
    found = prose.words(text)
    counts = Counter(word.lower() for word in found)
    sentences = [s for p in prose.paragraphs(text) for s in prose.sentences(p)]
    in_sentences = sum(len(prose.words(sentence)) for sentence in sentences)
    top = sorted(
        ((w, n) for w, n in counts.items() if w not in prose.STOP_WORDS and _is_telling(w)),
        key=lambda pair: (-pair[1], pair[0]),
    )
    return {
        **({} if name is None else {"name": name}),
        "characters": len(text),
        "words": len(found),
        "lines": len(text.splitlines()),
        "sentences": len(sentences),
        "uniqueWords": len(counts),
        "topWords": [{"word": word, "count": count} for word, count in top[:_TOP_WORDS]],
        "readingMinutes": round(len(found) / WORDS_A_MINUTE, 1),
        "averageWordLength": _mean(sum(map(len, found)), len(found)),
        "averageSentenceLength": _mean(in_sentences, len(sentences)),
    }


@tool("text.summarize", idempotent=True)
def summarize(
    text: str,
    context: Context,
    sentences: Annotated[int, Field(ge=1, le=MAX_SENTENCES)] = 3,
    name: str | None = None,
) -> dict[str, Json]:
    """The most telling sentences of a text, as they stand and in their order.

    Extractive and offline: a sentence counts by how frequent its words are in the whole text,
    and a word that a chosen sentence already has counts less in the next (after SumBasic). Code,
    tables and headings of Markdown are passed over.

    Args:
        name: handed through, to tell the results of a `forEach` apart.

    Returns:
        `{name?, summary, sentences: [text], of}`; `of` is how many sentences there were.
    """
    blocks = prose.paragraphs(text)
    candidates = [(s, index == 0) for p in blocks for index, s in enumerate(prose.sentences(p))]
    terms = [_terms(sentence) for sentence, _ in candidates]
    counts = Counter(term for each in terms for term in each)
    total = sum(counts.values()) or 1
    weight = {term: count / total for term, count in counts.items()}
    left = set(range(len(candidates)))
    chosen: list[int] = []
    while left and len(chosen) < sentences:
        best = max(left, key=lambda i: (_score(terms[i], weight, opening=candidates[i][1]), -i))
        left.discard(best)
        chosen.append(best)
        for term in set(terms[best]):
            weight[term] *= ALREADY_SAID
        if len(chosen) % _PROGRESS_STEP == 0:
            context.progress(100 * len(chosen) / sentences)
    picked = [candidates[index][0] for index in sorted(chosen)]
    return {
        **({} if name is None else {"name": name}),
        "summary": " ".join(picked),
        "sentences": list(picked),
        "of": len(candidates),
    }


def _terms(sentence: str) -> list[str]:
    found = (word.lower() for word in prose.words(sentence))
    return [word for word in found if word not in prose.STOP_WORDS and _is_telling(word)]


def _is_telling(word: str) -> bool:
    return len(word) > 1 and not word.isnumeric()


def _score(terms: list[str], weight: dict[str, float], *, opening: bool) -> float:
    if not terms:
        return 0.0
    score = math.fsum(weight[term] for term in terms) / len(terms)
    if opening:
        score *= 1.2  # what a paragraph begins with tends to say what it is about
    if not _SHORT <= len(terms) <= _LONG:
        score *= 0.3  # fragments, and lists without an end
    return score


def _mean(total: int, count: int) -> float:
    return round(total / count, 1) if count else 0.0
