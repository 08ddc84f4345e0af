"""Layers that only import torch."""
