"""Everything that happens to real systems, on purpose: see `docs/reliability.md`."""
