"""Sketches: songs as tokens of a codebook over embedded frames, one for each latent of the codec."""
