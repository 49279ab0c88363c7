"""Statistics and summaries of texts."""

from __future__ import annotations

import pytest

from contract.errors import Invalid
from contract.values import encode_json
from executor.nodes.context import Context
from executor.nodes.registry import Tool
from executor.nodes.tools.text import stats, summarize

TEXT = """# Events

The server stores events. The server then shows events to every viewer. Weather was fine.
A viewer that joins late gets stored events from the server first. Lunch followed.
"""


def test_statistics_count_what_is_there() -> None:
    assert stats("# Title\n\nOne two. Two three three!\n", name="a.md") == {
        "name": "a.md",
        "characters": 35,
        "words": 6,
        "lines": 3,
        "sentences": 2,
        "uniqueWords": 4,
        "topWords": [
            {"word": "three", "count": 2},
            {"word": "two", "count": 2},
            {"word": "title", "count": 1},
        ],
        "readingMinutes": 0.0,
        "averageWordLength": 4.0,
        "averageSentenceLength": 2.5,
    }


def test_statistics_of_nothing_are_zeros() -> None:
    nothing = stats("")
    assert nothing["words"] == nothing["averageWordLength"] == nothing["averageSentenceLength"] == 0
    assert "name" not in nothing
    encode_json(nothing)


def test_a_summary_keeps_the_telling_sentences_in_their_order() -> None:
    found = summarize(TEXT, Context(), 2, "t")
    assert found == {
        "name": "t",
        "summary": "The server stores events. "
        "A viewer that joins late gets stored events from the server first.",
        "sentences": [
            "The server stores events.",
            "A viewer that joins late gets stored events from the server first.",
        ],
        "of": 5,
    }


def test_a_summary_passes_over_code_and_tables() -> None:
    text = "```\nserver events server events.\n```\n\n| server events server |\n\nThe only prose.\n"
    assert summarize(text, Context())["summary"] == "The only prose."


def test_a_summary_is_never_longer_than_the_text() -> None:
    everything = summarize(TEXT, Context(), 100)
    assert everything["of"] == len(everything["sentences"]) == 5
    assert summarize("", Context()) == {"summary": "", "sentences": [], "of": 0}


def test_a_summary_does_not_say_the_same_twice() -> None:
    text = "Servers store events. Servers store events. Viewers watch executions live."
    assert summarize(text, Context(), 2)["sentences"][1] == "Viewers watch executions live."


@pytest.mark.parametrize("sentences", [0, 101, "many"])
def test_the_length_of_a_summary_is_bounded(sentences: object) -> None:
    with pytest.raises(Invalid, match=r'tool "text\.summarize": argument "sentences"'):
        Tool.of(summarize).bind({"text": "t", "sentences": sentences}, Context())
