"""Benchmarks: servers side by side, each in its own process, all under the same load.

`peers` are the servers, `load` is the process that makes the load, `measures` what is
measured, `report` how it is told. `make bench` runs them all and writes
`docs/benchmarks.md`.
"""
