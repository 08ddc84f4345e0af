"""Self-supervised speech encoders, and the units that are read off them: k-means and vector quantization."""
