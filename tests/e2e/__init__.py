"""End to end: real processes, and the stock clients that a user would take."""
