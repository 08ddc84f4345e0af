"""Transformers' networks that translation stands on: BART, Vision Transformers."""
