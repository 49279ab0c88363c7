"""The server: keeps what executors report and shows it live to viewers."""
