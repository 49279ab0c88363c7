"""Commands for people: one verb a file, run with `python -m scripts.VERB`."""
