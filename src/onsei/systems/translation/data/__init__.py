"""Rows to batches, for every stage."""
