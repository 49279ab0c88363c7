"""What several test modules use: raw clients and servers on free ports."""
