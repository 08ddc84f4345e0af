"""The demo: makes its own speech, trains on it, and writes a report."""
