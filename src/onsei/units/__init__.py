"""Self-supervised speech encoders, and later the units that are read off them."""
