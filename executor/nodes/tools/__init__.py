"""The built-in tools, a subject a file; `executor.nodes.builtin` puts them into a registry."""
