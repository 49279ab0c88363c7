"""Event stores: `base` is the interface, each other module one implementation."""
