"""Acoustic units: features of a frozen network or of the spectrum, quantized (phase A)."""
