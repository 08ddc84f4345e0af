"""Phase C: sentences of units."""
