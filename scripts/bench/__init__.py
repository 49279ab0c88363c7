"""Benchmarks: each server in its own process, loads over real sockets on loopback."""
