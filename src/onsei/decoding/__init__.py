"""Decoding: from network outputs to sequences."""
