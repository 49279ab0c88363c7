"""Socket.IO namespaces: decode, call, encode; nothing is decided here."""
