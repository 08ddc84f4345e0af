"""Phase B: clips and pictures in one space."""
