"""Sentences and the running text of Markdown."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from executor.nodes import prose

MARKDOWN = """---
title: front matter
---
# A heading. With a dot.

First sentence, *emphasised*, with `code.path` and a [link](http://example.com/a.b). Second
sentence runs over a line!

```python
print("Not a sentence. At all.")
~~~
still code.
```

Setext heading
==============

| a table. | with cells. |
| --- | --- |

- An item. It has two sentences.
- [x] Another item.

> A quote stands here.

    indented code. Not prose.

<!-- A comment. Not shown. -->
![An image.](picture.png)
1. Numbered.
"""


def test_only_running_text_is_left_of_markdown() -> None:
    assert prose.paragraphs(MARKDOWN) == [
        "First sentence, emphasised, with code.path and a link. Second sentence runs over a line!",
        "An item. It has two sentences.",
        "Another item.",
        "A quote stands here.",
        "Numbered.",
    ]


def test_sentences_end_where_they_end() -> None:
    text = (
        'Dr. Who, e.g. the 4th, paid 3.50. "Really?" Yes… He went to node.js v1.2. ok? そう。はい'
    )
    assert prose.sentences(text) == [
        "Dr. Who, e.g. the 4th, paid 3.50.",
        '"Really?"',
        "Yes…",
        "He went to node.js v1.2.",
        "ok?",
        "そう。",
        "はい",
    ]
    assert prose.sentences(" \n--- ") == []


def test_words_keep_their_inner_marks() -> None:
    assert prose.words("It's state-of-the-art, naïve_code 42!") == [
        "It's",
        "state-of-the-art",
        "naïve",
        "code",
        "42",
    ]


@given(st.text(alphabet="ab. \n`~#|->*[]()!?<", max_size=300))
def test_any_text_is_taken_apart_without_inventing_words(text: str) -> None:
    words = set(prose.words(text))
    joined = "".join(prose.words(text))
    for paragraph in prose.paragraphs(text):
        for sentence in prose.sentences(paragraph):
            for word in prose.words(sentence):
                # marks of emphasis inside a word are taken out, so a word may be joined
                assert word in words or all(part in joined for part in word.split("-"))
