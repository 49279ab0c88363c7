"""The file that the web's types are made of."""

from __future__ import annotations

from scripts.contract_schema import FILE, encoded


def test_the_file_is_what_the_script_writes() -> None:
    assert FILE.read_bytes() == encoded(), (
        "run python -m scripts.contract_schema, then npm run generate in web/"
    )
