"""All tests; they mirror the folders they test."""
