"""Tests of the event stores: one contract for all of them, and what each adds."""
